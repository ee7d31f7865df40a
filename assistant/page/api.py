"""The page's endpoints for programs: what is in `assistant.api.endpoints`, as Gradio serves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import Parameter, getdoc, signature
from typing import Any

import gradio as gr
from gradio.events import api
from pydantic import BaseModel, ValidationError, validate_call

from assistant.api.admission import Traffic
from assistant.api.endpoints import Endpoints
from assistant.assistant import Assistant
from assistant.page.callers import know_caller
from index.errors import CaseciteError


def add_endpoints(assistant: Assistant, traffic: Traffic) -> None:
    """Add `/ask`, `/search` and `/index_info` to the page that is being built."""
    endpoints = Endpoints(assistant)
    for endpoint, api_name in (
        (endpoints.ask_case_reports, "ask"),
        (endpoints.search_case_reports, "search"),
        (endpoints.describe_index, "index_info"),
    ):
        api(
            _as_json(endpoint, traffic),
            api_name=api_name,
            api_description=_describe(endpoint),
            concurrency_limit=None,  # `Traffic` lets in
            api_visibility="public",
        )


def _as_json(
    endpoint: Callable[..., Awaitable[BaseModel]], traffic: Traffic
) -> Callable[..., Awaitable[dict[str, Any]]]:
    """An endpoint whose arguments are checked and whose result is a JSON object; its errors reach the caller."""
    checked = validate_call(endpoint)
    parameters = signature(endpoint, eval_str=True)

    @wraps(endpoint)
    async def call(request: gr.Request, *args: Any, **kwargs: Any) -> dict[str, Any]:
        know_caller(request)
        try:
            with traffic.question("api") as visit:
                # By name, so that an error names the argument.
                result = await checked(**parameters.bind(*args, **kwargs).arguments)
                visit.outcome = getattr(result, "status", visit.outcome)
            return result.model_dump(mode="json")
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            message = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise gr.Error(message, print_exception=False) from error
        except CaseciteError as error:
            raise gr.Error(str(error), print_exception=False) from error

    # Gradio reads types off the signature, and off the annotations what it fills in itself.
    own = Parameter("request", Parameter.POSITIONAL_OR_KEYWORD, annotation=gr.Request)
    call.__signature__ = parameters.replace(  # type: ignore[attr-defined]
        parameters=[own, *parameters.parameters.values()], return_annotation=dict[str, Any]
    )
    call.__annotations__ = {"request": gr.Request, **endpoint.__annotations__}
    return call


def _describe(endpoint: Callable[..., Any]) -> str:
    """What an endpoint does and what its arguments are."""
    arguments = [
        f"{name}: {parameter.annotation.__metadata__[0].description}"
        for name, parameter in signature(endpoint, eval_str=True).parameters.items()
    ]
    return " ".join([*(getdoc(endpoint) or "").split(), *arguments])
