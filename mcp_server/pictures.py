"""Pictures of a plan that a chat can show: Mermaid diagrams, and text whose letters line up.

What does not fit into an answer is left out in whole tasks and lines, so that the rest can still be drawn, and counted.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, zip_longest
from unicodedata import category, east_asian_width

from core.mermaid import label
from core.patches.text import safe, safe_word
from core.schedule_rendering import render_gantt, timeline_head, timeline_rows
from mcp_server.rendering import FEWER, MAX_TEXT, capped
from schemas.primitives import TaskStatus
from schemas.schedule import Schedule, ScheduledTask
from schemas.tasks import Task

SMALLER = "use a smaller limit."
MAX_NODES = MAX_TEXT * 2 // 3  # characters; the rest is for what connects them
BOARD = 110  # letters of a line, shared by the columns
COLUMN = 16, 40  # letters of a column, at least and at most
COLOURS = {  # of nodes; their text is dark on light in every theme
    TaskStatus.COMPLETED: "fill:#d7f0dd,stroke:#2b7a3f,color:#12361c",
    TaskStatus.IN_PROGRESS: "fill:#d9e8fb,stroke:#2c5fa8,color:#12294a",
    TaskStatus.IN_REVIEW: "fill:#e8def8,stroke:#6b45a8,color:#2d1a4d",
    TaskStatus.BLOCKED: "fill:#fbdedb,stroke:#b3362a,color:#4d1410",
    TaskStatus.CANCELLED: "fill:#eeeeee,stroke:#8a8a8a,color:#555555",
}


# Mermaid


def flowchart(tasks: Sequence[Task], foot: Sequence[str]) -> str:
    """Return the dependencies among tasks in outline order as a flowchart: parents enclose their children, arrows point to
    what waits, colours are states."""
    shown = len(tasks)
    while len("\n".join(_nodes(tasks[:shown]))) > MAX_NODES:
        shown -= max(1, shown // 10)
    drawn = tasks[:shown]
    cut = [f"only {shown} of these {len(tasks)} tasks fit; {SMALLER}"] if shown < len(tasks) else []
    edges = [f"    {target} --> {task.key}" for task in drawn for target in task.depends_on]
    return _diagram(["flowchart LR", *_nodes(drawn), *_classes(drawn)], edges, [*cut, *foot])


def _nodes(tasks: Sequence[Task]) -> list[str]:
    parents = {task.parent for task in tasks}
    lines, within = [], list[str]()
    for task in tasks:
        while within and within[-1] != task.parent:
            within.pop()
            lines.append(f"{_margin(within)}end")
        node = f'{task.key}["{task.key} {label(task.title)}"]'
        lines.append(f"{_margin(within)}{'subgraph ' * (task.key in parents)}{node}")
        within += [task.key] if task.key in parents else []
    while within:
        within.pop()
        lines.append(f"{_margin(within)}end")
    return lines


def _margin(within: Sequence[str]) -> str:
    return "    " * (len(within) + 1)


def _classes(tasks: Sequence[Task]) -> Iterator[str]:
    for status, colours in COLOURS.items():
        if keys := [task.key for task in tasks if task.status is status]:
            yield f"    classDef {status} {colours}"
            yield f"    class {','.join(keys)} {status}"


def gantt(schedule: Schedule, page: list[ScheduledTask], foot: Sequence[str]) -> str:
    """Return one page of a schedule as a gantt chart."""
    chart = render_gantt(schedule.model_copy(update={"tasks": page})).splitlines()
    return _diagram(chart[:4], chart[4:], foot)


def _diagram(head: Sequence[str], rows: Iterable[str], foot: Sequence[str]) -> str:
    """Return a diagram; what was cut and what follows is said in comments, so that it can still be drawn."""
    text = capped(head, rows, [f"    %% {line}" for line in foot], narrow=f"{FEWER}.")
    return text.replace("\n... ", "\n    %% ... ")


# Text


def timeline(schedule: Schedule, page: Sequence[ScheduledTask], foot: Sequence[str]) -> str:
    """Return one page of a schedule as bars on the scale of the whole."""
    return capped(timeline_head(schedule), timeline_rows(schedule, page), foot, narrow=f"{FEWER}.")


def board(head: Sequence[str], tasks: Sequence[Task], foot: Sequence[str]) -> str:
    """Return tasks as cards, in a column for each status that occurs."""
    columns = {status: [task for task in tasks if task.status is status] for status in TaskStatus}
    columns = {status: cards for status, cards in columns.items() if cards}
    least, most = COLUMN
    width = min(most, max(least, BOARD // max(1, len(columns)) - 3))
    titles = [f"{status} {len(cards)}" for status, cards in columns.items()]
    rows = ["-+-".join("-" * width for _ in titles)] if titles else ["(no tasks)"]
    for cards in zip_longest(*columns.values()):
        rows += [_row(lines, width) for lines in zip(*map(_card, cards), strict=True)]
    return capped([*head, "", _row(titles, width)], rows, foot, narrow=SMALLER)


def _card(task: Task | None) -> tuple[str, str]:
    if task is None:
        return "", ""
    marks = [f"@{safe_word(task.assignee)}"] if task.assignee else []
    marks += [f"due {task.due_date}"] if task.due_date else []
    return " ".join([task.key, *marks]), f"  {safe(task.title)}"


def _row(cells: Sequence[str], width: int) -> str:
    return " | ".join(_fitted(cell, width) for cell in cells).rstrip()


def _fitted(text: str, width: int) -> str:
    """Return `text` on exactly `width` places of a terminal, cut with an ellipsis if it needs more."""
    sizes = list(map(_places, text))
    if sum(sizes) > width:
        kept = sum(total < width for total in accumulate(sizes))
        text, sizes = f"{text[:kept]}…", [*sizes[:kept], 1]
    return text + " " * (width - sum(sizes))


def _places(letter: str) -> int:
    """Return how many places a letter takes: none if it combines with the one before, two in East Asia and for emoji."""
    if category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(letter) in "WF" else 1
