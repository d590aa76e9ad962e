"""Stop asking a provider that fails, and try it again after a while."""

import time
from collections.abc import Callable

FAILURES = 5  # in a row
PAUSE_SECONDS = 30.0


class Breaker:
    """Open after failures in a row; after a pause one call is let through, and decides."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._until = 0.0

    def wait(self) -> float:
        """Return the seconds before the next call may be made, 0 when now; whoever gets 0 makes it."""
        left = self.left
        if left == 0 and self._failures >= FAILURES:
            self._until = self._clock() + PAUSE_SECONDS  # the others go on waiting while this one tries
        return left

    @property
    def left(self) -> float:
        """The seconds for which no call will be let through, 0 when the next one would be; asking makes no call."""
        return max(0.0, self._until - self._clock()) if self._failures >= FAILURES else 0.0

    def passed(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        self._until = self._clock() + PAUSE_SECONDS
