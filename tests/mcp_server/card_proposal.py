"""A proposal on the plan of the website with something of everything, as the review card and its pictures show it."""

from typing import Any

PROPOSAL: list[dict[str, Any]] = [
    {
        "op": "create_task",
        "ref": "$load",
        "project": "WEB",
        "fields": {"title": "Load test", "estimated_minutes": 480, "assignee": "ana", "priority": "high"},
    },
    {
        "op": "create_task",
        "ref": "$plan",
        "parent": "$load",
        "fields": {"title": "Write the scenarios", "estimated_minutes": 1440},
    },
    {
        "op": "create_task",
        "parent": "$load",
        "fields": {"title": "Run them against staging", "estimated_minutes": 480},
        "depends_on": ["$plan"],
    },
    {"op": "update_task", "task": "WEB-3", "fields": {"due_date": "2031-03-10", "assignee": "eve"}},
    {"op": "add_dependency", "task": "WEB-6", "depends_on": "$load"},
    {"op": "move_task", "task": "WEB-7", "parent": "WEB-2"},
    {"op": "delete_task", "task": "WEB-8"},
    {"op": "add_comment", "task": "WEB-6", "body": "Moved behind the load test, as agreed on Monday."},
]
