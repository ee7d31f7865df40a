"""The web chat: `python app.py` serves it on the index and the settings of the environment.

`demo` is the page itself, for Gradio's own reloading and hosting.
"""

from __future__ import annotations

from assistant.cli import main

if __name__ == "__main__":
    import sys

    sys.argv[1:1] = ["serve"]
    main()
