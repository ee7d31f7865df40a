"""The endpoints of `assistant.api.endpoints`, served by Gradio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import Parameter, getdoc, signature
from typing import Any

import gradio as gr
from gradio.events import api
from pydantic import BaseModel, ValidationError, validate_call

from assistant.api.admission import AdmissionControl
from assistant.api.endpoints import Endpoints
from assistant.api.request_log import set_caller
from assistant.assistant import Assistant
from index.errors import CaseciteError


def add_endpoints(assistant: Assistant, admission: AdmissionControl) -> None:
    """Add `/ask`, `/search` and `/index_info` to the page that is being built."""
    endpoints = Endpoints(assistant)
    for endpoint, api_name in (
        (endpoints.ask_case_reports, "ask"),
        (endpoints.search_case_reports, "search"),
        (endpoints.describe_index, "index_info"),
    ):
        api(
            _as_json(endpoint, admission),
            api_name=api_name,
            api_description=_describe_with_arguments(endpoint),
            concurrency_limit=None,  # admission control limits it
            api_visibility="public",
        )


def _as_json(
    endpoint: Callable[..., Awaitable[BaseModel]], admission: AdmissionControl
) -> Callable[..., Awaitable[dict[str, Any]]]:
    """An endpoint with validated arguments and a JSON object as its result, under admission control."""
    checked = validate_call(endpoint)
    parameters = signature(endpoint, eval_str=True)

    @wraps(endpoint)
    async def call(request: gr.Request, *args: Any, **kwargs: Any) -> dict[str, Any]:
        set_caller(request, request.username)
        try:
            with admission.admit("api") as admitted:
                # Keyword arguments, so that an error names the argument.
                result = await checked(**parameters.bind(*args, **kwargs).arguments)
                admitted.outcome = getattr(result, "status", admitted.outcome)
            return result.model_dump(mode="json")
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            message = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise gr.Error(message, print_exception=False) from error
        except CaseciteError as error:
            raise gr.Error(str(error), print_exception=False) from error

    # Gradio reads argument types from the signature, and `request` from the annotations.
    own = Parameter("request", Parameter.POSITIONAL_OR_KEYWORD, annotation=gr.Request)
    call.__signature__ = parameters.replace(  # type: ignore[attr-defined]
        parameters=[own, *parameters.parameters.values()], return_annotation=dict[str, Any]
    )
    call.__annotations__ = {"request": gr.Request, **endpoint.__annotations__}
    return call


def _describe_with_arguments(endpoint: Callable[..., Any]) -> str:
    """The description of an endpoint and its arguments."""
    arguments = [
        f"{name}: {parameter.annotation.__metadata__[0].description}"
        for name, parameter in signature(endpoint, eval_str=True).parameters.items()
    ]
    return " ".join([*(getdoc(endpoint) or "").split(), *arguments])
