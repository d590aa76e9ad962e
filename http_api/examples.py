"""Examples of request bodies, as the API documentation shows them."""

from typing import Any

from fastapi.openapi.models import Example


def _one(summary: str, value: dict[str, Any]) -> dict[str, Example]:
    return {"example": Example(summary=summary, value=value)}


PROJECT_CREATE = _one(
    "A project with a key of its own and its first tasks",
    {
        "name": "Website relaunch",
        "key": "WEB",
        "status": "active",
        "due_date": "2026-12-18",
        "tags": ["marketing"],
        "tasks": [
            {"title": "API"},
            {"title": "Draft the routes", "parent_id": "$t1", "estimated_minutes": 240},
            {"title": "Release", "depends_on": ["$t1"]},
        ],
    },
)
PROJECT_UPDATE = _one("Rename it and clear its due date", {"name": "Website 2.0", "due_date": None})
TASK_CREATE = _one(
    "A subtask that waits for another task",
    {"project_id": "WEB", "parent_id": "WEB-1", "title": "Draft the API", "estimated_minutes": 240, "depends_on": ["WEB-3"]},
)
TASK_UPDATE = _one("Start a task and move it before another", {"status": "in_progress", "assignee": "ada", "before": "WEB-4"})
CLAIM = _one("Take it for two hours", {"agent": "builder-1", "lease_minutes": 120})
COMMENT = _one("A comment", {"body": "The staging server is up."})
APPLY = _one("Apply the first two patches only", {"only": [0, 1]})
REJECT = _one("Say why", {"reason": "Out of scope this quarter"})
REVERT = _one("Back to where it was", {"to_revision": 41})
IMPORT = _one(
    "A short plan in Markdown",
    {"content": "# Website\n\n## Phase 1: API\n- [x] Choose a framework (90 min)\n- [ ] Draft the routes (2h) @ada\n"},
)
GENERATE = _one(
    "An idea with its first tasks",
    {
        "description": "Website relaunch\n\n- Draft the routes (2h)\n- Write the texts @ada",
        "name": "Website relaunch",
        "constraints": {"deadline": "2027-03-31", "team": ["ada"], "max_milestones": 4},
    },
)
REFINE = _one("Three changes", {"project_id": "WEB", "feedback": "done WEB-3\nWEB-4 after WEB-2\nassign WEB-5 to @ana"})
DECOMPOSE = _one("What to take into account", {"instructions": "one part for each page"})
CHAT = _one("Two commands", {"message": "done WEB-3\nWEB-4 after WEB-2", "project_id": "WEB"})
PATCH_SET = _one(
    "Two new tasks and a dependency",
    {
        "summary": "Split the API work",
        "base_revisions": {"WEB": 41},
        "patches": [
            {"op": "create_task", "ref": "$api", "project": "WEB", "fields": {"title": "API", "estimated_minutes": 480}},
            {"op": "create_task", "ref": "$auth", "project": "WEB", "parent": "$api", "fields": {"title": "Auth"}},
            {"op": "add_dependency", "task": "$auth", "depends_on": "WEB-3"},
            {"op": "update_task", "task": "WEB-7", "fields": {"status": "in_progress"}, "expect": {"status": "todo"}},
        ],
    },
)
