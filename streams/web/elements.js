// Elements, made in one expression; and the icons.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: attributes that are functions listen, and those that are false are left out. */
export function make(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** Make an element of a drawing. */
export function draw(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

export const find = (id) => document.getElementById(id);

const ICONS = {
  like: "M12 20S3.5 15 3.5 9.200A4.7 4.7 0 0 1 12 6.600a4.7 4.7 0 0 1 8.5 2.600C20.5 15 12 20 12 20z",
  share: "M14 5l7 6.5-7 6.500v-4c-5 0-8.5 1.5-11 5 1-5.5 4-9.5 11-10z",
  why: "M9.2 9a2.9 2.9 0 1 1 4.3 2.600c-1 .6-1.5 1.2-1.5 2.400M12 17.400v.1M12 2.800a9.2 9.2 0 1 1 0 18.4 9.2 9.2 0 0 1 0-18.400z",
  hide: "M4 4l16 16M9.9 5.300A9.6 9.6 0 0 1 12 5c5 0 8.3 3.9 9.5 7a13 13 0 0 1-2.7 4M6.3 7.200A13 13 0 0 0 2.5 12c1.2 3.1 4.5 7 9.5 7a9.8 9.8 0 0 0 4.5-1.1",
  close: "M6 6l12 12M18 6L6 18",
};

export function icon(name) {
  return draw(
    "svg",
    { viewBox: "0 0 24 24", "aria-hidden": "true", class: "icon" },
    draw("path", { d: ICONS[name] }),
  );
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}
