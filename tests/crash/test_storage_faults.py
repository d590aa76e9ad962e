"""A real server whose SQLite file cannot be written for a while: no space, a failing disk, missing rights.

Writes are refused with DATABASE_ERROR and leave nothing behind, reads go on, and once the fault is gone everything
works again without a restart. PostgreSQL's faults are in `test_postgresql_restart`.
"""

import os
import resource
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from core.services import patch_sets
from core.settings import Settings
from core.wiring import Orchestrator
from tests.crash.clients import Load
from tests.crash.workload import Reference, contents, numbered
from tests.support.audit import audit
from tests.support.http import data, refused
from tests.support.servers import gateway_process

MEBIBYTE = 2**20
# Root without its right to ignore permissions; of everybody else nothing need be taken.
BOUND_BY_PERMISSIONS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
READS = ("/projects", "/projects/WEB", "/projects/WEB/history", "/projects/WEB/hierarchy", "/tasks/WEB-1", "/patch-sets")


class Served:
    """A server and its database file."""

    def __init__(self, base: str, pid: int, path: Path) -> None:
        self.base = base
        self.pid = pid
        self.path = path
        self.api = httpx2.Client(base_url=f"{base}/api/v1", timeout=30)

    def apply(self, number: int) -> httpx2.Response:
        return self.api.post("/planner/apply", json=numbered(number).model_dump(mode="json", exclude_unset=True))

    def assert_applied(self, number: int) -> None:
        """Apply a set, for the first time."""
        applied = data(self.apply(number))
        assert (applied["patch_set_id"], applied["replayed"]) == (numbered(number).id, False)

    def assert_reads(self) -> None:
        for path in READS:
            assert self.api.get(path).status_code == 200, path
        assert httpx2.get(f"{self.base}/health/ready").status_code == 200


@contextmanager
def full(server: Served) -> Iterator[None]:
    """Leave a mebibyte of the disk, until the end of the block."""
    filler = server.path.with_name("filler")
    space = os.statvfs(server.path)
    with suppress(OSError):  # a server under load may take what was to be left
        filler.write_bytes(bytes(space.f_bavail * space.f_frsize - MEBIBYTE))
    yield
    filler.unlink()


@contextmanager
def failing(server: Served) -> Iterator[None]:
    """Let writes beyond a certain size of a file fail (EFBIG), which needs no rights to bring about."""
    _, most = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    log_size = Path(f"{server.path}-wal").stat().st_size
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (log_size + MEBIBYTE // 2, most))
    yield
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (most, most))


@contextmanager
def read_only(server: Served) -> Iterator[None]:
    """Take the right to write from the files. Connections made meanwhile can only read, for as long as they live."""
    folder = server.path.parent
    modes = {path: path.stat().st_mode for path in (folder, *folder.iterdir())}
    for path, mode in modes.items():
        path.chmod(mode & 0o555)
    with long_reads(server):
        yield
    for path, mode in modes.items():
        path.chmod(mode)


@contextmanager
def long_reads(server: Served) -> Iterator[None]:
    """Read whole projects all the while, so that a write finds its connection in use and another one is made."""
    ended = threading.Event()

    def read() -> None:
        with httpx2.Client(base_url=f"{server.base}/api/v1", timeout=30) as api:
            while not ended.is_set():
                statuses.add(api.get("/projects/WEB/hierarchy").status_code)

    statuses: set[int] = set()
    reading = threading.Thread(target=read)
    reading.start()
    try:
        yield
    finally:
        ended.set()
        reading.join()
    assert statuses == {200}


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk of its own at `folder`, all in memory."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={32 * MEBIBYTE}", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a disk of its own cannot be mounted here ({mounted.stderr.strip()}); the failing disk is tested")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def any_disk(_folder: Path) -> Iterator[None]:
    yield


@dataclass(frozen=True)
class Fault:
    says: str
    strikes: Callable[[Served], AbstractContextManager[None]]
    disk: Callable[[Path], AbstractContextManager[None]] = any_disk


FAULTS = {
    "full disk": Fault("There is no space left for the database.", full, small_disk),
    "failing disk": Fault("The disk reported an error.", failing),
    "read-only file": Fault("The database file cannot be written.", read_only),
}


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest) -> Fault:
    if request.param == "failing disk" and not hasattr(resource, "prlimit"):
        pytest.skip("only Linux limits the files of a running process")
    return FAULTS[request.param]


@pytest.fixture
def server(fault: Fault, tmp_path: Path) -> Iterator[Served]:
    disk = tmp_path / "disk"
    disk.mkdir()
    path = disk / "plan.db"
    with (
        fault.disk(disk),
        gateway_process(f"sqlite:///{path}", folder=tmp_path, wrapper=BOUND_BY_PERMISSIONS) as (base, process),
    ):
        served = Served(base, process.pid, path)
        with served.api:
            yield served


def test_read_only_media_are_served_to_readers(tmp_path: Path) -> None:
    """A database that was closed, in a folder where not even an index for its readers can be made."""
    disk = tmp_path / "disk"
    disk.mkdir()
    path = disk / "plan.db"
    orchestrator = Orchestrator(Settings(_env_file=None, database_url=f"sqlite:///{path}"))
    orchestrator.start(create=True)
    patch_sets.apply_patch_set(orchestrator.context(), numbered(0))
    orchestrator.close()
    path.chmod(0o444)
    disk.chmod(0o555)

    with gateway_process(f"sqlite:///{path}", folder=tmp_path, wrapper=BOUND_BY_PERMISSIONS) as (base, process):
        server = Served(base, process.pid, path)
        with server.api:
            server.assert_reads()
            error = refused(server.apply(1), 503, "DATABASE_ERROR")
            server.assert_reads()
    disk.chmod(0o755)

    assert error["message"] == "The database file cannot be written."
    assert [file.name for file in disk.iterdir()] == ["plan.db"]
    logged = (tmp_path / "gateway.log").read_text("utf-8")
    assert [logged.count(line) for line in ("cannot be written: it is read", "The database file cannot be written. ")] == [1, 1]


def test_a_fault_refuses_writes_whole_until_it_is_gone(fault: Fault, server: Served, reference: Reference) -> None:
    for number in range(3):
        server.assert_applied(number)

    with fault.strikes(server):
        number = 3
        while (answer := server.apply(number)).status_code == 200:
            number += 1
        error = refused(answer, 503, "DATABASE_ERROR")
        assert error["message"] == fault.says
        assert error["retryable"] is True
        server.assert_reads()
        audit(server.path)
        assert contents(server.path) == reference.after(number - 1)

    for later in range(number, number + 8):
        server.assert_applied(later)
    server.assert_reads()
    audit(server.path)
    assert contents(server.path) == reference.after(number + 7)


def test_a_fault_under_load_loses_nothing_that_was_acknowledged(fault: Fault, server: Served) -> None:
    with Load(server.base) as load:
        load.wait_for_progress(5)
        with fault.strikes(server):
            load.wait_for_refusals()
            server.assert_reads()
        load.wait_for_progress(5)
        load.end()

    assert load.outcomes <= {(200, None), (503, "DATABASE_ERROR"), (503, "STORAGE_BUSY")}
    assert load.messages == {fault.says}
    load.assert_each_set_is_there_once(str(server.path))
