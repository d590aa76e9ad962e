"""Keys and members, on every database."""

from datetime import timedelta
from uuid import uuid4

from core.api_keys import StoredKey
from schemas.access import ApiKey, Member, Role, Scope
from tests.storage.builders import NOW, Database


def key(database: Database, name: str = "ci") -> StoredKey:
    made = ApiKey(
        id=uuid4().hex[:12],
        workspace=database.workspace,
        name=name,
        scopes=[Scope.PROJECTS_READ, Scope.PATCHES_PROPOSE],
        created_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )
    return StoredKey(made, "a" * 64)


def test_a_key_is_found_by_its_id_from_any_workspace(database: Database) -> None:
    stored = key(database)
    assert database.write(lambda tx: tx.add_api_key(stored))

    assert database.storage.read("elsewhere", lambda tx: tx.find_api_key(stored.key.id)) == stored
    assert database.read(lambda tx: tx.list_api_keys()) == [stored.key]
    assert database.storage.read("elsewhere", lambda tx: tx.list_api_keys()) == []


def test_two_live_keys_never_share_a_name(database: Database) -> None:
    first, second = key(database), key(database)
    database.write(lambda tx: tx.add_api_key(first))

    assert not database.write(lambda tx: tx.add_api_key(second))
    database.write(lambda tx: tx.revoke_api_key(first.key.id, NOW))
    assert database.write(lambda tx: tx.add_api_key(second))


def test_a_key_is_revoked_and_used_only_in_its_own_workspace(database: Database) -> None:
    stored = key(database)
    database.write(lambda tx: tx.add_api_key(stored))

    assert not database.storage.write("elsewhere", lambda tx: tx.revoke_api_key(stored.key.id, NOW))
    database.storage.write("elsewhere", lambda tx: tx.record_key_use(stored.key.id, NOW))
    assert database.read(lambda tx: tx.find_api_key(stored.key.id)) == stored
    database.write(lambda tx: tx.record_key_use(stored.key.id, NOW))
    assert database.write(lambda tx: tx.revoke_api_key(stored.key.id, NOW))
    assert not database.write(lambda tx: tx.revoke_api_key(stored.key.id, NOW + timedelta(days=1)))
    (changed,) = database.read(lambda tx: tx.list_api_keys())
    assert (changed.last_used_at, changed.revoked_at) == (NOW, NOW)


def test_a_member_has_one_role_in_a_workspace(database: Database) -> None:
    viewer = Member(workspace=database.workspace, subject="ann", role=Role.VIEWER, created_at=NOW)
    owner = viewer.model_copy(update={"role": Role.OWNER})
    for one in (viewer, owner):
        database.write(lambda tx, one=one: tx.set_member(one))  # type: ignore[misc]  # bound now

    assert database.read(lambda tx: tx.list_members()) == [owner]
    assert database.read(lambda tx: tx.find_member("ann")) == owner
    assert database.storage.read("elsewhere", lambda tx: tx.find_member("ann")) is None
    assert database.write(lambda tx: tx.remove_member("ann"))
    assert not database.write(lambda tx: tx.remove_member("ann"))


def test_a_workspace_is_made_once(database: Database) -> None:
    name = f"made-{uuid4()}"

    assert not database.storage.read(name, lambda tx: tx.has_workspace())
    for _ in range(2):
        database.storage.write(name, lambda tx: tx.make_workspace(NOW))
    assert database.storage.read(name, lambda tx: tx.has_workspace())
