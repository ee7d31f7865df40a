"""The assistant: questions in, cited answers out.

Names are imported when first used, so that `import assistant` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant.answers import Answer, AnswerEvent
    from assistant.assistant import Assistant, answer
    from assistant.types import Citation, Claim, Evidence, Turn
    from index.errors import CaseciteError
    from index.types import Filters

__all__ = [
    "Answer",
    "AnswerEvent",
    "Assistant",
    "CaseciteError",
    "Citation",
    "Claim",
    "Evidence",
    "Filters",
    "Turn",
    "answer",
]

_MODULES = {
    "Answer": "assistant.answers",
    "AnswerEvent": "assistant.answers",
    "Assistant": "assistant.assistant",
    "CaseciteError": "index.errors",
    "Filters": "index.types",
    "answer": "assistant.assistant",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "assistant.types")), name)
