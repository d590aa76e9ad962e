"""Read the raw patches of a set one by one, so that a malformed patch never hides the others' issues."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

from schemas.changes import EntityKind
from schemas.errors import ErrorCode, Issue
from schemas.patches import OPS, CreateProject, CreateTask, Patch
from schemas.violations import find_patches, read_patch

CREATIONS = (CreateTask, CreateProject)
CREATING_OPS = ("create_task", "create_project")


class Mention(NamedTuple):
    """A name in a malformed patch: whether it exists is reported beside what is wrong with the form."""

    patch_index: int
    path: str
    kind: EntityKind
    name: str
    op: str


@dataclass(slots=True)
class ParsedPatches:
    """Sound patches with their index in the set, what was wrong with the others, and every declared ref."""

    patches: list[tuple[int, Patch]] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    refs: dict[str, int] = field(default_factory=dict)  # ref -> index of the create that declares it first, sound or not
    skipped: frozenset[int] = frozenset()  # patches that were not selected
    mentions: list[Mention] = field(default_factory=list)  # what malformed patches name

    def select(self, only: Sequence[int], count: int) -> "ParsedPatches":
        """Return the part of the set that `only` names; `count` is the number of patches in the set."""
        selected = set(only)
        return ParsedPatches(
            patches=[(index, patch) for index, patch in self.patches if index in selected],
            issues=_missing(selected, count) + [issue for issue in self.issues if issue.patch_index in selected],
            refs=self.refs,
            skipped=frozenset(range(count)) - selected,
            mentions=[mention for mention in self.mentions if mention.patch_index in selected],
        )


def _missing(selected: set[int], count: int) -> list[Issue]:
    hint = f"patches are numbered 0 to {count - 1}"
    return [
        Issue(path="/only", code=ErrorCode.VALIDATION_ERROR, message=f"there is no patch {index}", hint=hint)
        for index in sorted(selected)
        if not 0 <= index < count
    ]


def parse_patches(raw: Sequence[Any]) -> ParsedPatches:
    """Return the sound patches of `raw` and every issue of form."""
    refs, repeating = _declared_refs(raw)
    parsed = ParsedPatches(refs=refs)
    for index, patch in enumerate(find_patches(raw) or map(read_patch, raw, count())):
        wrong = patch if isinstance(patch, list) else []
        if index in repeating:
            wrong = [*wrong, _taken_ref(index, raw[index]["ref"], refs)]
        if wrong or isinstance(patch, list):
            parsed.issues += wrong
            parsed.mentions += _mentions(index, raw[index], {issue.path for issue in wrong})
        else:
            parsed.patches.append((index, patch))
    return parsed


def _taken_ref(index: int, ref: str, refs: Mapping[str, int]) -> Issue:
    return Issue(
        path=f"/patches/{index}/ref",
        code=ErrorCode.INVALID_PATCH,
        message=f"{ref} is already created by patch {refs[ref]}",
        hint="give each new item its own ref",
        patch_index=index,
    )


def _mentions(index: int, item: Any, reported: set[str]) -> list[Mention]:
    """Return the names in a malformed patch of a known op that are themselves well formed."""
    if not isinstance(item, dict) or item.get("op") not in OPS:
        return []
    kinds = {"project": EntityKind.PROJECT} | dict.fromkeys(("task", "parent", "before", "after", "depends_on"), EntityKind.TASK)
    return [
        Mention(index, f"/{member}", kind, item[member], item["op"])
        for member, kind in kinds.items()
        if isinstance(item.get(member), str) and f"/patches/{index}/{member}" not in reported
    ]


def _declared_refs(raw: Sequence[Any]) -> tuple[dict[str, int], set[int]]:
    """Return which creation declares each ref first, whether or not its form is sound, and which ones repeat a ref."""
    refs: dict[str, int] = {}
    repeating: set[int] = set()
    for index, item in enumerate(raw):
        declares = isinstance(item, dict) and isinstance(item.get("ref"), str) and item.get("op") in CREATING_OPS
        if declares and refs.setdefault(item["ref"], index) != index:
            repeating.add(index)
    return refs, repeating
