// The review card. The server decides everything: what a part of the set would do, which patches go with a dropped one,
// whether the proposal still holds. The card shows its answers, and sends what the user chose.
"use strict";

const MOST_ROWS = 1000;
const STATES = { proposed: "Proposed", applied: "Applied", rejected: "Rejected", superseded: "Superseded", stale: "Out of date" };
const $ = (id) => document.getElementById(id);

const view = {
  id: null, // of the patch set
  whole: null, // get_patch_set of the whole set, with all its pages
  seen: null, // the same of the chosen part: what is on screen, and what Apply applies
  kept: new Set(), // chosen patch indexes
  because: new Map(), // patch index -> why it went with a dropped one
  passes: false, // the host passes tool calls on
  acts: false, // and there is a stored set to call them for
  failure: null, // the error of the last call, and what to try again
};

class Refused extends Error {
  constructor(result) {
    const told = result.structuredContent || {};
    super(told.message || result.content?.find((block) => block.type === "text")?.text || "The server refused.");
    this.code = told.code;
    this.details = told.details || [];
  }
}

async function call(name, args) {
  const result = await host.request("tools/call", { name, arguments: args });
  if (result.isError) throw new Refused(result);
  return result.structuredContent;
}

const open = () => view.whole?.state === "proposed";
const deciding = () => open() && view.acts;
const stale = () => open() && view.whole.valid === false;
const everything = () => view.kept.size === view.whole.patch_count;
const inOrder = (indexes) => [...indexes].sort((a, b) => a - b);

// -- reading

async function read(args) {
  const all = await call("get_patch_set", { ...args, limit: 100 });
  for (let page = all; page.next_cursor && all.changes.length < MOST_ROWS; all.changes.push(...page.changes)) {
    page = await call("get_patch_set", { ...args, limit: 100, cursor: page.next_cursor });
  }
  return all;
}

async function load(id) {
  view.whole = view.seen = await read({ id });
  view.id = id;
  view.kept = new Set(Array(view.whole.patch_count).keys());
  view.because.clear();
}

// What the choice itself makes wrong: errors that the whole set has not.
function newErrors(seen) {
  const name = (issue) => `${issue.path} ${issue.code}`;
  const known = new Set((view.whole.issues || []).map(name));
  return (seen.issues || []).filter((issue) => issue.severity !== "warning" && "patch_index" in issue && !known.has(name(issue)));
}

// Ask the server what the chosen part would do; patches that cannot go without a dropped one go too, or bring it back.
async function choose(indexes, keep) {
  const kept = new Set(view.kept);
  const because = new Map(view.because);
  for (const index of indexes) {
    if (keep) kept.add(index);
    else kept.delete(index);
    because.delete(index);
  }
  const moved = new Set();
  let seen = null;
  for (let rounds = 0; kept.size && rounds < 100; rounds += 1) {
    seen = kept.size === view.whole.patch_count ? view.whole : await read({ id: view.id, only: inOrder(kept) });
    const errors = newErrors(seen);
    if (!errors.length) break;
    for (const issue of errors) {
      const wanted = keep ? /^select patch (\d+) as well$/.exec(issue.hint || "")?.[1] : undefined;
      const index = wanted === undefined ? issue.patch_index : Number(wanted);
      if (wanted === undefined) {
        kept.delete(index);
        because.set(index, issue.message);
      } else {
        kept.add(index);
        because.delete(index);
      }
      moved.add(index);
    }
  }
  Object.assign(view, { kept, because, seen: kept.size ? seen : null });
  const also = moved.size ? ` ${count(moved.size, "patch", "patches")} ${keep ? "came back" : "went"} with it.` : "";
  say(`${keep ? "Accepted" : "Dropped"}.${also} ${choiceText()}`);
}

const choiceText = () => `${view.kept.size.toLocaleString()} of ${count(view.whole.patch_count, "patch", "patches")} chosen.`;

// -- deciding

const essence = (seen) =>
  JSON.stringify(seen.changes, (name, value) => (name === "position" ? undefined : value));

async function apply() {
  if (!open()) return;
  const shownBefore = essence(view.seen);
  const only = everything() ? {} : { only: inOrder(view.kept) };
  const now = await read({ id: view.id, ...only });
  if (now.state !== "proposed" || now.valid === false || essence(now) !== shownBefore) {
    const dropped = [...Array(view.whole.patch_count).keys()].filter((index) => !view.kept.has(index));
    await load(view.id);
    if (open() && dropped.length) await choose(dropped, false);
    if (now.state !== "proposed") return say(`It is ${now.state} already.`);
    return say(stale() ? "The plan has changed: this proposal no longer fits. Nothing was applied." : "The plan has changed. This is what would happen now; look again, then apply.");
  }
  say("Applying. Your client may ask you to confirm.");
  const done = await call("apply_patch_set", { id: view.id, ...only });
  const revisions = Object.entries(done.revisions).map(([key, revision]) => `${key} is now at revision ${revision}`).join(", ");
  await load(view.id);
  say(`Applied. ${revisions}.`);
  tellModel(`The user applied ${view.id}${only.only ? ` in part (patches ${only.only.join(", ")})` : ""}. ${revisions}.`);
}

async function reject(reason) {
  if (!open()) return;
  await call("reject_patch_set", { id: view.id, ...(reason ? { reason } : {}) });
  await load(view.id);
  say("Rejected. The plan is unchanged.");
  tellModel(`The user rejected ${view.id}${reason ? `: ${reason}` : ""}. The plan is unchanged.`);
}

async function rebase() {
  if (!open()) return;
  const older = view.id;
  const renewed = await call("propose_patch_set", { rebase: older });
  await load(renewed.id);
  say("Rebased: this is what the same patches do to the current plan.");
  tellModel(`The user rebased ${older} on the current plan; the open proposal is now ${renewed.id}.`);
}

function tellModel(text) {
  host.request("ui/update-model-context", { content: [{ type: "text", text }] }).catch(() => {}); // a host need not offer it
}

// -- one thing after another

let queue = Promise.resolve();

function act(work, { focus } = {}) {
  queue = queue.then(async () => {
    $("card").setAttribute("aria-busy", "true");
    view.failure = null;
    try {
      await work();
    } catch (error) {
      view.failure = error instanceof Refused ? await afterRefusal(error) : { error, again: work };
    }
    if (view.failure) say(""); // the notice tells
    $("card").setAttribute("aria-busy", "false");
    render();
    const active = document.activeElement;
    if (focus && (active === document.body || !active.checkVisibility())) $(focus).focus();
  });
  return queue;
}

// What a refusal means, the server shows better: the set as it stands now. What is left is told in its words.
async function afterRefusal(refused) {
  if (view.id && ["CONCURRENT_UPDATE", "INVALID_PATCH", "PATCH_SET_CLOSED", "DELETED_RESOURCE"].includes(refused.code)) {
    try {
      await load(view.id);
    } catch (error) {
      return { error };
    }
    say(stale() || !open() ? "Nothing was done: the patch set is not what it was." : refused.message);
    if (stale() || !open()) return null;
  }
  return { error: refused };
}

const say = (text) => { $("status").textContent = plain(text); };

// -- drawing

function render() {
  const { whole, failure } = view;
  const state = stale() ? "stale" : whole?.state;
  $("notices").replaceChildren(...notices());
  if (!whole) {
    if (failure) mark("error", failure.error instanceof Refused ? "Refused" : "No answer");
    if (failure) $("summary").textContent = "There is nothing to review";
    return;
  }
  mark(state || "valid", STATES[state] || "Preview");
  $("summary").replaceChildren(written(whole.summary || "Changes to the plan"));
  $("meta").replaceChildren(...metaText(whole));
  $("rationale").hidden = !whole.rationale;
  $("rationale").replaceChildren(written(whole.rationale || ""));
  const effect = view.seen || { totals: {} };
  $("totals").replaceChildren(...totalItems(effect.totals));
  $("paths").replaceChildren(...Object.entries(effect.critical_paths || {}).map(([key, change]) => pathLine(key, change)));
  drawChanges(whole);
  $("decide").hidden = !deciding() || !$("refusal").hidden;
  if (!deciding()) $("refusal").hidden = true;
  $("rebase").hidden = !stale();
  $("apply").textContent = everything() ? "Apply" : `Apply ${view.kept.size.toLocaleString()} of ${whole.patch_count.toLocaleString()}`;
  $("apply").setAttribute("aria-disabled", String(!view.kept.size || view.seen?.valid === false));
  $("all").hidden = !deciding() || whole.patch_count < 2;
  $("all").textContent = view.kept.size ? "Drop all" : "Accept all";
}

function mark(state, text) {
  $("state").dataset.state = state;
  $("state").textContent = text;
}

function metaText(whole) {
  const told = [];
  const day = (instant) => new Date(instant).toLocaleString(view.locale, { dateStyle: "medium", timeStyle: "short", timeZone: view.timeZone });
  if (whole.author) told.push("by ", written(whole.author), `, ${day(whole.created_at)}`);
  const bases = Object.entries(whole.revisions || whole.base_revisions || {}).map(([key, revision]) => `${key} revision ${revision}`);
  if (bases.length) told.push(`${told.length ? " · " : ""}${whole.revisions ? "made" : "on"} ${bases.join(", ")}`);
  if (whole.closed_at) told.push(` · ${whole.state} by `, written(whole.closed_by || ""), `, ${day(whole.closed_at)}`);
  return told;
}

function notice(kind, title, ...children) {
  return make("div", { class: `notice ${kind}`, role: kind === "error failure" ? "alert" : undefined }, make("h2", {}, title), ...children);
}

function notices() {
  const told = [];
  const { whole, seen, failure } = view;
  const effect = seen || whole || {};
  const lines = (issues) => make("ul", {}, ...issues.map((issue) => make("li", {}, issueText(issue))));
  if (failure?.error instanceof Refused) {
    const { error } = failure;
    const title = error.details.some(({ message }) => message === error.message) ? "The server refused" : written(error.message);
    told.push(notice("error failure", title, error.details.length ? lines(error.details.slice(0, 20)) : undefined));
  } else if (failure) {
    const again = make("button", { type: "button" }, "Try again");
    again.addEventListener("click", () => act(failure.again, { focus: "summary" }));
    told.push(notice("error failure", "The call did not get through", make("p", {}, written(failure.error.message)), failure.again ? again : undefined));
  }
  if (stale() && effect.conflicts?.length) told.push(conflictNotice(effect));
  const errors = (effect.issues || []).filter((issue) => issue.severity !== "warning");
  const warnings = [...(effect.issues || []).filter((issue) => issue.severity === "warning"), ...(effect.warnings || [])];
  if (open() && errors.length) told.push(notice("error", "It cannot be applied as it stands", lines(errors)));
  if (warnings.length) told.push(notice("warning", count(warnings.length, "warning"), lines(warnings)));
  if (whole?.state === "rejected" && whole.reason) told.push(notice("note", "Reason", make("p", {}, written(whole.reason))));
  if (whole?.state === "superseded") told.push(notice("note", "A newer proposal has taken the place of this one"));
  if (whole?.applied_indexes) told.push(notice("note", `Only ${count(whole.applied_indexes.length, "patch", "patches")} of ${whole.patch_count.toLocaleString()} applied`));
  if (whole && !view.acts) told.push(notice("note", whole.id ? "Here it can only be read: decide in the chat" : "Only a preview: nothing is stored"));
  return told;
}

const issueText = ({ patch_index: index, message, hint }) =>
  written(`${index === undefined ? "" : `patch ${index}: `}${message}${hint ? ` (${hint})` : ""}`);

function conflictNotice({ conflicts, conflicts_total: total = conflicts.length }) {
  const items = conflicts.map(({ patch_index: index, key, field, base, current, proposed }) =>
    make("li", {}, make("b", {}, written(key)), " ", written(field.replaceAll("_", " ")), " ", make("span", { class: "quiet" }, `patch ${index}`),
      make("dl", {}, ...[["was", base], ["is now", current], ["proposed", proposed]].flatMap(([name, value]) =>
        [make("dt", {}, name), make("dd", {}, written(shown(field, value)))]))));
  return notice("error conflict", `${count(total, "conflict")} with the current plan`, make("ul", {}, ...items),
    make("p", { class: "quiet" }, "Drop the patches in conflict, or rebase to let the proposed values win."));
}

// -- what the user does

function moveFocus(event) {
  const stops = [...$("changes").querySelectorAll("[data-stop]")];
  const at = stops.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: stops.length - 1 }[event.key];
  if (at < 0 || to === undefined || !stops[to]) return;
  event.preventDefault();
  stops[at].tabIndex = -1;
  stops[to].tabIndex = 0;
  stops[to].focus();
}

function askReason(asks) {
  $("refusal").hidden = !asks;
  $("decide").hidden = asks;
  $(asks ? "reason" : "reject").focus();
}

function refuse() {
  $("refusal").hidden = true;
  act(() => reject($("reason").value.trim()), { focus: "summary" });
}

$("changes").addEventListener("keydown", moveFocus);
$("all").addEventListener("click", () => act(() => choose(Array(view.whole.patch_count).keys(), !view.kept.size)));
$("apply").addEventListener("click", () => { if ($("apply").getAttribute("aria-disabled") !== "true") act(apply, { focus: "summary" }); });
$("rebase").addEventListener("click", () => act(rebase, { focus: "summary" }));
$("reject").addEventListener("click", () => askReason(true));
$("keep").addEventListener("click", () => askReason(false));
$("refuse").addEventListener("click", refuse);
$("refusal").addEventListener("keydown", (event) => { // not a form: frames of apps may not submit any
  if (event.key === "Escape") askReason(false);
  if (event.key === "Enter" && event.target === $("reason")) refuse();
});

// -- what the host tells

function follow(context = {}) {
  const root = document.documentElement;
  if (context.theme) root.style.colorScheme = context.theme;
  for (const [name, value] of Object.entries(context.styles?.variables || {})) {
    if (name.startsWith("--") && value) root.style.setProperty(name, value);
  }
  const { locale = view.locale, timeZone = view.timeZone } = context;
  if (isKnown(locale, timeZone)) Object.assign(view, { locale, timeZone });
  const insets = context.safeAreaInsets;
  if (insets) document.body.style.padding = `${insets.top}px ${insets.right}px ${insets.bottom}px ${insets.left}px`;
  if (view.whole) render();
}

function isKnown(locale, timeZone) {
  try {
    return Boolean(new Intl.DateTimeFormat(locale, { timeZone }));
  } catch {
    return false; // the reader's own, then
  }
}

function receive(result) {
  act(async () => {
    say("");
    $("answer").hidden = true;
    if (result.isError) throw new Refused(result);
    const told = result.structuredContent;
    if (!told) return showText(result.content);
    view.acts = Boolean(told.id) && view.passes;
    if (view.acts) return load(told.id);
    view.whole = view.seen = { patch_count: 0, ...told };
    view.kept = new Set();
  });
}

// A host that leaves the structure out: the text says the same.
function showText(content = []) {
  const text = content.filter((block) => block.type === "text").map((block) => plain(block.text)).join("\n");
  $("summary").textContent = "The answer in words";
  mark("valid", "Text");
  $("answer").textContent = text;
  $("answer").hidden = false;
}

host.on["ui/notifications/tool-result"] = receive;
host.on["ui/notifications/host-context-changed"] = follow;
host.on["ui/notifications/tool-cancelled"] = ({ reason }) => {
  mark("error", "Cancelled");
  $("summary").textContent = "The call was cancelled";
  say(reason || "");
};
host.connect().then((answer) => {
  view.passes = Boolean(answer.hostCapabilities?.serverTools);
  follow(answer.hostContext);
});
