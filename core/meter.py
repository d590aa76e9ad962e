"""What a process counts about its store; whoever shows the numbers brings a Meter along."""

from enum import StrEnum
from typing import Protocol


class Outcome(StrEnum):
    """How one run of a transaction ended."""

    DONE = "done"
    REFUSED = "refused"  # a rule of the product; nothing was stored
    CONFLICT = "conflict"  # another transaction came first, and this one runs again
    BUSY = "busy"
    FAILED = "failed"


class Meter(Protocol):
    """Called from any thread."""

    def wait(self) -> None:
        """Count a call that begins to wait for the store."""

    def done(self) -> None:
        """Count the end of such a call."""

    def transaction(self, outcome: Outcome, *, writes: bool) -> None: ...


class Uncounted:
    """The meter of a process whose numbers nobody asks for."""

    def wait(self) -> None: ...

    def done(self) -> None: ...

    def transaction(self, outcome: Outcome, *, writes: bool) -> None: ...


UNCOUNTED = Uncounted()
