"""Who asks, when, and with what: passed to every service."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

from core.errors import Forbidden
from core.ids import IdSource
from core.settings import Settings

if TYPE_CHECKING:  # the port brings all of core.patches along, which a first answer can do without
    from core.storage.interface import Storage, Transaction

P = ParamSpec("P")
T = TypeVar("T")


class Scope(StrEnum):
    PROJECTS_READ = "projects:read"
    PATCHES_PROPOSE = "patches:propose"
    PATCHES_APPLY = "patches:apply"
    AGENT_CHAT = "agent:chat"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller, as resolved once at the edge."""

    subject: str
    workspace: str
    scopes: frozenset[Scope]

    def require(self, scope: Scope) -> None:
        """Raise Forbidden unless the caller holds `scope`."""
        if scope not in self.scopes:
            raise Forbidden(hint=f"this needs the scope {scope}")


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
    settings: Settings
    now: datetime
    today: date
    request_id: str

    def read(self, work: "Callable[[Transaction], T]") -> T:
        """Return `work(tx)` on one consistent state of the caller's workspace."""
        return self.storage.read(self.principal.workspace, work)

    def write(self, work: "Callable[[Transaction], T]") -> T:
        """Return `work(tx)` once its effects are committed; it may be run again, so it has no side effects."""
        return self.storage.write(self.principal.workspace, work)

    async def run(self, service: Callable[Concatenate["Context", P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a service off the event loop."""
        return await self.runner.run(lambda: service(self, *args, **kwargs))

    async def run_long(self, service: Callable[Concatenate["Context", P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a service that reads a whole project, so that short calls do not wait for it."""
        return await self.runner.run(lambda: service(self, *args, **kwargs), long=True)
