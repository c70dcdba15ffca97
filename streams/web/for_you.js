// The ranked page, one after another, and how much is new since the first.

import { get } from "./api.js";
import { cards } from "./card.js";
import { find } from "./elements.js";
import { List } from "./list.js";
import { toast } from "./messages.js";

const SOCIAL = /^(shared with you|shared|posted|liked) by /;

export class ForYou {
  constructor(desk) {
    this.entries = [];
    this.cursor = null;
    this.isLoading = false;
    this.list = new List(find("for-you-feed"), cards(desk));
    find("more").addEventListener("click", () => this.more());
    for (const id of ["renew", "for-you-pill"]) find(id).addEventListener("click", () => this.begin());
    desk.deeds.addEventListener("turn", ({ detail }) => this.adapt(detail));
    addEventListener("came", ({ detail: items }) => this.arrive(items));
  }

  /** Show the first page, unless one is shown already. */
  open() {
    if (!this.entries.length) this.load();
  }

  async begin() {
    if (await this.load()) {
      scrollTo({ top: 0, behavior: "instant" });
      find("for-you-title").focus({ preventScroll: true });
    }
  }

  async more() {
    const shown = this.entries.length;
    if (await this.load(this.cursor)) this.list.root.children[shown]?.focus();
  }

  /** Load the page that `cursor` names, or the first; tell whether it came. */
  async load(cursor = null) {
    if (this.isLoading) return false;
    this.isLoading = true;
    try {
      this.take(
        await get(cursor ? `/v1/feed?cursor=${encodeURIComponent(cursor)}` : "/v1/feed"),
        cursor === null,
      );
      return true;
    } catch (problem) {
      toast(`The page did not come. ${problem}`, {
        isError: true,
        action: "Try again",
        act: () => this.load(cursor),
      });
      return false;
    } finally {
      this.isLoading = false;
    }
  }

  take(page, isFirst) {
    this.entries = [...(isFirst ? [] : this.entries), ...page.items.map(entry)];
    this.cursor = page.cursor;
    this.arrived = new Set();
    this.counted = page.new_count;
    this.show();
  }

  show() {
    this.list.show(this.entries);
    this.offer();
    find("more").hidden = !this.cursor;
    find("for-you-end").hidden = this.cursor !== null;
    find("for-you-end").textContent = this.entries.length
      ? "That is all for now."
      : "There is nothing for you yet: follow somebody, or come back when something trends.";
  }

  /** Count what came into the live feed since the page was made. */
  arrive(items) {
    for (const item of items) if (!this.list.cards.has(item)) this.arrived?.add(item);
    this.offer();
  }

  offer() {
    const fresh = (this.counted ?? 0) + (this.arrived?.size ?? 0);
    find("for-you-pill").hidden = fresh === 0;
    find("for-you-pill").textContent = `${fresh} new`;
  }

  /** Take out what was hidden or is of somebody blocked; what is undone comes with the next first page. */
  adapt({ kind, id, on }) {
    if (!on || !["hide", "block", "mute"].includes(kind)) return;
    const goes =
      kind === "hide"
        ? (one) => one.item === id
        : (one) =>
            one.author === id || (one.proofs.every((proof) => proof.who === id) && one.proofs.length > 0);
    if (!this.entries.some(goes)) return;
    this.entries = this.entries.filter((one) => !goes(one));
    this.show();
  }
}

function entry({ item, author, topics, proofs, actors_total, reasons }) {
  const notes = reasons
    .filter((reason) => !proofs.length || !SOCIAL.test(reason))
    .map((one) => one.charAt(0).toUpperCase() + one.slice(1));
  return { item, author, topics, proofs, accounts: actors_total, notes, at: proofs[0]?.at };
}
