// The live feed: what the circle does, the moment it does it.
//
// What moves under the eyes or the fingers of a reader is a nuisance, so while the page is paused,
// scrolled, or read with the keyboard, the order stays: what is gone goes, and what is new waits.

import { cards, ping } from "./card.js";
import { find } from "./elements.js";
import { List } from "./list.js";
import { summing } from "./messages.js";
import { Stream } from "./stream.js";
import { ago, count, deed } from "./words.js";

const SIZE = 40;
const PACE_MS = 650; // between two orders, so that motion is seen as motion
const SCROLLED = 240; // pixels
const AWAY_MS = 60_000; // a page that nobody sees gives its stream back

export class Friends {
  constructor(desk, became) {
    this.feed = []; // the newest that is known
    this.shown = [];
    this.hidden = new Set(); // items hidden a moment ago
    this.isPaused = false;
    this.isKnown = false;
    this.list = new List(find("friends-feed"), cards(desk));
    this.stream = new Stream(`/v1/feed/stream?limit=${SIZE}`, (name, data) => this.hear(name, data), became);
    this.speak = summing((total) => `${count(total, "new item")} in your feed`);
    this.listen(desk);
  }

  listen(desk) {
    find("friends-pill").addEventListener("click", () => this.release());
    find("pause").addEventListener("click", () => this.pause(!this.isPaused));
    addEventListener("scroll", () => this.catchUp(), { passive: true });
    find("friends-feed").addEventListener("focusout", () => setTimeout(() => this.catchUp()));
    desk.deeds.addEventListener("turn", ({ detail: { kind, id, on } }) => {
      if (kind !== "hide") return;
      this.hidden[on ? "add" : "delete"](id);
      this.render();
    });
    addEventListener("visibilitychange", () => this.rest());
  }

  /** Show what came while another feed was open. */
  open() {
    this.render();
  }

  /** Leave the stream to others while nobody looks; take it up again at once. */
  rest() {
    clearTimeout(this.resting);
    if (document.hidden) this.resting = setTimeout(() => this.stream.close(), AWAY_MS);
    else this.stream.open();
  }

  hear(name, data) {
    if (name !== "feed" && name !== "change") return;
    const feed = name === "feed" ? data.items.map(entry) : applied(this.feed, data);
    if (this.isKnown) this.tellNew(feed);
    this.feed = feed;
    this.isKnown = true;
    this.schedule();
  }

  tellNew(feed) {
    const before = new Set(this.feed.map((one) => one.item));
    const items = feed.map((one) => one.item).filter((item) => !before.has(item));
    if (items.length) this.speak(items.length);
    dispatchEvent(new CustomEvent("came", { detail: items }));
  }

  schedule() {
    if (this.timer) return;
    const wait = Math.max(0, (this.rendered ?? -PACE_MS) + PACE_MS - performance.now());
    this.timer = setTimeout(() => {
      this.timer = null;
      if (!find("friends").hidden) this.render();
    }, wait);
  }

  get isHeld() {
    const isRead = find("friends-feed").querySelector(":focus-visible") !== null;
    return this.isPaused || isRead || scrollY > SCROLLED;
  }

  render() {
    this.rendered = performance.now();
    const feed = this.feed.filter((one) => !this.hidden.has(one.item));
    const known = new Map(feed.map((one) => [one.item, one]));
    const stays = this.isHeld && this.shown.length > 0;
    this.shown = stays
      ? this.shown.filter((one) => known.has(one.item)).map((one) => known.get(one.item))
      : feed;
    this.isBehind = String(this.shown.map((one) => one.item)) !== String(feed.map((one) => one.item));
    this.list.show(this.shown);
    this.offer(feed.length - this.shown.length);
    this.tellLatest();
    find("friends-empty").hidden = !this.isKnown || feed.length > 0;
  }

  catchUp() {
    if (this.isBehind && !this.isHeld) this.render();
  }

  offer(waiting) {
    const pill = find("friends-pill");
    pill.hidden = waiting <= 0;
    pill.textContent = `${waiting} new`;
  }

  tellLatest() {
    const all = this.feed.flatMap((one) => one.proofs.map((proof) => ({ proof, item: one.item })));
    const newest = all.reduce((one, other) => (!one || other.proof.at > one.proof.at ? other : one), null);
    find("latest").textContent = newest ? `${deed(newest.proof, newest.item)}, ${ago(newest.proof.at)}` : "";
  }

  pause(isPaused) {
    this.isPaused = isPaused;
    find("pause").setAttribute("aria-pressed", isPaused);
    this.render();
  }

  /** Show what waits, and go to the first of it. */
  release() {
    const before = new Set(this.list.items);
    scrollTo({ top: 0, behavior: "instant" });
    this.pause(false);
    const came = this.shown
      .filter((one) => !before.has(one.item))
      .map((one) => this.list.cards.get(one.item));
    came.forEach((card) => ping(card.element));
    came[0]?.element.scrollIntoView({ block: "nearest" });
    came[0]?.element.focus({ preventScroll: true });
  }
}

/** Give the feed that a change leads to: docs/push.md. */
function applied(feed, change) {
  const out = new Set([...change.gone, ...change.moved.map((one) => one.item)]);
  const changed = new Map(change.changed.map((one) => [one.item, entry(one)]));
  const next = feed.filter((one) => !out.has(one.item)).map((one) => changed.get(one.item) ?? one);
  const placed = [...change.moved, ...change.new].sort((one, other) => one.place - other.place);
  for (const one of placed) next.splice(one.place, 0, entry(one));
  return next;
}

function entry({ item, author, topics, proofs, proofs_total }) {
  const named = new Set(proofs.map((proof) => proof.who)).size;
  return {
    item,
    author,
    topics,
    proofs,
    accounts: named + proofs_total - proofs.length,
    notes: [],
    at: proofs[0]?.at,
  };
}
