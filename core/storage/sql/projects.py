"""Read projects as every door shows them."""

from sqlalchemy import ColumnElement

from core.storage.sql.filters import PROJECT_TEXT, contains_text, has_tag, is_live, sorting_of
from core.storage.sql.names import PROJECTS_BY_ID, PROJECTS_BY_KEY, Naming
from core.storage.sql.paging import list_page
from core.storage.sql.rows import project_model, project_record
from core.storage.sql.session import WORKSPACE
from core.storage.sql.tables import projects
from schemas.projects import Project, ProjectListResponse, ProjectQuery

_P = projects.c


class ProjectReads(Naming):
    """The part of a transaction that answers questions about projects."""

    def find_project(self, name: str) -> Project | None:
        """Return the project of this id or key, deleted or not."""
        for row in self.named_rows([name], PROJECTS_BY_ID, PROJECTS_BY_KEY):
            return project_model(project_record(row, self.codec))
        return None

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
            filters.append(has_tag(projects, query.tag, self.codec.dialect.name))
        if query.query:
            filters.append(contains_text(PROJECT_TEXT, query.query, self.codec.dialect.name))
        return filters
