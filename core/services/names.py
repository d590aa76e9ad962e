"""Find what a caller names, or say that there is no such thing."""

from core.errors import NotFound
from core.storage.interface import PatchSetRecord, Transaction
from schemas.projects import Project


def project_named(tx: Transaction, name: str) -> Project:
    """Return the project of this id or key, deleted or not, or raise NotFound with the nearest keys."""
    found = tx.find_project(name)
    if found is None:
        raise NotFound.named("project", name, tx.suggest_projects(name))
    return found


def patch_set_named(tx: Transaction, patch_set_id: str, *, lock: bool = False) -> PatchSetRecord:
    """Return the stored patch set of this id, or raise NotFound."""
    record = tx.find_patch_set(patch_set_id, lock=lock)
    if record is None:
        raise unknown_patch_set(patch_set_id)
    return record


def unknown_patch_set(patch_set_id: str) -> NotFound:
    hint = "ids are ps_ and 16 letters and digits, as the answer that made the set named it; the list of patch sets has them all"
    return NotFound(f"there is no patch set {patch_set_id!r}", hint=hint)
