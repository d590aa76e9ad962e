"""Who asks, when, and with what: passed to every service."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

from core.errors import Forbidden, TooLong
from core.idempotency import Attempt, Joined, answer_of, once
from core.ids import IdSource
from core.settings import Settings
from schemas.access import Scope

if TYPE_CHECKING:  # the port brings all of core.patches along, which a first answer can do without
    from core.llm.port import Models
    from core.storage.interface import Storage, Transaction
    from schemas.patches import ApprovalMeans

__all__ = ["LOCAL", "OWNER", "Context", "Principal", "Runner", "Scope", "local_owner"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller, as resolved once at the edge."""

    subject: str
    workspace: str
    scopes: frozenset[Scope]

    def require(self, scope: Scope) -> None:
        """Raise Forbidden unless the caller holds `scope`."""
        if scope not in self.scopes:
            instead = "; propose it, and somebody who holds that scope can apply it" if scope is Scope.PATCHES_APPLY else ""
            raise Forbidden(hint=f"this needs the scope {scope}{instead}")


def local_owner(workspace: str = "default") -> Principal:
    """Return whoever holds the database itself, and so may do everything."""
    return Principal(subject=LOCAL, workspace=workspace, scopes=frozenset(Scope))


LOCAL = "local"
OWNER = local_owner()


SHORT_ROWS = 1_000  # what reads more would keep the short calls waiting


class Runner(Protocol):
    """Runs a plain function on the store's own thread."""

    def run(self, fn: Callable[[], T], *, long: bool = False) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class Context:
    """One request: its caller, its moment, and the tools of the process."""

    principal: Principal
    storage: "Storage"
    runner: Runner
    ids: IdSource
    models: "Models"
    settings: Settings
    now: datetime
    today: date
    request_id: str
    approval: "ApprovalMeans | None" = None  # how a caller who applies something approved it
    attempt: Attempt | None = None  # set when the caller named this call by a key, so that it is done once
    joined: Joined | None = None  # set while such a call runs: all its writes are one transaction
    is_short: bool = False  # among calls that wait for one another, so none may read a whole project; the last field (_BUT_LAST)

    def without_key(self) -> "Context":
        """Return the context of a step that the caller's key does not stand for."""
        return replace(self, attempt=None)

    def read(self, work: "Callable[[Transaction], T]", *, snapshot: bool = True) -> T:
        """Return `work(tx)` on one consistent state of the caller's workspace; see `Storage.read`."""
        return (self.joined or self.storage).read(self.principal.workspace, work, snapshot=snapshot)

    def write(self, work: "Callable[[Transaction], T]") -> T:
        """Return `work(tx)` once its effects are committed; it may be run again, so it has no side effects."""
        return (self.joined or self.storage).write(self.principal.workspace, work)

    def together(self, work: "Callable[[Context], T]") -> T:
        """Return `work(ctx)` with everything it writes in one transaction; it may be run again, so it has no other effects."""
        if self.joined is not None:
            return work(self)
        return self.storage.write_late(
            self.principal.workspace, lambda begin: work(replace(self, joined=Joined(self.storage, begin)))
        )

    async def run(self, service: Callable[Concatenate["Context", P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a service off the event loop: among the short calls, or among the long ones if it says it must."""
        try:
            return await self.runner.run(Context(*(*_BUT_LAST(self), True))._call(service, *args, **kwargs))
        except TooLong:
            return await self.run_long(service, *args, **kwargs)

    async def run_long(self, service: Callable[Concatenate["Context", P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a service that reads a whole project, so that short calls do not wait for it."""
        return await self.runner.run(self._call(service, *args, **kwargs), long=True)

    def expect_rows(self, count: int) -> None:
        """Say, before anything is written, that a service is about to read `count` rows: many are not for the short calls."""
        if self.is_short and count > SHORT_ROWS:
            raise TooLong

    def _call(self, service: Callable[Concatenate["Context", P], T], *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
        attempt = self.attempt
        if attempt is None or kwargs.get("dry_run"):  # a dry run stores nothing, its key included
            return lambda: service(self, *args, **kwargs)
        return lambda: once(self, attempt, lambda ctx: service(ctx, *args, **kwargs), answer_of(service))


# All fields but `is_short`: `replace` takes five times as long, and every request does it.
_BUT_LAST = attrgetter(*(field.name for field in fields(Context)[:-1]))
