// Sheets about people: one account, whom to share with, and who looks.

import { face } from "./cover.js";
import { make } from "./elements.js";
import { sheet } from "./sheet.js";
import { person, title } from "./words.js";

const ID = "[A-Za-z0-9_\\-]{1,64}";
const KNOWN = 12; // people offered to share with

const STANCES = {
  follow: ["Follow", "Unfollow", "followed", "What they do reaches you."],
  mute: ["Mute", "Unmute", "muted", "What they do no longer reaches you. They are not told."],
  block: ["Block", "Unblock", "blocked", "Nothing either of you does reaches the other. They are not told."],
};

/** Open the sheet of an account. */
export function meet(who, desk) {
  const rows =
    who === desk.user
      ? [make("p", {}, "This is you.")]
      : Object.keys(STANCES).map((kind) => stance(kind, who, desk.deeds));
  sheet(person(who), make("p", { class: "portrait" }, face(who), make("code", {}, who)), ...rows);
}

/** Make a field for ids, which are no words: nothing is to be completed or corrected. */
const entry = (id, more) =>
  make("input", { id, autocomplete: "off", autocapitalize: "off", spellcheck: "false", ...more });

function stance(kind, who, deeds) {
  const [begin, end, done, help] = STANCES[kind];
  const button = make("button", { type: "button", class: "secondary" });
  const tell = () => (button.textContent = deeds.has(kind, who) ? end : begin);
  button.addEventListener("click", () => {
    const turned = deeds.has(kind, who)
      ? deeds.turn(kind, who, false)
      : deeds.offer(kind, who, `${person(who)} is ${done}.`);
    turned.then(tell);
    tell();
  });
  tell();
  return make("div", { class: "stance" }, make("p", { class: "quiet" }, help), button);
}

/** Open a sheet in which somebody is found by their id. */
export function findSomebody(desk) {
  const field = entry("somebody", { required: true, pattern: ID });
  const submit = (event) => {
    event.preventDefault();
    dialog.close();
    meet(field.value, desk);
  };
  const form = make(
    "form",
    { submit },
    make("label", { for: field.id }, "Their id"),
    field,
    make("button", { class: "primary" }, "Show"),
  );
  const { dialog } = sheet("Find somebody", form);
  field.focus();
}

/** Open a sheet in which an item is shared, with all or with some. */
export function share(item, desk) {
  const { deeds } = desk;
  const isShared = deeds.has("share", item);
  const all = make(
    "button",
    { type: "button", class: "primary" },
    isShared ? "Take the share back" : "Share with all friends",
  );
  all.addEventListener("click", () => {
    dialog.close();
    if (isShared) deeds.turn("share", item, false);
    else deeds.offer("share", item, `You shared ${title(item)}.`);
  });
  const { dialog } = sheet(
    `Share ${title(item)}`,
    all,
    byName(item, desk, () => dialog.close()),
  );
}

function byName(item, desk, close) {
  const boxes = desk
    .known()
    .slice(0, KNOWN)
    .map((who) => {
      const box = make("input", { type: "checkbox", value: who });
      return make("label", { class: "choice" }, box, face(who), person(who));
    });
  const field = entry("others", { pattern: `\\s*${ID}([\\s,]+${ID})*[\\s,]*` });
  const error = make("p", { class: "error", role: "alert" });
  const submit = (event) => {
    event.preventDefault();
    const ticked = boxes
      .map((box) => box.firstChild)
      .filter((box) => box.checked)
      .map((box) => box.value);
    const to = [...new Set([...ticked, ...field.value.split(/[\s,]+/).filter(Boolean)])];
    if (!to.length) return (error.textContent = "Choose at least one person.");
    close();
    desk.deeds.offer("direct", item, `You shared ${title(item)} with ${to.map(person).join(", ")}.`, { to });
  };
  const known = make("fieldset", {}, make("legend", {}, "Or only with"), ...boxes);
  return make(
    "form",
    { submit },
    known,
    make("label", { for: field.id }, "Others, by their ids"),
    field,
    make("p", { class: "quiet" }, "It reaches those who are friends of yours or follow you."),
    error,
    make("button", { class: "secondary" }, "Share with these"),
  );
}

/** Open the sheet of who looks: until when, and as whom else. */
export function account(desk) {
  const until = desk.expires
    ? `Signed in until ${new Date(desk.expires).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}.`
    : "Signed in.";
  const seek = make(
    "button",
    { type: "button", class: "secondary", click: () => (dialog.close(), findSomebody(desk)) },
    "Find somebody",
  );
  const leave = make("button", { type: "button", class: "secondary", click: desk.leave }, "Sign out");
  const { dialog } = sheet(
    person(desk.user),
    make("p", { class: "portrait" }, face(desk.user), make("code", {}, desk.user)),
    make("p", { class: "quiet" }, until),
    make("div", { class: "row" }, seek, leave),
    desk.canSwitch && switching(desk),
  );
}

function switching(desk) {
  const field = entry("another", { required: true, pattern: ID });
  const error = make("p", { class: "error", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    await desk.lookAs(field.value).catch((problem) => (error.textContent = String(problem)));
  };
  return make(
    "form",
    { submit, class: "switching" },
    make("label", { for: field.id }, "Look as another user (development)"),
    field,
    error,
    make("button", { class: "secondary" }, "Look"),
  );
}
