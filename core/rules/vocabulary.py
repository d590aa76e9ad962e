"""The words of the importer that stand for values: one table per field, and which headings are prose."""

import re

from schemas.primitives import Priority, TaskStatus

CHECKBOX_STATUS = {
    " ": TaskStatus.TODO,
    "x": TaskStatus.COMPLETED,
    "X": TaskStatus.COMPLETED,
    "-": TaskStatus.CANCELLED,
    "/": TaskStatus.IN_PROGRESS,
}

_STATUS_WORDS = {
    TaskStatus.TODO: "todo, to do, open, not started, pending, planned",
    TaskStatus.IN_PROGRESS: "in progress, doing, started, wip, active",
    TaskStatus.BLOCKED: "blocked",
    TaskStatus.IN_REVIEW: "in review, review",
    TaskStatus.COMPLETED: "completed, complete, done, finished, closed",
    TaskStatus.CANCELLED: "cancelled, canceled, dropped, wont do, won't do",
}
_PRIORITY_WORDS = {
    Priority.CRITICAL: "critical, urgent, highest, p0, p1, !!!, a",
    Priority.HIGH: "high, p2, !!, b",
    Priority.MEDIUM: "medium, normal, p3, !, c",
    Priority.LOW: "low, p4, d",
    Priority.BACKLOG: "backlog, lowest, someday, p5, e",
}
STATUSES = {word: status for status, words in _STATUS_WORDS.items() for word in words.split(", ")}
PRIORITIES = {word: priority for priority, words in _PRIORITY_WORDS.items() for word in words.split(", ")}


def find_status(text: str) -> TaskStatus | None:
    """Return the status a word stands for; `-` and `_` count as blanks."""
    return STATUSES.get(" ".join(re.split(r"[\s_-]+", text.strip().casefold())))


def find_priority(text: str) -> Priority | None:
    return PRIORITIES.get(text.strip().casefold())


# A marker behind one of these words is the object of a sentence, and stays in the title.
CONNECTING_WORDS = frozenset(
    """
    a about an and as at for from in into of on or over per the through to under using via with without
    """.split()
)

# Words that, with a number, name a unit of work: `Phase 2`, `Task 0.1`. As a pattern, longest first.
UNIT_KINDS = r"user story|work package|sub-?task|workstream|milestone|iteration|feature|sprint|phase|stage|story|task|step|epic"

# Headings under which lists are remarks, unless the author put checkboxes there.
PROSE_HEADINGS = frozenset(
    phrase.strip()
    for phrase in """
    notes, note, remarks, comments, overview, summary, executive summary, introduction, about, background, context,
    goal, goals, non-goals, objective, objectives, vision, motivation, success criteria, success metrics, metrics,
    acceptance criteria, definition of done, risks, risk mitigation, risk management, assumptions, constraints,
    dependencies, dependencies & execution order, dependencies and execution order, references, links, resources,
    appendix, glossary, format, legend, conventions, implementation strategy, strategy, approach, architecture,
    technical architecture, open questions, questions, decisions, scope, in scope, out of scope, stakeholders, team,
    faq, changelog, requirements, prerequisites, lessons learned, budget
    """.split(",")
)

# A heading of only these words and words of the heading above it says nothing of its own.
GENERIC_WORDS = frozenset(
    "a all and for implementation in items list of plan plans roadmap steps subtasks task tasks the to todo todos work".split()
)
