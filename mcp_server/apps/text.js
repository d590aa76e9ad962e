// Elements and text. Whatever a user or a model wrote becomes a text node, with all that could deceive a reader made visible.
"use strict";

const DECEPTIVE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]/gu;
const LONGEST = 700; // characters of one value
const MOST_ITEMS = 20; // of one list
const FIELDS = { estimated_minutes: "estimate", actual_minutes: "spent", depends_on: "waits for", acceptance_criteria: "criteria" };

const plain = (text) => text.replace(DECEPTIVE, (sign) => `\\u{${sign.codePointAt(0).toString(16)}}`);
const cut = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST)}… (+${text.length - LONGEST} characters)` : text);
const count = (number, noun, nouns = `${noun}s`) => `${number.toLocaleString()} ${number === 1 ? noun : nouns}`;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== ""));
  return element;
}

// Text that somebody wrote: isolated, so that its direction ends where it ends.
const written = (text, attributes = {}) => make("bdi", attributes, cut(plain(String(text))));

function minutes(value) {
  const hours = Math.floor(value / 60);
  const rest = value % 60;
  return `${hours ? `${hours}h` : ""}${rest || !hours ? `${rest}m` : ""}`;
}

function shown(name, value) {
  if (value === null || value === undefined || value === "" || (typeof value === "object" && !Object.keys(value).length)) {
    return name === "parent" ? "top level" : "none";
  }
  if (name.endsWith("_minutes")) return minutes(value);
  if (Array.isArray(value)) return value.map((item) => (typeof item === "string" ? item : JSON.stringify(item))).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

// One field as `name: before → after`; of lists, what comes and what goes.
function fieldLine(name, { before, after }, created) {
  const line = make("li", { class: "field" }, make("span", { class: "name" }, FIELDS[name] || plain(name.replaceAll("_", " "))));
  const was = (text) => make("del", {}, make("span", { class: "unseen" }, "before: "), written(text));
  const becomes = (text) => make("ins", {}, make("span", { class: "unseen" }, "after: "), written(text));
  if (Array.isArray(before ?? []) && Array.isArray(after)) {
    const gone = (before ?? []).filter((item) => !after.includes(item));
    const come = after.filter((item) => !(before ?? []).includes(item));
    line.append(...someOf(name, gone, was), ...someOf(name, come, becomes));
    if (!gone.length && !come.length) line.append(becomes("another order"));
  } else {
    if (!created) line.append(was(shown(name, before)), make("span", { class: "arrow", "aria-hidden": "true" }, "→"));
    line.append(becomes(shown(name, after)));
  }
  return line;
}

function someOf(name, items, wrap) {
  const more = items.length - MOST_ITEMS;
  const rest = more > 0 ? [make("span", { class: "quiet" }, `and ${more.toLocaleString()} more`)] : [];
  return [...items.slice(0, MOST_ITEMS).map((item) => wrap(shown(name, item))), ...rest];
}

const TOTALS = {
  created: ["+", "created"], updated: ["~", "updated"], moved: ["↷", "moved"], deleted: ["−", "deleted"], restored: ["↺", "restored"],
  dependencies_added: ["+", "dependency added", "dependencies added"],
  dependencies_removed: ["−", "dependency removed", "dependencies removed"],
  comments_added: ["+", "comment", "comments"],
};
const SIGNS = { created: "+", updated: "~", moved: "↷", deleted: "−", restored: "↺" };

const totalItems = (totals = {}) =>
  Object.entries(totals).map(([name, number]) => {
    const [sign, one, many = one] = TOTALS[name];
    return make("li", { class: `total ${name}` }, make("b", {}, `${sign}${number.toLocaleString()}`), ` ${number === 1 ? one : many}`);
  });

function pathLine(key, change) {
  if (!change) return "";
  const { before, after } = change;
  const slip = after.minutes - before.minutes;
  if (!slip && before.tasks.join() === after.tasks.join()) return "";
  const line = make("p", { class: "path" }, make("span", { class: "name" }, `Critical path of ${key}`), ` ${minutes(before.minutes)} → ${minutes(after.minutes)} `);
  if (slip) line.append(make("span", { class: slip > 0 ? "later" : "sooner" }, `${slip > 0 ? "+" : "−"}${minutes(Math.abs(slip))}`));
  if (after.tasks.length) line.append(make("span", { class: "quiet chain" }, ` ${after.tasks.slice(0, 8).join(" > ")}${after.tasks_total > 8 ? " …" : ""}`));
  return line;
}
