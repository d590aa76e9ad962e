"""Rows to records and models, and back: the one place that knows the order of columns.

Conversions are written out by position because applying 10,000 patches at once is a budget.
"""

from dataclasses import fields

from core.patches.snapshot import CommentRecord, ProjectRecord, TaskRecord
from core.storage.sql.session import Codec, Row, dump_json
from core.storage.sql.tables import comments, projects, tasks
from schemas.primitives import Priority, ProjectStatus, TaskStatus
from schemas.projects import Project
from schemas.tasks import Comment

TASK_STATUS = {member.value: member for member in TaskStatus}
_PROJECT_STATUS = {member.value: member for member in ProjectStatus}
PRIORITY = {member.value: member for member in Priority}

# Selected in the order of the records' fields, which is also the tables' order after the workspace.
PROJECT_COLUMNS = [projects.c[field.name] for field in fields(ProjectRecord)]
TASK_COLUMNS = [tasks.c[field.name] for field in fields(TaskRecord)]
COMMENT_COLUMNS = [comments.c[field.name] for field in fields(CommentRecord)]


def project_record(row: Row, codec: Codec) -> ProjectRecord:
    """Return the record of a row of a page."""
    instant, day = codec.load_instant, codec.load_day
    return ProjectRecord(
        row[0],
        row[1],
        row[2],
        row[3],
        instant(row[4]),
        instant(row[5]),
        row[6],
        _PROJECT_STATUS[row[7]],
        PRIORITY[row[8]],
        row[9],
        None if row[10] is None else day(row[10]),
        None if row[11] is None else day(row[11]),
        row[12],
        row[13],
        row[14],
        row[15],
        row[16],
        row[17],
        row[18],
        row[19],
        row[20],
        None if row[21] is None else instant(row[21]),
        row[22],
    )


def project_row(workspace: str, record: ProjectRecord, codec: Codec) -> Row:
    instant, day = codec.dump_instant, codec.dump_day
    return (
        workspace,
        record.id,
        record.key,
        record.name,
        record.created_by,
        instant(record.created_at),
        instant(record.updated_at),
        record.description,
        record.status.value,
        record.priority.value,
        dump_json(record.tags),
        None if record.start_date is None else day(record.start_date),
        None if record.due_date is None else day(record.due_date),
        dump_json(record.links),
        None if record.task_schema is None else dump_json(record.task_schema),
        record.revision,
        record.next_number,
        record.task_count,
        record.completed_task_count,
        record.leaf_count,
        record.leaf_completed,
        record.estimated_minutes,
        None if record.deleted_at is None else instant(record.deleted_at),
        record.deletion_id,
    )


def task_record(row: Row, codec: Codec) -> TaskRecord:
    instant, day, json = codec.load_instant, codec.load_day, codec.load_json
    return TaskRecord(
        row[0],
        row[1],
        row[2],
        row[3],
        row[4],
        row[5],
        row[6],
        row[7],
        row[8],
        instant(row[9]),
        instant(row[10]),
        row[11],
        json(row[12]),
        TASK_STATUS[row[13]],
        PRIORITY[row[14]],
        json(row[15]),
        row[16],
        None if row[17] is None else day(row[17]),
        None if row[18] is None else day(row[18]),
        row[19],
        row[20],
        json(row[21]),
        json(row[22]),
        row[23],
        None if row[24] is None else instant(row[24]),
        None if row[25] is None else instant(row[25]),
        row[26],
        None if row[27] is None else instant(row[27]),
        row[28],
        row[29],
        row[30],
        row[31],
    )


def task_row(workspace: str, record: TaskRecord, codec: Codec) -> Row:
    instant, day = codec.dump_instant, codec.dump_day
    return (
        workspace,
        record.id,
        record.key,
        record.number,
        record.project_id,
        record.parent_id,
        record.position,
        record.depth,
        record.title,
        record.created_by,
        instant(record.created_at),
        instant(record.updated_at),
        record.description,
        dump_json(record.acceptance_criteria) if record.acceptance_criteria else "[]",
        record.status._value_,  # `value` is a property, and thousands of rows a budget
        record.priority._value_,
        dump_json(record.tags) if record.tags else "[]",
        record.assignee,
        None if record.start_date is None else day(record.start_date),
        None if record.due_date is None else day(record.due_date),
        record.estimated_minutes,
        record.actual_minutes,
        dump_json(record.links) if record.links else "{}",
        dump_json(record.custom) if record.custom else "{}",
        record.claimed_by,
        None if record.claim_expires_at is None else instant(record.claim_expires_at),
        None if record.completed_at is None else instant(record.completed_at),
        record.revision,
        None if record.deleted_at is None else instant(record.deleted_at),
        record.deletion_id,
        record.subtask_count,
        record.leaf_count,
        record.leaf_completed,
    )


def comment_row(workspace: str, record: CommentRecord, codec: Codec) -> Row:
    return (
        workspace,
        record.id,
        record.task_id,
        record.project_id,
        record.author,
        record.body,
        codec.dump_instant(record.created_at),
    )


def comment_model(row: Row, codec: Codec) -> Comment:
    return Comment.model_construct(id=row[0], task_id=row[1], author=row[3], body=row[4], created_at=codec.load_instant(row[5]))


def progress(leaf_count: int, leaf_completed: int) -> int:
    """Return completed leaves of the leaves not cancelled, in whole percent rounded down."""
    return 100 * leaf_completed // leaf_count if leaf_count else 0


def project_model(record: ProjectRecord) -> Project:
    return Project.model_construct(
        id=record.id,
        key=record.key,
        name=record.name,
        description=record.description,
        status=record.status,
        priority=record.priority,
        tags=record.tags,
        start_date=record.start_date,
        due_date=record.due_date,
        links=record.links,
        task_schema=record.task_schema,
        revision=record.revision,
        task_count=record.task_count,
        completed_task_count=record.completed_task_count,
        progress=progress(record.leaf_count, record.leaf_completed),
        estimated_minutes=record.estimated_minutes,
        created_at=record.created_at,
        updated_at=record.updated_at,
        created_by=record.created_by,
        deleted_at=record.deleted_at,
    )
