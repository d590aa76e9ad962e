"""A PostgreSQL server of its own, which a test may stop and start without disturbing others."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.servers import free_port
from tests.support.services import missing

OWNER = "postgres"  # who runs it when we are root, whom PostgreSQL refuses


class Cluster:
    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._port = free_port()
        self.url = f"postgresql://{OWNER}@127.0.0.1:{self._port}/postgres"

    def create(self) -> None:
        self._run("initdb", "--username", OWNER, "--auth", "trust", "--encoding", "UTF8", "--no-sync")
        with (self._folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write(f"port = {self._port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n")

    def start(self) -> None:
        self._run("pg_ctl", "start", "--wait", "--log", str(self._folder / "log"))

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--mode", "immediate")

    def restart(self, mode: str) -> None:
        """Stop in this mode ("immediate" leaves a crash to recover from) and start; returns once it answers."""
        self._run("pg_ctl", "restart", "--wait", "--mode", mode, "--log", str(self._folder / "log"))

    def _run(self, program: str, *arguments: str) -> None:
        owner = OWNER if os.geteuid() == 0 else None
        command = [str(self._programs / program), "--pgdata", str(self._folder / "data"), *arguments]
        output = self._folder / "output"
        with output.open("wb") as file:  # no pipe: the server that is started would hold it open
            ended = subprocess.run(
                command,
                user=owner,
                group=owner,
                extra_groups=[] if owner else None,
                cwd=self._folder,
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
            )
        assert ended.returncode == 0, output.read_text()


def programs() -> Path | None:
    """Return the folder of the newest `initdb`, of PATH or of Debian's packages."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return packaged[-1].parent if packaged else None


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Run a new cluster; skip where PostgreSQL's programs are missing, and fail where services are required."""
    found = programs()
    if found is None:
        missing("initdb is not installed, so PostgreSQL cannot be restarted")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(OWNER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        cluster = Cluster(found, folder)
        cluster.create()
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
