"""One command: run its services on the database, print what they return, or say why not.

The database is opened by the first service call, so that a bad input file never creates one.
"""

import io
import logging
import os
import re
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Concatenate, ParamSpec, TypeVar

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

    from core.context import Context
    from core.wiring import Orchestrator
    from schemas.errors import ErrorDetail, Issue

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound="BaseModel")

Json = Annotated[bool, typer.Option("--json", help="Print the answer as one line of JSON.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the effect and store nothing.")]

REFUSED = 1
BAD_INPUT = 2
_COLOURS = {"+": 32, "-": 31, "~": 33, ">": 36, "^": 32, "#": 35}
_SIGNED = re.compile(r"^( *)([-+~>^#])(?= )", re.MULTILINE)


class Session:
    """Calls services as the local owner, on one database."""

    def __init__(self, *, create: bool) -> None:
        self._create = create
        self._orchestrator: Orchestrator | None = None

    def call(self, service: Callable[Concatenate["Context", P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `service` returns; runs it as the servers do, so lock waits and retries are the same."""
        return self.call_as_owner("default", service, *args, **kwargs)

    def call_as_owner(
        self, workspace: str, service: Callable[Concatenate["Context", P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what `service` returns to the owner of a workspace."""
        import asyncio  # a quarter of the time that --help takes

        return asyncio.run(self._context(workspace).run(service, *args, **kwargs))

    def run(self, service: Callable[Concatenate["Context", P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a service returns that runs its own steps."""
        import asyncio

        async def run() -> T:
            return await service(self._context("default"), *args, **kwargs)

        return asyncio.run(run())

    def _context(self, workspace: str) -> "Context":
        from core.context import local_owner
        from schemas.patches import ApprovalMeans

        if self._orchestrator is None:
            self._prepared().start(create=self._create)
        return self._prepared().context(local_owner(workspace), approval=ApprovalMeans.COMMAND_LINE)

    def migrate(self) -> None:
        self._prepared().migrate()

    def close(self) -> None:
        if self._orchestrator is not None:
            self._orchestrator.close()

    def _prepared(self) -> "Orchestrator":
        if self._orchestrator is None:
            from core.wiring import Orchestrator, load_settings

            settings = load_settings()
            debug = settings.log_level == "DEBUG"
            # A refusal says on stderr what happened; the log line with its traceback is for those who ask for it.
            logging.basicConfig(level=settings.log_level, handlers=None if debug else [logging.NullHandler()])
            self._orchestrator = Orchestrator(settings)
        return self._orchestrator


def answer(work: Callable[[Session], T], *, as_json: bool, create: bool = False) -> T:
    """Return what `work` returns.

    Raises:
        typer.Exit: refused (1), or the input or a setting cannot be used (2); stderr says why.
    """
    from pydantic import ValidationError

    from core.cli.inputs import BadInput
    from core.errors import DatabaseError, DomainError, ValidationFailed
    from core.wiring import InvalidSettings
    from schemas.errors import ErrorCode, ErrorDetail
    from schemas.violations import issues_of

    session = Session(create=create)
    try:
        return work(session)
    except DatabaseError as refusal:
        raise _refuse(refusal.located().detail(), REFUSED, as_json) from None
    except DomainError as refusal:
        raise _refuse(refusal.detail(), REFUSED, as_json) from None
    except ValidationError as error:
        issues = issues_of(error.errors(include_url=False, include_input=False))
        raise _refuse(ValidationFailed(details=issues).detail(), REFUSED, as_json) from None
    except BadInput as error:
        raise _refuse(error.detail, BAD_INPUT, as_json) from None
    except InvalidSettings as error:
        raise _refuse(ErrorDetail(code=ErrorCode.VALIDATION_ERROR, message=str(error)), BAD_INPUT, as_json) from None
    finally:
        session.close()


def show(result: M, view: Callable[[M], str], *, as_json: bool) -> None:
    """Print a result as one line of JSON, or as `view` shows it to people."""
    write(result.model_dump_json() if as_json else view(result))


def write(text: str) -> None:
    """Print to stdout, as UTF-8 unless it is a terminal; a reader that goes away early is no error.

    Raises:
        typer.Exit: nobody reads on (0), or the text cannot be written (2), as on a full disk.
    """
    if sys.stdout is None:  # closed by the caller: `>&-`
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        if sys.stdout.isatty():
            sys.stdout.reconfigure(errors="backslashreplace")
        else:
            sys.stdout.reconfigure(encoding="utf-8", newline="")
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more at exit
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(0) from None
        from schemas.errors import ErrorCode, ErrorDetail

        message = f"standard output cannot be written: {error.strerror}; what the command changed is stored"
        raise _refuse(ErrorDetail(code=ErrorCode.VALIDATION_ERROR, message=message), BAD_INPUT, as_json=False) from None


def _refuse(detail: "ErrorDetail", exit_code: int, as_json: bool) -> typer.Exit:
    """Print a refusal to stderr: `CODE: message`, then a line for each detail."""
    from core.patches.text import safe

    if as_json:
        lines = [detail.model_dump_json()]
    else:
        lines = [f"{detail.code}: {safe(detail.message)}"]
        lines += [f"  {line}" for issue in detail.details for line in [issue_line(issue, said=detail.message)] if line]
    sys.stderr.write("\n".join(lines) + "\n")
    return typer.Exit(exit_code)


def issue_line(issue: "Issue", *, said: str = "") -> str:
    """Return path, message and hint of an issue in one line, without what has been `said` above it."""
    from core.patches.text import safe

    if issue.message == said:
        line = f"at {issue.path}" if issue.path else ""
    else:
        line = f"{issue.path}: {issue.message}" if issue.path else issue.message
    if issue.hint:
        line += f" (hint: {issue.hint})" if line else f"hint: {issue.hint}"
    return safe(line)


def _wants_colour() -> bool:
    """Return whether stdout is a terminal that wants colour (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def emphasised(text: str) -> str:
    """Return `text` in bold, on a terminal that wants it."""
    return f"\x1b[1m{text}\x1b[0m" if _wants_colour() else text


def coloured(diff: str) -> str:
    """Return a diff with its signs in colour, on a terminal that wants it."""
    if not _wants_colour():
        return diff
    return _SIGNED.sub(lambda match: f"{match[1]}\x1b[{_COLOURS[match[2]]}m{match[2]}\x1b[0m", diff)
