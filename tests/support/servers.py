"""The REST gateway as a real process on a database of its own."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 15


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def gateway_environment(database_url: str, **settings: str) -> dict[str, str]:
    """Return the environment of a gateway that limits no rates; no `.env` of the developer reaches it."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT") if name in os.environ}
    limits = {"RATE_LIMIT_DEFAULT": "off", "RATE_LIMIT_MODEL": "off"}
    return kept | limits | {"PYTHONPATH": str(ROOT), "DATABASE_URL": database_url, **settings}


def gateway_command() -> list[str]:
    return [sys.executable, "-m", "gateway"]


@contextmanager
def running_server(database_url: str, *, folder: Path, **settings: str) -> Iterator[str]:
    """Run the gateway and give its base URL; its log lines go to `folder`/gateway.log."""
    with gateway_process(database_url, folder=folder, **settings) as (url, _):
        yield url


@contextmanager
def gateway_process(
    database_url: str, *, folder: Path, wrapper: Sequence[str] = (), **settings: str
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the gateway, started by `wrapper`; give its base URL, and the process to those who want to end it themselves."""
    port = free_port()
    log = folder / "gateway.log"
    with (
        log.open("ab") as errors,
        subprocess.Popen(
            [*wrapper, *gateway_command()],
            env=gateway_environment(database_url, PORT=str(port), **settings),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        assert process.stdout is not None
        # The socket listens before the first line is printed: a request after it waits, and is answered.
        if not process.stdout.readline():
            raise RuntimeError(f"the gateway did not start: {log.read_text('utf-8')}")
        try:
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)
