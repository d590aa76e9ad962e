"""What a message to the chat asks for, other than commands: questions about plans, a split, a plan, or to apply.

Pure and without guesses: a message is one of these as a whole, or it is none of them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

_TASK = r"[A-Za-z][A-Za-z0-9]{1,9}-[0-9]{1,18}"
_PROJECT = r"[A-Za-z][A-Za-z0-9]{1,9}"
_END = r"\s*[.?!]*"
_IN = rf"(?:\s+(?:in|of|for|on)\s+(?:the\s+)?(?:project\s+)?(?P<project>{_PROJECT}))?"


@dataclass(frozen=True, slots=True)
class Help:
    """What can be said here."""


@dataclass(frozen=True, slots=True)
class Projects:
    """Which projects there are."""


@dataclass(frozen=True, slots=True)
class Next:
    """What may be started, best first; in all projects without one."""

    project: str | None


@dataclass(frozen=True, slots=True)
class Overdue:
    """What is late; in all projects without one."""

    project: str | None


@dataclass(frozen=True, slots=True)
class Blockers:
    """What a task waits for."""

    task: str


@dataclass(frozen=True, slots=True)
class Show:
    """How a project or a task stands; all projects without one."""

    item: str | None


@dataclass(frozen=True, slots=True)
class Apply:
    """The pending proposal, which is applied by an explicit call and never here."""


@dataclass(frozen=True, slots=True)
class Split:
    """A task into the list of its description."""

    task: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A text into a new project."""

    text: str


Question = Help | Projects | Next | Overdue | Blockers | Show | Apply | Split | Plan

HELP = """\
Questions
what is next | what is next in WEB | what is overdue | what blocks WEB-3 | show WEB | show WEB-3 | status | list projects
apply (which proposal is pending, and how it is applied)
Plans
plan: TEXT WITH A LIST OF TASKS | split WEB-3 (by the list in its description)"""


def read_question(message: str) -> Question | None:
    """Return what the whole message asks for, None when it is none of this."""
    for pattern, make in _TABLE:
        if match := pattern.fullmatch(message.strip()):
            return make(match)
    return None


def _upper(text: str | None) -> str | None:
    return None if text is None else text.upper()


_Make = Callable[[re.Match[str]], Question]


def _table(*rows: tuple[str, _Make]) -> list[tuple[re.Pattern[str], _Make]]:
    flags = re.IGNORECASE | re.DOTALL
    return [(re.compile(rf"(?:please\s+)?(?:{pattern}){_END}", flags), make) for pattern, make in rows]


_WHAT = r"what(?:['\u2019]s|\s+is|\s+are)?\s+"
_TABLE = _table(
    (r"help|commands|\?|what\s+can\s+(?:i\s+say|you\s+do)(?:\s+here)?|hi|hello|hey", lambda _: Help()),
    (r"(?:(?:list|show)\s+)?(?:me\s+)?(?:all\s+)?(?:the\s+|my\s+)?projects", lambda _: Projects()),
    (
        rf"(?:{_WHAT}|which\s+tasks?\s+(?:is|are)\s+|show\s+)?(?:the\s+)?(?:next|ready)(?:\s+(?:tasks?|steps?))?{_IN}"
        rf"|what\s+(?:can|should|do|shall)\s+(?:i|we)\s+(?:start|do|work\s+on)(?:\s+(?:now|next))?(?:\s+in\s+(?P<place>{_PROJECT}))?",
        lambda match: Next(_upper(match["project"] or match["place"])),
    ),
    (
        rf"(?:{_WHAT}|which\s+tasks?\s+(?:is|are)\s+|show\s+)?(?:the\s+)?(?:overdue|late)(?:\s+tasks?)?{_IN}",
        lambda match: Overdue(_upper(match["project"])),
    ),
    (
        rf"what\s+(?:blocks|is\s+blocking|holds\s+up)\s+(?P<task>{_TASK})"
        rf"|(?:what|who)\s+(?:does|is)\s+(?P<waits>{_TASK})\s+(?:wait(?:ing)?\s+(?:for|on)|blocked\s+by|depend(?:ing)?\s+on)"
        rf"|why\s+is\s+(?P<why>{_TASK})\s+(?:blocked|not\s+ready)",
        lambda match: Blockers((match["task"] or match["waits"] or match["why"]).upper()),
    ),
    (
        r"status|how\s+(?:are\s+we\s+doing|is\s+it\s+going|far\s+are\s+we)|show\s+(?:me\s+)?(?:the|my|our)\s+(?:plan|project|status)"
        rf"|{_WHAT}(?:left|open)(?:\s+to\s+do)?",
        lambda _: Show(None),
    ),
    (
        rf"(?:show|describe|(?:what\s+is\s+the\s+)?status\s+of|how\s+is)\s+(?:me\s+)?(?:the\s+)?(?:project\s+|task\s+)?"
        rf"(?P<item>{_TASK}|{_PROJECT})(?:\s+(?:doing|going))?"
        rf"|(?:when\s+is|when\s+does)\s+(?P<due>{_TASK})\s+(?:due|start)"
        rf"|who\s+(?:owns|has|does|is\s+(?:on|doing)|works\s+on|is\s+working\s+on)\s+(?P<owned>{_TASK})",
        lambda match: Show((match["item"] or match["due"] or match["owned"]).upper()),
    ),
    (
        r"(?:yes|ok|okay)?,?\s*(?:apply|accept)(?:\s+(?:it|that|this|them|all|(?:the\s+)?(?:proposal|plan|changes?)))?(?:\s+now)?"
        r"|yes|go\s+ahead|do\s+it",
        lambda _: Apply(),
    ),
    (rf"(?:split(?:\s+up)?|decompose|break\s+down)\s+(?P<task>{_TASK})", lambda match: Split(match["task"].upper())),
    (r"(?:plan|new\s+project)\s*(?::|\n)\s*(?P<text>\S.*)", lambda match: Plan(match["text"])),
)
