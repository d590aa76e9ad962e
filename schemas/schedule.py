"""A project's schedule: earliest and latest times in working minutes from its start."""

from enum import StrEnum

from pydantic import Field

from schemas.primitives import Day, Instant, Model


class ScheduleFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    TIMELINE = "timeline"
    MERMAID = "mermaid"
    ICS = "ics"


class ScheduledTask(Model):
    """Times of one open leaf task, in working minutes from the start of the schedule."""

    id: str
    key: str
    title: str
    assignee: str | None
    estimated_minutes: int | None
    earliest_start: int
    earliest_finish: int
    latest_start: int
    latest_finish: int
    slack: int = Field(description="minutes it may slip without moving the end")
    is_critical: bool
    start_date: Day = Field(description="day of the earliest start")
    finish_date: Day = Field(description="day of the earliest finish")
    latest_start_date: Day
    latest_finish_date: Day = Field(description="after this day the whole schedule ends later")
    depends_on: list[str] = Field(description="keys of the tasks it waits for")


class Schedule(Model):
    """Earliest and latest times of every open leaf, and the chain that decides the end (Kelley and Walker, 1959)."""

    project: str
    revision: int
    updated_at: Instant = Field(description="when the project changed last")
    hours_per_day: int
    days_per_week: int
    start_date: Day
    finish_date: Day
    total_minutes: int
    critical_path: list[str] = Field(description="keys, in order")
    tasks: list[ScheduledTask] = Field(description="in topological order")
    load: dict[str, int] = Field(description="assignee -> estimated minutes of open leaves")
    unestimated: list[str] = Field(description="keys of open leaves without an estimate; counted as 0 minutes")
