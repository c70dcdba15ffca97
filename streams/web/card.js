// The card of an item: its cover, why it is there, and what can be done with it.

import { cover, face } from "./cover.js";
import { icon, make } from "./elements.js";
import { ago, because, person, title } from "./words.js";

const FACES = 3;
let made = 0;

/**
 * Make cards for `desk`, which knows what was done and opens panels. An entry has `item`, `author`,
 * `topics`, `proofs`, `accounts` (how many acted), `notes` (other reasons) and `at` (Unix ms).
 */
export const cards = (desk) => (entry) => new Card(entry.item, desk);

class Card {
  constructor(item, desk) {
    this.desk = desk;
    this.shown = null;
    this.picture = make("div", { class: "picture" });
    this.title = make("h2", { id: `card-${++made}` }, title(item));
    this.when = make("time", { class: "quiet" });
    this.about = make("p", { class: "about quiet" });
    this.reason = make("p", { class: "reason" });
    this.notes = make("p", { class: "notes quiet" });
    const heading = make("div", { class: "heading" }, this.title, this.when);
    const words = make(
      "div",
      { class: "words" },
      heading,
      this.about,
      this.reason,
      this.notes,
      actions(item, desk),
    );
    this.element = make(
      "article",
      { class: "card", tabindex: "0", "aria-labelledby": this.title.id, "data-item": item },
      this.picture,
      words,
    );
    mark(this.element, desk.deeds);
  }

  update(entry) {
    if (entry === this.shown) return;
    if (
      !this.shown ||
      String(entry.topics) !== String(this.shown.topics) ||
      entry.author !== this.shown.author
    )
      this.tellAbout(entry);
    this.tellReason(entry);
    this.notes.textContent = entry.notes.join(" · ");
    if (entry.at) this.when.dataset.at = entry.at;
    tell(this.when);
    if (this.shown && entry.accounts > this.shown.accounts) ping(this.element);
    this.shown = entry;
  }

  tellAbout({ item, author, topics }) {
    this.picture.replaceChildren(cover(item, topics));
    const by = author ? [make("span", {}, "by ", name(author, this.desk))] : [];
    this.about.replaceChildren(...by, ...topics.map((topic) => make("span", { class: "topic" }, topic)));
  }

  tellReason({ proofs, accounts }) {
    const hadFocus = this.reason.contains(document.activeElement);
    const faces = [...new Set(proofs.map((proof) => proof.who))].slice(0, FACES).map(face);
    const words = proofs.length ? because(proofs, accounts) : [];
    this.reason.replaceChildren(
      make("span", { class: "faces" }, ...faces),
      make("span", {}, ...words.map((word) => (word.who ? name(word.who, this.desk) : word))),
    );
    if (hadFocus) this.reason.querySelector("button")?.focus({ preventScroll: true });
  }
}

/** Keep the buttons of all cards as what was done asks for. */
export function keepMarked(deeds) {
  deeds.addEventListener("turn", ({ detail }) => {
    for (const element of document.querySelectorAll(`.card[data-item="${CSS.escape(detail.id)}"]`))
      mark(element, deeds);
  });
}

/** Keep the moments of all cards as the clock asks for. */
export const tick = () => document.querySelectorAll("time[data-at]").forEach(tell);

function mark(element, deeds) {
  const { item } = element.dataset;
  element.querySelector(".like").setAttribute("aria-pressed", deeds.has("like", item));
  element.querySelector(".share").classList.toggle("done", deeds.has("share", item));
}

function tell(when) {
  if (!when.dataset.at) return;
  const at = Number(when.dataset.at);
  const words = ago(at);
  if (when.textContent === words) return;
  when.textContent = words;
  when.dateTime = new Date(at).toISOString();
}

/** Show for a moment that somebody acted. */
export function ping(element) {
  element.classList.remove("ping");
  void element.offsetWidth; // so that the animation begins anew
  element.classList.add("ping");
}

function name(who, desk) {
  return make(
    "button",
    { type: "button", class: "name", "aria-haspopup": "dialog", click: () => desk.meet(who) },
    person(who),
  );
}

function actions(item, desk) {
  const { deeds } = desk;
  const called = title(item);
  return make(
    "div",
    { class: "actions" },
    action("like", "Like", called, () => deeds.turn("like", item, !deeds.has("like", item))),
    action("share", "Share", called, () => desk.share(item)),
    action("why", "Why this?", called, () => desk.explain(item)),
    action("hide", "Hide", called, () => deeds.offer("hide", item, `${called} is hidden.`)),
  );
}

function action(kind, words, called, click) {
  const label = make("span", { class: "label" }, words);
  return make(
    "button",
    { type: "button", class: `action ${kind}`, click },
    icon(kind),
    label,
    make("span", { class: "unseen" }, ` ${called}`),
  );
}
