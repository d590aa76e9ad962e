"""The labelled plans of tests/data/corpus, and how far a parsed plan agrees with its labels."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rules.plans import PlanReader, read

CORPUS = Path(__file__).parents[1] / "data" / "corpus"
STATES = {"done": "completed", "doing": "in_progress", "blocked": "blocked", "review": "in_review", "cancelled": "cancelled"}
SIGNS = {"!": "priority", "@": "assignee", "~": "estimated_minutes", "#": "tags", "+": "acceptance_criteria", '"': "text"}
MANY = ("tags", "acceptance_criteria", "text", "after")
Said = dict[str, Any]  # field -> value; title and parent of tasks among them


@dataclass
class Score:
    """Fields that a label states, those that are right, and values that no label states."""

    stated: int = 0
    right: int = 0
    wrong: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)


def plans() -> list[Path]:
    return sorted(path for path in CORPUS.iterdir() if path.is_file() and path.suffix != ".labels" and path.name != "README.md")


def score(path: Path, labels: Path | None = None) -> Score:
    """Compare what is read with the labels, field by field; tasks are matched by title."""
    project, tasks = _labels((labels or path.with_suffix(".labels")).read_text(encoding="utf-8"))
    with path.open(encoding="utf-8", newline="") as file:
        plan = read(file.read())
    found = _found(plan)
    result = Score()
    _compare(result, path.name, project, _normal(plan.project))
    for index, label in enumerate(tasks):
        same = [item for item in found if item["title"] == label["title"]]
        item = min(same, key=lambda item: item["place"] != index, default=None)
        _compare(result, f"{path.name}: {label['title']}", label | {"place": index}, item or {})
    titles = {label["title"] for label in tasks}
    result.invented += [f"{path.name}: task {item['title']}" for item in found if item["title"] not in titles]
    return result


def _compare(result: Score, where: str, label: Said, item: Said) -> None:
    for name, value in label.items():
        result.stated += 1
        text = item.get("description", "")
        if all(words in text for words in value) if name == "text" else item.get(name) == value:
            result.right += 1
        else:
            result.wrong.append(f"{where}: {name} is {text if name == 'text' else item.get(name)!r}, not {value!r}")
    result.invented += [f"{where}: {name} {item[name]!r}" for name in item if name not in {*label, "description", "name"}]


def _labels(text: str) -> tuple[Said, list[Said]]:
    project: Said = {}
    tasks: list[Said] = []
    path: list[str] = []
    for line in text.splitlines():
        title, *words = line.strip().split(" | ")
        said: Said = dict(map(_word, words)) if len(words) < 2 else _merged(words)
        if title.startswith("= "):
            project = {"name": title.removeprefix("= ")} | said
            continue
        depth = (len(line) - len(line.lstrip())) // 2
        path = [*path[:depth], title]
        tasks.append({"title": title, "parent": path[-2] if depth else None} | said)
    return project, tasks


def _merged(words: list[str]) -> Said:
    said: Said = {}
    for name, value in map(_word, words):
        said[name] = [*said.get(name, []), *value] if name in MANY else value
    return said


def _word(word: str) -> tuple[str, Any]:
    if word in STATES:
        return "status", STATES[word]
    name, _, value = word.partition(" ")
    if name in ("due", "start"):
        return f"{name}_date", value
    if name == "after":
        return "after", [value]
    name = SIGNS[word[0]]
    value = word[1:].strip().removesuffix('"') if name == "text" else word[1:].strip()
    return name, [value] if name in MANY else int(value) if name == "estimated_minutes" else value


def _found(plan: PlanReader) -> list[Said]:
    created = [patch for patch in plan.patches if patch["op"] == "create_task"]
    titles = {patch["ref"]: patch["fields"]["title"] for patch in created}
    return [
        _normal(patch["fields"])
        | {"place": place, "parent": titles.get(patch.get("parent"))}
        | ({"after": [titles[ref] for ref in patch["depends_on"]]} if patch.get("depends_on") else {})
        for place, patch in enumerate(created)
    ]


def _normal(fields: Said) -> Said:
    """Leave out the state every task begins with."""
    return {name: value for name, value in fields.items() if (name, value) != ("status", "todo")}


def scores() -> dict[str, Score]:
    """Return the score of each plan of the corpus."""
    return {path.name: score(path) for path in plans()}
