"""The form in which models write changes, and its lowering to patches.

The form is flat: no unions and no optional fields, because each strict mode refuses some of them; "" is absent, and values
are text. Lowering is pure. It names existing items by the aliases of one request (K7), so that an item a model was not
shown cannot be meant, and puts the value that the model saw into `expect`, so that a stale change becomes a conflict.
"""

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator
from pydantic import JsonValue

from core.llm.port import AnswerSchema
from schemas.patches import MAX_AGENT_PATCHES
from schemas.primitives import REF
from schemas.projects import Project
from schemas.tasks import Task

NAME = "propose_patch_set"
OPS = (
    "create_project",
    "update_project",
    "create_task",
    "update_task",
    "move_task",
    "delete_task",
    "add_dependency",
    "remove_dependency",
)
PROJECT_FIELDS = ("name", "description", "status", "priority", "tags", "start_date", "due_date")
TASK_FIELDS = (
    "title",
    "description",
    "status",
    "priority",
    "assignee",
    "tags",
    "start_date",
    "due_date",
    "estimated_minutes",
    "acceptance_criteria",
)
CLEAR = "clear"
_ALIAS = re.compile(r"K[1-9]\d*")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")

Patch = dict[str, Any]
Item = Project | Task


class Problem(NamedTuple):
    """One thing that is wrong with an answer, in words for the model that wrote it."""

    path: str  # such as ops[3].target
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


@dataclass(slots=True)
class Lowered:
    """What an answer comes to: patches, the op that each was made of, and what is wrong."""

    summary: str = ""
    questions: list[str] = field(default_factory=list)
    patches: list[Patch] = field(default_factory=list)
    places: list[int | None] = field(default_factory=list)  # patch index -> op index; None for what the answer did not hold
    reasons: dict[int, str] = field(default_factory=dict)  # patch index -> why
    problems: list[Problem] = field(default_factory=list)


def text_of(description: str = "") -> dict[str, Any]:
    return {"type": "string", "description": description} if description else {"type": "string"}


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _many(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def answer_schema(*ops: str) -> AnswerSchema:
    """Return the form of an answer that may hold these ops only."""
    fields = [*dict.fromkeys((*TASK_FIELDS, *PROJECT_FIELDS)), CLEAR]
    op = closed(
        op={"type": "string", "enum": list(ops)},
        ref=text_of("name of the new item, such as t1; empty unless op creates"),
        target=text_of("id of an existing item (K7), or a ref; empty when op creates"),
        parent=text_of("create_task and move_task: id or ref the item goes under; empty = top level of the project"),
        depends_on=text_of("dependencies: id or ref of what target waits for; create_task: the same, several by comma"),
        title=text_of("of the new item; a new title for update_task; else empty"),
        set=_many(closed(field={"type": "string", "enum": fields}, value=text_of())),
        reason=text_of("why, in a few words; may be empty"),
    )
    return AnswerSchema(NAME, closed(summary=text_of(), questions=_many(text_of()), ops=_many(op)))


class Aliases:
    """The items that one request may name: aliases for the prompt, keys for the patches."""

    def __init__(self, project: Project | None = None, tasks: Sequence[Task] = ()) -> None:
        shown: list[Item] = [*([project] if project else []), *tasks]
        self.items: dict[str, Item] = {f"K{number}": item for number, item in enumerate(shown, start=1)}
        self.of_key: dict[str, str] = {item.key: alias for alias, item in self.items.items()}
        self.of_id: dict[str, str] = {item.id: alias for alias, item in self.items.items()}

    def find(self, name: str) -> Item | None:
        """Return the item of an alias, or of the key of something that was shown."""
        return self.items.get(name) or self.items.get(self.of_key.get(name.upper(), ""))

    def spoken(self, text: str) -> str:
        """Return a text of ours with aliases in place of keys, as the model knows the items."""
        return re.sub(r"[A-Z][A-Z0-9]{1,9}-\d+|\b[A-Z][A-Z0-9]{1,9}\b", lambda key: self.of_key.get(key[0], key[0]), text)

    def known(self) -> str:
        names = list(self.items)
        return ", ".join(names if len(names) <= 20 else [*names[:10], "...", names[-1]]) or "none"


def lower(
    answer: JsonValue, schema: AnswerSchema, aliases: Aliases, *, refs: Set[str] = frozenset(), project: str | None = None
) -> Lowered:
    """Return what `answer` asks for, as patches, and everything in it that cannot be meant.

    `refs` are tasks of the same set that others have created, `project` is the ref of its project where others have created that.
    """
    problems = shape_problems(answer, schema)
    if problems or not isinstance(answer, dict):
        return Lowered(problems=problems)
    return _Lowering(answer, aliases, refs, project).run()


def shape_problems(answer: JsonValue, schema: AnswerSchema) -> list[Problem]:
    errors = sorted(Draft202012Validator(schema.schema).iter_errors(answer), key=lambda error: list(map(str, error.path)))
    found = []
    for error in errors:
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.path).lstrip(".")
        found.append(Problem(path, error.message[:300]))
    return found


class _Lowering:
    """One answer of sound shape on its way to patches."""

    def __init__(self, answer: Mapping[str, Any], aliases: Aliases, refs: Set[str], project: str | None) -> None:
        self._ops: list[dict[str, Any]] = answer["ops"]
        self._aliases = aliases
        self._out = Lowered(summary=answer["summary"].strip()[:500], questions=[q for q in answer["questions"] if q.strip()])
        self._refs = self._declared(refs)
        self._project = next((self._ref(op["ref"]) for op in self._ops if op["op"] == "create_project"), project)

    def run(self) -> Lowered:
        if len(self._ops) > MAX_AGENT_PATCHES:
            self._problem(None, f"at most {MAX_AGENT_PATCHES} ops; group them, or leave details to later", "ops")
            return self._out
        # deletions last: seen together in the diff, and after what is moved out of their way
        for index, op in sorted(enumerate(self._ops), key=lambda numbered: numbered[1]["op"] == "delete_task"):
            patch = self._LOWER[op["op"]](self, index, op)
            if patch.get("fields") == {}:
                continue  # everything it would set is so already
            self._out.patches.append(patch)
            self._out.places.append(index)
            if reason := op["reason"].strip():
                self._out.reasons[len(self._out.patches) - 1] = reason
        return self._out

    # -- names

    @staticmethod
    def _ref(name: str) -> str:
        return "$" + name.strip().lstrip("$").replace(".", "-")

    def _declared(self, others: Set[str]) -> set[str]:
        found = set(others)
        for index, op in enumerate(self._ops):
            if not op["op"].startswith("create_"):
                continue
            ref = self._ref(op["ref"])
            if not op["ref"].strip():
                self._problem(index, "each new item needs a ref of its own, such as t1", "ref")
            elif not re.fullmatch(REF, ref) or _ALIAS.fullmatch(ref[1:]):
                self._problem(
                    index, f"{op['ref']!r} is no ref: a letter, then up to 39 letters, digits, - or _; not like K1", "ref"
                )
            elif ref in found:
                self._problem(index, f"{op['ref']!r} is used twice", "ref")
            found.add(ref)
        return found

    def _name(self, index: int, member: str, name: str, *kinds: type[Item]) -> str:
        """Return the key or ref that `name` stands for."""
        name = name.strip()
        item = self._aliases.find(name)
        if item is not None:
            if not isinstance(item, kinds):
                self._problem(index, f"{name} is a {type(item).__name__.lower()}", member)
            return item.key
        if name and self._ref(name) in self._refs:
            return self._ref(name)
        self._problem(index, f"{name!r} unknown; known: {self._aliases.known()}, and the refs of this answer", member)
        return name

    def _top(self, index: int) -> str:
        """Return the project that new tasks go into."""
        if self._project is not None:
            return self._project
        for item in self._aliases.items.values():
            if isinstance(item, Project):
                return item.key
        self._problem(index, "there is no project yet: begin with create_project", "op")
        return ""

    # -- ops

    def _create_project(self, index: int, op: dict[str, Any]) -> Patch:
        fields = {"name": op["title"].strip(), **self._fields(index, op, PROJECT_FIELDS)}
        return {"op": op["op"], "ref": self._ref(op["ref"]), "fields": fields}

    def _create_task(self, index: int, op: dict[str, Any]) -> Patch:
        patch: Patch = {"op": op["op"], "ref": self._ref(op["ref"])}
        parent = self._name(index, "parent", op["parent"], Project, Task) if op["parent"].strip() else self._top(index)
        patch["project" if self._is_project(parent) else "parent"] = parent
        patch["fields"] = {"title": op["title"].strip(), **self._fields(index, op, TASK_FIELDS)}
        waits = [self._name(index, "depends_on", name, Task) for name in op["depends_on"].split(",") if name.strip()]
        return patch | ({"depends_on": waits} if waits else {})

    def _update(self, index: int, op: dict[str, Any]) -> Patch:
        kind, names = ("task", TASK_FIELDS) if op["op"] == "update_task" else ("project", PROJECT_FIELDS)
        self._unused(index, op, "parent", "depends_on")
        name = self._name(index, "target", op["target"], Task if kind == "task" else Project)
        fields = self._fields(index, op, names)
        if title := op["title"].strip():
            fields = {"title" if kind == "task" else "name": title, **fields}
        patch: Patch = {"op": op["op"], kind: name, "fields": fields}
        seen = self._aliases.find(name)
        if not isinstance(seen, Task if kind == "task" else Project):
            return patch
        changed = {name: value for name, value in fields.items() if value != _seen(seen, name)}
        return patch | {"fields": changed, "expect": {name: _seen(seen, name) for name in changed}}

    def _move_task(self, index: int, op: dict[str, Any]) -> Patch:
        self._unused(index, op, "depends_on", "set")
        parent = self._name(index, "parent", op["parent"], Project, Task) if op["parent"].strip() else None
        if parent is not None and self._is_project(parent):
            parent = None
        patch: Patch = {"op": op["op"], "task": self._name(index, "target", op["target"], Task), "parent": parent}
        seen = self._aliases.find(op["target"].strip())
        return patch | ({"expect": {"parent": seen.parent}} if isinstance(seen, Task) else {})

    def _delete_task(self, index: int, op: dict[str, Any]) -> Patch:
        self._unused(index, op, "parent", "depends_on", "set")
        return {"op": op["op"], "task": self._name(index, "target", op["target"], Task)}

    def _dependency(self, index: int, op: dict[str, Any]) -> Patch:
        self._unused(index, op, "parent", "set")
        task = self._name(index, "target", op["target"], Task)
        return {"op": op["op"], "task": task, "depends_on": self._name(index, "depends_on", op["depends_on"], Task)}

    _LOWER: Mapping[str, Callable[["_Lowering", int, dict[str, Any]], Patch]] = {
        "create_project": _create_project,
        "update_project": _update,
        "create_task": _create_task,
        "update_task": _update,
        "move_task": _move_task,
        "delete_task": _delete_task,
        "add_dependency": _dependency,
        "remove_dependency": _dependency,
    }

    def _is_project(self, name: str) -> bool:
        item = self._aliases.find(name)
        return isinstance(item, Project) if item is not None else name in ("", self._project)

    def _unused(self, index: int, op: dict[str, Any], *members: str) -> None:
        """Say that a member has no meaning here: the model wanted something that would not happen."""
        for member in members:
            if op[member]:
                self._problem(index, f"{op['op']} has no {member}; use an op of its own for that", member)

    # -- fields

    def _fields(self, index: int, op: dict[str, Any], names: Sequence[str]) -> dict[str, JsonValue]:
        fields: dict[str, JsonValue] = {}
        for place, entry in enumerate(op["set"]):
            name, value, where = entry["field"], entry["value"].strip(), f"set[{place}]"
            cleared = [part.strip() for part in value.split(",") if part.strip()] if name == CLEAR else []
            for one in cleared or [name]:
                if one not in names:
                    self._problem(index, f"{op['op']} has no field {one}; it has: {', '.join(names)}", where)
                elif one in fields:
                    self._problem(index, f"{one} is set twice", where)
                elif cleared:
                    fields[one] = None
                elif value:
                    fields[one] = self._value(index, one, value, where)
        return fields

    def _value(self, index: int, name: str, value: str, where: str) -> JsonValue:
        match name:
            case "tags":
                return [tag.strip().lstrip("#") for tag in value.split(",") if tag.strip().lstrip("#")]
            case "acceptance_criteria":
                return [_BULLET.sub("", line).strip() for line in value.splitlines() if _BULLET.sub("", line).strip()]
            case "estimated_minutes":
                if not re.fullmatch(r"\d{1,9}", value):
                    self._problem(index, f"{value!r} is no whole number of minutes", where)
                    return value
                return int(value)
            case "assignee":
                return value.removeprefix("@")
            case "status" | "priority":
                return value.lower()
            case _:
                return value

    def _problem(self, index: int | None, message: str, member: str) -> None:
        self._out.problems.append(Problem(member if index is None else f"ops[{index}].{member}", message))


def _seen(item: Item, name: str) -> JsonValue:
    """Return the value of a field as `expect` writes it: null where there is none."""
    value = item.model_dump(mode="json", include={name})[name]
    return value or None
