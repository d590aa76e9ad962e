"""The power fails: the tail of SQLite's write-ahead log is missing, garbage, or partly written.

Whatever is left opens at a prefix of the commit order, and exactly at the longest one: every set whose frames lie wholly
before the first damaged byte is there. With `synchronous=FULL`, the default, an acknowledged set is never in that tail.

Size: CRASH_CUTS damaged copies (500), in batches of 25. CRASH_SEED (0) chooses places and kinds.
"""

import itertools
import os
import random
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from tests.crash.child import Order, live, started
from tests.crash.workload import Reference, apply, contents, opened
from tests.support.audit import audit

BATCH = 25
CUTS = int(os.environ.get("CRASH_CUTS", "500"))
SEED = os.environ.get("CRASH_SEED", "0")
SETS = 20
HEADER, FRAME_HEADER = 32, 24  # of the log, in bytes; see "WAL-mode File Format" of SQLite's documentation
SECTOR = 512  # what a disk writes wholly or not at all
LogKind = Literal["new", "reused"]


@dataclass(frozen=True)
class Frame:
    """One page as it stands in the log."""

    page: int
    start: int
    end: int
    commits: bool  # it is the last of its transaction


class Log:
    """A database whose writer died, with its write-ahead log: the sets up to `before` are in the file, the others in the log."""

    def __init__(self, path: Path) -> None:
        self.file = path.read_bytes()
        self.log = Path(f"{path}-wal").read_bytes()
        self.page_size = struct.unpack(">I", self.log[8:12])[0]
        self.frames = self._frames()
        self.ends = [frame.end for frame in self.frames if frame.commits]

    def _frames(self) -> list[Frame]:
        """Return the frames of this use of the log; what an earlier one left behind has other salts."""
        found, start, size = [], HEADER, FRAME_HEADER + self.page_size
        while start + size <= len(self.log) and self.log[start + 8 : start + 16] == self.log[16:24]:
            page, pages_after_commit = struct.unpack(">II", self.log[start : start + 8])
            found.append(Frame(page, start, start + size, pages_after_commit > 0))
            start += size
        return found

    def whole_before_damage(self, damaged: bytes) -> int:
        """Return how many of its transactions stand unchanged in a damaged copy, up to the first damage."""
        if damaged[:HEADER] != self.log[:HEADER]:
            return 0
        sound = itertools.takewhile(
            lambda frame: damaged[frame.start : frame.end] == self.log[frame.start : frame.end], self.frames
        )
        return sum(frame.commits for frame in sound)

    def place(self, chance: random.Random) -> int:
        """Return where to damage it: anywhere, or where it is delicate, at the edges of transactions and in headers."""
        match chance.randrange(10):
            case 0:
                return chance.randrange(HEADER)
            case 1 | 2:
                return chance.choice(self.frames).start + chance.randrange(FRAME_HEADER)
            case 3 | 4 | 5:
                return min(chance.choice(self.ends) + chance.randrange(-2, 2), len(self.log) - 1)
            case _:
                return chance.randrange(self.frames[-1].end)


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[LogKind, Log]:
    """A log that begins with set 1, and one that was copied back on the way and used again from its start."""
    made: dict[LogKind, Log] = {}
    pages_of_a_set = 0
    for kind in ("new", "reused"):
        path = tmp_path_factory.mktemp(kind) / "victim.db"
        orchestrator = opened(f"sqlite:///{path}", create=True)
        apply(orchestrator, 0)
        orchestrator.close()
        copied_back = SETS * 2 // 3 * pages_of_a_set if kind == "reused" else None
        with started(live, Order(f"sqlite:///{path}", 1, checkpoint_pages=copied_back)) as child:
            while child.report()[0] != SETS:
                pass
            child.process.kill()
            child.ends()
        made[kind] = Log(path)
        pages_of_a_set = len(made[kind].frames) // len(made[kind].ends)
    return made


def test_the_logs_are_what_the_tests_take_them_for(logs: dict[LogKind, Log]) -> None:
    new, reused = logs["new"], logs["reused"]

    assert len(new.ends) >= SETS
    assert 2 <= len(reused.ends) < SETS
    assert len(reused.log) > reused.frames[-1].end, "an earlier use of the log left frames behind"


def cut(log: bytes, at: int, _chance: random.Random) -> bytes:
    return log[:at]


def garbage(log: bytes, at: int, chance: random.Random) -> bytes:
    return log[:at] + chance.randbytes(len(log) - at)


def zeros(log: bytes, at: int, _chance: random.Random) -> bytes:
    return log[:at] + bytes(len(log) - at)


def flipped_bit(log: bytes, at: int, chance: random.Random) -> bytes:
    return log[:at] + bytes([log[at] ^ 1 << chance.randrange(8)]) + log[at + 1 :]


def lost_sector(log: bytes, at: int, _chance: random.Random) -> bytes:
    start = at // SECTOR * SECTOR
    return log[:start] + bytes(len(log[start : start + SECTOR])) + log[start + SECTOR :]


DAMAGES: tuple[Callable[[bytes, int, random.Random], bytes], ...] = (cut, cut, garbage, zeros, flipped_bit, lost_sector)


@contextmanager
def copy(file: bytes, log: bytes) -> Iterator[Path]:
    """Give the path of a database that consists of these bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "copy.db"
        path.write_bytes(file)
        Path(f"{path}-wal").write_bytes(log)
        yield path


def assert_holds(path: Path, number: int, reference: Reference) -> None:
    """The database holds the sets 0 to `number` and nothing else, is sound, and can be worked with."""
    orchestrator = opened(f"sqlite:///{path}")
    assert contents(path) == reference.after(number)
    audit(path)

    assert not apply(orchestrator, number + 1).replayed
    orchestrator.close()
    assert contents(path) == reference.after(number + 1)


def sets_in_the_file(log: Log) -> int:
    """Return the last set that is there without the log."""
    with copy(log.file, b"") as path:
        return len(contents(path)["sets"]) - 1


@pytest.mark.parametrize("batch", range(max(1, CUTS // BATCH)))
def test_a_damaged_log_opens_at_the_last_set_before_the_damage(
    batch: int, logs: dict[LogKind, Log], reference: Reference
) -> None:
    chance = random.Random(f"{SEED}/{batch}")  # noqa: S311  # a repeatable choice
    log = logs[chance.choice(["new", "new", "reused"])]
    before = sets_in_the_file(log)

    for _ in range(BATCH):
        damaged = chance.choice(DAMAGES)(log.log, log.place(chance), chance)

        with copy(log.file, damaged) as path:
            assert_holds(path, before + log.whole_before_damage(damaged), reference)


def test_power_fails_while_the_log_is_copied_back(logs: dict[LogKind, Log], reference: Reference) -> None:
    """Pages of the file are then new, old, or torn between two sectors; the log, which is still whole, has them all."""
    log = logs["new"]
    latest = {frame.page: log.log[frame.start + FRAME_HEADER : frame.end] for frame in log.frames if frame.end <= log.ends[-1]}

    for number in range(10):
        chance = random.Random(f"{SEED}/{number}")  # noqa: S311  # a repeatable choice
        file = bytearray(log.file)
        for page, content in sorted(latest.items()):
            if chance.random() < 0.5:
                start = (page - 1) * log.page_size
                file.extend(bytes(max(0, start + log.page_size - len(file))))
                for place in range(0, log.page_size, SECTOR):
                    if chance.random() < 0.7:
                        file[start + place : start + place + SECTOR] = content[place : place + SECTOR]

        with copy(bytes(file), log.log) as path:
            assert_holds(path, len(log.ends), reference)
