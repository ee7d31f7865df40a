"""The tab with the chat and the evidence of its answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import gradio as gr

from assistant.api.admission import AdmissionControl
from assistant.api.request_log import set_caller
from assistant.assistant import Assistant
from assistant.cases.suggestions import explain_refusal, suggest_questions
from assistant.feedback import FeedbackStore
from assistant.page.cards import render_evidence
from assistant.page.controls import Controls
from assistant.page.conversation import Conversation, Exchange, as_messages, render_message, stop, turns_of
from assistant.page.saving import add_save_buttons
from assistant.page.verdicts import VerdictForm
from assistant.understanding.query_rewriting import MAX_QUESTION_CHARS
from index.errors import CaseciteError

DEMO_QUESTIONS = (
    "What was the BMD change under romosozumab?",
    "What was the plasma lithium level of the woman with kidney failure?",
    "How much weight did the woman with schizophrenia gain after fluoxetine was stopped?",
    "Which reports describe seizures?",
)
PLACEHOLDER = "Ask about a case: a dose, an outcome, a value, a duration; or which reports there are."
FAILED = "An error occurred, and the question was not answered. The server's log has the details."
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_LOG = logging.getLogger(__name__)

Updates = dict[Any, Any]
"""New values by component."""
FindQuestion = Callable[[Any, str, Conversation], tuple[str, Conversation]]
"""(event, text typed, conversation) -> (question, the conversation before it)."""


class ChatTab:
    """The chat, added to the page that is being built. Its state is a conversation, separate for each browser tab."""

    def __init__(self, assistant: Assistant, admission: AdmissionControl) -> None:
        self._assistant, self._admission = assistant, admission
        self.conversation = gr.State(())
        with gr.Row(equal_height=False):
            with gr.Column(scale=6, min_width=300):
                self.chatbot = self._add_chatbot()
                self.question = self._add_question()
                self.controls = Controls(assistant)
            with gr.Column(scale=5, min_width=300):
                self.evidence = gr.HTML(
                    render_evidence(()), elem_id="evidence", js_on_load=None, apply_default_css=False
                )
                add_save_buttons(self.conversation)
                self._verdicts = VerdictForm(
                    FeedbackStore(assistant.settings.feedback_path), self.conversation, self.chatbot
                )
        self._listen()

    def ask_on(self, event: Callable[..., Any], find_question: Callable[[gr.EventData], str]) -> None:
        """Ask a question on an event of another tab; `find_question` returns the question for the event."""
        self._connect(event, lambda data, _, conversation: (find_question(data), conversation))
        self._let_stop()

    def _add_chatbot(self) -> gr.Chatbot:
        return gr.Chatbot(
            label="Conversation",
            show_label=False,
            elem_id="chat",
            height="60vh",
            layout="panel",
            autoscroll=False,  # the page's script scrolls the question to the top instead
            latex_delimiters=[],
            allow_tags=False,
            editable="user",
            buttons=["copy"],
            placeholder=PLACEHOLDER,
            examples=[{"text": question} for question in example_questions(self._assistant)],
        )

    def _add_question(self) -> gr.Textbox:
        return gr.Textbox(
            label="Question",
            placeholder=f"For example: {DEMO_QUESTIONS[0]}",
            max_length=MAX_QUESTION_CHARS,
            submit_btn=True,
            stop_btn=False,
            autofocus=True,
            elem_id="question",
        )

    def _listen(self) -> None:
        self._inputs = [self.question, self.conversation, *self.controls.all]
        self._outputs = [self.question, self.chatbot, self.conversation, self.evidence, self._verdicts.subject]
        self._asking: list[Any] = []
        self._connect(self.question.submit, lambda _, typed, conversation: (typed, conversation))
        self._connect(self.chatbot.example_select, lambda event, _, conversation: (event.value["text"], conversation))
        self._connect(self.chatbot.option_select, lambda event, _, conversation: (event.value, conversation))
        self._connect(self.chatbot.retry, _find_retried)
        self._connect(self.chatbot.edit, lambda event, _, conversation: (event.value, conversation[: _place_of(event)]))
        self.chatbot.undo(self._undo, [self.conversation], self._outputs, **_PRIVATE)
        self.chatbot.clear(lambda: self._show(()), None, self._outputs, **_PRIVATE)
        self._let_stop()

    def _connect(self, event: Callable[..., Any], find_question: FindQuestion) -> None:
        """Ask a question on an event; `find_question` returns it and the conversation before it."""

        async def ask_found(
            data: gr.EventData, request: gr.Request, typed: str, conversation: Conversation, *options: Any
        ) -> AsyncIterator[Updates]:
            set_caller(request, request.username)
            question, before = find_question(data, typed, conversation)
            async with aclosing(self._ask(question, before, options)) as steps:
                async for updates in steps:
                    yield updates

        # Admission control limits questions, so the queue need not.
        self._asking.append(event(ask_found, self._inputs, self._outputs, concurrency_limit=None, **_PRIVATE))

    def _let_stop(self) -> None:
        self.question.stop(
            lambda conversation: self._show(stop(conversation)),
            self.conversation,
            self._outputs,
            cancels=self._asking,
            **_PRIVATE,
        )

    def _undo(self, event: gr.UndoData, conversation: Conversation) -> Updates:
        place = _place_of(event)
        return self._show(conversation[:place]) | {self.question: gr.Textbox(value=conversation[place].question)}

    async def _ask(self, question: str, before: Conversation, options: Sequence[Any]) -> AsyncGenerator[Updates]:
        """Ask, and yield updates for each step of the answer. Closing the generator ends the question's admission."""
        exchange = Exchange(question=question)
        yield {
            self.question: gr.Textbox(value="", submit_btn=False, stop_btn=True),
            self.chatbot: as_messages((*before, exchange)),
            self.conversation: (*before, exchange),
        }
        try:
            exchange = replace(exchange, filters=self.controls.filters(*options))
            assistant = self.controls.adapt(*options)
            with self._admission.admit("page") as admitted:
                async with aclosing(assistant.astream(question, turns_of(before), exchange.filters)) as events:
                    async for event in events:
                        shown, exchange = render_message(exchange), exchange.follow(event)
                        if event.answer is not None:
                            admitted.set_answer(event.answer)
                        if exchange.is_open and render_message(exchange) != shown:
                            conversation = (*before, exchange)
                            yield {self.chatbot: as_messages(conversation), self.conversation: conversation}
                exchange = await asyncio.to_thread(_explain, exchange, assistant)
        except CaseciteError as error:
            exchange = exchange.fail(str(error))
        except Exception:  # otherwise the page would wait forever
            _LOG.exception("a question was not answered")
            exchange = exchange.fail(FAILED)
        yield self._show((*before, exchange))

    def _show(self, conversation: Conversation) -> Updates:
        return {
            self.question: gr.Textbox(submit_btn=True, stop_btn=False),
            self.chatbot: as_messages(conversation),
            self.conversation: conversation,
            self.evidence: render_evidence(conversation),
            self._verdicts.subject: self._verdicts.offer(conversation[-1] if conversation else None),
        }


def example_questions(assistant: Assistant) -> Sequence[str]:
    """Example questions to click: those of the demo, or one on each of the first reports with a title."""
    if assistant.index.manifest.digest_count:
        return DEMO_QUESTIONS
    titles = assistant.index.first_titles(len(DEMO_QUESTIONS))
    return [f"What was the outcome in “{title.rstrip('.')}”?" for title in titles]


def _explain(exchange: Exchange, assistant: Assistant) -> Exchange:
    """The exchange with suggestions, and with an explanation if the evidence is insufficient."""
    answer = exchange.answer
    if answer is None:
        return exchange
    if answer.status != "insufficient_evidence":
        return replace(exchange, suggestions=suggest_questions(answer))
    refusal = explain_refusal(answer, assistant.index.current())
    return replace(exchange, refusal=refusal, suggestions=refusal.rewordings)


def _find_retried(event: gr.EventData, _: str, conversation: Conversation) -> tuple[str, Conversation]:
    place = _place_of(event)
    return conversation[place].question, conversation[:place]


def _place_of(event: Any) -> int:
    """The index of the exchange that an event's message belongs to: each exchange has two messages."""
    index = event.index if isinstance(event.index, int) else event.index[0]
    return int(index) // 2
