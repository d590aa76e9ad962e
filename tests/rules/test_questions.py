"""What a message to the chat asks for: all of it is one question, or it is none."""

import pytest

from core.rules.questions import (
    Apply,
    Blockers,
    Help,
    Next,
    Overdue,
    Plan,
    Projects,
    Question,
    Show,
    Split,
    read_question,
)


@pytest.mark.parametrize(
    ("message", "question"),
    [
        ("help", Help()),
        ("What can I say?", Help()),
        ("list projects", Projects()),
        ("What's next?", Next(None)),
        ("what is next in web", Next("WEB")),
        ("Which tasks are ready", Next(None)),
        ("what should we do next in WEB?", Next("WEB")),
        ("what is overdue?", Overdue(None)),
        ("show overdue tasks in WEB", Overdue("WEB")),
        ("what blocks web-3?", Blockers("WEB-3")),
        ("why is WEB-3 blocked", Blockers("WEB-3")),
        ("what is WEB-3 waiting for?", Blockers("WEB-3")),
        ("show me project web", Show("WEB")),
        ("how is WEB going?", Show("WEB")),
        ("status of WEB-3", Show("WEB-3")),
        ("when is WEB-3 due?", Show("WEB-3")),
        ("who is working on WEB-3?", Show("WEB-3")),
        ("how is it going?", Show(None)),
        ("status", Show(None)),
        ("what's left to do?", Show(None)),
        ("hello", Help()),
        ("Yes, apply it.", Apply()),
        ("go ahead!", Apply()),
        ("please break down WEB-3", Split("WEB-3")),
        ("plan: Book shop\n- [ ] One", Plan("Book shop\n- [ ] One")),
    ],
)
def test_a_question_is_read_as_what_it_says(message: str, question: Question) -> None:
    assert read_question(message) == question


@pytest.mark.parametrize(
    "message",
    [
        "done WEB-3",
        "split WEB-3: first; second",  # a command: the parts are given
        "what is next? and delete WEB-3",
        "apply it to WEB-3",
        "show WEB and OPS",
        "planning is hard",
        "plan:",
        "make it nicer",
    ],
)
def test_whatever_is_more_or_less_than_a_question_is_none(message: str) -> None:
    assert read_question(message) is None


@pytest.mark.parametrize(
    "message", ["what is" + " " * 19_000 + "x", "show " * 4_000, "." * 20_000, "apply" + " " * 19_000 + "the"]
)
def test_a_hostile_message_is_none_and_does_not_hang(message: str) -> None:
    assert read_question(message) is None
