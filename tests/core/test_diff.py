"""The text diff is what people and models approve, so it must be readable and must not deceive."""

from collections.abc import Mapping

from core.patches.diff import render_diff
from schemas.changes import Action, Change, EntityKind


def change(
    key: str,
    name: str,
    action: Action,
    fields: Mapping[str, tuple[object, object]],
    *,
    kind: EntityKind | None = None,
    patch_index: int = 0,
    cascaded: bool = False,
) -> Change:
    return Change.model_validate(
        {
            "kind": kind or (EntityKind.TASK if "-" in key else EntityKind.PROJECT),
            "id": key,
            "key": key,
            "title": name,
            "action": action,
            "fields": {field: {"before": before, "after": after} for field, (before, after) in fields.items()},
            "patch_indexes": [patch_index],
            "cascaded": cascaded,
        }
    )


def created(key: str, name: str, **fields: object) -> Change:
    return change(key, name, Action.CREATED, {"title": (None, name), **{field: (None, value) for field, value in fields.items()}})


def updated(key: str, name: str, **fields: tuple[object, object]) -> Change:
    return change(key, name, Action.UPDATED, fields)


def moved(key: str, name: str, **fields: tuple[object, object]) -> Change:
    return change(key, name, Action.MOVED, fields)


def test_new_tasks_are_a_tree_in_position_order_whatever_the_order_of_the_patches() -> None:
    text = render_diff(
        [
            created("WEB-3", "Child", parent="WEB-1", position=1),
            created("WEB-2", "Second", position=20),
            created("WEB-1", "First", position=10),
            created("WEB", "Launch"),
        ]
    )

    assert text.splitlines() == [
        "+ project WEB Launch",
        "  + WEB-1 First",
        "    + WEB-3 Child",
        "  + WEB-2 Second",
    ]


def test_tasks_added_to_existing_items_are_listed_under_the_key_of_those() -> None:
    text = render_diff([created("WEB-8", "Deep", parent="WEB-4", position=1), created("WEB-9", "Top", position=1)])

    assert text.splitlines() == ["under WEB-4:", "  + WEB-8 Deep", "in WEB:", "  + WEB-9 Top"]


def test_a_new_task_shows_its_facts_in_one_line() -> None:
    text = render_diff(
        [
            created(
                "WEB-15",
                "Auth",
                status="in_progress",
                estimated_minutes=480,
                assignee="ann",
                due_date="2026-12-01",
                tags=["api"],
                priority="high",
                depends_on=["WEB-14", "WEB-3"],
            )
        ]
    )

    assert text.endswith("+ WEB-15 Auth  [in_progress] ~8h @ann due 2026-12-01 #api !high waits for WEB-14, WEB-3")


def test_an_update_shows_each_field_before_and_after() -> None:
    text = render_diff(
        [
            updated(
                "WEB-7",
                "Login",
                status=("todo", "completed"),
                completed_at=(None, "2026-08-01T10:00:00Z"),
                title=("Log in", "Login"),
                estimated_minutes=(90, None),
                depends_on=(["WEB-2"], ["WEB-3"]),
                tags=(["a", "b"], ["a", "c"]),
            )
        ]
    )

    assert text.splitlines() == [
        "~ WEB-7 Login",
        "    status: todo -> completed",
        '    title: "Log in" -> "Login"',
        "    estimate: 1h30m -> none",
        "    waits for: +WEB-3 -WEB-2",
        "    tags: +c -b",
    ]


def test_a_changed_line_deep_in_a_description_is_shown_without_the_rest() -> None:
    before = [f"line {number}" for number in range(1, 41)]
    after = [*before[:19], "another line", *before[20:]]

    text = render_diff([updated("WEB-7", "Login", description=("\n".join(before), "\n".join(after)))])

    assert text.splitlines()[1:] == [
        "    description: +1 line, -1 line, from line 20",
        "      - line 20",
        "      + another line",
    ]


def test_a_change_at_the_end_of_a_long_single_line_is_visible() -> None:
    text = render_diff([updated("WEB-7", "Login", description=("x" * 5_000 + "safe", "x" * 5_000 + "danger"))])

    assert 'safe"' in text
    assert 'danger"' in text


def test_a_move_says_where_to_and_what_else_changed() -> None:
    text = render_diff(
        [
            moved("WEB-9", "Docs", parent=(None, "WEB-4"), position=(1, 2), status=("todo", "blocked")),
            moved("WEB-8", "Logo", parent=("WEB-4", None)),
            moved("WEB-7", "Icon", position=(1, 2)),
        ]
    )

    assert text.splitlines() == [
        "> WEB-9 Docs: moved under WEB-4",
        "    status: todo -> blocked",
        "> WEB-8 Logo: moved to the top level",
        "> WEB-7 Icon: moved among its siblings",
    ]


def test_a_deletion_and_a_restoration_list_what_goes_and_comes_with_them() -> None:
    text = render_diff(
        [
            change("WEB-12", "Old", Action.DELETED, {}, patch_index=0),
            change("WEB-20", "Lost", Action.RESTORED, {}, patch_index=1),
            change("WEB-13", "Part", Action.DELETED, {}, patch_index=0, cascaded=True),
            change("WEB-21", "Piece", Action.RESTORED, {}, patch_index=1, cascaded=True),
        ]
    )

    assert text.splitlines() == [
        "- WEB-12 Old (and 1 below it)",
        "    - WEB-13 Part",
        "^ WEB-20 Lost: restored (and 1 below it)",
        "    ^ WEB-21 Piece",
    ]


def test_a_comment_shows_its_author_and_first_line() -> None:
    text = render_diff(
        [
            change(
                "WEB-3",
                "API",
                Action.CREATED,
                {"body": (None, "Looks good\nbut slow"), "author": (None, "ann")},
                kind=EntityKind.COMMENT,
            )
        ]
    )

    assert text == "# WEB-3: comment by ann: Looks good (+1 line)"


def test_text_of_users_cannot_forge_lines_move_the_cursor_or_turn_the_reading_direction() -> None:
    text = render_diff([created("WEB-1", "A\n- WEB-2 Gone\x1b[2K\u202edne\u2028x", assignee="eve due 2030-01-01", position=1)])

    assert text.splitlines() == [
        "in WEB:",
        '  + WEB-1 A\\n- WEB-2 Gone\\x1b[2K\\u{202e}dne\\u{2028}x  @"eve due 2030-01-01"',
    ]


def test_a_title_that_imitates_facts_is_put_in_quotes() -> None:
    text = render_diff([created("WEB-1", "Pay  [completed] @bob", position=1)])

    assert text.endswith('+ WEB-1 "Pay  [completed] @bob"')


def test_a_long_diff_ends_within_the_limit_and_counts_the_changes_left_out() -> None:
    changes = [created(f"WEB-{number}", "Tâche", position=number) for number in range(1, 10_001)]

    text = render_diff(changes)

    *shown, last = text.splitlines()
    assert len(text.encode()) <= 65_536
    assert last == f"... {10_000 - (len(shown) - 1):,} more"


def test_no_changes_are_said_in_words() -> None:
    assert render_diff([]) == "no changes"


def test_a_new_task_shows_what_its_first_line_has_no_room_for() -> None:
    text = render_diff(
        [
            created(
                "WEB-15",
                "Auth",
                description="Log in\nand out",
                acceptance_criteria=["one", "two"],
                custom={"points": 5, "team": "web"},
                start_date="2026-11-01",
            )
        ]
    )

    assert text.splitlines()[1:] == [
        "  + WEB-15 Auth  from 2026-11-01",
        "      description: Log in (+1 line)",
        "      acceptance criteria: 2",
        "      custom.points: 5",
        '      custom.team: "web"',
    ]


def test_an_object_with_many_changed_names_is_cut_and_counted() -> None:
    links = {f"system{number:02}": str(number) for number in range(30)}

    lines = render_diff([updated("WEB-7", "Login", links=(links, {}))]).splitlines()

    assert lines[1] == '    links.system00: "0" -> none'
    assert lines[-1] == f"    links: and {30 - (len(lines) - 2)} more"
    assert len(lines) < 30


def test_a_long_excerpt_of_a_description_is_cut_and_counted() -> None:
    text = "\n".join(f"line {number}" for number in range(1, 7))

    shown = render_diff([updated("WEB-7", "Login", description=("Old\nline", text))]).splitlines()

    assert shown[1:] == [
        "    description: +6 lines, -2 lines, from line 1",
        "      - Old",
        "      - line",
        "      + line 1",
        "      + line 2",
        "      + line 3",
        "      + ... 3 more lines",
    ]


def test_a_description_that_differs_in_its_line_breaks_only_says_so() -> None:
    lines = render_diff([updated("WEB-7", "Login", description=("one\ntwo", "one\r\ntwo\n"))]).splitlines()

    assert lines[1:] == ["    description: only line breaks differ"]


def test_a_description_that_goes_on_shows_both_in_full() -> None:
    lines = render_diff([updated("WEB-7", "Login", description=("Log in", "Log in and out"))]).splitlines()

    assert lines[1:] == ['    description: "Log in" -> "Log in and out"']
