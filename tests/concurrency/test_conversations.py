"""One message at a time in a conversation, and one effect of one key, however many deliveries come at once; on both databases."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from core.context import Context
from core.errors import IdempotencyInProgress, TurnInProgress
from core.idempotency import Attempt
from core.services import conversations, patch_sets, projects, tasks
from core.services.chat import chat
from core.settings import Settings
from core.wiring import Orchestrator
from schemas.chat import ChatRequest, ChatResponse
from schemas.paging import PageRequest
from schemas.patches import PatchSetQuery
from schemas.projects import ProjectCreate
from schemas.tasks import TaskCreate

AT_ONCE = 12
DONE = ChatRequest(message="done WEB-1")


@pytest.fixture
def orchestrators(url: str) -> Iterator[list[Orchestrator]]:
    """Two processes on one database, in which WEB has one task."""
    both = [Orchestrator(Settings(_env_file=None, database_url=url, pool_size=4)) for _ in range(2)]
    projects.create_project(both[0].context(), ProjectCreate(name="Website", key="WEB"))
    tasks.create_task(both[0].context(), TaskCreate(project_id="WEB", title="Docs"))
    yield both
    for orchestrator in both:
        orchestrator.close()


async def said(ctx: Context, request: ChatRequest) -> ChatResponse | None:
    """Return the answer, or None when another delivery or message is being answered."""
    try:
        return await chat(ctx, request)
    except (IdempotencyInProgress, TurnInProgress):
        return None


async def test_many_deliveries_of_one_message_have_one_effect_and_one_answer(orchestrators: list[Orchestrator]) -> None:
    def delivery(number: int) -> Context:
        return replace(orchestrators[number % 2].context(), attempt=Attempt("k", "f"))

    answers = await asyncio.gather(*(said(delivery(number), DONE) for number in range(AT_ONCE)))
    last = await chat(delivery(0), DONE)

    assert {answer.message_id for answer in answers if answer is not None} <= {last.message_id}
    owner = orchestrators[0].context()
    [only] = conversations.list_conversations(owner, PageRequest()).conversations
    assert (only.id, only.message_count) == (last.conversation_id, 2)
    assert patch_sets.list_patch_sets(owner, PatchSetQuery(state=["proposed"])).total == 1


async def test_messages_of_one_conversation_are_answered_one_at_a_time(orchestrators: list[Orchestrator]) -> None:
    first = await chat(orchestrators[0].context(), ChatRequest(message="help"))
    again = DONE.model_copy(update={"conversation_id": first.conversation_id})

    answers = await asyncio.gather(*(said(orchestrators[number % 2].context(), again) for number in range(AT_ONCE)))

    answered = [answer for answer in answers if answer is not None]
    assert answered
    kept = conversations.get_conversation(orchestrators[0].context(), first.conversation_id).messages
    assert [message.number for message in kept] == list(range(1, len(kept) + 1))
    assert [message.role.value for message in kept] == ["user", "assistant"] * (1 + len(answered))
    assert {message.patch_set_id for message in kept[3::2]} == {answer.patch_set.id for answer in answered if answer.patch_set}
