// Sheets: dialogs that come in from the side or, on a phone, from below.

import { find, icon, make } from "./elements.js";

let sheets = 0;

/** Open a sheet; the focus goes back to where it was when it closes. */
export function sheet(heading, ...content) {
  const title = make("h2", { id: `sheet-${++sheets}`, tabindex: "-1" }, heading);
  const close = make(
    "button",
    { type: "button", class: "bare", "aria-label": "Close", click: () => dialog.close() },
    icon("close"),
  );
  const body = make("div", { class: "sheet-body" }, ...content);
  const dialog = make(
    "dialog",
    { class: "sheet", "aria-labelledby": title.id },
    make("div", { class: "sheet-head" }, title, close),
    body,
  );
  const opener = document.activeElement;
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (!opener?.isConnected) find("main").focus({ preventScroll: true });
  });
  document.body.append(dialog);
  dialog.showModal();
  title.focus();
  return { dialog, body };
}
