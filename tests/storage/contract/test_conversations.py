"""Conversations, jobs and the use of models, on every database: each a caller's own."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from core.storage.interface import ConversationRecord, JobRecord
from schemas.chat import ChatMessage, Conversation, Route, Speaker
from schemas.errors import ErrorCode, ErrorDetail, Issue
from schemas.jobs import Job, JobState
from schemas.paging import PageRequest
from schemas.usage import Usage
from tests.storage.builders import NOW, TODAY, Database, new_id, patiently

LATER = NOW + timedelta(minutes=1)


def conversation(subject: str = "ann", **fields: Any) -> ConversationRecord:
    times = {"created_at": NOW, "updated_at": NOW}
    defaults: dict[str, Any] = {"id": new_id(), "title": "What is next?", "project_id": None, "message_count": 0, **times}
    return ConversationRecord(Conversation(**defaults | fields), subject)


def job(subject: str = "ann") -> JobRecord:
    return JobRecord(Job(id=new_id(), operation="generate_plan", state=JobState.RUNNING, created_at=NOW), subject, LATER)


def test_a_conversation_is_its_callers_and_nobody_elses(database: Database) -> None:
    stored = conversation()
    key = stored.conversation.id
    database.write(lambda tx: tx.save_conversation(stored))

    assert database.read(lambda tx: tx.find_conversation("ann", key)) == stored
    assert database.read(lambda tx: tx.find_conversation("bob", key)) is None
    assert database.storage.read("elsewhere", lambda tx: tx.find_conversation("ann", key)) is None
    assert database.read(lambda tx: tx.list_conversations("bob", PageRequest())).total == 0
    assert not database.write(lambda tx: tx.delete_conversation("bob", key))
    assert not database.storage.write("elsewhere", lambda tx: tx.delete_conversation("ann", key))
    assert database.write(lambda tx: tx.delete_conversation("ann", key))
    assert database.read(lambda tx: tx.find_conversation("ann", key)) is None


def test_what_is_stored_of_a_conversation_is_replaced(database: Database) -> None:
    stored = conversation()
    database.write(lambda tx: tx.save_conversation(stored))
    stored.turn, stored.turn_ends_at, stored.summary, stored.summarized = "t1", LATER, "They planned.", 4
    stored.conversation = stored.conversation.model_copy(update={"message_count": 5, "updated_at": LATER})

    database.write(lambda tx: tx.save_conversation(stored))

    assert database.write(lambda tx: tx.find_conversation("ann", stored.conversation.id, lock=True)) == stored


def test_conversations_are_listed_last_used_first_by_page_and_cursor(database: Database) -> None:
    records = [conversation(updated_at=NOW + timedelta(seconds=second)) for second in (2, 0, 1)]
    for record in records:
        database.write(lambda tx, record=record: tx.save_conversation(record))  # type: ignore[misc]  # bound now

    first = database.read(lambda tx: tx.list_conversations("ann", PageRequest(per_page=2)))
    rest = database.read(lambda tx: tx.list_conversations("ann", PageRequest(per_page=2, cursor=first.next_cursor)))

    assert first.total == 3
    assert [*first.conversations, *rest.conversations] == [records[at].conversation for at in (0, 2, 1)]


def test_messages_come_back_as_they_were_said_the_last_ones_first_asked_for(database: Database) -> None:
    record = conversation()
    key = record.conversation.id
    said = [
        ChatMessage(number=1, role=Speaker.USER, text="done WEB-1 \U0001f680", created_at=NOW),
        ChatMessage(
            number=2,
            role=Speaker.ASSISTANT,
            text="Proposed.",
            created_at=LATER,
            route=Route.EDIT,
            patch_set_id="ps_0000000000000001",
            questions=["which?"],
            engine="rules",
            usage=Usage(input_tokens=3),
        ),
        ChatMessage(number=3, role=Speaker.USER, text="apply it", created_at=LATER),
    ]
    database.write(lambda tx: tx.save_conversation(record))
    for message in said:
        database.write(lambda tx, message=message: tx.add_message(key, message))  # type: ignore[misc]  # bound now

    assert database.read(lambda tx: tx.list_messages(key)) == said
    assert database.read(lambda tx: tx.list_messages(key, limit=2)) == said[1:]
    assert database.read(lambda tx: tx.list_messages(key, before=2)) == said[:1]
    assert database.storage.read("elsewhere", lambda tx: tx.list_messages(key)) == []
    database.write(lambda tx: tx.delete_conversation("ann", key))
    assert database.read(lambda tx: tx.list_messages(key)) == []


@pytest.mark.parametrize(
    ("state", "result", "error"),
    [
        (JobState.DONE, {"summary": "Plan", "tasks": []}, None),
        (JobState.FAILED, None, ErrorDetail(code=ErrorCode.AI_TIMEOUT, message="Too late.", retryable=True)),
        (JobState.CANCELLED, None, None),
    ],
)
def test_a_job_ends_once(database: Database, state: JobState, result: Any, error: ErrorDetail | None) -> None:
    record = job()
    database.write(lambda tx: tx.add_job(record, forget_before=NOW - timedelta(days=1)))
    warnings = [Issue(code=ErrorCode.INVALID_AI_REQUEST, message="line 2 was not understood")]
    ended = record.job.model_copy(
        update={"state": state, "ended_at": LATER, "result": result, "warnings": warnings, "error": error}
    )

    assert database.read(lambda tx: tx.find_job("ann", record.job.id)) == record
    assert database.write(lambda tx: tx.end_job(ended))
    assert not database.write(lambda tx: tx.end_job(ended.model_copy(update={"state": JobState.CANCELLED})))
    assert database.read(lambda tx: tx.find_job("ann", record.job.id)) == JobRecord(ended, "ann", LATER)
    assert database.read(lambda tx: tx.find_job("bob", record.job.id)) is None
    assert database.storage.read("elsewhere", lambda tx: tx.find_job("ann", record.job.id)) is None


def test_the_leases_of_running_jobs_are_renewed_and_old_jobs_forgotten(database: Database) -> None:
    running, ended = job(), job()
    for record in (running, ended):
        database.write(lambda tx, record=record: tx.add_job(record, forget_before=NOW))  # type: ignore[misc]  # bound now
    database.write(lambda tx: tx.end_job(ended.job.model_copy(update={"state": JobState.CANCELLED, "ended_at": NOW})))
    until = NOW + timedelta(hours=1)

    assert database.write(lambda tx: tx.renew_jobs([running.job.id, ended.job.id], until)) == {running.job.id}
    renewed = database.read(lambda tx: tx.find_job("ann", running.job.id))
    assert renewed is not None
    assert renewed.lease_ends_at == until
    database.write(lambda tx: tx.add_job(job(), forget_before=LATER))
    assert database.read(lambda tx: tx.find_job("ann", running.job.id)) is None


def test_tokens_are_counted_by_caller_and_day(database: Database) -> None:
    for tokens in (10, 20):
        database.write(lambda tx, tokens=tokens: tx.add_usage("ann", TODAY, input_tokens=tokens, output_tokens=1))  # type: ignore[misc]

    assert database.read(lambda tx: tx.used_tokens("ann", TODAY)) == 32
    assert database.read(lambda tx: tx.used_tokens("ann", TODAY + timedelta(days=1))) == 0
    assert database.read(lambda tx: tx.used_tokens("bob", TODAY)) == 0
    assert database.storage.read("elsewhere", lambda tx: tx.used_tokens("ann", TODAY)) == 0


def test_tokens_are_reserved_until_the_limit_and_give_way_to_what_was_used(database: Database) -> None:
    def reserve(tokens: int) -> bool:
        return database.write(lambda tx: tx.reserve_usage("ann", TODAY, tokens=tokens, limit=100))

    assert [reserve(60), reserve(60), reserve(1)] == [True, True, False]
    database.write(lambda tx: tx.add_usage("ann", TODAY, input_tokens=5, output_tokens=2, reserved=60))

    assert database.read(lambda tx: tx.used_tokens("ann", TODAY)) == 67
    assert reserve(60) is True
    assert database.write(lambda tx: tx.reserve_usage("bob", TODAY, tokens=1, limit=1)) is True


def test_of_reservations_at_once_through_any_connection_only_those_below_the_limit_are_made(
    database: Database, other: Database
) -> None:
    together = threading.Barrier(4)

    def reserve(process: Database) -> bool:
        together.wait()
        return patiently(lambda: process.write(lambda tx: tx.reserve_usage("ann", TODAY, tokens=60, limit=100)))

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(reserve, [database, other] * 2))

    assert sorted(made) == [False, False, True, True]
    assert database.read(lambda tx: tx.used_tokens("ann", TODAY)) == 120
