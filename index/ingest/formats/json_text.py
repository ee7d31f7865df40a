"""A cursor over a text of any length, in bounded memory, that parses JSON values and lines one after another."""

from __future__ import annotations

import json
import re
from io import TextIOWrapper
from typing import Any

from index.ingest.formats.raw_record import MAX_RAW_CHARS
from index.ingest.formats.text import MAX_ENTRY_CHARS, NOT_UTF_8, TOO_LONG, is_decoded

READ_CHARS = 65_536  # read at once, at least
KEPT_CHARS = 200  # kept before the position, for the indent of the next entry
MAX_LOOK_CHARS = 1_000_000
MAX_TOKEN_CHARS = 12  # of `-Infinity` or an escape: so near the end of the buffer an error may be due to the cut

BLANK = " \t\r\n\v\f\ufeff"  # white space and the byte order mark
_NEXT = {separator: re.compile(f"[^{BLANK}{separator}]") for separator in ("", ",")}
_DECODER = json.JSONDecoder()


class NotJsonError(Exception):
    """Text that is not a JSON value: the reason, the line, and whether the cursor has moved past it."""

    def __init__(self, reason: str, line: int, *, is_passed: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.is_passed = is_passed


class JsonText:
    """A cursor over a text, with a buffer around its position."""

    def __init__(self, source: TextIOWrapper) -> None:
        self._source = source
        self._text = ""
        self._position = 0
        self._counted = 0  # up to here the lines of `_text` are counted in `_line`
        self._line = 1
        self._dropped = 0
        self._is_at_end = False

    @property
    def line(self) -> int:
        """The line number of the next character."""
        self._line += self._text.count("\n", self._counted, self._position)
        self._counted = self._position
        return self._line

    @property
    def offset(self) -> int:
        """The number of characters before the position."""
        return self._dropped + self._position

    def peek(self, separator: str = "") -> str:
        """Move to the next character that is neither white space nor the separator and return it; "" at the end."""
        pattern = _NEXT[separator]
        while (found := pattern.search(self._text, self._position)) is None:
            self._position = len(self._text)
            if not self._fill():
                return ""
        self._position = found.start()
        return found[0]

    def skip(self) -> None:
        """Move past the next character."""
        self._position += 1

    def take(self) -> Any:
        """Parse the next JSON value and move past it. Raises NotJsonError if it is malformed or too long."""
        while len(self._text) - self._position <= MAX_ENTRY_CHARS:
            try:
                value, end = _DECODER.raw_decode(self._text, self._position)
            except json.JSONDecodeError as error:
                if not (self._may_be_cut(error) and self._fill()):
                    raise NotJsonError(f"not JSON: {error.msg}", self._line_at(error.pos)) from None
            except (ValueError, RecursionError) as error:
                raise NotJsonError(_explain(error), self.line) from None
            else:
                if end < len(self._text) or not self._fill():  # a number may continue
                    break
        else:
            raise NotJsonError(TOO_LONG, self.line)
        line, start, self._position = self.line, self._position, end
        if not is_decoded(self._text[start:end]):
            raise NotJsonError(NOT_UTF_8, line, is_passed=True)
        return value

    def take_name(self) -> str:
        """Parse the name of the next member of an object and its colon. Raises NotJsonError if there is none."""
        name = self.take() if self.peek() == '"' else None
        if name is None or self.peek() != ":":
            raise NotJsonError("not JSON: no name of a member, or the end is missing", self.line)
        self.skip()
        self.peek()
        return str(name)

    def take_line(self) -> str:
        """The rest of the line, with its end; it is cut after `MAX_ENTRY_CHARS` + 1 characters."""
        searched = 0
        while (end := self._text.find("\n", self._position + searched)) < 0:
            searched = len(self._text) - self._position
            if searched > MAX_ENTRY_CHARS or not self._fill():
                return self._take_cut_line()
        start, self._position = self._position, end + 1
        return self._text[start : self._position]

    def look_lines(self, count: int) -> list[str]:
        """The next non-blank lines within `MAX_LOOK_CHARS`, without moving."""
        while len(lines := self._whole_lines(count)) < count and len(self._text) < MAX_LOOK_CHARS and self._fill():
            pass
        return lines if len(lines) >= count else self._whole_lines(count)

    def look(self) -> str:
        """The next text, as much as a rejection quotes, without moving."""
        while len(self._text) - self._position < MAX_RAW_CHARS and self._fill():
            pass
        return self._text[self._position : self._position + MAX_RAW_CHARS]

    def move_to(self, mark: str) -> bool:
        """Move to the next occurrence of `mark` or, if there is none, to the end; whether there was one."""
        while (found := self._text.find(mark, self._position)) < 0:
            self._position = max(self._position, len(self._text) - len(mark) + 1)
            if not self._fill():
                self._position = len(self._text)
                return False
        self._position = found
        return True

    def move_to_end(self) -> None:
        """Skip the rest of the text."""
        self._position = len(self._text)
        while self._fill():
            self._position = len(self._text)

    def indent(self) -> str | None:
        """The white space before the position in its line; None if there is other text."""
        indent = self._text[self._text.rfind("\n", 0, self._position) + 1 : self._position]
        return None if indent.strip() else indent

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
        """Whether the end of the buffer may have caused the error."""
        return error.msg.startswith("Unterminated string") or error.pos > len(self._text) - MAX_TOKEN_CHARS

    def _line_at(self, position: int) -> int:
        return self.line + self._text.count("\n", self._position, position)

    def _fill(self) -> bool:
        """Drop text far before the position and read as much as is ahead of it; whether there was more."""
        if self._is_at_end:
            return False
        self._line = self.line
        behind = min(self._position, KEPT_CHARS)
        kept = self._text[self._position - behind :]
        more = self._source.read(max(READ_CHARS, len(kept)))
        self._dropped += self._position - behind
        self._text, self._position, self._counted = kept + more, behind, behind
        self._is_at_end = not more
        return bool(more)


def load_object(line: str) -> dict[str, Any]:
    """Parse a line that is a JSON object. Raises NotJsonError if it is malformed, too long or another value."""
    if len(line) > MAX_ENTRY_CHARS:
        raise NotJsonError(TOO_LONG, 1)
    if not is_decoded(line):
        raise NotJsonError(NOT_UTF_8, 1)
    try:
        value = json.loads(line.strip(BLANK))
    except (ValueError, RecursionError) as error:
        raise NotJsonError(_explain(error), 1) from None
    if not isinstance(value, dict):
        raise NotJsonError(f"not a JSON object: {type(value).__name__}", 1)
    return value


def _explain(error: ValueError | RecursionError) -> str:
    """The reason for a rejection."""
    if isinstance(error, RecursionError):
        return "not read: nested too deeply"
    if isinstance(error, json.JSONDecodeError) and not error.pos:
        return "not JSON"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at column {error.colno}"
    return f"not JSON: {error}"
