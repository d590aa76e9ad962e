"""From a written plan to a reviewed, applied, shown, exported and reverted one."""

import csv
import io
import json
from typing import Any

from schemas.export import ExportDocument
from tests.cli.conftest import PLAN, Cli


def test_import_shows_the_proposal_as_a_tree_and_how_to_apply_it(cli: Cli) -> None:
    (cli.folder / "plan.md").write_text(PLAN)

    text = cli.text("import", "plan.md")

    assert "Collect examples  [completed] ~1h30m @ann" in text
    assert "Draw the layout  ~2h @bob #ui" in text
    assert "\ncritical path of WR: 0m -> 10h (WR-3, WR-5)\n" in text
    assert "Apply it:   orchestrator apply ps_" in text


def test_import_lists_the_lines_it_did_not_use_with_their_reason(cli: Cli) -> None:
    text = cli.text("import", "-", stdin=(PLAN + "\n---\n").encode())

    assert "Not used (1 line):\n  line 12: ---  (" in text


def test_a_line_that_was_not_used_is_shown_by_its_beginning(cli: Cli) -> None:
    text = cli.text("import", "-", stdin=(PLAN + "\n- " + "word " * 4_000 + "\n").encode())

    assert "Not used (1 line):\n  line 12: - word word " in text
    assert max(len(line) for line in text.splitlines()) < 300


def test_import_shows_what_its_reader_should_decide(cli: Cli) -> None:
    text = cli.text("import", "-", stdin=(PLAN + "- Plain item (2h) @ann\n").encode())

    assert "Questions:\n  - line 11: a list item without a checkbox, but with an estimate, owner, date" in text


def test_a_patch_set_without_a_summary_is_listed_as_such(cli: Cli) -> None:
    cli.text("migrate")
    cli.text("apply", "-", stdin=b'{"patches": [{"op": "create_project", "fields": {"name": "Launch"}}]}')

    assert "local: (no summary)  (applied, " in cli.text("patch-sets")


def test_import_changes_nothing_until_the_proposal_is_applied(cli: Cli, proposal: dict[str, Any]) -> None:
    before = cli.json("list")["projects"]
    cli.text("apply", proposal["patch_set"]["id"])

    assert before == []
    assert [project["key"] for project in cli.json("list")["projects"]] == [proposal["project"]]


def test_apply_says_what_it_did_and_how_to_undo_it(cli: Cli, patch_set_id: str) -> None:
    text = cli.text("apply", patch_set_id)

    assert text.startswith(f"Applied {patch_set_id}.\n\n+ project ")
    assert text.endswith(f"Undo it:  orchestrator revert {patch_set_id}\n")


def test_a_dry_run_shows_the_same_changes_and_stores_nothing(cli: Cli, patch_set_id: str) -> None:
    preview = cli.json("apply", patch_set_id, "--dry-run")
    shown = cli.text("apply", patch_set_id, "--dry-run")
    before = cli.json("list")["projects"]
    applied = cli.json("apply", patch_set_id)

    assert preview["patch_set_id"] is None
    assert shown.startswith("Dry run: nothing is stored.\n")
    assert f"; {next(iter(applied['revisions']))} would be at revision 1\n" in shown
    assert before == []
    assert preview["totals"] == applied["totals"]


def test_only_applies_the_named_patches(cli: Cli, patch_set_id: str) -> None:
    applied = cli.json("apply", patch_set_id, "--only", "0, 1")

    assert applied["totals"]["created"] == 2


def test_show_prints_the_tree_of_a_project_and_the_details_of_a_task(applied: tuple[Cli, str]) -> None:
    cli, project = applied

    tree = cli.text("show", project)
    task = cli.text("show", f"{project}-2".lower())

    assert tree.startswith(f"{project}  Website relaunch\n[planning] 33%")
    assert f"\n[ ] {project}-1 Design\n  [x] {project}-2 Collect examples  ~1h30m @ann\n" in tree
    assert task.startswith(f"{project}-2  Collect examples\n  status: completed, 100%\n")


def test_show_by_id_finds_projects_and_tasks_alike(applied: tuple[Cli, str]) -> None:
    cli, project = applied
    tree = cli.json("show", project)

    assert cli.json("show", tree["project"]["id"]) == tree
    assert cli.json("show", tree["tasks"][0]["id"])["key"] == f"{project}-1"


def test_history_of_a_project_and_of_a_task_name_the_applied_set(applied: tuple[Cli, str]) -> None:
    cli, project = applied

    of_project = cli.json("history", project)["patch_sets"]
    of_task = cli.json("history", f"{project}-1")["patch_sets"]

    assert len(of_project) == 1
    assert of_task == of_project
    assert of_project[0]["id"] in cli.text("history", project)


def test_revert_takes_everything_back_and_can_be_reverted(cli: Cli, patch_set_id: str) -> None:
    cli.text("apply", patch_set_id)

    undo = cli.json("revert", patch_set_id)
    gone = cli.json("list")["projects"]
    cli.json("revert", undo["patch_set_id"])

    assert gone == []
    assert len(cli.json("list")["projects"]) == 1


def test_a_rejected_proposal_cannot_be_applied(cli: Cli, patch_set_id: str) -> None:
    rejected = cli.json("reject", patch_set_id, "--reason", "too early")
    refusal = cli.refusal("apply", patch_set_id, exit_code=1)

    assert rejected["proposal"]["reason"] == "too early"
    assert refusal.startswith("PATCH_SET_CLOSED: ")
    assert f"Patch set {patch_set_id} [rejected]" in cli.text("diff", patch_set_id)


def test_patch_sets_lists_proposals_and_applied_sets(applied: tuple[Cli, str]) -> None:
    cli, project = applied
    proposal = cli.propose("# Another plan\n\n- [ ] One\n")

    everywhere = cli.json("patch-sets")["patch_sets"]
    of_project = cli.json("patch-sets", project)["patch_sets"]

    assert {item["state"] for item in everywhere} == {"proposed", "applied"}
    assert proposal["patch_set"]["id"] not in {item["id"] for item in of_project}


def test_export_writes_markdown_json_and_csv(applied: tuple[Cli, str]) -> None:
    cli, project = applied

    markdown = cli.text("export", project)
    document = ExportDocument.model_validate(json.loads(cli.text("export", project, "--format", "json")))
    rows = list(csv.reader(io.StringIO(cli.text("export", project, "--format", "csv"), newline="")))

    assert markdown.startswith("# Website relaunch\n")
    assert [task.title for task in document.tasks] == ["Design", "Collect examples", "Draw the layout", "Build", "Write pages"]
    assert [row[1] for row in rows[1:]] == [project, *(task.key for task in document.tasks)]


def test_an_exported_plan_is_imported_with_its_titles_estimates_and_hierarchy(applied: tuple[Cli, str]) -> None:
    cli, project = applied

    again = cli.propose(cli.text("export", project))
    cli.text("apply", again["patch_set"]["id"])

    first, second = (cli.json("export", key)["tasks"] for key in (project, again["project"]))
    same = ("title", "depth", "status", "estimated_minutes", "assignee", "tags")
    assert [[task[name] for name in same] for task in first] == [[task[name] for name in same] for task in second]


def test_export_to_a_file_prints_nothing(applied: tuple[Cli, str]) -> None:
    cli, project = applied

    printed = cli.text("export", project, "--format", "csv", "--output", "tasks.csv")

    assert printed == ""
    assert (cli.folder / "tasks.csv").read_bytes().startswith(b"type,key,parent,title,")


def test_a_patch_set_in_a_file_is_validated_and_applied(cli: Cli) -> None:
    cli.text("migrate")
    patch_set = {"patches": [{"op": "create_project", "fields": {"name": "Launch"}}]}
    (cli.folder / "set.json").write_text(json.dumps(patch_set))

    validation = cli.json("validate", "set.json")
    applied = cli.json("apply", "-", stdin=json.dumps(patch_set).encode())

    assert validation["valid"] is True
    assert applied["totals"]["created"] == 1


def test_what_import_answers_as_a_patch_set_can_be_sent_back_to_apply(cli: Cli, proposal: dict[str, Any]) -> None:
    applied = cli.json("apply", "-", stdin=json.dumps(proposal["patch_set"]).encode())

    assert applied["patch_set_id"] == proposal["patch_set"]["id"]


def test_next_lists_what_is_ready_with_the_reasons(applied: tuple[Cli, str]) -> None:
    cli, project = applied

    lines = cli.text("next", project).splitlines()

    assert lines == [f"1. [ ] {project}-3 Draw the layout  ~2h @bob #ui  (medium priority, on the critical path)"]
    assert cli.json("next", "--limit", "1")["tasks"][0]["why"]["on_critical_path"] is None


def test_a_stale_proposal_says_so_and_a_fresh_one_takes_its_place(cli: Cli, proposal: dict[str, Any]) -> None:
    def change(op: str) -> None:
        cli.text("apply", "-", stdin=json.dumps({"patches": [{"op": op, "project": proposal["project"]}]}).encode())

    cli.text("apply", proposal["patch_set"]["id"])
    stale = cli.propose("- [ ] Print it", "--project", proposal["project"])["patch_set"]["id"]
    change("delete_project")

    shown = cli.text("diff", stale)
    refusal = cli.refusal("apply", stale, exit_code=1)
    change("restore_project")
    fresh = cli.json("rebase", stale)

    assert "Stale: what it touches has changed since" in shown
    assert f"orchestrator rebase {stale}" in shown
    assert "orchestrator apply" not in shown
    assert refusal.startswith("CONCURRENT_UPDATE: ")
    assert f"rebase {stale}" in refusal
    assert (fresh["proposal"]["supersedes"], fresh["proposal"]["stale"]) == (stale, False)
