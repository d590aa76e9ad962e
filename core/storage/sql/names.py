"""From names as people write them (ids, or keys in any case) to rows, and to the nearest keys when there is none."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from sqlalchemy import bindparam, select

from core.errors import NotFound
from core.storage.sql.rows import PROJECT_COLUMNS, TASK_COLUMNS
from core.storage.sql.session import WORKSPACE, Row, Session, Statement
from core.storage.sql.tables import dependencies, projects, tasks
from core.storage.sql.types import among

_P = projects.c
_T = tasks.c
_D = dependencies.c
_ID_LENGTH = 36
_TASK_KEY = re.compile(r"([A-Z][A-Z0-9]{1,9})-(\d{1,9})")
SUGGESTIONS = 3
_PROJECTS_COMPARED = 200
_NUMBERS_COMPARED = 15  # to each side

PROJECTS_BY_ID = Statement(select(*PROJECT_COLUMNS).where(_P.workspace_id == WORKSPACE, among(_P.id, "ids")), page=True)
PROJECTS_BY_KEY = Statement(select(*PROJECT_COLUMNS).where(_P.workspace_id == WORKSPACE, among(_P.key, "ids")), page=True)
TASKS_BY_ID = Statement(select(*TASK_COLUMNS).where(_T.workspace_id == WORKSPACE, among(_T.id, "ids")))
TASKS_BY_KEY = Statement(select(*TASK_COLUMNS).where(_T.workspace_id == WORKSPACE, among(_T.key, "ids")))
EDGES_OF_PROJECT = Statement(
    select(_D.task_id, _D.depends_on_id).where(
        _D.workspace_id == WORKSPACE,
        _D.task_id.in_(select(_T.id).where(_T.workspace_id == WORKSPACE, _T.project_id == bindparam("project"))),
    )
)
_NEWEST_PROJECTS = Statement(
    select(_P.key, _P.name)
    .where(_P.workspace_id == WORKSPACE, _P.deleted_at.is_(None))
    .order_by(_P.created_at.desc(), _P.id.desc())
    .limit(bindparam("limit"))
)
_LAST_NUMBER = Statement(select(_P.next_number - 1).where(_P.workspace_id == WORKSPACE, _P.key == bindparam("key")))
_LIVE_TASK_KEYS = Statement(select(_T.key).where(_T.workspace_id == WORKSPACE, among(_T.key, "ids"), _T.deleted_at.is_(None)))


def canonical(name: str) -> str:
    """Return the id or key that `name` means; ids are lower case, keys upper case."""
    return name.lower() if is_id(name) else name.upper()


def split_names(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the ids and the keys among `names`, in canonical form."""
    wanted = {canonical(name) for name in names}
    ids = {name for name in wanted if is_id(name)}
    return sorted(ids), sorted(wanted - ids)


def is_id(name: str) -> bool:
    return len(name) == _ID_LENGTH and name.count("-") == 4


class Naming(Session):
    """Look-ups by id or key."""

    def named_rows(self, names: Iterable[str], by_id: Statement, by_key: Statement) -> list[Row]:
        """Return the rows of these names; unknown ones are simply not among them."""
        ids, keys = split_names(names)
        return [*self.rows_among(by_id, ids), *self.rows_among(by_key, keys)]

    def require_project_id(self, name: str) -> str:
        """Return the id of this project, deleted or not."""
        for row in self.named_rows([name], PROJECTS_BY_ID, PROJECTS_BY_KEY):
            return str(row[0])
        raise NotFound.named("project", name, self.suggest_projects(name))

    def require_task_id(self, name: str) -> str:
        """Return the id of this task, deleted or not."""
        for row in self.named_rows([name], TASKS_BY_ID, TASKS_BY_KEY):
            return str(row[0])
        raise NotFound.named("task", name, self.suggest_tasks(name))

    def suggest_projects(self, name: str) -> list[str]:
        newest = self.rows(_NEWEST_PROJECTS, limit=_PROJECTS_COMPARED)
        called = [key for key, title in newest if name.casefold() in title.casefold()]  # people say the name, and not the key
        near = get_close_matches(name.upper(), [key for key, _ in newest], n=SUGGESTIONS, cutoff=0.5)
        return list(dict.fromkeys([*near, *called]))[:SUGGESTIONS]

    def suggest_tasks(self, name: str) -> list[str]:
        parts = _TASK_KEY.fullmatch(name.upper())
        if parts is None:
            return []
        prefix, number = parts[1], int(parts[2])
        last = self.row(_LAST_NUMBER, key=prefix)
        if last is None:
            return self._live_keys(f"{key}-{number}" for key in self.suggest_projects(prefix))
        middle = min(number, int(last[0]))
        nearby = range(max(1, middle - _NUMBERS_COMPARED), middle + _NUMBERS_COMPARED + 1)
        return self._live_keys(f"{prefix}-{near}" for near in sorted(nearby, key=lambda near: (abs(near - number), near)))

    def _live_keys(self, keys: Iterable[str]) -> list[str]:
        """Return the first of `keys` that name live tasks, in the given order."""
        ordered = list(keys)
        live = {key for (key,) in self.rows_among(_LIVE_TASK_KEYS, ordered)}
        return [key for key in ordered if key in live][:SUGGESTIONS]
