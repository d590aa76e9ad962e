"""Read projects as every door shows them."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, select

from core.storage.sql.filters import PROJECT_TEXT, contains_text, has_tag, is_live, sorting_of
from core.storage.sql.names import PROJECTS_BY_ID, PROJECTS_BY_KEY, Naming, canonical
from core.storage.sql.paging import list_page
from core.storage.sql.rows import project_model, project_record
from core.storage.sql.session import WORKSPACE, Statement
from core.storage.sql.tables import projects
from core.storage.sql.types import among
from schemas.projects import Project, ProjectListResponse, ProjectQuery

_P = projects.c
_REVISIONS = select(_P.id, _P.key, _P.revision).where(_P.workspace_id == WORKSPACE, _P.deleted_at.is_(None))
REVISIONS_BY_ID = Statement(_REVISIONS.where(among(_P.id, "ids")), page=True)
REVISIONS_BY_KEY = Statement(_REVISIONS.where(among(_P.key, "ids")), page=True)


class ProjectReads(Naming):
    """The part of a transaction that answers questions about projects."""

    def find_project(self, name: str) -> Project | None:
        """Return the project of this id or key, deleted or not."""
        return next(iter(self.find_projects([name])), None)

    def find_projects(self, names: Iterable[str]) -> list[Project]:
        """Return the projects of these ids or keys, deleted or not."""
        rows = self.named_rows(names, PROJECTS_BY_ID, PROJECTS_BY_KEY)
        return [project_model(project_record(row, self.codec)) for row in rows]

    def find_revisions(self, names: Iterable[str]) -> dict[str, tuple[str, int]]:
        """Return id and revision of each live project among `names` (ids or keys), by the name as given."""
        meant = {name: canonical(name) for name in names}
        known: dict[str, tuple[str, int]] = {}
        for project_id, key, revision in self.named_rows(meant.values(), REVISIONS_BY_ID, REVISIONS_BY_KEY):
            known[project_id] = known[key] = (project_id, revision)
        return {name: known[found] for name, found in meant.items() if found in known}

    def list_projects(self, query: ProjectQuery) -> ProjectListResponse:
        page = list_page(self, query, projects, self._project_filters(query), sorting_of(projects, query.sort))
        found = [project_model(project_record(row, self.codec)) for row in self.rows_in_order(PROJECTS_BY_ID, page.ids)]
        return ProjectListResponse.model_construct(projects=found, **page.place)

    def _project_filters(self, query: ProjectQuery) -> list[ColumnElement[bool]]:
        filters = [_P.workspace_id == WORKSPACE, is_live(projects, not query.deleted)]
        if query.status:
            filters.append(_P.status.in_([status.value for status in query.status]))
        if query.priority:
            filters.append(_P.priority.in_([priority.value for priority in query.priority]))
        if query.tag is not None:
            filters.append(has_tag(projects, query.tag))
        if query.query:
            filters.append(contains_text(PROJECT_TEXT, query.query, self.codec.dialect.name))
        return filters
