"""Mutation testing of what validates, applies and inverts patch sets: `python -m scripts.mutate [FILE ..] [--sample N]`.

Each mutant is tried in a forked child that runs only the tests that reach its line, the quickest
first, until one fails. Outcomes are kept in `.mutate/`, so that a run can be stopped and continued;
who survived is tried again once a test has changed. docs/decisions/008-mutation-testing.md tells
why this is no package.
"""

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import coverage
import pytest
from _pytest.runner import runtestprotocol

from scripts.mutants import Mutant, mutants_of

PURE = "plan play state rules conflicts touches expect invert fields placement places changes counters graph parse"
# Source -> the tests that have to find its faults: the nearest. What storage has to load shows only where storage is.
TARGETS = {f"core/patches/{name}.py": ("tests/core/patches",) for name in PURE.split()}
TARGETS["core/patches/needs.py"] = ("tests/core/services",)
TARGETS |= {f"core/services/{name}.py": ("tests/core/services",) for name in ("patch_sets", "applying", "reverting")}
RESULTS = Path(".mutate/results.jsonl")
EQUIVALENTS = Path(__file__).with_name("equivalent_mutants.txt")
MEMORY_BYTES = 4 << 30
SURVIVED, KILLED, TIMEOUT, EQUIVALENT, BROKEN = "survived", "killed", "timeout", "equivalent", "broken"


class Reach(NamedTuple):
    """What the tests do on sound code."""

    tests: dict[str, dict[int, list[str]]]  # path -> line -> ids of the tests that run it
    seconds: dict[str, float]  # test id -> time of the processor


class Trial:
    """A plugin in place of pytest's loop: a sound run that notes which test reaches which line, then the mutants."""

    def __init__(self, mutants: Sequence[Mutant], results: "Results", jobs: int) -> None:
        self.mutants = mutants
        self.results = results
        self.jobs = jobs

    def pytest_sessionstart(self) -> None:
        from hypothesis import Phase, settings  # not earlier: pytest wants to see it imported

        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutate", derandomize=True, database=None, max_examples=20, phases=phases)
        settings.load_profile("mutate")

    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        """Give tests that ask for hundreds of examples as few as the others: each survivor would cost minutes."""
        from hypothesis import settings

        for item in items:
            test = getattr(item, "obj", None)
            if own := getattr(test, "_hypothesis_internal_use_settings", None):
                setattr(test, "_hypothesis_internal_use_settings", settings(own, max_examples=20))  # noqa: B010  # not ours

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        reach = _sound_run(session.items, sorted({mutant.path for mutant in self.mutants}))
        items = {item.nodeid: item for item in session.items}
        running: dict[int, Mutant] = {}
        for mutant in self.mutants:
            if len(running) == self.jobs:
                self._await_one(running)
            tests = {name for line in mutant.lines for name in reach.tests[mutant.path].get(line, ())}
            names = sorted(tests, key=reach.seconds.__getitem__)
            running[_start(mutant, [items[name] for name in names], sum(reach.seconds[name] for name in names))] = mutant
        while running:
            self._await_one(running)
        return True

    def _await_one(self, running: dict[int, Mutant]) -> None:
        child, status = os.wait()
        self.results.add(running.pop(child), _outcome(status))


def _sound_run(items: Sequence[pytest.Item], paths: Sequence[str]) -> Reach:
    seconds: dict[str, float] = {}
    recorder = coverage.Coverage(data_file=None, include=paths, config_file=False)
    recorder.start()
    for item, following in zip_longest(items, items[1:]):
        recorder.switch_context(item.nodeid)
        began = time.process_time()
        reports = runtestprotocol(item, log=False, nextitem=following)
        seconds[item.nodeid] = time.process_time() - began
        for report in reports:
            if report.failed:
                pytest.exit(f"fails without a mutant: {item.nodeid}\n{report.longreprtext}", returncode=2)
    recorder.stop()
    found = recorder.get_data()
    lines = {path: found.contexts_by_lineno(str(Path(path).resolve())) for path in paths}
    tests = {path: {line: [name for name in names if name] for line, names in of.items()} for path, of in lines.items()}
    return Reach(tests, seconds)


# -- one mutant


def _start(mutant: Mutant, items: Sequence[pytest.Item], seconds: float) -> int:
    """Fork a child that ends with 0 if no test fails; return its process id."""
    child = os.fork()
    if child:
        return child
    status = 2
    try:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, 10 + 4 * seconds)  # of the processor: a busy machine is no finding
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(300 + 40 * seconds))  # waits without end
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        mutant.install()
        status = 1  # what escapes from the test runner from here on has noticed the mutant, too
        status = int(_is_found(items))
    finally:
        os._exit(status)


def _is_found(items: Sequence[pytest.Item]) -> bool:
    for item, following in zip_longest(items, items[1:]):
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
            return True
    return False


def _outcome(status: int) -> str:
    if os.WIFSIGNALED(status):
        ends = {signal.SIGPROF: TIMEOUT, signal.SIGALRM: TIMEOUT, signal.SIGKILL: BROKEN}  # the last: by the system or a person
        return ends.get(signal.Signals(os.WTERMSIG(status)), KILLED)
    return {0: SURVIVED, 1: KILLED}.get(os.WEXITSTATUS(status), BROKEN)


# -- all of them


class Results:
    """Outcomes by mutant, kept in a file; those of changed sources do not count, and survivors' not of changed tests."""

    def __init__(self) -> None:
        self.tests = _digest_of_tests()
        self.known: dict[tuple[str, str, str], str] = {}
        if RESULTS.exists():
            for line in RESULTS.read_text(encoding="utf-8").splitlines():
                path, digest, name, tests, outcome = json.loads(line)
                if outcome != SURVIVED or tests == self.tests:
                    self.known[path, digest, name] = outcome

    def of(self, mutant: Mutant) -> str | None:
        return self.known.get((mutant.path, mutant.digest, mutant.name))

    def add(self, mutant: Mutant, outcome: str) -> None:
        if outcome == BROKEN:
            sys.exit(f"could not be tried: {mutant.path} {mutant.name}")
        self.known[mutant.path, mutant.digest, mutant.name] = outcome
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps([mutant.path, mutant.digest, mutant.name, self.tests, outcome]) + "\n")


def _digest_of_tests() -> str:
    folders = sorted({folder for folders in TARGETS.values() for folder in folders})
    files = [file for folder in folders for file in sorted(Path(folder).rglob("*.py"))]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _equivalents() -> set[str]:
    """Return the mutants that no test can tell from the sound code; the reasons are written above them."""
    lines = EQUIVALENTS.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.mutate", description="Mutation testing of patch sets.")
    parser.add_argument("files", nargs="*", choices=[[], *TARGETS], help="only these of the targets", metavar="FILE")
    parser.add_argument(
        "--sample", type=int, metavar="N", help="only N mutants, chosen by --seed; a larger sample holds the smaller"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="how many mutants are tried at once")
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is the same in every run
        os.execve(sys.executable, [sys.executable, "-m", "scripts.mutate", *sys.argv[1:]], os.environ | {"PYTHONHASHSEED": "0"})  # noqa: S606  # ourselves
    mutants = [mutant for path in TARGETS for mutant in mutants_of(path)]
    if gone := _equivalents() - {f"{mutant.path} {mutant.name}" for mutant in mutants}:
        sys.exit("\n".join([f"{EQUIVALENTS.name} names mutants that are not made any more:", *sorted(gone)]))
    mutants = [mutant for mutant in mutants if not options.files or mutant.path in options.files]
    mutants.sort(key=lambda mutant: sha256(f"{options.seed} {mutant.path} {mutant.name}".encode()).digest())
    mutants = mutants[: options.sample]
    results = Results()
    for folders in dict.fromkeys(TARGETS.values()):
        group = [mutant for mutant in mutants if TARGETS[mutant.path] == folders and results.of(mutant) is None]
        if group and (status := _try_all(Trial(group, results, options.jobs), folders)):
            return status
    _show(mutants, results)
    return 0


def _try_all(trial: Trial, folders: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        plain = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "timeout=0"]
        lean = ["-o", "tmp_path_retention_policy=failed", "--basetemp", f"{scratch}/tests"]
        return int(pytest.main([*plain, *lean, *folders], plugins=[trial]))


def _show(mutants: Iterable[Mutant], results: Results) -> None:
    """Print the survivors, and how many were found; equivalent ones are no mutants to find, and counted apart."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    equivalents = _equivalents()
    for mutant in sorted(mutants, key=lambda mutant: (mutant.path, mutant.lines.start)):
        outcome = results.of(mutant) or BROKEN
        if outcome == SURVIVED and f"{mutant.path} {mutant.name}" in equivalents:
            outcome = EQUIVALENT
        counts[mutant.path][outcome] += 1
        counts["all"][outcome] += 1
        if outcome == SURVIVED:
            print(f"{mutant.path} {mutant.name}  (line {mutant.lines.start})")
    columns = (KILLED, TIMEOUT, EQUIVALENT, SURVIVED)
    print(f"\n{'':30}{'mutants':>9}" + "".join(f"{column:>12}" for column in columns) + f"{'found':>9}")
    for path, count in sorted(counts.items(), key=lambda pair: (pair[0] == "all", pair[0])):
        print(f"{path:30}{count.total():9}" + "".join(f"{count[column]:12}" for column in columns) + f"{_share(count):8.1f}%")


def _share(count: Mapping[str, int]) -> float:
    found = count[KILLED] + count[TIMEOUT]
    return 100 * found / max(1, found + count[SURVIVED])


if __name__ == "__main__":
    sys.exit(main())
