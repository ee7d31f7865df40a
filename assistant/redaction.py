"""Removes secrets from logs and messages: keys and passwords of the environment, and passwords in addresses."""

from __future__ import annotations

import json
import os
import re

HIDDEN = "[hidden]"
# Shorter values may be common words.
MIN_SECRET_CHARS = 6

_NAMES = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^\s/@]+:[^\s/@]+(?=@)")
# The formats of providers' keys, which may come from elsewhere than the environment.
_PROVIDER_KEYS = re.compile(r"\b(?:sk|pk|hf|gsk|xai)[-_][A-Za-z0-9_-]{12,}|(?<=Bearer )[A-Za-z0-9._~+/=-]{6,}")


def redact(text: str) -> str:
    """The text with each secret replaced by HIDDEN."""
    for secret in _find_secrets():
        text = text.replace(secret, HIDDEN)
    return _PROVIDER_KEYS.sub(HIDDEN, _USER_INFO.sub(HIDDEN, text))


def _find_secrets() -> list[str]:
    """The secrets of the environment, the longest first, as one may be a prefix of another."""
    values = [value for name, value in os.environ.items() if _NAMES.search(name)]
    try:
        values += map(str, json.loads(os.environ.get("CASECITE_AUTH", "{}")).values())
    except (ValueError, AttributeError):
        values.append(os.environ["CASECITE_AUTH"])  # malformed, but still secret
    return sorted((value for value in values if len(value) >= MIN_SECRET_CHARS), key=len, reverse=True)
