"""Calls that go on after they were answered, and what callers have used of models."""

from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql

from core.storage.interface import JobRecord
from core.storage.sql.session import Session
from core.storage.sql.tables import jobs, usage
from schemas.errors import ErrorDetail, Issue
from schemas.jobs import Job, JobState

_J = jobs.c
_U = usage.c


class Jobs(Session):
    """The part of a transaction that keeps jobs, and counts tokens."""

    def add_job(self, record: JobRecord, *, forget_before: datetime) -> None:
        """Store a new job, and remove those that were made before an instant."""
        job = record.job
        values = {"id": job.id, "operation": job.operation, "state": job.state.value, "created_at": job.created_at}
        lease = {"subject": record.subject, "lease_ends_at": record.lease_ends_at}
        self.write(insert(jobs).values(workspace_id=self.workspace, **values, **lease))
        self.write(delete(jobs).where(_J.workspace_id == self.workspace, _J.created_at < forget_before))

    def find_job(self, subject: str, job_id: str) -> JobRecord | None:
        """Return a job of `subject`."""
        shown = (_J.id, _J.operation, _J.state, _J.created_at, _J.ended_at, _J.result, _J.warnings, _J.error)
        own = select(*shown, _J.lease_ends_at).where(_J.workspace_id == self.workspace, _J.subject == subject, _J.id == job_id)
        for id_, operation, state, created_at, ended_at, result, warnings, error, lease_ends_at in self.query(own):
            job = Job(
                id=id_,
                operation=operation,
                state=JobState(state),
                created_at=created_at,
                ended_at=ended_at,
                result=result,
                warnings=[Issue(**warning) for warning in warnings or []],
                error=None if error is None else ErrorDetail(**error),
            )
            return JobRecord(job, subject, lease_ends_at)
        return None

    def end_job(self, job: Job) -> bool:
        """Store how a job ended; False, and nothing is stored, when it has ended otherwise before."""
        values = {
            "state": job.state.value,
            "ended_at": job.ended_at,
            "result": job.result,
            "warnings": [warning.model_dump(mode="json") for warning in job.warnings],
            "error": None if job.error is None else job.error.model_dump(mode="json"),
        }
        return self.write(update(jobs).where(*self._running([job.id])).values(values)) == 1

    def renew_jobs(self, ids: Collection[str], lease_ends_at: datetime) -> set[str]:
        """Say that the process of these jobs lives; return those that still run."""
        self.write(update(jobs).where(*self._running(ids)).values(lease_ends_at=lease_ends_at))
        return {row[0] for row in self.query(select(_J.id).where(*self._running(ids)))}

    def _running(self, ids: Collection[str]) -> tuple[ColumnElement[bool], ...]:
        return _J.workspace_id == self.workspace, _J.id.in_(ids), _J.state == JobState.RUNNING.value

    def reserve_usage(self, subject: str, day: date, *, tokens: int, limit: int) -> bool:
        """Count tokens that `subject` is about to use, unless `limit` is reached already; return whether they were counted."""
        return self._count_usage(subject, day, where=_U.input_tokens + _U.output_tokens < limit, input_tokens=tokens)

    def add_usage(self, subject: str, day: date, *, input_tokens: int, output_tokens: int, reserved: int = 0) -> None:
        """Count one answer of a model for `subject`, in place of what was reserved for it."""
        self._count_usage(subject, day, answers=1, input_tokens=input_tokens - reserved, output_tokens=output_tokens)

    def _count_usage(self, subject: str, day: date, *, where: ColumnElement[bool] | None = None, **counts: int) -> bool:
        """Add to the counts of a day in one statement, so that no two calls see the same state of them."""
        counted = {"answers": 0, "input_tokens": 0, "output_tokens": 0, **counts}
        statement = postgresql.insert(usage).values(workspace_id=self.workspace, subject=subject, day=day, **counted)
        summed = {name: _U[name] + statement.excluded[name] for name in counted}
        key = ["workspace_id", "subject", "day"]
        return self.write(statement.on_conflict_do_update(index_elements=key, set_=summed, where=where)) == 1

    def used_tokens(self, subject: str, day: date) -> int:
        """Return how many tokens `subject` has used on `day`."""
        own = (_U.workspace_id == self.workspace, _U.subject == subject, _U.day == day)
        return int(self.query(select(func.coalesce(func.sum(_U.input_tokens + _U.output_tokens), 0)).where(*own))[0][0])
