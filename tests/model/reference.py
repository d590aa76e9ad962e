"""What the product promises about patch sets, said once more in plain dicts and without its code.

A `Reference` is a workspace: its state, every state it has had, its proposals and applied sets. Each call judges one set
on the present state and answers a `Verdict`; only an accepted one moves the state.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.model.deriving import is_ready, tallied
from tests.model.forms import CREATIONS, Patch, is_sound, normal
from tests.model.inverting import Inverse, inverse
from tests.model.judging import Conflict, broken_rules, conflicts, settle, unexpected
from tests.model.playing import Given, Play
from tests.model.state import PROJECT_FIELDS, TASK_FIELDS, Item, State, project_of


@dataclass
class Verdict:
    """Why a set is refused, or what it leads to."""

    code: str | None = None  # None: accepted
    issues: set[str] = field(default_factory=set)  # the codes of all of them
    conflicts: set[Conflict] = field(default_factory=set)
    after: State = field(default_factory=State)
    revisions: dict[str, int] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    replayed: bool = False


@dataclass
class Stored:
    """A patch set the workspace knows."""

    patches: list[Any]
    bases: dict[str, int]
    status: str = "proposed"
    only: list[int] | None = None
    answer: Verdict = field(default_factory=Verdict)  # the first one, once applied
    inverse: Inverse = field(default_factory=lambda: ([], {}))


class Reference:
    def __init__(self, max_depth: int, author: str) -> None:
        self.max_depth = max_depth
        self.author = author
        self.state = State()
        self.ids: dict[str, str] = {}  # id -> key; the product makes ids, whoever drives us tells them
        self.past: dict[tuple[str, int], State] = {}  # (project, revision) -> the state when it was made
        self.created: dict[str, State] = {}  # task -> the state right after it was made
        self.sets: dict[str, Stored] = {}
        self.history: list[str] = []  # ids of applied sets, oldest first
        self._deletions = 0

    # -- apply

    def apply(
        self,
        set_id: str,
        patches: list[Any],
        bases: Mapping[str, int],
        now: datetime,
        only: list[int] | None = None,
        *,
        tried: bool = False,
    ) -> Verdict:
        """Judge a set, and apply it if it is sound, unless it is only `tried`; an id that is known may make it a replay."""
        chosen = None if only is None else sorted(set(only))
        stored = self.sets.get(set_id)
        if stored is not None:
            if stored.patches != _normal(patches):
                return Verdict("IDEMPOTENCY_KEY_REUSED")
            if stored.status == "applied" and stored.only == chosen:
                return Verdict(refs=stored.answer.refs, revisions=stored.answer.revisions, replayed=True)
            if stored.status != "proposed":
                return Verdict("PATCH_SET_CLOSED")
            bases = stored.bases
        verdict = self.judge(patches, bases, now, chosen)
        if verdict.code is None and not tried:
            self._keep(set_id, _normal(patches), bases, verdict, chosen)
        return verdict

    def _keep(
        self, set_id: str, patches: list[Any], bases: Mapping[str, int], verdict: Verdict, only: list[int] | None = None
    ) -> None:
        before, after = self.state, verdict.after
        stored = Stored(patches, dict(bases), "applied", only, verdict, inverse(before, after))
        self.sets[set_id] = stored
        self.history.append(set_id)
        self.past |= dict.fromkeys(verdict.revisions.items(), after)
        self.created |= dict.fromkeys(after.tasks.keys() - before.tasks.keys(), after)
        self.state = after

    def judge(
        self,
        patches: Sequence[Any],
        bases: Mapping[str, int],
        now: datetime,
        only: list[int] | None = None,
        private: Mapping[int, Item] | None = None,
    ) -> Verdict:
        """Return what a set would lead to; nothing is kept."""
        selected = sorted(set(only)) if only is not None else list(range(len(patches)))
        declared: dict[str, int] = {}
        for index, patch in enumerate(patches):
            if _declares_ref(patch):
                declared.setdefault(patch["ref"], index)
        codes, seen = self._bases(bases)
        codes |= {"VALIDATION_ERROR" for index in selected if index >= len(patches)}
        self._deletions += 1
        given = Given(seen, now, self.author, f"deletion {self._deletions}", private or {}, self.ids)
        play = Play(self.state, given, declared, selected)
        sound: dict[int, Patch] = {}
        malformed: dict[int, Any] = {}
        for index, patch in enumerate(patches):  # what is not selected must be well formed too
            taken = _declares_ref(patch) and declared[patch["ref"]] != index
            codes |= {"INVALID_PATCH"} if taken else set()
            codes |= {"VALIDATION_ERROR"} if not is_sound(patch) else set()
            if is_sound(patch) and not taken:
                sound[index] = normal(patch)
            else:
                malformed[index] = patch
        sound, malformed = ({index: some[index] for index in some if index in selected} for some in (sound, malformed))
        clashes: set[Conflict] = set()
        for index, patch in sound.items():
            clashes |= unexpected(play, index, patch)
        play.run(sound, malformed)
        codes |= {code for _, code in play.issues} | set(broken_rules(play, self.max_depth))
        if not any(key in play.state.above(key) for key in play.state.tasks):
            for key, number in play.order.numbers().items():
                play.state.tasks[key]["position"] = number
        if codes:
            return Verdict(next(iter(codes)) if len(codes) == 1 else "INVALID_PATCH", codes)
        clashes |= conflicts(play, self.created)
        if clashes:
            return Verdict("CONCURRENT_UPDATE", conflicts=clashes)
        revisions = settle(self.state, play.state, now)
        return Verdict(after=play.state, revisions=revisions, refs=play.refs)

    def _bases(self, bases: Mapping[str, int]) -> tuple[set[str], dict[str, State]]:
        """Return what is wrong with the base revisions, and the state that each names."""
        codes: set[str] = set()
        seen: dict[str, State] = {}
        for name, revision in bases.items():
            key = self.ids.get(name, name.upper())
            if key not in self.state.projects:
                codes.add("NOT_FOUND")
                continue
            if key in seen or not 1 <= revision <= self.state.projects[key]["revision"]:
                codes.add("VALIDATION_ERROR")
            seen[key] = self.past.get((key, revision), State() if revision < 1 else self.state)
        return codes, seen

    # -- proposals

    def propose(self, set_id: str, patches: list[Any], bases: Mapping[str, int], now: datetime) -> Verdict:
        """Judge a set and keep it as a proposal, bound to the revisions of every project it names."""
        verdict = self.judge(patches, bases, now)
        if verdict.code is None:
            named = {self.ids.get(name, name.upper()): revision for name, revision in bases.items()}
            missing = {key: self.state.projects[key]["revision"] for key in self._named(patches) - named.keys()}
            self.sets[set_id] = Stored(_normal(patches), named | missing)
        return verdict

    def _named(self, patches: Iterable[Patch]) -> set[str]:
        """Return the projects of all stored items that patches name."""
        found: set[str] = set()
        for patch in patches:
            expect = patch.get("expect") or {}
            names = [patch.get(name) for name in ("project", "task", "parent", "before", "after")] + [expect.get("parent")]
            for several in (patch.get("depends_on"), expect.get("depends_on")):
                names += several if isinstance(several, list) else [several]
            keys = [self.ids.get(name, name.upper()) for name in names if name]
            found |= {project_of(key) for key in keys if self.state.item(key) is not None}
        return found

    def reject(self, set_id: str) -> Verdict:
        """Close a proposal; rejecting twice is the same as once."""
        stored = self.sets[set_id]
        if stored.status not in ("proposed", "rejected"):
            return Verdict("PATCH_SET_CLOSED")
        stored.status = "rejected"
        return Verdict()

    def rebase(self, set_id: str, new_id: str, now: datetime) -> Verdict:
        """Propose the same patches on the present state."""
        stored = self.sets[set_id]
        if stored.status != "proposed":
            return Verdict("PATCH_SET_CLOSED")
        verdict = self.propose(new_id, stored.patches, {}, now)
        if verdict.code is None:
            stored.status = "superseded"
        return verdict

    # -- claims

    def claim(self, key: str, agent: str, until: datetime, now: datetime, new_id: str | None) -> Verdict:
        """Give an agent a task that is ready, that it has already, or whose lease has ended; `new_id` if the product did."""
        task = self.state.tasks[key]
        if self.state.is_gone(key):
            return Verdict("DELETED_RESOURCE", {"DELETED_RESOURCE"})
        tallies = tallied(self.state)
        lease = task["claim_expires_at"]
        mine = task["claimed_by"] == agent or (lease is not None and lease <= now)
        held = task["status"] == "in_progress" and not tallies[key]["subtask_count"]
        if not (held and mine) and not is_ready(self.state, key, tallies):
            return Verdict("CONCURRENT_UPDATE", conflicts={(0, key, "claimed_by" if task["claimed_by"] else "is_ready")})
        fields = {"status": "in_progress"} | ({} if task["assignee"] else {"assignee": agent})
        patches = [{"op": "update_task", "task": key, "fields": fields}]
        verdict = self.judge(patches, {}, now, private={0: {"claimed_by": agent, "claim_expires_at": until}})
        if verdict.code is None and new_id is not None:
            self._keep(new_id, patches, {}, verdict)
        return verdict

    # -- taking back

    def revert(self, set_id: str, new_id: str | None, now: datetime) -> Verdict:
        """Apply what takes a set back, by an author who saw the state it left; without a new id only try."""
        stored = self.sets[set_id]
        if stored.status != "applied":
            return Verdict("PATCH_SET_CLOSED")
        patches, private = stored.inverse
        if not patches:
            return Verdict("INVALID_PATCH", {"INVALID_PATCH"})
        verdict = self.judge(patches, stored.answer.revisions, now, private=private)
        if verdict.code is None and not verdict.revisions:
            return Verdict("INVALID_PATCH", {"INVALID_PATCH"})  # all of it is as before already
        if verdict.code is None and new_id is not None:
            self._keep(new_id, patches, {}, verdict)
        return verdict

    def go_back(self, project: str, revision: int, new_id: str | None, now: datetime) -> Verdict:
        """Take back all later sets of a project, newest first, as one set."""
        current = self.state.projects[project]["revision"]
        if not 1 <= revision < current:
            return Verdict("VALIDATION_ERROR", {"VALIDATION_ERROR"})
        patches: list[Patch] = []
        private: dict[int, Item] = {}
        for set_id in reversed(self.history):
            stored = self.sets[set_id]
            if stored.answer.revisions.get(project, 0) <= revision:
                continue
            for index, patch in enumerate(stored.inverse[0]):
                if project_of(patch.get("project") or patch["task"]) == project:
                    if index in stored.inverse[1]:
                        private[len(patches)] = stored.inverse[1][index]
                    patches.append(patch)
        if not patches or live(self.past[project, revision], project) == live(self.state, project):
            return Verdict("INVALID_PATCH", {"INVALID_PATCH"})
        verdict = self.judge(patches, {project: current}, now, private=private)
        if verdict.code is None and new_id is not None:
            self._keep(new_id, patches, {}, verdict)
        return verdict


def live(state: State, project: str) -> Any:
    """Return what going back to a revision brings back: the live part of a project, without revisions and comments."""
    if state.is_gone(project):
        return None
    tasks = {key: task for key, task in state.tasks.items() if task["project"] == project and task["deletion"] is None}
    names = (*TASK_FIELDS, "completed_at", "claimed_by", "claim_expires_at", "parent", "position")
    return (
        {name: state.projects[project][name] for name in PROJECT_FIELDS},
        {key: {name: task[name] for name in names} for key, task in tasks.items()},
        {edge for edge in state.edges if edge[0] in tasks and edge[1] in tasks},
    )


def _declares_ref(patch: Any) -> bool:
    return isinstance(patch, dict) and patch.get("op") in CREATIONS and isinstance(patch.get("ref"), str)


def _normal(patches: list[Any]) -> list[Any]:
    return [normal(patch) if is_sound(patch) else patch for patch in patches]
