"""The page's endpoints for programs: what is in `assistant.endpoints`, as Gradio serves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import getdoc, signature
from typing import Any

import gradio as gr
from gradio.events import api
from pydantic import BaseModel, ValidationError, validate_call

from assistant.assistant import Assistant
from assistant.endpoints import Endpoints
from index.errors import CaseciteError

CONCURRENT_CALLS = 8


def add_endpoints(assistant: Assistant) -> None:
    """Add `/ask`, `/search` and `/index_info` to the page that is being built."""
    endpoints = Endpoints(assistant)
    for endpoint, api_name in (
        (endpoints.ask_case_reports, "ask"),
        (endpoints.search_case_reports, "search"),
        (endpoints.describe_index, "index_info"),
    ):
        api(
            _as_json(endpoint),
            api_name=api_name,
            api_description=_describe(endpoint),
            concurrency_limit=CONCURRENT_CALLS,
            api_visibility="public",
        )


def _as_json(endpoint: Callable[..., Awaitable[BaseModel]]) -> Callable[..., Awaitable[dict[str, Any]]]:
    """An endpoint whose arguments are checked and whose result is a JSON object; its errors reach the caller."""
    checked = validate_call(endpoint)
    parameters = signature(endpoint, eval_str=True)

    @wraps(endpoint)
    async def call(*args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            # By name, so that an error names the argument.
            return (await checked(**parameters.bind(*args, **kwargs).arguments)).model_dump(mode="json")
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            message = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise gr.Error(message, print_exception=False) from error
        except CaseciteError as error:
            raise gr.Error(str(error), print_exception=False) from error

    # Gradio reads types off the signature and takes them as they stand there.
    call.__signature__ = parameters.replace(return_annotation=dict[str, Any])  # type: ignore[attr-defined]
    return call


def _describe(endpoint: Callable[..., Any]) -> str:
    """What an endpoint does and what its arguments are."""
    arguments = [
        f"{name}: {parameter.annotation.__metadata__[0].description}"
        for name, parameter in signature(endpoint, eval_str=True).parameters.items()
    ]
    return " ".join([*(getdoc(endpoint) or "").split(), *arguments])
