"""The store's own threads: short calls in order, patience with locks, and a bounded queue for long reads."""

import asyncio
import contextvars
import functools
import subprocess
import sys
import threading
from collections.abc import Awaitable, Iterator

import pytest

from core import executor as executor_module
from core.errors import StorageBusy
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
