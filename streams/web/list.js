// A list of cards that follows a list of entries, with motion: what moves is seen to move.
//
// FLIP: first (where cards are), last (where they come to be), invert, play.
// https://aerotwist.com/blog/flip-your-animations/

const MOVE = { duration: 520, easing: "cubic-bezier(.22,.8,.24,1)" };
const COME = { duration: 420, easing: "cubic-bezier(.22,.8,.24,1)" };
const GO = { duration: 200, easing: "ease-in" };
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class List {
  /** `card(entry)` makes an object with its `element`, and `update(entry)`. */
  constructor(root, card) {
    this.root = root;
    this.card = card;
    this.cards = new Map(); // item -> card
    root.addEventListener("keydown", (event) => this.step(event));
  }

  get items() {
    return [...this.cards.keys()];
  }

  /** Show `entries`, in this order. */
  show(entries) {
    const before = still.matches || document.hidden ? null : this.tops();
    const focus = this.root.contains(document.activeElement) ? document.activeElement : null;
    this.remove(new Set(entries.map((entry) => entry.item)), before, focus);
    this.cards = new Map(
      entries.map((entry) => [entry.item, this.cards.get(entry.item) ?? this.card(entry)]),
    );
    entries.forEach((entry, place) => this.put(entry, place, entries.length));
    if (focus?.isConnected) focus.focus({ preventScroll: true });
    if (before) this.play(before);
  }

  put(entry, place, size) {
    const card = this.cards.get(entry.item);
    const { element } = card;
    card.update(entry, place);
    element.setAttribute("aria-posinset", place + 1);
    element.setAttribute("aria-setsize", size);
    const there = this.root.children[place];
    if (there !== element) this.root.insertBefore(element, there ?? null);
  }

  remove(staying, before, focus) {
    for (const [item, { element }] of this.cards) {
      if (staying.has(item)) continue;
      this.cards.delete(item);
      if (focus && element.contains(focus)) this.refocus(element);
      if (before) this.fade(element);
      element.remove();
    }
  }

  /** Put the focus where a card was that goes: on the next one, or the last. */
  refocus(element) {
    const next = element.nextElementSibling ?? element.previousElementSibling;
    (next ?? document.querySelector("section:not([hidden]) h1")).focus({ preventScroll: true });
  }

  tops() {
    return new Map([...this.cards].map(([item, { element }]) => [item, element.getBoundingClientRect().top]));
  }

  play(before) {
    for (const [item, { element }] of this.cards) {
      for (const animation of element.getAnimations()) animation.cancel();
      const { top, bottom } = element.getBoundingClientRect();
      const from = before.get(item);
      const isNear = bottom > -innerHeight && Math.min(top, from ?? top) < 2 * innerHeight;
      if (!isNear) continue;
      if (from === undefined)
        element.animate([{ opacity: 0, transform: "translateY(-14px) scale(.985)" }, {}], COME);
      else if (from !== top) this.glide(element, from - top);
    }
  }

  glide(element, by) {
    const rises = by > 0; // what rises passes in front of what sinks
    element.animate(
      [
        { transform: `translateY(${by}px)`, zIndex: rises ? 2 : 1 },
        { transform: "none", zIndex: rises ? 2 : 1 },
      ],
      MOVE,
    );
  }

  /** Leave a picture of a card that goes, which fades. */
  fade(element) {
    const { top, left, width, bottom } = element.getBoundingClientRect();
    if (bottom < 0 || top > innerHeight) return;
    const ghost = element.cloneNode(true);
    ghost.removeAttribute("aria-labelledby");
    for (const one of ghost.querySelectorAll("[id]")) one.removeAttribute("id");
    ghost.inert = true;
    ghost.classList.add("ghost");
    Object.assign(ghost.style, { top: `${top + scrollY}px`, left: `${left}px`, width: `${width}px` });
    document.body.append(ghost);
    ghost
      .animate([{ opacity: 1 }, { opacity: 0, transform: "scale(.97)" }], GO)
      .finished.finally(() => ghost.remove());
  }

  /** J and K go from card to card while one of them has the focus. */
  step(event) {
    const step = { j: "nextElementSibling", k: "previousElementSibling" }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    const next = event.target.closest(".card")?.[step];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }
}
