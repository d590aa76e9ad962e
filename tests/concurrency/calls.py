"""How the processes of these tests call the product: as its documentation tells callers to."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from core.context import Context
from core.errors import StorageBusy
from core.executor import PATIENCE_SECONDS
from core.wiring import Orchestrator

R = TypeVar("R")


class Caller:
    """Calls services off the loop, as servers do, each call with a context of its own.

    A lock that others hold is waited for; STORAGE_BUSY is for a disk that stands still. It is the one refusal after
    which the same call is made again, and `told_busy` counts it.
    """

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator
        self.told_busy = 0

    async def call(self, service: Callable[..., R], *arguments: Any, **options: Any) -> R:
        while True:
            began = time.monotonic()
            try:
                context: Context = self._orchestrator.context()
                return await context.run(service, *arguments, **options)
            except StorageBusy:
                assert time.monotonic() - began >= PATIENCE_SECONDS, "it gave up without having tried"
                self.told_busy += 1
