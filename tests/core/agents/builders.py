"""Projects and tasks as agents see them, without a database."""

from datetime import UTC, datetime
from typing import Any

from schemas.primitives import Priority, ProjectStatus, TaskStatus
from schemas.projects import Project
from schemas.tasks import Task

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def project(key: str = "WEB") -> Project:
    values: dict[str, Any] = dict.fromkeys(Project.model_fields)
    values |= {
        "id": f"id-{key}",
        "key": key,
        "name": "Website",
        "description": "",
        "status": ProjectStatus.PLANNING,
        "priority": Priority.LOW,
    }
    return Project.model_construct(**values | {"tags": [], "links": {}, "revision": 7, "created_at": NOON, "updated_at": NOON})


def task(key: str, title: str, **fields: Any) -> Task:
    values: dict[str, Any] = dict.fromkeys(Task.model_fields)
    values |= {
        "id": f"id-{key}",
        "key": key,
        "title": title,
        "description": "",
        "status": TaskStatus.TODO,
        "priority": Priority.LOW,
    }
    values |= {"acceptance_criteria": [], "tags": [], "depends_on": [], "blocks": [], "links": {}, "custom": {}}
    return Task.model_construct(**values | fields)
