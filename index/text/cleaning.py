"""Removes unsafe characters from records, questions and the output of chat models.

Removed are characters that cannot be stored, control characters, and invisible or bidirectional-control characters,
which could hide or forge words. Those that a script needs stay where it needs them: joiners between Arabic or Indic
letters and in emoji, variation selectors after ideographs and symbols, accents on their letters.
"""

from __future__ import annotations

import re

MAX_ACCENTS = 4  # on one letter; more of them would cover the lines above and below

_NONCHARACTERS = [plane + last for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)]
_SPACES = [*range(0xB, 0xE), *range(0x1C, 0x20), 0x85, 0x2028, 0x2029]
_CONTROLS = [*range(0x9), *range(0xE, 0x1C), *range(0x7F, 0x85), *range(0x86, 0xA0)]
_BIDI_CONTROLS = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_INVISIBLE = [
    *(0xAD, 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x200B, 0x3164, 0xFEFF, 0xFFA0),
    *range(0x2060, 0x2066),
    *range(0x206A, 0x2070),
    *range(0xFFF0, 0xFFFC),
    *range(0x1BCA0, 0x1BCA4),
    *range(0x1D173, 0x1D17B),
    *range(0xE0000, 0xE0100),  # tag characters: they can spell sentences that only programs see
    *range(0xE01F0, 0xE1000),
]
_CLEANING: dict[int, str | None] = {
    **dict.fromkeys([*_CONTROLS, *_BIDI_CONTROLS, *_INVISIBLE, *_NONCHARACTERS, *range(0xFDD0, 0xFDF0)]),
    **dict.fromkeys(_SPACES, " "),
    **dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}"),
}
_JOINING = r"\u0590-\u1aaf\u1b00-\u1cff\u2190-\u2bff\ua800-\uabff\U0001f000-\U0001ffff"
_VARYING = (
    r"\xa9\xae\u0590-\u1aaf\u1b00-\u1cff\u2030-\u20cf\u2100-\u2bff\u3000-\ud7ff\uf900-\ufaff\U0001f000-\U0003ffff"
)
_MISPLACED = re.compile(
    rf"[\u200c\u200d](?<![{_JOINING}].)(?<![{_VARYING}]\ufe0f.)"
    rf"|[\ufe00-\ufe0f\U000e0100-\U000e01ef](?<![{_VARYING}].)"
)
_ACCENTS = r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_EXCESS_ACCENTS = re.compile(rf"({_ACCENTS}{{{MAX_ACCENTS}}}){_ACCENTS}+")


def clean_text(text: str) -> str:
    """The text without unsafe characters.

    Lone surrogates become U+FFFD; line breaks other than a line feed become spaces. Idempotent, and the cleaned prefix
    of a text is a prefix of the cleaned text.
    """
    return _EXCESS_ACCENTS.sub(r"\1", _MISPLACED.sub("", text.translate(_CLEANING)))


def clean_line(text: str) -> str:
    """The cleaned text on one line."""
    return " ".join(clean_text(text).split())
