"""The store's own threads: short calls in order, patience with locks, and a bounded queue for long reads."""

import asyncio
import contextvars
import functools
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from core import executor as executor_module
from core.errors import DatabaseError, StorageBusy
from core.executor import LONG_QUEUE, StoreExecutor

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="none")


@pytest.fixture
def executor() -> Iterator[StoreExecutor]:
    executor = StoreExecutor("sqlite")
    yield executor
    executor.close()


def test_short_calls_share_one_thread_and_keep_their_order(executor: StoreExecutor) -> None:
    seen: list[int] = []

    async def many() -> set[str]:
        def call(number: int) -> str:
            seen.append(number)
            return threading.current_thread().name

        return set(await asyncio.gather(*(executor.run(functools.partial(call, number)) for number in range(50))))

    assert len(asyncio.run(many())) == 1
    assert seen == list(range(50))


class Rounds:
    """Stands for a storage that commits together; `log` says what happened in which order."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.log: list[str] = []
        self._failure = failure

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self.log.append("begin")
        yield
        if self._failure is not None:
            raise self._failure
        self.log.append("commit")

    async def crowd(self, calls: list[Callable[[], object]]) -> list[object]:
        """Run the calls so that all wait at once; return how each ended."""
        executor = StoreExecutor("sqlite", together=self)
        busy, gate = threading.Event(), threading.Event()

        def block() -> None:
            busy.set()
            gate.wait(10)

        blocking = asyncio.ensure_future(executor.run(block))
        await asyncio.to_thread(busy.wait, 10)
        waiting = [asyncio.ensure_future(executor.run(call)) for call in calls]
        for call in waiting:
            call.add_done_callback(lambda _: self.log.append("answer"))
        await asyncio.sleep(0)
        gate.set()
        await blocking
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        executor.close()
        return list(ended)

    def call(self, name: str) -> Callable[[], str]:
        def run() -> str:
            self.log.append(name)
            return name

        return run


def test_calls_that_wait_together_are_committed_together_and_answered_after_it() -> None:
    rounds = Rounds()

    ended = asyncio.run(rounds.crowd([rounds.call("a"), rounds.call("b"), rounds.call("c")]))

    assert ended == ["a", "b", "c"]
    assert rounds.log == ["begin", "a", "b", "c", "commit", "answer", "answer", "answer"]


def test_a_call_that_fails_in_a_round_fails_alone() -> None:
    rounds = Rounds()

    ended = asyncio.run(rounds.crowd([rounds.call("a"), lambda: 1 / 0, rounds.call("c")]))

    assert (ended[0], type(ended[1]), ended[2]) == ("a", ZeroDivisionError, "c")


def test_a_round_that_cannot_be_committed_is_done_again_call_by_call() -> None:
    failure = DatabaseError("There is no space left for the database.")
    rounds = Rounds(failure)
    alone = iter([False, True])

    def write() -> str:
        if next(alone):
            raise failure
        return "written, it seems"

    ended = asyncio.run(rounds.crowd([rounds.call("read"), write, rounds.call("read")]))

    assert ended == ["read", failure, "read"]


def test_a_locked_database_ends_a_round_early_and_the_rest_goes_on() -> None:
    rounds = Rounds()
    tries = iter([True, False])

    def locked_once() -> str:
        if next(tries):
            raise StorageBusy
        return "b"

    ended = asyncio.run(rounds.crowd([rounds.call("a"), locked_once, rounds.call("c")]))

    assert ended == ["a", "b", "c"]
    assert rounds.log[:3] == ["begin", "a", "commit"]


def test_a_round_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_module, "ROUND_CALLS", 2)
    rounds = Rounds()

    asyncio.run(rounds.crowd([rounds.call(name) for name in "abcd"]))

    assert [word for word in rounds.log if word != "answer"] == ["begin", "a", "b", "commit", "begin", "c", "d", "commit"]


def test_a_long_read_does_not_hold_up_a_short_call(executor: StoreExecutor) -> None:
    async def both() -> str:
        gate = threading.Event()
        long = asyncio.ensure_future(executor.run(lambda: gate.wait(10), long=True))
        answer = await executor.run(lambda: "short")
        gate.set()
        assert await long
        return answer

    assert asyncio.run(both()) == "short"


def test_postgresql_gets_several_threads() -> None:
    executor = StoreExecutor("postgresql", pool_size=3)
    meeting = threading.Barrier(3, timeout=10)

    async def meet() -> None:
        await asyncio.gather(*(executor.run(meeting.wait, long=number == 0) for number in range(3)))

    asyncio.run(meet())
    executor.close()


def test_the_context_of_the_caller_goes_along(executor: StoreExecutor) -> None:
    async def ask(value: str) -> str:
        request_id.set(value)
        return await executor.run(request_id.get)

    async def both() -> list[str]:
        return list(await asyncio.gather(ask("a"), ask("b")))

    assert asyncio.run(both()) == ["a", "b"]


def test_a_busy_database_is_tried_again_and_others_pass_meanwhile(executor: StoreExecutor) -> None:
    calls: list[str] = []

    def locked_twice() -> str:
        calls.append("locked")
        if calls.count("locked") < 3:
            raise StorageBusy
        return "written"

    async def both() -> tuple[str, None]:
        return await asyncio.gather(executor.run(locked_twice), executor.run(lambda: calls.append("other")))

    assert asyncio.run(both())[0] == "written"
    assert calls == ["locked", "other", "locked", "locked"]


def test_patience_with_a_locked_database_ends(executor: StoreExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_module, "PATIENCE_SECONDS", 0.1)

    def locked() -> None:
        raise StorageBusy

    with pytest.raises(StorageBusy):
        asyncio.run(_run(executor.run(locked)))


def test_too_many_long_reads_are_refused_at_once(executor: StoreExecutor) -> None:
    gate = threading.Event()

    async def crowd() -> tuple[int, int]:
        waiting = [asyncio.ensure_future(executor.run(lambda: gate.wait(10), long=True)) for _ in range(LONG_QUEUE + 3)]
        await asyncio.sleep(0)
        refused = [call for call in waiting if call.done()]
        gate.set()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert await executor.run(lambda: "free again", long=True) == "free again"
        return len(refused), sum(isinstance(answer, StorageBusy) for answer in answers)

    assert asyncio.run(crowd()) == (2, 2)


def test_a_cancelled_caller_breaks_neither_thread_nor_queue(executor: StoreExecutor) -> None:
    async def cancel_some() -> str:
        gate = threading.Event()
        calls = [asyncio.ensure_future(executor.run(lambda: gate.wait(10), long=True)) for _ in range(5)]
        await asyncio.sleep(0.05)
        for call in calls:
            call.cancel()
        gate.set()
        await asyncio.gather(*calls, return_exceptions=True)
        return await executor.run(lambda: "alive", long=True)

    for _ in range(3):
        assert asyncio.run(cancel_some()) == "alive"


def test_an_error_reaches_the_caller(executor: StoreExecutor) -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(_run(executor.run(lambda: 1 / 0)))


def test_the_executor_comes_without_sqlalchemy() -> None:
    code = "import sys, core.executor; print('sqlalchemy' in sys.modules)"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout == "False\n"


async def _run(call: Awaitable[object]) -> object:
    return await call
