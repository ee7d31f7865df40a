"""Feedback: thumbs on answers, and a form to report errors."""

from __future__ import annotations

from typing import Any

import gradio as gr

from assistant.feedback import MAX_COMMENT_CHARS, FeedbackStore
from assistant.page.conversation import Conversation, Exchange, turns_of
from index.errors import CaseciteError

WHOLE_ANSWER = 0
_QUOTED_CHARS = 60
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


class VerdictForm:
    """The form to report an error in the last answer, and the thumbs on each answer."""

    def __init__(self, store: FeedbackStore, conversation: gr.State, chatbot: gr.Chatbot) -> None:
        self._store = store
        with gr.Accordion("Report an error", open=False, elem_id="report"):
            self.subject = gr.Dropdown(label="What is wrong", choices=self._choices(None), value=WHOLE_ANSWER)
            comment = gr.Textbox(label="Comment", lines=2, max_length=MAX_COMMENT_CHARS)
            send = gr.Button("Send", size="sm")
            gr.Markdown(
                "Stored on the server of this page with the question and the answer. Write nothing that identifies a "
                "patient.",
                elem_classes="muted",
            )
        chatbot.like(self._save_thumb, conversation, None, **_PRIVATE)
        send.click(self._save_report, [conversation, self.subject, comment], comment, **_PRIVATE)

    def offer(self, exchange: Exchange | None) -> Any:
        """The parts of an answer that can be reported: the whole, or one quote."""
        return gr.Dropdown(choices=self._choices(exchange), value=WHOLE_ANSWER)

    @staticmethod
    def _choices(exchange: Exchange | None) -> list[tuple[str, int]]:
        citations = exchange.answer.citations if exchange and exchange.answer else ()
        return [("The answer as a whole", WHOLE_ANSWER)] + [
            (f"[{item.number}] {item.quote[:_QUOTED_CHARS]}{'…' * (len(item.quote) > _QUOTED_CHARS)}", item.number)
            for item in citations
        ]

    def _save_thumb(self, event: gr.LikeData, conversation: Conversation, request: gr.Request) -> None:
        place = event.index if isinstance(event.index, int) else event.index[0]
        self._save(conversation, place // 2, "up" if event.liked else "down", request)

    def _save_report(self, conversation: Conversation, subject: int, comment: str, request: gr.Request) -> str:
        if not conversation:
            raise gr.Error("There is no answer yet.", print_exception=False)
        verdict = "down" if subject == WHOLE_ANSWER else "wrong_evidence"
        self._save(conversation, len(conversation) - 1, verdict, request, comment, subject or None)
        return ""

    def _save(
        self,
        conversation: Conversation,
        place: int,
        verdict: Any,
        request: gr.Request,
        comment: str = "",
        citation_number: int | None = None,
    ) -> None:
        answer = conversation[place].answer if place < len(conversation) else None
        if answer is None:
            raise gr.Error("There is no answer to rate here.", print_exception=False)
        try:
            self._store.add(
                answer,
                verdict,
                session=request.session_hash or "",
                history=turns_of(conversation[:place]),
                filters=conversation[place].filters,
                comment=comment,
                citation_number=citation_number,
            )
        except CaseciteError as error:
            raise gr.Error(str(error), print_exception=False) from error
        gr.Info("Thank you. This is stored with the question and the answer.")
