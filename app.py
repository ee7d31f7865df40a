"""The web chat: `python app.py` equals `casecite serve`, with the same options."""

from __future__ import annotations

import sys

from assistant.cli.main import main

if __name__ == "__main__":
    sys.argv.insert(1, "serve")
    main()
