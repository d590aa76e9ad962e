"""What is too long, too much or no text."""

import pytest

from core.errors import BodyTooLarge, ValidationFailed
from schemas.planning import OutlineFormat
from tests.rules.plans import only_task, parse, read


@pytest.mark.parametrize("text", ["", "\n \n\t\n", "\ufeff\n", "\u00a0\n"])
def test_an_empty_plan_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(ValidationFailed, match="empty") as refusal:
        parse(text)

    assert refusal.value.details[0].hint


def test_text_that_cannot_be_stored_is_refused() -> None:
    with pytest.raises(ValidationFailed, match="Unicode"):
        parse("- a \ud800")
    with pytest.raises(ValidationFailed, match="NUL"):
        parse("- a \0")


def test_the_limit_counts_bytes_and_is_named() -> None:
    parse("é" * 499_990)
    with pytest.raises(BodyTooLarge, match=r"1,000,000 bytes"):
        parse("é" * 500_001)


def test_more_items_than_a_patch_set_holds_are_refused() -> None:
    assert len(parse("- a\n" * 9_999).patches) == 10_000
    with pytest.raises(ValidationFailed, match="9,999"):
        parse("- a\n" * 10_000)


def test_a_long_title_is_cut_between_words_and_whole_in_the_description() -> None:
    title = "word " * 60 + "end"
    task = only_task(f"- [ ] {title}\n\n  more\n")

    assert task["title"] == "word " * 50 + "word…"
    assert task["description"] == f"{title}\n\nmore"


def test_a_long_name_is_cut_and_whole_in_the_description() -> None:
    project = read(f"# {'word ' * 60}end\n\n- a\n").project

    assert len(project["name"]) <= 255
    assert project["description"] == "word " * 60 + "end"


def test_a_title_that_not_even_the_description_holds_is_reported() -> None:
    plan = parse("- [ ] " + "word " * 3_000)

    assert len(str(plan.patches[1]["fields"]["title"])) <= 255  # type: ignore[index, call-overload]
    assert [(entry.line, len(entry.text)) for entry in plan.unparsed] == [(1, 15_006)]


def test_notes_beyond_the_descriptions_limit_are_reported_line_by_line() -> None:
    lines = [f"  note {number} " + "x" * 90 for number in range(200)]
    plan = parse("- [ ] a\n\n" + "\n".join(lines))

    description = str(plan.patches[1]["fields"]["description"])  # type: ignore[index, call-overload]
    kept = len(description.split("\n"))
    assert len(description) <= 10_000
    assert [entry.line for entry in plan.unparsed] == list(range(kept + 3, 203))
    assert plan.unparsed[0].reason == "notes beyond the description's limit of 10,000 characters"


def test_a_description_is_not_cut_inside_code() -> None:
    code = "```\n" + "x" * 90 + "\n" + ("y" * 90 + "\n") * 40 + "```\n"
    plan = parse("# P\n\n" + ("n" * 90 + "\n") * 80 + "\n" + code + "\n- [ ] a\n")

    description = str(plan.patches[0]["fields"]["description"])  # type: ignore[index, call-overload]
    assert "```" not in description
    assert plan.unparsed[0].text == "```"


def test_more_than_fifty_tags_are_reported_not_stored() -> None:
    plan = parse("- [ ] a " + " ".join(f"#t{number}" for number in range(60)))

    assert len(plan.patches[1]["fields"]["tags"]) == 50  # type: ignore[index, call-overload, arg-type]
    assert len(plan.questions) == 10


def test_remarks_are_counted_beyond_two_hundred() -> None:
    plan = parse("- [ ] a due:soon\n" * 300)

    assert len(plan.questions) == 201
    assert plan.questions[-1] == "... and 100 more remarks"


@pytest.mark.parametrize("character", ["[", "(", "`", "*", "> ", "- ", "<", "#", "after ", "|", "\\", "~"])
def test_a_hundred_thousand_of_one_mark_are_read(character: str) -> None:
    parse("- [ ] a " + character * 100_000)
    parse((character * 100_000).rstrip() + " b")


def test_quotes_nested_beyond_reason_are_text() -> None:
    text = ">" * 5_000 + " deep\n- [ ] a\n"

    assert read(text).tree == ["a"]


REPEATED = ("a" + "\n" * 300_000, "title,owner\n" + "," * 300_000, "- " + "@a " * 30_000, "a:\n- b @done" + " @x(" * 30_000)


@pytest.mark.parametrize("text", REPEATED, ids=["blank lines", "commas", "tags", "parentheses"])
def test_texts_that_repeat_one_thing_are_read_in_all_formats(text: str) -> None:
    for format in (OutlineFormat.AUTO, OutlineFormat.OUTLINE, OutlineFormat.TASKPAPER, OutlineFormat.TODO_TXT, OutlineFormat.CSV):
        assert parse(text, format=format).patches


def test_notes_beyond_the_limit_of_a_description_are_cut_and_reported() -> None:
    plan = parse(f'<opml><body><outline text="One" _note="{"n" * 10_001}"/></body></opml>')

    assert plan.patches[1]["fields"] == {"title": "One", "description": "n" * 10_000}
    assert [entry.reason for entry in plan.unparsed] == ["notes beyond the description's limit of 10,000 characters"]
