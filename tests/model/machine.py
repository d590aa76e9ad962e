"""The product and the reference, side by side: every rule does one thing to both and compares all of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from core.errors import DomainError
from core.services import claiming, history, patch_sets, reverting
from schemas.changes import ApplyResponse, Change, PlanEffect, ValidationResponse
from schemas.errors import Issue, Severity
from schemas.patches import PatchSet
from tests.model import sets
from tests.model.compare import Comparison, change_differences, shown_differences
from tests.model.plays import Outcome
from tests.model.reference import Reference, Refused, Set
from tests.model.state import State, is_live, outline
from tests.model.store import AUTHOR, MAX_DEPTH, START, Store

T = TypeVar("T")
Patches = list[dict[str, Any]]
PROJECTS = st.sampled_from(["WEB", "APP", "OPS"])
UNKNOWN_SET = "ps_zzzzzzzzzzzzzzzz"
FIRST = [
    {"op": "create_project", "key": "WEB", "fields": {"name": "Web"}},
    {"op": "create_project", "key": "APP", "fields": {"name": "App"}},
    {"op": "create_task", "ref": "$one", "project": "WEB", "fields": {"title": "One"}},
    {"op": "create_task", "ref": "$two", "parent": "$one", "fields": {"title": "Two"}},
    {"op": "create_task", "parent": "$one", "fields": {"title": "Three"}, "depends_on": ["$two"]},
    {"op": "create_task", "project": "WEB", "fields": {"title": "Four", "tags": ["a"], "links": {"x": "1"}}},
    {"op": "create_task", "project": "WEB", "fields": {"title": "Five", "estimated_minutes": 60}},
    {"op": "create_task", "project": "APP", "fields": {"title": "One"}},
    {"op": "create_task", "project": "APP", "fields": {"title": "Two"}},
]
counts: Counter[str] = Counter()  # what all machines of this process have done


def written(*, careless: bool) -> st.SearchStrategy[Patches]:
    return st.runner().flatmap(lambda machine: sets.patch_sets(machine.reference, careless=careless))


def seen(*, stale: bool) -> st.SearchStrategy[dict[str, int]]:
    return st.runner().flatmap(lambda machine: sets.bases(machine.reference, stale=stale))


def stored_id(*states: str) -> st.SearchStrategy[str]:
    """Return the id of a stored set, mostly the latest ones of these states; now and then another one."""

    def choose(machine: "Model") -> st.SearchStrategy[str]:
        stored = list(machine.reference.sets.values())[1:]  # without the first set everything would be gone
        wanted = [one.id for one in reversed(stored) if one.state in states][:12]
        others = [one.id for one in reversed(stored) if one.state not in states][:2]
        return st.sampled_from([*wanted * 4, *others, UNKNOWN_SET])

    return st.runner().flatmap(choose)


def task_key() -> st.SearchStrategy[str]:
    return st.runner().flatmap(lambda machine: st.sampled_from([*machine.reference.state.tasks, "WEB-99"]))


class Model(RuleBasedStateMachine):
    """After every rule: equal state, equal answer, equal error code; what is refused leaves every row as it was."""

    store_for: Callable[[], Store]

    def __init__(self) -> None:
        super().__init__()
        self.store = type(self).store_for()
        self.reference = Reference(author=AUTHOR, max_depth=MAX_DEPTH)
        self.reference.now = START
        self.comparison = Comparison(self.store.eyes)
        self.contents = self.store.eyes.contents()
        self.restarted_at = 0

    def teardown(self) -> None:
        self.store.close()

    @initialize()
    def begin(self) -> None:
        self._apply(FIRST, {})

    # -- rules

    @rule(patches=written(careless=False), base=seen(stale=False))
    def apply(self, patches: Patches, base: dict[str, int]) -> None:
        self._apply(patches, base)

    @rule(patches=written(careless=False), base=seen(stale=True))
    def apply_late(self, patches: Patches, base: dict[str, int]) -> None:
        self._apply(patches, base)

    @rule(patches=written(careless=True), base=seen(stale=True))
    def apply_carelessly(self, patches: Patches, base: dict[str, int]) -> None:
        self._apply(patches, base)

    @rule(patches=written(careless=False), base=seen(stale=False), data=st.data())
    def apply_part(self, patches: Patches, base: dict[str, int], data: st.DataObject) -> None:
        self._apply(patches, base, data.draw(sets.selections(len(patches)), label="only"))

    @rule(
        patches=written(careless=False) | written(careless=True),
        base=seen(stale=False) | seen(stale=True),
        supersedes=st.none() | stored_id("proposed"),
    )
    def propose(self, patches: Patches, base: dict[str, int], supersedes: str | None) -> None:
        self._tick()
        set_id = self.store.ids.new_patch_set_id()
        sent = PatchSet(id=set_id, patches=patches, base_revisions=base)
        self._stored(
            "propose",
            lambda _: self.reference.propose(set_id, patches, base, supersedes),
            lambda: patch_sets.propose_patch_set(self.store.context(), sent, supersedes=supersedes).id,
        )

    @precondition(lambda self: self.has_sets("proposed"))
    @rule(set_id=stored_id("proposed"), data=st.data())
    def apply_proposal(self, set_id: str, data: st.DataObject) -> None:
        stored = self.reference.sets.get(set_id)
        only = data.draw(sets.selections(len(stored.patches)), label="only") if stored else None
        self._tick()

        def reference(_: str) -> tuple[Set, bool]:
            if stored is None:
                raise Refused("NOT_FOUND")
            return self.reference.apply(set_id, stored.patches, stored.base, only)

        def product(*, dry_run: bool = False) -> ApplyResponse:
            return patch_sets.apply_proposal(self.store.context(), set_id, only=only, dry_run=dry_run)

        preview = self._outcome(lambda: product(dry_run=True))
        self._unchanged()
        self._applied("apply_proposal", reference, product, preview)

    @precondition(lambda self: self.has_sets("proposed", "rejected", "superseded"))
    @rule(set_id=stored_id("proposed"))
    def reject(self, set_id: str) -> None:
        self._tick()
        self._stored(
            "reject",
            lambda _: self.reference.reject(set_id),
            lambda: patch_sets.reject_patch_set(self.store.context(), set_id, reason="no").id,
        )

    @precondition(lambda self: self.has_sets("proposed", "rejected", "superseded"))
    @rule(set_id=stored_id("proposed", "rejected", "superseded"))
    def rebase(self, set_id: str) -> None:
        self._tick()
        self._stored(
            "rebase",
            lambda new_id: self.reference.rebase(set_id, new_id),
            lambda: patch_sets.rebase_patch_set(self.store.context(), set_id).id,
        )

    @precondition(lambda self: self.has_sets("proposed"))
    @rule(set_id=stored_id("proposed"))
    def look_at_proposal(self, set_id: str) -> None:
        """A stored proposal is shown with its preview on today's state, conflicts included."""
        stored = self.reference.sets.get(set_id)
        found = self._outcome(lambda: patch_sets.get_patch_set(self.store.context(), set_id))
        self._same("answering code", _code(found), None if stored else "NOT_FOUND")
        if stored is not None and not isinstance(found, DomainError):
            self._same("state", found.proposal.state.value, stored.state)
            if found.preview is not None:
                self._same_findings(found.preview, self.reference.validate(stored.patches, stored.base))
        self._unchanged()
        counts["look_at_proposal"] += 1

    @rule(set_id=stored_id("proposed", "applied"), patches=written(careless=False), data=st.data())
    def send_again(self, set_id: str, patches: Patches, data: st.DataObject) -> None:
        """The id of a stored set once more, with its patches or with others."""
        stored = self.reference.sets.get(set_id)
        own = stored is not None and not stored.reverts and not stored.is_claim  # the others have patches of the product's own
        if stored is not None and own and not data.draw(st.booleans(), label="other patches"):
            patches = stored.patches
        only = None if stored is None or data.draw(st.booleans(), label="all of it") else stored.only
        self._tick()
        self._applied(
            "send_again",
            lambda _: self.reference.apply(set_id, patches, {}, only),
            lambda: patch_sets.apply_patch_set(self.store.context(), PatchSet(id=set_id, patches=patches), only=only),
        )

    @precondition(lambda self: len(self.reference.applied) > 1)
    @rule(set_id=stored_id("applied"))
    def revert(self, set_id: str) -> None:
        self._revert(
            "revert",
            lambda new_id: self.reference.revert(set_id, new_id),
            lambda dry_run: reverting.revert_patch_set(self.store.context(), set_id, dry_run=dry_run),
        )

    @precondition(lambda self: len(self.reference.applied) > 1)
    @rule(project=PROJECTS, steps=st.integers(0, 9))
    def revert_to(self, project: str, steps: int) -> None:
        found = self.reference.state.projects.get(project)
        revision = found["revision"] - steps if found else 1
        done = self._revert(
            "revert_to",
            lambda new_id: self.reference.revert_to(project, revision, new_id),
            lambda dry_run: reverting.revert_to_revision(self.store.context(), project, revision, dry_run=dry_run),
        )
        if done:
            self._came_back(project, revision)

    @rule(task=st.none() | task_key(), project=PROJECTS | st.none(), agent=st.sampled_from(["ann", "bob"]))
    def claim(self, task: str | None, project: str | None, agent: str) -> None:
        self._tick()
        if task is None:
            self._claim_best(project, agent)
            return

        def product() -> ApplyResponse:
            claimed = claiming.claim_task(self.store.context(), task=task, agent=agent)
            assert claimed is not None
            return claimed.effect

        self._applied("claim", lambda new_id: (self.reference.claim(task, agent, 60, new_id), False), product)

    @rule(minutes=st.sampled_from([10, 70]))
    def wait(self, minutes: int) -> None:
        self._tick(minutes)

    @precondition(lambda self: self.restarted_at < len(self.reference.applied) - 2)
    @rule()
    def restart(self) -> None:
        self.store.restart()
        self.restarted_at = len(self.reference.applied)
        counts["restart"] += 1
        self._unchanged()

    @precondition(lambda self: len(self.reference.applied) > 1)
    @rule(project=PROJECTS, steps=st.integers(0, 12))
    def look_back(self, project: str, steps: int) -> None:
        """The project as of an earlier revision, stored values and derived ones."""
        found = self.reference.state.projects.get(project)
        revision = found["revision"] - steps if found else 1
        ctx = self.store.context()
        answer = self._outcome(lambda: ctx.read(lambda tx: history.past_project(tx, project, revision, today=ctx.today)))
        counts[f"look_back: {_code(answer) or 'done'}"] += 1
        if found is None or not 1 <= revision <= found["revision"]:
            self._same("answering code", _code(answer), "VALIDATION_ERROR" if found else "NOT_FOUND")
        elif not is_live(self.reference.at[project][revision].projects[project]):
            self._same("answering code", _code(answer), "DELETED_RESOURCE")
        else:
            assert not isinstance(answer, DomainError), answer
            past = self.reference.at[project][revision]
            self._report(shown_differences(answer[1], past, project, ctx.today.isoformat()))
            names = [*sets.VALUES, "completed_at", "claimed_by", "revision", "updated_at"]
            shown = [{name: _plain(getattr(task, name)) for name in names} for task in answer[1]]
            self._same("past", shown, [{name: _plain(task[name]) for name in names} for task in outline(past, project)])

    # -- one call on both

    def has_sets(self, *states: str) -> bool:
        return any(one.state in states for one in self.reference.sets.values())

    def _apply(self, patches: Patches, base: dict[str, int], only: Sequence[int] | None = None) -> None:
        self._tick()
        set_id = self.store.ids.new_patch_set_id()
        sent = PatchSet(id=set_id, patches=patches, base_revisions=base)
        preview = patch_sets.validate_patch_set(self.store.context(), sent, only=only)
        self._same_findings(preview, self.reference.validate(patches, base, only))
        self._unchanged()
        self._applied(
            "apply",
            lambda _: self.reference.apply(set_id, patches, base, only),
            lambda: patch_sets.apply_patch_set(self.store.context(), sent, only=only),
            preview,
        )

    def _revert(self, name: str, reference: Callable[[str], Set], product: Callable[[bool], ApplyResponse]) -> bool:
        """Return whether it was done."""
        self._tick()
        preview = self._outcome(lambda: product(True))
        self._unchanged()
        state = self.reference.state
        self._applied(name, lambda new_id: (reference(new_id), False), lambda: product(False), preview)
        return self.reference.state is not state

    def _claim_best(self, project: str | None, agent: str) -> None:
        """The reference does not rank: what is given must be free, and of the highest priority there is."""
        free, refusal = None, None
        try:
            free = self.reference.candidates(project)
        except Refused as error:
            refusal = error.code
        answer = self._outcome(lambda: claiming.claim_task(self.store.context(), project=project, agent=agent))
        self._same("answering code", _code(answer), refusal)
        self._same("something was free", answer is not None and refusal is None, bool(free))
        if not free or answer is None or isinstance(answer, DomainError):
            self._unchanged()
            return
        order = ["critical", "high", "medium", "low", "backlog"]
        best = min(order.index(task["priority"]) for task in free)
        key = answer.item.key if answer.item else ""
        assert key in [task["key"] for task in free if order.index(task["priority"]) == best], f"claimed {key} of {free}"
        self.reference.claim(key, agent, 60, answer.effect.patch_set_id or "")
        counts["claim_best"] += 1
        self._compare()

    def _applied(
        self,
        name: str,
        reference: Callable[[str], tuple[Set, bool]],
        product: Callable[[], ApplyResponse],
        preview: Any = None,
    ) -> None:
        """Run a call that applies a set, or refuses to, on both; compare answer and effect."""
        answer = self._outcome(product)
        made = refused = None
        try:
            new_id = "" if isinstance(answer, DomainError) else answer.patch_set_id
            made = reference(new_id or "")
        except Refused as error:
            refused = error
        self._same("answering code", _code(answer), refused and refused.code)
        if refused is not None or made is None or isinstance(answer, DomainError):
            counts[f"{name}: {refused and refused.code}"] += 1
            if refused and refused.outcome and isinstance(answer, DomainError):
                self._same_found(answer.details, refused.outcome, indexed=not name.startswith("revert"))
            if isinstance(preview, DomainError):
                self._same("code of the preview", preview.code, refused and refused.code)
            self._unchanged()
            return
        applied, replayed = made
        self._same("replayed", answer.replayed, replayed)
        self._same("refs", {ref: target.key for ref, target in answer.refs.items()}, applied.refs)
        self._same("revisions", answer.revisions, applied.revisions)
        self._report(change_differences(answer.changes, applied, applied.applied_at or self.reference.now))
        if isinstance(preview, PlanEffect) and not replayed:
            self._same("effect of preview and apply", _effect(preview), _effect(answer))
        counts[f"{name}: {'replayed' if replayed else 'done'}"] += 1
        if replayed:
            self._unchanged()
        else:
            applied.applied_at = self.reference.now
            for patch in applied.patches:
                counts[f"done {patch['op']}"] += 1
            self._compare()

    def _stored(self, name: str, reference: Callable[[str], Set], product: Callable[[], str]) -> None:
        """Run a call that stores or closes a proposal on both."""
        before = self.reference.state
        answer = self._outcome(product)
        refused = None
        try:
            new_id = "" if isinstance(answer, DomainError) else answer
            reference(new_id)
        except Refused as error:
            refused = error
        self._same("answering code", _code(answer), refused and refused.code)
        counts[f"{name}: {refused.code if refused else 'done'}"] += 1
        if refused is not None:
            if refused.outcome and isinstance(answer, DomainError):
                self._same_found(answer.details, refused.outcome, indexed=True)
            self._unchanged()
        else:
            assert self.reference.state is before
            old = {table: rows for table, rows in self.contents.items() if table in ("projects", "tasks", "dependencies", "comments")}
            self._compare()
            for table, rows in old.items():
                self._same(f"table {table} after {name}", self.contents[table], rows)

    def _outcome(self, call: Callable[[], T]) -> T | DomainError:
        try:
            return call()
        except DomainError as error:
            return error

    def _tick(self, minutes: int = 1) -> None:
        self.store.pass_time(minutes)
        self.reference.now = self.store.clock.instant

    # -- comparing

    def _same_findings(self, preview: ValidationResponse, expected: Outcome) -> None:
        issues = [issue for issue in preview.issues if issue.severity is Severity.ERROR]
        conflicts = {(conflict.patch_index, conflict.key, conflict.field) for conflict in preview.conflicts}
        self._same("valid", preview.valid, expected.code is None)
        self._same_issues({(issue.patch_index, issue.code.value) for issue in issues}, expected.errors, expected.broken)
        self._same("conflicts", conflicts, expected.conflicts)
        if expected.code is None:
            warnings = {(issue.patch_index, issue.code.value) for issue in preview.issues}
            self._same("warnings", warnings, expected.warnings)

    def _same_found(self, details: Iterable[Issue], expected: Outcome, *, indexed: bool) -> None:
        """Compare what a refusal lists; the patches of a revert are the product's own, so their indexes are too."""

        def at(index: int | None) -> int | None:
            return index if indexed else None

        details = list(details)
        issues = {(at(issue.patch_index), issue.code.value) for issue in details if issue.conflict is None}
        self._same_issues(issues, {(at(index), code) for index, code in expected.errors}, expected.broken)
        conflicts = {(at(one.patch_index), one.key, one.field) for one in (issue.conflict for issue in details) if one}
        self._same("conflicts", conflicts, {(at(index), key, name) for index, key, name in expected.conflicts})

    def _same_issues(self, found: set[Any], expected: set[Any], broken: set[str]) -> None:
        """Every issue is known by patch and code; of rules about the result only the code is."""
        self._same("issues that are missing", expected - found, set())
        extra = {issue for issue in found - expected if issue[1] not in broken}
        self._same("issues that should not be", extra, set())
        self._same("broken rules that are missing", broken - {code for _, code in found}, set())

    def _compare(self) -> None:
        """Compare everything, stored and shown."""
        self.contents = self.store.eyes.contents()
        self._report(self.comparison.differences(self.contents, self.reference))
        ctx = self.store.context()
        state = self.reference.state
        for key, project in state.projects.items():
            if is_live(project):
                shown, _ = ctx.read(lambda tx, key=key: tx.outline(tx.find_project(key).id, today=ctx.today))
                self._report(shown_differences(shown, state, key, ctx.today.isoformat()))

    def _unchanged(self) -> None:
        """Hold that not one row has been written."""
        contents = self.store.eyes.contents()
        if contents != self.contents:
            changed = [table for table in contents if contents[table] != self.contents[table]]
            raise AssertionError(f"tables were written: {changed}")

    def _came_back(self, project: str, revision: int) -> None:
        """P8: all but revisions, times, numbers and comments is as it was."""
        then, now = self.reference.at[project][revision], self.reference.state
        self._same("what came back", _live_values(now, project), _live_values(then, project))

    def _same(self, what: str, found: Any, expected: Any) -> None:
        if found != expected:
            raise AssertionError(f"{what}: the product has {found!r}, the reference {expected!r}")

    def _report(self, differences: list[str]) -> None:
        if differences:
            raise AssertionError("the product differs from the reference:\n" + "\n".join(differences[:20]))


def _code(answer: object) -> str | None:
    return answer.code.value if isinstance(answer, DomainError) else None


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _effect(effect: PlanEffect) -> Any:
    return [_without_identity(change) for change in effect.changes], effect.totals, {name: ref.key for name, ref in effect.refs.items()}


def _without_identity(change: Change) -> Any:
    return change.kind, change.key, change.title, change.action, change.fields, change.patch_indexes, change.cascaded


def _live_values(state: State, project: str) -> Any:
    left_out = {"revision", "updated_at", "position", "deleted_at", "next_number"}
    found = state.projects[project]
    if not is_live(found):
        return None
    tasks = [{name: value for name, value in task.items() if name not in left_out} for task in outline(state, project)]
    keys = {task["key"] for task in tasks}
    edges = {edge for edge in state.edges if set(edge) <= keys}
    return {name: value for name, value in found.items() if name not in left_out}, tasks, edges
