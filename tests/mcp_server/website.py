"""A plan with something of everything, on which answers and jobs are tried."""

from typing import Any


def task(title: str, **more: Any) -> dict[str, Any]:
    """Return the patch that creates a task of the plan; `ref`, `parent` and `depends_on` are its own, the rest are fields."""
    own: dict[str, Any] = {name: more.pop(name) for name in ("ref", "parent", "depends_on") if name in more}
    return {"op": "create_task", **({} if "parent" in own else {"project": "$web"}), **own, "fields": {"title": title, **more}}


PLAN = [
    {"op": "create_project", "ref": "$web", "key": "WEB", "fields": {"name": "Website"}},
    task("Design", status="completed"),
    task("Build", ref="$build"),
    task("API", parent="$build", ref="$api", status="in_progress", assignee="ana", estimated_minutes=960, due_date="2031-03-04"),
    task("Pages", parent="$build", ref="$pages", estimated_minutes=480, depends_on=["$api"], due_date="2031-03-05"),
    task("Security review", ref="$review", status="blocked", description="The auditor has not answered."),
    task("Release", depends_on=["$pages", "$review"], estimated_minutes=240, due_date="2031-03-06"),
    task("Write the manual", priority="high", estimated_minutes=480, acceptance_criteria=["Install"]),
    task("Documentation", ref="$docs", description="Cover upgrades.", estimated_minutes=240),
    task("Screenshots", parent="$docs"),
]
