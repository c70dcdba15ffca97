// Messages: short ones that go by themselves, and what is spoken to who does not see the page.

import { find, icon, make } from "./elements.js";

const STAY_MS = 9_000;
const QUIET_MS = 12_000; // a feed that moves is spoken of this seldom

/** Show a message for a while, with an action where there is one. */
export function toast(words, { action, act, isError = false } = {}) {
  const element = make(
    "div",
    { class: isError ? "toast error" : "toast", role: isError ? "alert" : "status" },
    make("span", {}, words),
  );
  const leave = () => element.remove();
  if (action) element.append(make("button", { type: "button", click: () => (leave(), act()) }, action));
  element.append(
    make("button", { type: "button", class: "bare", "aria-label": "Close", click: leave }, icon("close")),
  );
  find("toasts").replaceChildren(element);
  let timer = setTimeout(leave, STAY_MS);
  const rest = () => clearTimeout(timer);
  element.addEventListener("pointerenter", rest);
  element.addEventListener("focusin", rest);
  const resume = () => (timer = setTimeout(leave, STAY_MS));
  element.addEventListener("pointerleave", resume);
  element.addEventListener("focusout", resume);
}

/** Say something at once. */
export function speak(words) {
  find("spoken").textContent = words;
}

/** Speak of what comes, summed up and not too often: `words(total)` says it. */
export function summing(words) {
  let total = 0;
  let timer = null;
  return (number) => {
    total += number;
    timer ??= setTimeout(() => {
      speak(words(total));
      [total, timer] = [0, null];
    }, QUIET_MS);
  };
}
