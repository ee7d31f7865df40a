"""JSON values and lines, taken one after another from a text of any length."""

from __future__ import annotations

import json
import re
from io import TextIOWrapper
from typing import Any

from index.ingest.formats.raw_record import MAX_RAW_CHARS
from index.ingest.formats.text import MAX_ENTRY_CHARS, NOT_UTF_8, TOO_LONG, is_decoded

WINDOW_CHARS = 65_536
KEPT_CHARS = 200  # that stay behind the window, for the indent of what comes next
MAX_LOOK_CHARS = 1_000_000
MAX_TOKEN_CHARS = 12  # of `-Infinity` or an escape: an error so near the end may come of the text's being cut there

BLANK = " \t\r\n\v\f\ufeff"  # white space and the byte order mark
_PASSED = {separator: re.compile(f"[^{BLANK}{separator}]") for separator in ("", ",")}
_DECODER = json.JSONDecoder()


class NotJsonError(Exception):
    """Text is no JSON value: why, the line it shows in, and whether the window has passed it."""

    def __init__(self, reason: str, line: int, *, is_passed: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.is_passed = is_passed


class JsonText:
    """A window that moves over a text. `line` is the number of the line it stands in."""

    def __init__(self, source: TextIOWrapper) -> None:
        self._source = source
        self._text = ""
        self._position = 0
        self._counted = 0  # as far as the lines of `_text` are in `_line`
        self._line = 1
        self._dropped = 0
        self._is_at_end = False

    @property
    def line(self) -> int:
        """The number of the line that the next character stands in."""
        self._line += self._text.count("\n", self._counted, self._position)
        self._counted = self._position
        return self._line

    @property
    def offset(self) -> int:
        """How many characters of the text are behind the window."""
        return self._dropped + self._position

    def peek(self, separator: str = "") -> str:
        """The next character that is neither white space nor the separator, which is where it moves; "" at the end."""
        passed = _PASSED[separator]
        while (found := passed.search(self._text, self._position)) is None:
            self._position = len(self._text)
            if not self._fill():
                return ""
        self._position = found.start()
        return found[0]

    def skip(self) -> None:
        """Move past the next character."""
        self._position += 1

    def take(self) -> Any:
        """The JSON value that comes next, which the window moves past.

        Raises:
            NotJsonError: there is none, or it is too long.
        """
        while len(self._text) - self._position <= MAX_ENTRY_CHARS:
            try:
                value, end = _DECODER.raw_decode(self._text, self._position)
            except json.JSONDecodeError as error:
                if not (self._may_be_cut(error) and self._fill()):
                    raise NotJsonError(f"not JSON: {error.msg}", self._line_at(error.pos)) from None
            except (ValueError, RecursionError) as error:
                raise NotJsonError(_explain(error), self.line) from None
            else:
                if end < len(self._text) or not self._fill():  # a number may go on
                    return self._pass(value, end)
        raise NotJsonError(TOO_LONG, self.line)

    def take_name(self) -> str:
        """The name of the member of an object that comes next, with its colon.

        Raises:
            NotJsonError: there is none.
        """
        name = self.take() if self.peek() == '"' else None
        if name is None or self.peek() != ":":
            raise NotJsonError("not JSON: no name of a member, or the end is missing", self.line)
        self.skip()
        self.peek()
        return str(name)

    def take_line(self) -> str:
        """The rest of the line, with its end; what it has beyond `MAX_ENTRY_CHARS` and one more is left out."""
        searched = 0
        while (end := self._text.find("\n", self._position + searched)) < 0:
            searched = len(self._text) - self._position
            if searched > MAX_ENTRY_CHARS or not self._fill():
                return self._take_cut_line()
        start, self._position = self._position, end + 1
        return self._text[start : self._position]

    def look_lines(self, count: int) -> list[str]:
        """The next lines that hold text, those that are within reach, without moving."""
        while len(lines := self._whole_lines(count)) < count and len(self._text) < MAX_LOOK_CHARS and self._fill():
            pass
        return lines if len(lines) >= count else self._whole_lines(count)

    def look(self) -> str:
        """The text that comes next, as much as a rejection shows."""
        while len(self._text) - self._position < MAX_RAW_CHARS and self._fill():
            pass
        return self._text[self._position : self._position + MAX_RAW_CHARS]

    def move_to(self, mark: str) -> bool:
        """Move to the next place where the text reads so, or to its end; whether there is one."""
        while (found := self._text.find(mark, self._position)) < 0:
            self._position = max(self._position, len(self._text) - len(mark) + 1)
            if not self._fill():
                self._position = len(self._text)
                return False
        self._position = found
        return True

    def move_to_end(self) -> None:
        """Let go of the rest of the text."""
        self._position = len(self._text)
        while self._fill():
            self._position = len(self._text)

    def indent(self) -> str | None:
        """The white space before the next character in its line, if there is nothing else."""
        indent = self._text[self._text.rfind("\n", 0, self._position) + 1 : self._position]
        return None if indent.strip() else indent

    def _pass(self, value: Any, end: int) -> Any:
        line, start, self._position = self.line, self._position, end
        if not is_decoded(self._text[start:end]):
            raise NotJsonError(NOT_UTF_8, line, is_passed=True)
        return value

    def _take_cut_line(self) -> str:
        line = self._text[self._position : self._position + MAX_ENTRY_CHARS + 1]
        if self.move_to("\n"):
            self.skip()
        return line

    def _whole_lines(self, count: int) -> list[str]:
        lines: list[str] = []
        start, last = self._position, len(self._text) if self._is_at_end else 0
        while len(lines) < count and (end := self._text.find("\n", start) + 1 or last) > start:
            lines += [line] if (line := self._text[start:end]).strip(BLANK) else []
            start = end
        return lines

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether the error may come of the window's end rather than of the text."""
        return error.msg.startswith("Unterminated string") or error.pos > len(self._text) - MAX_TOKEN_CHARS

    def _line_at(self, position: int) -> int:
        return self.line + self._text.count("\n", self._position, position)

    def _fill(self) -> bool:
        """Let go of what is far behind, and read as much again as is ahead; whether there was more."""
        if self._is_at_end:
            return False
        self._line = self.line
        behind = min(self._position, KEPT_CHARS)
        kept = self._text[self._position - behind :]
        more = self._source.read(max(WINDOW_CHARS, len(kept)))
        self._dropped += self._position - behind
        self._text, self._position, self._counted = kept + more, behind, behind
        self._is_at_end = not more
        return bool(more)


def load_line(line: str) -> Any:
    """The JSON value that a line is.

    Raises:
        NotJsonError: it is none.
    """
    if len(line) > MAX_ENTRY_CHARS:
        raise NotJsonError(TOO_LONG, 1)
    if not is_decoded(line):
        raise NotJsonError(NOT_UTF_8, 1)
    try:
        return json.loads(line.strip(BLANK))
    except (ValueError, RecursionError) as error:
        raise NotJsonError(_explain(error), 1) from None


def _explain(error: ValueError | RecursionError) -> str:
    """Why text is no JSON, in words."""
    if isinstance(error, RecursionError):
        return "not read: nested too deeply"
    if isinstance(error, json.JSONDecodeError) and not error.pos:
        return "not JSON"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at column {error.colno}"
    return f"not JSON: {error}"
