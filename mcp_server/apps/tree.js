// The changes as a tree of rows, each with what can be chosen of it.
"use strict";

function drawChanges(whole) {
  const focused = document.activeElement?.dataset?.stop;
  const stop = focused || $("changes").querySelector("[data-stop][tabindex='0']")?.dataset.stop;
  const top = $("changes").scrollTop;
  const changes = whole.changes || [];
  $("diff").hidden = !changes.length && !whole.patches;
  $("diff-title").textContent = count(whole.changes_total ?? whole.patch_count, whole.changes ? "change" : "patch", whole.changes ? "changes" : "patches");
  $("changes").replaceChildren(...(whole.changes ? nested(changes.map(nowOf)) : (whole.patches || []).map(patchItem)));
  $("changes").classList.toggle("read", !deciding());
  $("changes").scrollTop = top;
  const hidden = (whole.changes_total ?? changes.length) - changes.length;
  $("more").hidden = hidden <= 0;
  $("more").textContent = `${count(hidden, "more change")} not shown here; they go with what is applied.`;
  const stops = [...$("changes").querySelectorAll("[data-stop]")];
  const current = stops.find((element) => element.dataset.stop === stop) || stops[0];
  if (current) current.tabIndex = 0;
  if (focused) current?.focus();
  $("keys").hidden = !stops.length;
}

// A row of the whole set as the chosen part makes it; keys and values of what is dropped stay as they were shown.
function nowOf(change) {
  const kept = change.patch_indexes.filter((index) => view.kept.has(index));
  if (!deciding() || kept.length === 0 || view.seen === view.whole) return { ...change, kept, first: change };
  const now = view.seen?.changes.find((other) =>
    other.kind === change.kind && (change.provisional
      ? other.provisional && other.patch_indexes.some((index) => kept.includes(index))
      : other.key === change.key && other.patch_indexes.some((index) => kept.includes(index))));
  return { ...change, ...now, patch_indexes: change.patch_indexes, kept, first: change };
}

// New tasks under their new parents, cascades under what they come or go with. Keys are those of the whole set: those of new
// items move up when one before them is dropped.
function nested(changes) {
  const items = new Map(); // key -> item of the list
  const roots = new Map(); // patch index -> the item that its cascades belong to
  for (const change of changes) {
    const item = changeItem(change);
    if (change.kind !== "comment") items.set(change.first.key, item);
    if (!change.cascaded) change.patch_indexes.forEach((index) => roots.set(index, roots.get(index) || item));
    change.item = item;
  }
  const top = [];
  for (const { item, cascaded, first, patch_indexes: indexes } of changes) {
    const parent = cascaded ? roots.get(indexes[0]) : first.action === "created" && items.get(first.fields.parent?.after);
    if (!parent || parent === item) top.push(item);
    else {
      if (!parent.below) parent.append((parent.below = make("ul", { class: "tree" })));
      parent.below.append(item);
    }
  }
  return top;
}

function changeItem(change) {
  const { kind, key, title, action, fields, cascaded, patch_indexes: indexes, kept, first } = change;
  const dropped = deciding() && kept.length === 0;
  const name = `change-${indexes.join("-")}-${kind}-${first.key}`;
  const item = make("li", { class: `${action}${dropped ? " dropped" : ""}` });
  const sign = make("span", { class: `sign ${action}`, "aria-hidden": "true" }, SIGNS[action]);
  const words = [make("span", { class: "unseen" }, `${dropped ? "dropped, " : ""}${action} `),
    kind === "task" ? "" : make("span", { class: "quiet" }, kind === "comment" ? "comment on " : `${kind} `),
    make("span", { class: "key" }, written(key)), make("span", { class: "item" }, written(title)),
    cascaded ? make("span", { class: "quiet" }, action === "deleted" ? " goes with it" : " comes with it") : ""];
  const decides = deciding() && !cascaded;
  const what = make("div", { class: "what" }, decides ? make("label", { for: name }, ...words) : make("span", {}, ...words));
  const lines = fieldLines(kind, action, fields);
  if (lines.length) what.append(make("ul", { class: "fields" }, ...lines));
  if (!dropped && clashes(indexes)) what.append(make("p", { class: "clash" }, "in conflict with the current plan"));
  const why = dropped && indexes.map((index) => view.because.get(index)).find(Boolean);
  if (why && !cascaded) what.append(make("p", { class: "because" }, "Went too: ", written(why)));
  const box = decides ? checkbox(name, indexes, kept) : make("span");
  item.append(make("div", { class: "row" }, box, sign, what, patchMarks(indexes, kept, decides, name)));
  return item;
}

const clashes = (indexes) => stale() && (view.seen?.conflicts || []).some(({ patch_index: index }) => indexes.includes(index));

function fieldLines(kind, action, fields) {
  const entries = Object.entries(fields).filter(([name]) => name !== "position" && name !== "deleted_at");
  if (kind === "comment") return fields.body ? [make("li", { class: "field" }, make("ins", {}, written(fields.body.after)))] : [];
  if (action === "created") return entries.filter(([name]) => !["title", "name", "parent"].includes(name)).map(([name, change]) => fieldLine(name, change, true));
  if (!entries.length && fields.position) return [make("li", { class: "field quiet" }, "another place in the order")];
  return entries.map(([name, change]) => fieldLine(name, change, false));
}

function checkbox(name, indexes, kept) {
  const box = make("input", { type: "checkbox", id: name, "data-stop": name, tabindex: "-1" });
  box.checked = kept.length > 0;
  box.indeterminate = kept.length > 0 && kept.length < indexes.length;
  box.addEventListener("change", () => act(() => choose(indexes, box.checked)));
  return box;
}

// Which patches make a change; where several do, each can be dropped by itself.
function patchMarks(indexes, kept, decides, name) {
  const marks = indexes.map((index) => {
    if (!decides || indexes.length === 1) return make("span", { class: "patch" }, `patch ${index}`);
    const mark = make("button", {
      type: "button", class: "patch", tabindex: "-1", "data-stop": `${name}-${index}`,
      "aria-pressed": String(kept.includes(index)),
    }, `patch ${index}`);
    mark.addEventListener("click", () => act(() => choose([index], !view.kept.has(index))));
    return mark;
  });
  return make("div", { class: "patches" }, ...marks);
}

// A patch of a set that was closed without effect: it was never played, so there is no before and after.
function patchItem(patch, index) {
  const { op, task, project, parent, fields = {}, depends_on: target, body } = patch;
  const told = Object.entries({ ...fields, ...(target ? { depends_on: target } : {}), ...(body ? { comment: body } : {}) });
  const what = make("div", { class: "what" }, `${plain(String(op)).replaceAll("_", " ")} `, make("span", { class: "key" }, written(task || parent || project || "")));
  if (told.length) what.append(make("ul", { class: "fields" }, ...told.map(([name, after]) => fieldLine(name, { after }, true))));
  return make("li", {}, make("div", { class: "row" }, make("span"), make("span"), what, patchMarks([index], [], false)));
}
