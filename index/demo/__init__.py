"""The demo corpus: real case reports, each with our own summary in place of its abstract."""

from __future__ import annotations

from pathlib import Path

DEMO_RECORDS = Path(__file__).with_name("records.jsonl")
