// Views: what was on the screen for a while, told once a visit, with how long it was there.

import { publish } from "./api.js";

const WHILE_MS = 2_000; // less is no view
const LONG_MS = 15_000; // told while it is still there
const TOGETHER_MS = 4_000; // views are told together
const SHARE = 0.6; // of a card that must be on the screen

export class Sightings {
  constructor() {
    this.onScreen = new Set(); // elements
    this.since = new Map(); // element -> when it came on the screen, or its reader did
    this.told = new Set(); // items
    this.waiting = [];
    this.observer = new IntersectionObserver((entries) => entries.forEach((entry) => this.look(entry)), {
      threshold: [0, SHARE],
    });
    setInterval(() => this.turnOver(), TOGETHER_MS);
    addEventListener("visibilitychange", () => (document.hidden ? this.leave() : this.comeBack()));
    addEventListener("pagehide", () => this.leave());
  }

  /** Look out for cards that come into `root`. */
  watch(root) {
    const changed = (records) => {
      for (const { addedNodes } of records) for (const card of addedNodes) this.observer.observe(card);
    };
    new MutationObserver(changed).observe(root, { childList: true });
  }

  look({ target, intersectionRatio }) {
    if (intersectionRatio >= SHARE) {
      this.onScreen.add(target);
      if (!this.since.has(target)) this.since.set(target, performance.now());
      return;
    }
    this.onScreen.delete(target);
    if (!target.isConnected) this.observer.unobserve(target);
    this.end(target);
  }

  end(element) {
    const dwell_ms = Math.round(performance.now() - this.since.get(element));
    this.since.delete(element);
    const { item } = element.dataset;
    if (!(dwell_ms >= WHILE_MS) || this.told.has(item)) return;
    this.told.add(item);
    this.waiting.push({ kind: "view", item, dwell_ms });
  }

  turnOver() {
    if (document.hidden) return;
    const now = performance.now();
    for (const [element, since] of this.since) {
      if (now - since >= LONG_MS || !element.isConnected) {
        this.end(element);
        if (element.isConnected) this.since.set(element, now);
      }
    }
    this.tell();
  }

  comeBack() {
    for (const element of this.onScreen) this.since.set(element, performance.now());
  }

  leave() {
    for (const element of [...this.since.keys()]) this.end(element);
    this.tell();
  }

  /** Publish what waits; a view that cannot be told is no loss to whoever looks. */
  tell() {
    if (this.waiting.length) publish(this.waiting.splice(0), { keepalive: true }).catch(() => {});
  }
}
