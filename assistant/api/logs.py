"""The format of the server's log on stderr: text lines or JSON objects, with secrets redacted."""

from __future__ import annotations

import logging
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

from assistant.api.admission import caller
from assistant.redaction import redact

LogFormat = Literal["text", "json"]

_OWN = ("assistant", "index")
# Attributes of every log record; the others describe the event.
_USUAL = {*vars(logging.makeLogRecord({})), "message", "asctime", "request_id", "user", "taskName", "color_message"}


def configure_logging(log_format: LogFormat) -> None:
    """Log to stderr: casecite from level INFO, libraries from WARNING."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines() if log_format == "json" else _TextLines())
    handler.addFilter(_name_request)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in _OWN:
        logging.getLogger(name).setLevel(logging.INFO)


def _name_request(record: logging.LogRecord) -> bool:
    """Add the request id and the user to a log record, whichever logger it comes from."""
    user, request_id = caller.get()
    record.__dict__.setdefault("request_id", request_id)
    record.__dict__.setdefault("user", user)
    return True


class _JsonLines(JsonFormatter):
    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s %(user)s",
            datefmt="%Y-%m-%dT%H:%M:%S%z",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        )

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class _TextLines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(request_id)s %(message)s", datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        extra = [f"{name}={value}" for name, value in vars(record).items() if name not in _USUAL]
        return " ".join([super().formatMessage(record), *extra])

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))
