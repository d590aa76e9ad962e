"""The access matrix: every route and every tool, for every kind of caller. What is not listed here fails.

The routes come from the served OpenAPI document, the tools from the catalogue: a new one needs a scope and a call.
"""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from core.context import local_owner
from core.services import access, conversations, jobs, patch_sets, projects, tasks
from core.settings import Settings
from core.wiring import Orchestrator
from http_api.app import create_app
from http_api.middleware import OPEN_PATHS
from http_api.scopes import NEEDED
from mcp_server.catalogue import TOOL_NAMES
from mcp_server.server import build_server
from schemas.access import ROLE_SCOPES, Role, Scope
from schemas.chat import ChatRequest
from schemas.patches import PatchSet, PatchSetQuery
from schemas.projects import ProjectCreate
from schemas.tasks import TaskCreate
from tests.mcp_server.clients import COMMAND, Tools, text_of
from tests.support.http import data, refused
from tests.support.servers import gateway_environment, running_server

SECRET = "Classified"
PROPOSER = frozenset({Scope.PROJECTS_READ, Scope.PATCHES_PROPOSE})
SCOPES = {
    "no key": frozenset[Scope](),
    "other workspace": ROLE_SCOPES[Role.OWNER],
    "viewer": ROLE_SCOPES[Role.VIEWER],
    "editor": ROLE_SCOPES[Role.EDITOR],
    "owner": ROLE_SCOPES[Role.OWNER],
    "propose-only": PROPOSER,
}
RENAME = {"summary": "Rename", "patches": [{"op": "update_task", "task": "WEB-1", "fields": {"title": "Renamed"}}]}
CREATE = {"patches": [{"op": "create_project", "ref": "$p", "fields": {"name": "New"}}]}

# How each operation is called, so that it reaches its service: its body, and query. PROPOSED and APPLIED are patch sets of WEB.
CALLS: dict[str, dict[str, Any]] = {
    "get_health": {},
    "get_liveness": {},
    "get_readiness": {},
    "get_metrics": {},
    "list_projects": {},
    "get_project": {},
    "get_hierarchy": {},
    "get_schedule": {},
    "list_history": {},
    "diff_revisions": {"params": {"from": 1}},
    "export_project": {},
    "stream_events": {"params": {"project_id": "WEB"}},
    "list_patch_sets": {},
    "get_patch_set": {},
    "list_changes": {},
    "list_tasks": {},
    "list_next_tasks": {},
    "get_task": {},
    "list_comments": {},
    "get_capabilities": {},
    "search": {"params": {"query": SECRET}},
    "list_trash": {},
    "import_outline": {"json": {"content": "# Plan\n\n- [ ] One\n", "format": "markdown"}},
    "generate_plan": {"json": {"description": "Relaunch of the website"}},
    "refine_plan": {"json": {"project_id": "WEB", "feedback": "done WEB-1"}},
    "decompose_task": {"json": {}},
    "chat": {"json": {"message": "show WEB"}},
    "list_conversations": {},
    "get_conversation": {},
    "get_job": {},
    "validate_patch_set": {"json": RENAME},
    "propose_patch_set": {"json": CREATE},
    "rebase_patch_set": {},
    "reject_patch_set": {},
    "create_project": {"json": {"name": "Mine"}},
    "patch_project": {"json": {"name": "Renamed"}},
    "update_project": {"json": {"name": "Renamed"}},
    "restore_project": {},
    "revert_to_revision": {"json": {"to_revision": 1}},
    "apply_patch_set": {"json": RENAME},
    "apply_proposal": {},
    "revert_patch_set": {},
    "create_task": {"json": {"project_id": "WEB", "title": "More"}},
    "patch_task": {"json": {"title": "Renamed"}},
    "update_task": {"json": {"title": "Renamed"}},
    "restore_task": {},
    "claim_task": {},
    "add_comment": {"json": {"body": "Hello"}},
    "cancel_job": {},
    "delete_conversation": {},
    "delete_task": {},
    "delete_project": {},
}
# What answers about the caller's own workspace, whatever is asked: nothing of WEB can be in it, and no 404 is due.
OF_OWN_WORKSPACE = {
    "get_health",
    "get_liveness",
    "get_readiness",
    "get_metrics",
    "list_projects",
    "list_patch_sets",
    "list_tasks",
    "list_next_tasks",
    "get_capabilities",
    "chat",
    "list_conversations",
    "search",
    "list_trash",
    "import_outline",
    "generate_plan",
    "validate_patch_set",  # answers 200 with the issue NOT_FOUND
    "propose_patch_set",
    "create_project",
}
OF_ITS_CALLER = {"get_conversation", "delete_conversation", "get_job", "cancel_job"}  # 404 for everybody else
TOOLS: dict[str, tuple[Scope, dict[str, Any]]] = {
    "list_projects": (Scope.PROJECTS_READ, {}),
    "get_project": (Scope.PROJECTS_READ, {"project": "WEB"}),
    "list_tasks": (Scope.PROJECTS_READ, {}),
    "get_task": (Scope.PROJECTS_READ, {"task": "WEB-1"}),
    "get_schedule": (Scope.PROJECTS_READ, {"project": "WEB"}),
    "list_history": (Scope.PROJECTS_READ, {"project": "WEB"}),
    "get_patch_set": (Scope.PROJECTS_READ, {"id": "PROPOSED"}),
    "propose_patch_set": (Scope.PATCHES_PROPOSE, RENAME),
    "import_outline": (Scope.PATCHES_PROPOSE, {"content": "# Plan\n\n- [ ] One\n"}),
    "reject_patch_set": (Scope.PATCHES_APPLY, {"id": "PROPOSED"}),  # somebody else's
    "claim_task": (Scope.PATCHES_APPLY, {"task": "WEB-1"}),
    "add_comment": (Scope.PATCHES_APPLY, {"task": "WEB-1", "body": "Hello"}),
    "apply_patch_set": (Scope.PATCHES_APPLY, RENAME),
    "revert_patch_set": (Scope.PATCHES_APPLY, {"id": "APPLIED"}),
}
TOOLS_OF_OWN_WORKSPACE = {"list_projects", "list_tasks", "import_outline"}


@dataclass(frozen=True)
class World:
    folder: Path
    keys: dict[str, str | None]
    proposed: str
    applied: str
    conversation: str  # of the local owner, as the job is: nobody else's
    job: str

    def settings(self, **more: Any) -> Settings:
        return Settings(_env_file=None, database_url=f"sqlite:///{self.folder}/plan.db", auth="api_key", **more)

    def named(self, value: str) -> str:
        return {"PROPOSED": self.proposed, "APPLIED": self.applied}.get(value, value)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    """WEB with one task and its patch sets in the workspace `default`, and a key for each kind of caller."""
    folder = tmp_path_factory.mktemp("access")
    orchestrator = Orchestrator(Settings(_env_file=None, database_url=f"sqlite:///{folder}/plan.db"))
    orchestrator.start(create=True)
    owner = orchestrator.context()
    projects.create_project(owner, ProjectCreate(name=SECRET, key="WEB", description=SECRET))
    tasks.create_task(owner, TaskCreate(title=SECRET, project_id="WEB"))
    proposed = patch_sets.propose_patch_set(owner, PatchSet(**RENAME))
    applied = patch_sets.apply_patch_set(
        owner, PatchSet(patches=[{"op": "update_task", "task": "WEB-1", "fields": {"description": SECRET}}])
    )
    assert applied.patch_set_id is not None
    said = conversations.begin_turn(owner, ChatRequest(message=SECRET))
    job = jobs.begin_job(owner, SECRET)
    keys: dict[str, str | None] = {"no key": None}
    for name, scopes in list(SCOPES.items())[1:]:
        home = "elsewhere" if name == "other workspace" else "default"
        keys[name] = access.create_api_key(orchestrator.context(local_owner(home)), name, scopes).key
    orchestrator.close()
    return World(folder, keys, proposed.id, applied.patch_set_id, said.conversation_id, job.id)


@pytest.fixture
def world(template: World, tmp_path: Path) -> World:
    shutil.copy(template.folder / "plan.db", tmp_path / "plan.db")
    return replace(template, folder=tmp_path)


def operations() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Yield id, method, path and description of every operation, in the order of CALLS."""
    document = create_app(Settings(_env_file=None)).openapi()
    found = {
        operation["operationId"]: (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert found.keys() == CALLS.keys() == NEEDED.keys()
    for name in CALLS:
        yield name, *found[name]


def url_of(world: World, name: str, path: str) -> str:
    patch_set = world.applied if name in ("revert_patch_set", "list_changes") else world.proposed
    own = {"conversation_id": world.conversation, "job_id": world.job}
    return path.format(project_id="WEB", task_id="WEB-1", patch_set_id=patch_set, **own)


@asynccontextmanager
async def calling(world: World, caller: str) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(world.settings())
    key = world.keys[caller]
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
        yield client
    app.state.orchestrator.close()


async def call(client: httpx2.AsyncClient, world: World, name: str, method: str, path: str) -> httpx2.Response:
    asked = "head" if name == "stream_events" else method  # the stream itself would not end
    body = {**CALLS[name]}
    if name in ("apply_proposal", "reject_patch_set", "claim_task"):
        body = {"json": {}}
    return await client.request(asked.upper(), url_of(world, name, path), **body)


def state_of(world: World) -> str:
    orchestrator = Orchestrator(world.settings())
    owner = orchestrator.context()
    sets = owner.read(lambda tx: tx.list_patch_sets(PatchSetQuery()))
    text = projects.export_project(owner, "WEB").model_dump_json(exclude={"exported_at"}) + sets.model_dump_json()
    orchestrator.close()
    return text


@pytest.mark.parametrize("caller", SCOPES)
async def test_every_route_lets_in_whom_its_scope_says_and_nobody_else(world: World, caller: str) -> None:
    async with calling(world, caller) as client:
        for name, method, path, described in operations():
            needed = NEEDED[name]
            answer = await call(client, world, name, method, path)
            where = f"{name} for {caller}: {answer.status_code} {answer.text[:300]}"

            if needed is None:
                assert described["security"] == []
                assert answer.status_code == 200, where
                continue
            assert described["security"] == [{"bearer": [needed.value]}]
            allowed = needed in SCOPES[caller]
            if name in ("reject_patch_set", "rebase_patch_set"):  # of a proposal that somebody else has written
                allowed = Scope.PATCHES_APPLY in SCOPES[caller]
            if caller == "no key":
                assert answer.status_code == 401, where
                assert answer.headers["www-authenticate"] == "Bearer"
            elif not allowed:
                refused(answer, 403, "FORBIDDEN")
            elif caller != "other workspace" and name not in OF_ITS_CALLER:
                assert answer.status_code not in (401, 403), where
                continue
            elif name not in OF_OWN_WORKSPACE:
                assert answer.status_code == 404, where
            assert SECRET not in answer.text, where
            if "{patch_set_id}" not in path:  # a refusal repeats what was asked for
                assert world.proposed not in answer.text, where


@pytest.mark.parametrize("caller", ["no key", "other workspace", "viewer"])
async def test_who_may_not_write_changes_nothing(world: World, caller: str) -> None:
    before = state_of(world)

    async with calling(world, caller) as client:
        for name, method, path, _ in operations():
            await call(client, world, name, method, path)

    assert state_of(world) == before


@pytest.mark.parametrize("caller", SCOPES)
async def test_every_tool_lets_in_whom_its_scope_says_and_nobody_else(world: World, caller: str) -> None:
    assert set(TOOL_NAMES) == TOOLS.keys()
    orchestrator = Orchestrator(world.settings(orchestrator_api_key=world.keys[caller]))
    async with Client(build_server(orchestrator), mode="auto") as connected:
        await tools_let_in(connected, world, caller)
    orchestrator.close()


async def test_every_tool_at_the_gateway_lets_in_whom_its_scope_says_and_nobody_else(world: World) -> None:
    with running_server(f"sqlite:///{world.folder}/plan.db", folder=world.folder, AUTH="api_key") as url:
        refused(httpx2.post(f"{url}/mcp", json={}), 401, "UNAUTHORIZED")
        callers = [caller for caller, key in world.keys.items() if key is not None]
        for caller in sorted(callers, key=lambda caller: Scope.PATCHES_APPLY in SCOPES[caller]):  # they change what others find
            async with (
                httpx2.AsyncClient(headers={"Authorization": f"Bearer {world.keys[caller]}"}, timeout=60) as http,
                Client(streamable_http_client(f"{url}/mcp", http_client=http), mode="auto") as connected,
            ):
                await tools_let_in(connected, world, caller)


async def tools_let_in(connected: Client, world: World, caller: str) -> None:
    """Call every tool, and read every kind of resource, as `caller`: what is not due to it is refused, and shows nothing."""
    tools = Tools(connected)
    for name, (needed, arguments) in TOOLS.items():
        sent = {key: world.named(value) if isinstance(value, str) else value for key, value in arguments.items()}
        result = await tools.call(name, **sent)
        text = f"{text_of(result)} {result.structured_content}"
        code = (result.structured_content or {}).get("code") if result.is_error else None
        where = f"{name} for {caller}: {text[:300]}"

        if caller == "no key":
            assert code == "UNAUTHORIZED", where
        elif needed not in SCOPES[caller]:
            assert code == "FORBIDDEN", where
        elif caller != "other workspace":
            assert code not in ("UNAUTHORIZED", "FORBIDDEN"), where
            continue
        elif name not in TOOLS_OF_OWN_WORKSPACE:
            assert code == "NOT_FOUND", where
        assert SECRET not in text, where
    if caller in ("no key", "other workspace"):
        for uri in ("projects/WEB", "tasks/WEB-1", f"patch-sets/{world.proposed}"):
            with pytest.raises(Exception, match=r"UNAUTHORIZED|NOT_FOUND"):
                await connected.read_resource(f"orchestrator://{uri}")


async def test_bytes_that_are_ready_are_ready_for_those_who_may_read_them(world: World) -> None:
    app = create_app(world.settings())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1") as client:
        for _ in range(2):  # the second time everybody asks, the owner's bytes are ready
            answers = {
                caller: await client.get("/api/v1/projects/WEB", headers={"Authorization": f"Bearer {key}"} if key else {})
                for caller, key in reversed(world.keys.items())
            }
            statuses = {caller: answer.status_code for caller, answer in answers.items()}
            assert statuses == {name: 401 if name == "no key" else 404 if name == "other workspace" else 200 for name in SCOPES}
            assert SECRET not in answers["other workspace"].text
    app.state.orchestrator.close()


async def test_a_propose_only_key_previews_and_withdraws_its_own_and_applies_nothing(world: World) -> None:
    async with calling(world, "propose-only") as client:
        own = data(await client.post("/api/v1/patch-sets", json=RENAME))["id"]

        data(await client.post("/api/v1/planner/apply?dry_run=true", json=RENAME))
        refused(await client.post(f"/api/v1/patch-sets/{own}/apply"), 403, "FORBIDDEN")
        data(await client.post(f"/api/v1/patch-sets/{own}/rebase"))
        other = data(await client.post("/api/v1/patch-sets", json=RENAME))["id"]
        data(await client.post(f"/api/v1/patch-sets/{other}/reject"))
        query = {"supersedes": world.proposed}
        refused(await client.post("/api/v1/patch-sets", json=RENAME, params=query), 403, "FORBIDDEN")


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/metrics", "/mcp", "/", "/api/v1/projects/", "/health/other", "//health"])
async def test_whatever_is_not_open_asks_who_is_calling_before_it_says_what_exists(world: World, path: str) -> None:
    async with calling(world, "no key") as client:
        for method in ("GET", "HEAD", "POST", "DELETE", "PUT"):
            assert (await client.request(method, path, content=b"{")).status_code == 401


async def test_what_is_open_is_open(world: World) -> None:
    async with calling(world, "no key") as client:
        for path in OPEN_PATHS:
            assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic b3JjXzpi", "Bearer orc_x", "Token KEY", "Bearer KEY extra"])
async def test_only_a_bearer_key_is_a_key(world: World, header: str) -> None:
    async with calling(world, "no key") as client:
        shown = header.replace("KEY", world.keys["owner"] or "")
        answer = await client.get("/api/v1/projects", headers={"Authorization": shown})

    refused(answer, 401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_the_caller_is_the_author(world: World) -> None:
    async with calling(world, "editor") as client:
        created = data(await client.post("/api/v1/tasks", json={"project_id": "WEB", "title": "More"}))

    assert created["created_by"] == "editor"


def test_a_served_process_knows_its_callers(world: World) -> None:
    with running_server(f"sqlite:///{world.folder}/plan.db", folder=world.folder, AUTH="api_key") as url:
        answers = {
            caller: httpx2.get(f"{url}/api/v1/projects/WEB", headers={"Authorization": f"Bearer {key}"} if key else {})
            for caller, key in world.keys.items()
        }
        statuses = {caller: answer.status_code for caller, answer in answers.items()}
        foreign = httpx2.get(
            f"{url}/api/v1/projects/WEB", headers={"Host": "evil.example", "Authorization": f"Bearer {world.keys['owner']}"}
        )

    assert statuses == {name: 401 if name == "no key" else 404 if name == "other workspace" else 200 for name in SCOPES}
    refused(foreign, 403, "FORBIDDEN")
    assert all(key not in (world.folder / "gateway.log").read_text("utf-8") for key in world.keys.values() if key)


def test_with_authentication_other_machines_may_reach_it(world: World) -> None:
    database = f"sqlite:///{world.folder}/plan.db"
    with running_server(database, folder=world.folder, AUTH="api_key", HOST="0.0.0.0") as url:  # noqa: S104  that is the point
        shown = {"Host": "plans.example", "Authorization": f"Bearer {world.keys['viewer']}"}

        assert httpx2.get(f"{url}/api/v1/projects", headers=shown).status_code == 200
        assert httpx2.get(f"{url}/api/v1/projects", headers={"Host": "plans.example"}).status_code == 401


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "JWT_ALGORITHM must be set with AUTH=jwt"),
        ({"JWT_ALGORITHM": "none"}, "JWT_ALGORITHM"),
        ({"JWT_ALGORITHM": "HS256", "JWT_ISSUER": "a", "JWT_AUDIENCE": "b", "JWT_SECRET": "hunter2"}, "JWT_SECRET"),
    ],
)
def test_a_start_with_inconsistent_tokens_is_one_line_that_names_the_setting(
    tmp_path: Path, settings: dict[str, str], named: str
) -> None:
    server = running_server(f"sqlite:///{tmp_path}/plan.db", folder=tmp_path, AUTH="jwt", **settings)
    with pytest.raises(RuntimeError, match="did not start") as ended, server:
        pass

    said = str(ended.value).partition("did not start: ")[2]
    assert said.startswith(f"orchestrator-api: {named}")
    assert said.count("\n") == 1
    assert "hunter2" not in said


async def test_an_mcp_server_without_its_key_does_not_start(tmp_path: Path) -> None:
    environment = gateway_environment(f"sqlite:///{tmp_path}/plan.db", AUTH="api_key")
    ended = await anyio.run_process(COMMAND, env=environment, cwd=tmp_path, check=False)

    assert (ended.returncode, ended.stdout) == (2, b"")
    assert b"ORCHESTRATOR_API_KEY" in ended.stderr
