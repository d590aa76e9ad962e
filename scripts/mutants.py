"""Mutants: copies of a function with one small fault each.

Texts are never changed: their wording is for people, and a wrong field name is the type checker's business.
"""

import ast
import copy
import importlib
import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

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
    digest: str  # of the sound file
    lines: range  # of the faulty expression or statement: whoever runs one of them may notice
    function: str  # qualified name of the outermost function it is in
    name: str  # function, fault and where it is; unique in the file, and the same after changes elsewhere
    code: CodeType

    def install(self) -> None:
        """Put the faulty code into the loaded function, below its decorators."""
        found: Any = importlib.import_module(self.path.removesuffix(".py").replace("/", "."))
        for part in self.function.split("."):
            found = inspect.getattr_static(found, part)
        found = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
        function: FunctionType = inspect.unwrap(found)
        function.__code__ = self.code


def mutants_of(path: str) -> Iterator[Mutant]:
    """Yield every mutant of the functions in a file."""
    source = Path(path).read_text(encoding="utf-8")
    digest, lines, names = sha256(source.encode()).hexdigest()[:12], source.splitlines(), Counter[str]()
    for function_name, function, alone in _functions(ast.parse(source)):
        for node in _nodes(function):
            for what, change in _changes(node):
                faulty = ast.copy_location(change(copy.deepcopy(node)), node)
                name = f"{function_name}: {what}: {_in_short(node, lines)}"
                names[name] += 1
                name += f" #{names[name]}" if names[name] > 1 else ""
                _Replace(node, faulty).visit(alone)
                code = compile(ast.fix_missing_locations(alone), path, "exec")
                _Replace(faulty, node).visit(alone)
                yield Mutant(path, digest, _lines(node), function_name, name, _code_named(code, function_name))


def _lines(node: Any) -> range:
    faulty: Any = node.test if isinstance(node, ast.If | ast.While) else node
    return range(faulty.lineno, faulty.end_lineno + 1)


def _in_short(node: Any, lines: Sequence[str]) -> str:
    """Return the source of a node (of a constant, its line), or what it begins with."""
    text = " ".join((lines[node.lineno - 1] if isinstance(node, ast.Constant) else ast.unparse(node)).split())
    return text if len(text) <= 90 else text[:87] + "..."


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef, ast.Module]]:
    """Yield each function and method, and a module that holds nothing else: small enough to be compiled for every mutant."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node, ast.Module([node], [])
        elif isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.FunctionDef):
                    home = ast.ClassDef(node.name, [], [], [item], [], lineno=1, col_offset=0)
                    yield f"{node.name}.{item.name}", item, ast.Module([home], [])


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
        case ast.Expr(value=ast.Call()) | ast.Delete() | ast.Continue() | ast.Break() | ast.Raise():
            yield "statement removed", lambda _: ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "statement removed", lambda _: ast.Pass()
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and not value.value):
            yield "return None", lambda it: _with(it, value=ast.Constant(None))
        case ast.Call(args=[first, second, *_]) if ast.dump(first) != ast.dump(second) and not _is_symmetric(node.func):
            yield "arguments swapped", lambda it: _with(it, args=[it.args[1], it.args[0], *it.args[2:]])


def _is_symmetric(function: ast.expr) -> bool:
    return isinstance(function, ast.Name) and function.id in ("min", "max", "same")


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
