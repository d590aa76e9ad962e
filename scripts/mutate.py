"""Mutation testing of what validates, applies and inverts patch sets: `python -m scripts.mutate [FILE ..] [--sample N --seed S]`.

Each mutant is one small fault in one function. A forked child puts the faulty code into the loaded
function and runs the tests that reach the line, the quickest first; the mutant is killed if one
fails or does not end. Texts are never changed: their wording is for people, and a wrong field name
is the type checker's business. docs/decisions/008-mutation-testing.md tells why this is no package.
"""

import argparse
import ast
import copy
import importlib
import inspect
import os
import random
import resource
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import coverage
import pytest
from _pytest.runner import runtestprotocol

PATCHES = "plan play state rules conflicts touches expect invert fields placement places changes counters graph parse needs"
TARGETS = [f"core/patches/{name}.py" for name in PATCHES.split()]
TARGETS += [f"core/services/{name}.py" for name in ("patch_sets", "applying", "reverting")]
TESTS = {"core/patches": "tests/core/patches", "core/services": "tests/core/services"}  # the nearest tests have to find it
MEMORY_BYTES = 4 << 30
SURVIVED, KILLED, TIMEOUT = "survived", "killed", "timeout"

# -- mutants

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}


class Mutant(NamedTuple):
    path: str
    line: int
    what: str
    function: str  # qualified name of the outermost function it is in
    code: CodeType


def mutants_of(path: str) -> Iterator[Mutant]:
    """Yield every mutant of the functions in a file."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    for name, function in _functions(tree.body):
        for node in _nodes(function):
            for what, change in _changes(node):
                faulty = ast.copy_location(change(copy.deepcopy(node)), node)
                _Replace(node, faulty).visit(tree)
                code = compile(ast.fix_missing_locations(tree), path, "exec")
                _Replace(faulty, node).visit(tree)
                yield Mutant(path, node.lineno, what, name, _code_named(code, name))


def _functions(body: Iterable[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.")


def _nodes(function: ast.AST) -> Iterator[Any]:
    """Yield the nodes that run when the function does: no annotations, no arms that cannot be reached."""
    for name, value in ast.iter_fields(function):
        if name in ("annotation", "returns", "args", "decorator_list") and not isinstance(function, ast.Call):
            continue
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.AST) and not _is_unreachable(node):
                yield node
                yield from _nodes(node)


def _is_unreachable(node: ast.AST) -> bool:
    return isinstance(node, ast.match_case) and ast.unparse(node.body[0]).startswith("assert_never")


def _changes(node: ast.AST) -> Iterator[tuple[str, Callable[[Any], ast.AST]]]:
    match node:
        case ast.Compare(ops=[operator]):
            swapped = COMPARISONS[type(operator)]
            yield f"{type(operator).__name__} -> {swapped.__name__}", lambda it: _with(it, ops=[swapped()])
        case ast.BoolOp():
            other: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield f"{type(node.op).__name__} -> {type(other).__name__}", lambda it: _with(it, op=other)
        case ast.UnaryOp(op=ast.Not()):
            yield "not removed", lambda it: it.operand
        case ast.If() | ast.IfExp() | ast.While():
            if not isinstance(node.test, ast.Compare | ast.UnaryOp):  # those are turned round above
                yield "condition turned round", lambda it: _with(it, test=ast.UnaryOp(ast.Not(), it.test))
        case ast.Constant(value=bool() as truth):
            yield f"{truth} -> {not truth}", lambda it: _with(it, value=not truth)
        case ast.Constant(value=int() as number):
            yield f"{number} -> {number + 1}", lambda it: _with(it, value=number + 1)
        case ast.BinOp() if type(node.op) in OPERATORS:
            yield "operator swapped", lambda it: _with(it, op=OPERATORS[type(it.op)]())
        case ast.AugAssign():
            yield "statement removed", lambda _: ast.Pass()
            if type(node.op) in OPERATORS and not isinstance(node.value, ast.List | ast.ListComp):
                yield "operator swapped", lambda it: _with(it, op=OPERATORS[type(it.op)]())
        case ast.Expr(value=ast.Call()) | ast.Delete() | ast.Continue() | ast.Break():
            yield "statement removed", lambda _: ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "statement removed", lambda _: ast.Pass()
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "return None", lambda it: _with(it, value=ast.Constant(None))
        case ast.Call(args=[first, second, *_]) if ast.dump(first) != ast.dump(second):
            yield "arguments swapped", lambda it: _with(it, args=[it.args[1], it.args[0], *it.args[2:]])


def _with(node: Any, **fields: Any) -> ast.AST:
    for name, value in fields.items():
        setattr(node, name, value)
    found: ast.AST = node
    return found


class _Replace(ast.NodeTransformer):
    def __init__(self, node: ast.AST, replacement: ast.AST) -> None:
        self.node = node
        self.replacement = replacement

    def visit(self, node: ast.AST) -> Any:
        return self.replacement if node is self.node else self.generic_visit(node)


def _code_named(code: CodeType, name: str) -> CodeType:
    inner = [item for item in code.co_consts if isinstance(item, CodeType)]
    head, _, rest = name.partition(".")
    found = next(item for item in reversed(inner) if item.co_name == head)
    return _code_named(found, rest) if rest else found


def function_named(path: str, name: str) -> FunctionType:
    """Return the loaded function below its decorators."""
    found: Any = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    for part in name.split("."):
        found = inspect.getattr_static(found, part)
    found = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
    function: FunctionType = inspect.unwrap(found)
    return function


# -- trial


class Trial:
    """A plugin in place of pytest's loop: a sound run that notes which test reaches which line, then the mutants."""

    def __init__(self, mutants: Sequence[Mutant]) -> None:
        self.mutants = mutants
        self.outcomes: list[tuple[Mutant, str]] = []

    def pytest_sessionstart(self) -> None:
        from hypothesis import Phase, settings  # not earlier: pytest wants to see it imported

        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutate", derandomize=True, database=None, max_examples=20, phases=phases)
        settings.load_profile("mutate")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        reached, seconds = self._sound_run(session)
        items = {item.nodeid: item for item in session.items}
        for number, mutant in enumerate(self.mutants, 1):
            reaching = seconds.keys() & reached[mutant.path].get(mutant.line, ())
            names = sorted(reaching, key=seconds.__getitem__)
            outcome = _try(mutant, [items[name] for name in names], 10 + 4 * sum(seconds[name] for name in names))
            self.outcomes.append((mutant, outcome))
            if outcome == SURVIVED:
                print(f"\n{number}/{len(self.mutants)} {mutant.path}:{mutant.line} {mutant.function}: {mutant.what}", flush=True)
        return True

    def _sound_run(self, session: pytest.Session) -> tuple[dict[str, dict[int, list[str]]], dict[str, float]]:
        paths = sorted({mutant.path for mutant in self.mutants})
        seconds: dict[str, float] = {}
        recorder = coverage.Coverage(data_file=None, include=paths, config_file=False)
        recorder.start()
        for item, following in zip_longest(session.items, session.items[1:]):
            recorder.switch_context(item.nodeid)
            began = time.perf_counter()
            reports = runtestprotocol(item, log=False, nextitem=following)
            seconds[item.nodeid] = time.perf_counter() - began
            for report in reports:
                if report.failed:
                    pytest.exit(f"fails without a mutant: {item.nodeid}\n{report.longreprtext}", returncode=2)
        recorder.stop()
        data = recorder.get_data()
        reached = {path: data.contexts_by_lineno(str(Path(path).resolve())) for path in paths}
        return {
            path: {line: [name for name in names if name] for line, names in of.items()} for path, of in reached.items()
        }, seconds


def _try(mutant: Mutant, items: Sequence[pytest.Item], limit_seconds: float) -> str:
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(limit_seconds))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        try:
            os._exit(_finds(mutant, items))
        finally:
            os._exit(1)  # what escapes from the test runner has noticed the mutant, too
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return TIMEOUT if os.WTERMSIG(status) == signal.SIGALRM else KILLED
    return KILLED if os.WEXITSTATUS(status) else SURVIVED


def _finds(mutant: Mutant, items: Sequence[pytest.Item]) -> bool:
    function_named(mutant.path, mutant.function).__code__ = mutant.code
    for item, following in zip_longest(items, items[1:]):
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
            return True
    return False


# -- report


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.mutate", description="Mutation testing of patch sets.")
    parser.add_argument("files", nargs="*", help="only these of the targets")
    parser.add_argument("--sample", type=int, metavar="N", help="only N mutants, chosen by --seed")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    mutants = [mutant for path in options.files or TARGETS for mutant in mutants_of(path)]
    if options.sample is not None and options.sample < len(mutants):
        chosen = random.Random(options.seed).sample(range(len(mutants)), options.sample)  # noqa: S311  # no secret
        mutants = [mutants[index] for index in sorted(chosen)]
    outcomes: list[tuple[Mutant, str]] = []
    for source, tests in TESTS.items():
        group = [mutant for mutant in mutants if mutant.path.startswith(source)]
        if group:
            trial = Trial(group)
            status = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "timeout=0", tests], plugins=[trial])
            if len(trial.outcomes) < len(group):
                return int(status) or 1
            outcomes += trial.outcomes
    _show(outcomes)
    return 0


def _show(outcomes: Iterable[tuple[Mutant, str]]) -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant, outcome in outcomes:
        counts[mutant.path][outcome] += 1
        counts["all"][outcome] += 1
    print(f"\n{'':32}{'mutants':>9}{KILLED:>9}{TIMEOUT:>9}{SURVIVED:>10}{'found':>8}")
    for path, count in sorted(counts.items(), key=lambda pair: pair[0] == "all"):
        found = 100 * (count[KILLED] + count[TIMEOUT]) / count.total()
        print(f"{path:32}{count.total():9}{count[KILLED]:9}{count[TIMEOUT]:9}{count[SURVIVED]:10}{found:7.1f}%")


if __name__ == "__main__":
    sys.exit(main())
