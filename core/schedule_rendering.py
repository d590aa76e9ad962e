"""A schedule as text to read or as bars, as a Mermaid gantt chart, and as an iCalendar file.

Titles are data in each of them: they can end no line and begin no property, chart or link.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, timedelta
from typing import assert_never

from core.mermaid import label
from core.patches.text import safe, safe_title, safe_word, show_listed, show_minutes
from schemas.schedule import Schedule, ScheduledTask, ScheduleFormat

_ICAL_SPECIAL = re.compile(r"[\\;,]")
_BAR = 40  # letters of the whole time
_FOLD = 75  # octets of a line of iCalendar, its break not counted


def render_schedule(schedule: Schedule, format: ScheduleFormat) -> str:
    """Return the whole schedule in the given format, ending in a line break."""
    match format:
        case ScheduleFormat.TEXT:
            return "\n".join([*schedule_head(schedule), *map(schedule_line, schedule.tasks)]) + "\n"
        case ScheduleFormat.JSON:
            return schedule.model_dump_json(indent=2) + "\n"
        case ScheduleFormat.TIMELINE:
            return "\n".join([*timeline_head(schedule), *timeline_rows(schedule, schedule.tasks)]) + "\n"
        case ScheduleFormat.MERMAID:
            return render_gantt(schedule) + "\n"
        case ScheduleFormat.ICS:
            return "".join(f"{_folded(line)}\r\n" for line in _calendar(schedule))
        case _:
            assert_never(format)


def schedule_head(schedule: Schedule, *, most: int = 40) -> list[str]:
    """Return what is true of the whole schedule, in a few lines that name at most `most` tasks or people each."""
    if not schedule.tasks:
        return [f"{schedule.project} revision {schedule.revision}: no open tasks to schedule"]
    span = f"{schedule.start_date} to {schedule.finish_date}, {show_minutes(schedule.total_minutes)} of work"
    head = [f"{schedule.project} revision {schedule.revision}: {span}"]
    if schedule.critical_path:
        chain = schedule.critical_path[:most] + (["..."] if len(schedule.critical_path) > most else [])
        head.append(f"critical path: {' > '.join(chain)}")
    if schedule.load:
        load = [f"@{safe_word(who)} {show_minutes(minutes)}" for who, minutes in schedule.load.items()]
        head.append(f"load: {show_listed(load, most=most)}")
    if schedule.unestimated:
        head.append(f"without estimate, counted as 0: {show_listed(schedule.unestimated, most=most)}")
    return head


def schedule_line(task: ScheduledTask) -> str:
    """Return `WEB-3 2026-12-01..2026-12-02 critical @ana Title (8h, waits for WEB-1)`."""
    words = [task.key, f"{task.start_date}..{task.finish_date}", _slack(task)]
    words += [f"@{safe_word(task.assignee)}"] if task.assignee else []
    return f"{' '.join(words)} {safe_title(task.title)} ({', '.join(_notes(task))})"


def _slack(task: ScheduledTask) -> str:
    return "critical" if task.is_critical else f"slack {show_minutes(task.slack)}"


def _notes(task: ScheduledTask) -> list[str]:
    notes = [show_minutes(task.estimated_minutes) if task.estimated_minutes else "no estimate"]
    return [*notes, f"waits for {show_listed(task.depends_on, most=10)}"] if task.depends_on else notes


# Timeline: a bar of days for each task, on one scale for the whole schedule.


def timeline_head(schedule: Schedule) -> list[str]:
    """Return the span of the schedule, and what the bars say."""
    [span, *_] = schedule_head(schedule)
    return [span, "# critical, = planned, . may slip"] if schedule.tasks else [span]


def timeline_rows(schedule: Schedule, tasks: Sequence[ScheduledTask]) -> list[str]:
    """Return `WEB-3 |    ==..   | 2026-12-03..2026-12-04 @ana Title` for each task, bars below one another."""
    width = max((len(task.key) for task in tasks), default=0)
    return [f"{task.key:<{width}} |{_bar(schedule, task)}| {_when_and_what(task)}" for task in tasks]


def _bar(schedule: Schedule, task: ScheduledTask) -> str:
    days = (schedule.finish_date - schedule.start_date).days + 1

    def place(day: date, past: int = 0) -> int:
        return min(_BAR, ((day - schedule.start_date).days + past) * _BAR // days)

    first = min(place(task.start_date), _BAR - 1)
    end = max(place(task.finish_date, 1), first + 1)
    late = max(place(task.latest_finish_date, 1), end)
    return (" " * first + ("#" if task.is_critical else "=") * (end - first) + "." * (late - end)).ljust(_BAR)


def _when_and_what(task: ScheduledTask) -> str:
    words = [f"{task.start_date}..{task.finish_date}", *([f"@{safe_word(task.assignee)}"] if task.assignee else [])]
    return " ".join([*words, safe_title(task.title)])


# Mermaid


def render_gantt(schedule: Schedule) -> str:
    """Return the schedule as a Mermaid gantt chart."""
    lines = ["gantt", f"    title {schedule.project}", "    dateFormat YYYY-MM-DD", "    inclusiveEndDates"]
    for task in schedule.tasks:
        marks = ("crit, " if task.is_critical else "") + ("" if task.estimated_minutes else "milestone, ")
        lines.append(f"    {task.key} {label(task.title)} :{marks}{task.key}, {task.start_date}, {task.finish_date}")
    return "\n".join(lines)


# iCalendar (RFC 5545): an event of whole days for each open task. Its UID is the task's id, so a calendar that takes the file
# again moves its events; the stamp is the project's, so an unchanged schedule is the same file.


def _calendar(schedule: Schedule) -> Iterator[str]:
    yield from ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Orchestrator//Schedule//EN", "CALSCALE:GREGORIAN")
    for task in schedule.tasks:
        yield "BEGIN:VEVENT"
        yield f"UID:{task.id}"
        yield f"DTSTAMP:{schedule.updated_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        yield f"SEQUENCE:{schedule.revision}"
        yield f"DTSTART;VALUE=DATE:{_day(task.start_date)}"
        yield f"DTEND;VALUE=DATE:{_day(_after(task.finish_date))}"
        yield f"SUMMARY:{_ical_text(f'{task.key} {task.title}')}"
        yield f"DESCRIPTION:{_ical_text(', '.join([*_notes(task), _slack(task)]))}"
        if task.assignee:
            yield f"CATEGORIES:{_ical_text(task.assignee)}"
        yield "TRANSP:TRANSPARENT"  # planned work makes nobody busy
        yield "END:VEVENT"
    yield "END:VCALENDAR"


def _day(day: date) -> str:
    return f"{day.year:04}{day.month:02}{day.day:02}"


def _after(day: date) -> date:
    return day if day == date.max else day + timedelta(days=1)


def _ical_text(text: str) -> str:
    return _ICAL_SPECIAL.sub(r"\\\g<0>", safe(text))


def _folded(line: str) -> str:
    """Return a content line in pieces of at most 75 octets, none of which ends within a character."""
    pieces, room = [""], _FOLD
    for character in line:
        size = len(character.encode())
        if size > room:
            pieces.append(" ")
            room = _FOLD - 1
        pieces[-1] += character
        room -= size
    return "\r\n".join(pieces)
