"""Compare all that the database and the product's reads show with the reference, to the last field."""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from schemas.export import ExportDocument
from schemas.projects import Project
from schemas.tasks import Task
from tests.model.deriving import CLOSED, is_ready, tallied, waits_for
from tests.model.state import PRIVATE, PROJECT_FIELDS, TASK_FIELDS, Item, State
from tests.model.subject import Rows, Subject

_FORMAL = {"workspace_id", "id", "key", "number", "project_id", "parent_id", "deletion_id"}


class Comparison:
    """Compares again and again; it remembers which name the product has given to each deletion."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._deletions: dict[str, str] = {}
        self.keys: dict[str, str] = {}  # id -> key of all items

    def look(self, rows: Rows, expected: State) -> None:
        """Hold the stored rows equal to the reference: every column but ids, deleted rows included."""
        projects, tasks = (self._subject.items(table, rows[table]) for table in ("projects", "tasks"))
        self.keys = {item["id"]: item["key"] for item in (*projects, *tasks)}
        self._learn_deletions([*projects, *tasks], expected)
        tallies = tallied(expected)
        _equal("projects", {item["key"]: self._project(item) for item in projects}, _expected_projects(expected, tallies))
        _equal("tasks", {item["key"]: self._task(item) for item in tasks}, _expected_tasks(expected, tallies))
        edges = self._subject.items("dependencies", rows["dependencies"])
        assert {(self.keys[edge["task_id"]], self.keys[edge["depends_on_id"]]) for edge in edges} == expected.edges
        comments = self._subject.items("comments", rows["comments"])
        said = [(self.keys[row["task_id"]], row["author"], row["body"], row["created_at"]) for row in comments]
        assert sorted(said) == sorted(expected.comments)

    def _learn_deletions(self, items: list[Item], expected: State) -> None:
        """Learn what the product calls each new deletion; two names for one, or one name for two, show as a difference."""
        for item in items:
            other = expected.item(item["key"])
            known = self._deletions.values()
            if item["deletion_id"] and other is not None and other["deletion"] is not None and other["deletion"] not in known:
                self._deletions.setdefault(item["deletion_id"], other["deletion"])

    def _project(self, row: Item) -> Item:
        return {name: value for name, value in row.items() if name not in _FORMAL} | {"deletion": self._deletion(row)}

    def _task(self, row: Item) -> Item:
        shown = {name: value for name, value in row.items() if name not in _FORMAL}
        place = {"project": self.keys[row["project_id"]], "parent": self.keys.get(row["parent_id"])}
        if row["deleted_at"] is not None:
            del shown["depth"]  # worked out anew when it is restored
        return shown | place | {"number": row["number"], "deletion": self._deletion(row)}

    def _deletion(self, row: Item) -> str | None:
        return self._deletions.get(row["deletion_id"], row["deletion_id"])


def _equal(what: str, found: Mapping[str, Item], expected: Mapping[str, Item]) -> None:
    if found == expected:
        return
    assert found.keys() == expected.keys(), what
    for key, item in expected.items():
        for name in item.keys() | found[key].keys():
            assert found[key].get(name, "absent") == item.get(name, "absent"), f"{key}.{name}"


def _expected_projects(state: State, tallies: Mapping[str | None, Counter[str]]) -> dict[str, Item]:
    names = ("task_count", "completed_task_count", "leaf_count", "leaf_completed", "estimated_minutes")
    return {key: project | {name: tallies[key][name] for name in names} for key, project in state.projects.items()}


def _expected_tasks(state: State, tallies: Mapping[str | None, Counter[str]]) -> dict[str, Item]:
    names = ("subtask_count", "leaf_count", "leaf_completed")
    return {
        key: task
        | {name: tallies[key][name] for name in names}
        | ({"depth": len(state.above(key))} if task["deletion"] is None else {})
        for key, task in state.tasks.items()
    }


# -- what is shown


def compare_shown(document: ExportDocument, state: State, project: str, today: date) -> None:
    """Hold what the product shows of a live project equal to the reference: fields, order, edges, and all that is derived."""
    tallies = tallied(state)
    shown = document.project
    assert (shown.key, shown.revision) == (project, state.projects[project]["revision"])
    assert shown.progress == _share(tallies[project])
    assert _values(shown, PROJECT_FIELDS) == {name: state.projects[project][name] for name in PROJECT_FIELDS}
    outline = list(_outline(state, project))
    assert [task.key for task in document.tasks] == outline
    blocks = {key: sorted(task for task, target in state.edges if target == key and not state.is_gone(task)) for key in outline}
    for task in document.tasks:
        item = state.tasks[task.key]
        found = {name: getattr(task, name) for name in ("parent", "position", "is_ready", "is_overdue", "progress", "revision")}
        found |= _values(task, TASK_FIELDS) | {name: getattr(task, name) for name in PRIVATE}
        expected = {name: item[name] for name in (*TASK_FIELDS, *PRIVATE)} | {
            "parent": item["parent"],
            "position": item["position"],
            "is_ready": is_ready(state, task.key, tallies),
            "is_overdue": item["due_date"] is not None and item["due_date"] < today.isoformat() and item["status"] not in CLOSED,
            "progress": _progress(item, tallies[task.key]),
            "revision": item["revision"],
        }
        assert found == expected, task.key
        assert sorted(task.depends_on) == waits_for(state, task.key), task.key
        assert sorted(task.blocks) == blocks[task.key], task.key
    keys = {task.id: task.key for task in document.tasks}
    said = sorted((keys[comment.task_id], comment.author, comment.body) for comment in document.comments)
    assert said == sorted(comment[:3] for comment in state.comments if comment[0] in outline)


def _values(shown: Project | Task, names: Collection[str]) -> Item:
    """Return fields in the form of the reference: days and states as text."""
    return shown.model_dump(mode="json", include=set(names))


def _outline(state: State, project: str, parent: str | None = None) -> Any:
    children = [
        (task["position"], task["number"], key)
        for key, task in state.tasks.items()
        if task["project"] == project and task["parent"] == parent and task["deletion"] is None
    ]
    for _, _, key in sorted(children):
        yield key
        yield from _outline(state, project, key)


def _progress(item: Item, tally: Counter[str]) -> int:
    if not tally["subtask_count"]:
        return 100 if item["status"] == "completed" else 0
    return _share(tally)


def _share(tally: Counter[str]) -> int:
    return 100 * tally["leaf_completed"] // tally["leaf_count"] if tally["leaf_count"] else 0
