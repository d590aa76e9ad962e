"""Random patch sets, proposals, claims, reverts, looks back and restarts, on the product and on the reference side by side.

After every step both have the same state and have answered alike; a set that is refused, or only tried, leaves every row
of the database as it was.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import event, note, reject
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from core.clock import FixedClock
from core.services import claiming, patch_sets, projects, reverting
from schemas.changes import ApplyResponse
from schemas.patches import PatchSet
from tests.model.comparing import Comparison, compare_shown
from tests.model.order import GapExhausted
from tests.model.reference import Reference, Verdict, live
from tests.model.subject import MAX_DEPTH, Answer, Subject
from tests.model.writing import Writer

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_seeds = st.integers(0, 2**32)
_randoms = _seeds.map(Random)
_sets = st.lists(_seeds, min_size=1, max_size=4)  # a patch of each
_first_tasks = [("$a", None), ("$b", "$a"), ("$c", "$b"), ("$d", "$a"), ("$e", None), ("$f", "$e"), ("$g", None), ("$h", "$g")]


class Model(RuleBasedStateMachine):
    """One workspace; a subclass says on which database."""

    def database(self) -> tuple[str, str]:
        """Return URL and workspace of an empty database."""
        raise NotImplementedError

    def count(self) -> None:
        """One more step has been compared."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FixedClock(START)
        self.url, workspace = self.database()
        self.subject = Subject(self.url, workspace, self.clock)
        self.reference = Reference(MAX_DEPTH, "local")
        self.comparison = Comparison(self.subject)
        self.rows = self.subject.rows()
        self.made = 0
        self.sent: list[str] = []  # sets of our own, not the product's reverts
        self.proposals: list[str] = []

    def teardown(self) -> None:
        self.subject.close()

    # -- rules

    @initialize()
    def begin(self) -> None:
        """Start with a tree of eight tasks in one project, and two tasks in another."""
        patches: list[Any] = [
            {"op": "create_project", "key": "WEB", "ref": "$web", "fields": {"name": "Web"}},
            {"op": "create_project", "key": "APP", "fields": {"name": "App"}},
        ]
        for ref, parent in _first_tasks:
            place = {"parent": parent} if parent else {"project": "$web"}
            patches.append({"op": "create_task", "ref": ref, "fields": {"title": ref}} | place)
        patches += [{"op": "create_task", "project": "APP", "fields": {"title": title}} for title in ("x", "y")]
        patches.append({"op": "add_dependency", "task": "$e", "depends_on": "$b"})
        self.deliver(self.new_id(), patches, {}, None, tried=False)

    def has_past(self) -> bool:
        return len(self.reference.history) > 1

    def apply_a_set(self, seeds: list[int], random: Random) -> None:
        writer = Writer(self.reference)
        patches, given = writer.write(seeds), writer.bases(random)
        only = _part(random, patches) if _seldom(random) else None
        self.deliver(self.new_id(), patches, given, only, tried=_seldom(random))

    # As often as all other rules together: they need something to work on.
    apply = rule(seeds=_sets, random=_randoms)(apply_a_set)
    apply_too = rule(seeds=_sets, random=_randoms)(apply_a_set)
    apply_again = rule(seeds=_sets, random=_randoms)(apply_a_set)
    apply_once_more = rule(seeds=_sets, random=_randoms)(apply_a_set)

    @precondition(has_past)
    @rule(random=_randoms)
    def deliver_again(self, random: Random) -> None:
        """Send an earlier set as it was, with another patch, or another part of it."""
        known = [set_id for set_id in self.sent if set_id in self.reference.sets]
        set_id = random.choice(known if _seldom(random) else known[-4:])
        stored = self.reference.sets[set_id]
        other = [{"op": "add_comment", "task": "WEB-1", "body": "other"}] if _seldom(random) else []
        only = _part(random, stored.patches) if _seldom(random) else stored.only
        self.deliver(set_id, [*stored.patches, *other], stored.bases, only, tried=_seldom(random))

    @rule(seeds=_sets, random=_randoms)
    def propose(self, seeds: list[int], random: Random) -> None:
        writer, set_id = Writer(self.reference), self.new_id()
        patches, given = writer.write(seeds), writer.bases(random)
        note(f"{set_id} = {patches} on {given}")
        now = self.tick()
        answer = self.subject.call(patch_sets.propose_patch_set, PatchSet(id=set_id, patches=patches, base_revisions=given))
        verdict = self.judged(lambda: self.reference.propose(set_id, patches, given, now))
        self.check("propose", answer, verdict, stores=True)
        if verdict.code is None:
            self.proposals.append(set_id)

    def has_proposals(self) -> bool:
        return bool(self.proposals)

    @precondition(has_proposals)
    @rule(random=_randoms)
    def apply_a_proposal(self, random: Random) -> None:
        set_id = random.choice(self.proposals[-4:])
        patches = self.reference.sets[set_id].patches
        only = _part(random, patches) if random.randrange(3) == 0 else None
        tried, now = _seldom(random), self.tick()
        answer = self.subject.call(patch_sets.apply_proposal, set_id, only=only, dry_run=tried)
        verdict = self.judged(lambda: self.reference.apply(set_id, patches, {}, now, only, tried=tried))
        self.check(f"accept {set_id} only {only}", answer, verdict, stores=not tried)

    @precondition(has_proposals)
    @rule(random=_randoms)
    def reject_a_proposal(self, random: Random) -> None:
        set_id = random.choice(self.proposals[-4:])
        was_open = self.reference.sets[set_id].status == "proposed"
        answer = self.subject.call(patch_sets.reject_patch_set, set_id)
        self.check(f"reject {set_id}", answer, self.reference.reject(set_id), stores=was_open)

    @precondition(has_proposals)
    @rule(random=_randoms)
    def rebase_a_proposal(self, random: Random) -> None:
        set_id = random.choice(self.proposals[-4:])
        now = self.tick()
        answer = self.subject.call(patch_sets.rebase_patch_set, set_id)
        new_id = answer.value.id if answer.code is None else ""
        verdict = self.judged(lambda: self.reference.rebase(set_id, new_id, now))
        self.check(f"rebase {set_id}", answer, verdict, stores=True)
        if verdict.code is None:
            self.proposals.append(new_id)

    def revert_a_set(self, random: Random) -> None:
        history = self.reference.history
        set_id = random.choice(history if _seldom(random) else history[-3:])
        tried, now = _seldom(random), self.tick()
        answer = self.subject.call(reverting.revert_patch_set, set_id, dry_run=tried)
        new_id = None if tried or answer.code is not None else answer.value.patch_set_id
        verdict = self.judged(lambda: self.reference.revert(set_id, new_id, now))
        self.check(f"revert {set_id}", answer, verdict, stores=not tried)

    revert = precondition(has_past)(rule(random=_randoms)(revert_a_set))
    revert_too = precondition(has_past)(rule(random=_randoms)(revert_a_set))

    @precondition(has_past)
    @rule(random=_randoms)
    def go_back(self, random: Random) -> None:
        project = random.choice(["WEB", *self.reference.state.projects])
        current = self.reference.state.projects[project]["revision"]
        revision = max(0 if _seldom(random) else 1, current - random.randint(0 if _seldom(random) else 1, 6))
        now = self.tick()
        answer = self.subject.call(reverting.revert_to_revision, project, revision)
        new_id = answer.value.patch_set_id if answer.code is None else None
        verdict = self.judged(lambda: self.reference.go_back(project, revision, new_id, now))
        self.check(f"take {project} back to {revision}", answer, verdict, stores=True)
        if verdict.code is None:
            assert live(self.reference.state, project) == live(self.reference.past[project, revision], project)

    @rule(random=_randoms)
    def claim(self, random: Random) -> None:
        """Claim a task for a while that may be over at the next step."""
        tasks = self.reference.state.tasks
        claimed = [key for key, task in tasks.items() if task["claimed_by"]]
        key = random.choice(claimed if claimed and random.randrange(2) else [*tasks])
        agent, minutes = random.choice("ab"), random.choice((1, 3))
        now = self.tick()
        answer = self.subject.call(claiming.claim_task, task=key, agent=agent, lease_minutes=minutes)
        effect = answer.value.effect if answer.code is None else None
        new_id = effect.patch_set_id if effect else None
        verdict = self.judged(lambda: self.reference.claim(key, agent, now + timedelta(minutes=minutes), now, new_id))
        self.check(f"claim {key} for {agent}", replace(answer, value=effect), verdict, stores=True)

    @rule(random=_randoms)
    def look_back(self, random: Random) -> None:
        """Read projects as they were at revisions."""
        known = [*self.reference.past.items()]
        for (project, revision), past in random.sample(known, min(4, len(known))):
            self.count()
            answer = self.subject.call(projects.export_project, project, revision=revision)
            if past.is_gone(project):
                assert answer.code == "DELETED_RESOURCE"
            else:
                assert answer.code is None
                compare_shown(answer.value, past, project, self.subject.context.today)

    @precondition(has_past)
    @rule()
    def restart(self) -> None:
        self.subject.restart()
        self.count()
        assert self.subject.rows() == self.rows
        self.show(self.reference.state.projects)

    # -- steps

    def new_id(self) -> str:
        self.made += 1
        set_id = f"ps_{self.made:016d}"
        self.sent.append(set_id)
        return set_id

    def tick(self) -> datetime:
        self.clock.instant += timedelta(minutes=1)
        return self.clock.instant

    def deliver(self, set_id: str, patches: list[Any], given: dict[str, int], only: list[int] | None, *, tried: bool) -> None:
        note(f"{set_id} = {patches} on {given} only {only}")
        now = self.tick()
        sent = PatchSet(id=set_id, patches=patches, base_revisions=given)
        answer = self.subject.call(patch_sets.apply_patch_set, sent, only=only, dry_run=tried)
        verdict = self.judged(lambda: self.reference.apply(set_id, patches, given, now, only, tried=tried))
        self.check("try" if tried else "apply", answer, verdict, stores=not tried)

    def judged(self, judge: Callable[[], Verdict]) -> Verdict:
        """Return the reference's verdict, or leave the example where it does not know the new numbers of siblings."""
        try:
            return judge()
        except GapExhausted:
            event("a gap between siblings is exhausted")
            reject()

    def check(self, what: str, answer: Answer, verdict: Verdict, *, stores: bool) -> None:
        """Hold answer, rows and reads equal to the verdict; `stores`: unless refused, the call leaves something behind."""
        note(f"{what}: {answer.code} {answer.issues or answer.conflicts or ''}")
        self.count()
        assert answer.code == verdict.code, (verdict.issues, verdict.conflicts)
        if verdict.issues:
            assert answer.issues == verdict.issues, verdict.issues
        if verdict.conflicts and what.startswith("revert"):  # the order of an inverse is the product's own
            assert {found[1:] for found in answer.conflicts} == {found[1:] for found in verdict.conflicts}, verdict.conflicts
        elif verdict.conflicts:
            assert answer.conflicts == verdict.conflicts, verdict.conflicts
        event(f"{what.split(maxsplit=1)[0]}: {answer.code or 'done'}")
        rows = self.subject.rows()
        if verdict.code is not None or not stores or verdict.replayed:
            assert rows == self.rows
        else:
            self.rows = rows
        state = self.reference.state
        self.comparison.look(rows, state)
        self.reference.ids = self.comparison.keys
        if isinstance(answer.value, ApplyResponse):
            assert answer.value.replayed is verdict.replayed
            assert answer.value.revisions == verdict.revisions
            assert {ref: target.key for ref, target in answer.value.refs.items()} == verdict.refs
            self.show(answer.value.revisions)

    def show(self, keys: Iterable[str]) -> None:
        """Compare what the product shows of some projects."""
        state, ctx = self.reference.state, self.subject.context
        for key in keys:
            if not state.is_gone(key):
                compare_shown(projects.export_project(ctx, key), state, key, ctx.today)


def _seldom(random: Random) -> bool:
    return random.randrange(6) == 0


def _part(random: Random, patches: list[Any]) -> list[int]:
    """Return indexes of patches, at times one too high."""
    last = len(patches) - (random.randrange(30) > 0)
    return [random.randint(0, last) for _ in range(random.randint(1, 3))]
