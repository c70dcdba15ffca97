// What whoever looks does: published, remembered in this browser, and taken back where it fails.
//
// No feed says what its owner did, so buttons remember it here. Nothing but the look of the buttons
// depends on it.

import { publish } from "./api.js";
import { toast } from "./messages.js";

const REMEMBERED = 500; // of each kind
const UNSURE = "We could not tell whether that was saved. Try again: doing it twice does no harm.";

const DEEDS = {
  // the event, the one that takes it back, and the field for whom or what it is done to
  like: ["like", "unlike", "item"],
  share: ["share", "unshare", "item"],
  direct: ["share", "unshare", "item"],
  hide: ["hide", "unhide", "item"],
  follow: ["follow", "unfollow", "friend"],
  mute: ["mute", "unmute", "other"],
  block: ["block", "unblock", "other"],
};

export class Deeds extends EventTarget {
  constructor(user) {
    super();
    this.key = `likewave.deeds.${user}`;
    this.done = JSON.parse(localStorage.getItem(this.key) ?? "{}"); // kind -> ids, the newest last
    this.turned = Promise.resolve(); // one deed after the other: the last of them counts
  }

  has(kind, id) {
    return this.done[kind]?.includes(id) ?? false;
  }

  /** Do or take back; the look changes at once, and back where the server does not take it. */
  async turn(kind, id, on, more = {}) {
    const [done, undone, field] = DEEDS[kind];
    this.remember(kind, id, on);
    try {
      await (this.turned = this.turned
        .catch(() => {})
        .then(() => publish([{ kind: on ? done : undone, [field]: id, ...more }])));
      return true;
    } catch (problem) {
      this.remember(kind, id, !on);
      toast(problem.isUnsure ? UNSURE : `That was not saved. ${problem}`, { isError: true });
      return false;
    }
  }

  /** Do something that can be undone for a while, and say so. */
  async offer(kind, id, words, more = {}) {
    if (await this.turn(kind, id, true, more)) {
      toast(words, { action: "Undo", act: () => this.turn(kind, id, false, more) });
    }
  }

  remember(kind, id, on) {
    const others = (this.done[kind] ?? []).filter((one) => one !== id);
    this.done[kind] = on ? [...others, id].slice(-REMEMBERED) : others;
    localStorage.setItem(this.key, JSON.stringify(this.done));
    this.dispatchEvent(new CustomEvent("turn", { detail: { kind, id, on } }));
  }
}
