"""Secrets taken out of what is logged or shown: keys and passwords of the environment, and those in addresses."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

HIDDEN = "[hidden]"
# Shorter values are words that may stand anywhere, and no secrets.
MIN_SECRET_CHARS = 6

_NAMES = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^\s/@]+:[^\s/@]+(?=@)")
# How providers' keys begin, wherever they come from.
_PROVIDER_KEYS = re.compile(r"\b(?:sk|pk|hf|gsk|xai)[-_][A-Za-z0-9_-]{12,}|(?<=Bearer )[A-Za-z0-9._~+/=-]{6,}")


def redact(text: str) -> str:
    """The text with each secret replaced by a word that says so."""
    for secret in _find_secrets():
        text = text.replace(secret, HIDDEN)
    return _PROVIDER_KEYS.sub(HIDDEN, _USER_INFO.sub(HIDDEN, text))


def _find_secrets() -> Iterator[str]:
    values = [value for name, value in os.environ.items() if _NAMES.search(name)]
    # The longest first, since one may begin with another.
    for value in sorted([*values, *_find_passwords()], key=len, reverse=True):
        if len(value) >= MIN_SECRET_CHARS:
            yield value


def _find_passwords() -> list[str]:
    try:
        return [str(password) for password in json.loads(os.environ.get("CASECITE_AUTH", "{}")).values()]
    except (ValueError, AttributeError):
        return [os.environ["CASECITE_AUTH"]]  # whatever it is, it is not for others
