// Covers and faces: abstract pictures that depend on an id alone. What is about one topic has the
// same colours.

import { draw, make } from "./elements.js";

const PALETTES = [
  // from the ground to the light
  ["#1f2a44", "#3b5b92", "#c85c5c", "#e8a87c", "#f6d7b0"],
  ["#0f3d3e", "#1e6f6b", "#f2a65a", "#76c7b0", "#e2dcc8"],
  ["#5b2a2a", "#a4483a", "#3d5a6c", "#e39774", "#f4d6b8"],
  ["#2c3a2a", "#5c7a4a", "#d99152", "#a9bf7b", "#f0ead2"],
  ["#2f1f3d", "#63397a", "#f0a05a", "#b779a5", "#f3c9c0"],
  ["#26426e", "#4f78b5", "#e5735c", "#a8c6e8", "#f4efe3"],
  ["#5f452d", "#a87a4d", "#4d7c7a", "#e6c79c", "#f7efe0"],
  ["#5d263b", "#9a5a62", "#395b64", "#d5b9b2", "#ece2d0"],
  ["#16202c", "#31495f", "#e2b04a", "#7d98a8", "#dfe7e6"],
  ["#2f4a39", "#6f8c3a", "#d9663b", "#e4c846", "#f7eed0"],
];
const SIZE = 100;

/** Draw the cover of an item. */
export function cover(item, topics = []) {
  const chance = chances(item);
  const colours = PALETTES[hash(topics[0] ?? item) % PALETTES.length];
  const ground = draw("rect", { width: SIZE, height: SIZE, fill: colours[Math.floor(chance() * 2)] });
  const compose = COMPOSITIONS[Math.floor(chance() * COMPOSITIONS.length)];
  return draw(
    "svg",
    {
      viewBox: `0 0 ${SIZE} ${SIZE}`,
      preserveAspectRatio: "xMidYMid slice",
      "aria-hidden": "true",
      class: "cover",
    },
    ground,
    ...compose(chance, colours),
  );
}

/** Draw the face of an account: its first letter, or the end of its number, on its own colour. */
export function face(who) {
  const letters = /^\d+$/.test(who) ? who.slice(-2) : who.charAt(0).toUpperCase();
  const element = make("span", { class: "face", "aria-hidden": "true" }, letters);
  element.style.backgroundColor = PALETTES[hash(who) % PALETTES.length][Math.floor(hash(`${who}.`) % 2)];
  return element;
}

const COMPOSITIONS = [waves, arcs, orbits, tiles, bands];

function waves(chance, colours) {
  const sun = circle(20 + chance() * 60, 22 + chance() * 20, 9 + chance() * 12, colours[2]);
  const layers = [1, 3, 4, 0].map((colour, layer) => {
    const height = 42 + layer * 15 + chance() * 8;
    const swing = 4 + chance() * 9;
    const start = chance() * Math.PI * 2;
    const turns = 1 + chance() * 1.5;
    const points = Array.from({ length: 26 }, (_, step) => {
      const y = height + swing * Math.sin(start + (turns * Math.PI * 2 * step) / 25);
      return `${step * 4},${y.toFixed(1)}`;
    });
    return draw("path", { d: `M0,${SIZE} L${points.join(" L")} L${SIZE},${SIZE}Z`, fill: colours[colour] });
  });
  return [sun, ...layers];
}

function arcs(chance, colours) {
  const [x, y] = [chance() < 0.5 ? 0 : SIZE, chance() < 0.5 ? 0 : SIZE];
  const widest = 95 + chance() * 30;
  const step = 15 + chance() * 5;
  const rings = [3, 2, 4, 1, 3, 0].map((colour, ring) =>
    circle(x, y, Math.max(widest - ring * step, 6), colours[colour]),
  );
  return [...rings, circle(SIZE - x * 0.7 - 15, SIZE - y * 0.7 - 15, 6 + chance() * 5, colours[4])];
}

function orbits(chance, colours) {
  return [3, 2, 4, 1, 2].map((colour, turn) =>
    circle(15 + chance() * 70, 15 + chance() * 70, 34 - turn * 5 + chance() * 10, colours[colour], 0.85),
  );
}

function tiles(chance, colours) {
  const side = SIZE / 4;
  return Array.from({ length: 16 }, (_, place) => {
    const [x, y] = [(place % 4) * side, Math.floor(place / 4) * side];
    const fill = colours[1 + Math.floor(chance() * 4)];
    const corner = Math.floor(chance() * 5);
    if (corner === 4) return circle(x + side / 2, y + side / 2, side * 0.3, fill);
    const turn = `rotate(${corner * 90} ${x + side / 2} ${y + side / 2})`;
    return draw("path", {
      d: `M${x},${y}h${side}a${side},${side} 0 0 1 -${side},${side}z`,
      fill,
      transform: turn,
    });
  });
}

function bands(chance, colours) {
  const turn = `rotate(${Math.round(20 + chance() * 50) * (chance() < 0.5 ? -1 : 1)} 50 50)`;
  let left = -40;
  const stripes = [1, 3, 4, 0, 1, 3, 4].map((colour) => {
    const width = 12 + chance() * 20;
    left += width;
    return draw("rect", { x: left - width, y: -50, width: width + 0.5, height: 200, fill: colours[colour] });
  });
  return [
    draw("g", { transform: turn }, ...stripes),
    circle(30 + chance() * 40, 30 + chance() * 40, 15 + chance() * 8, colours[2]),
  ];
}

function circle(cx, cy, r, fill, opacity = 1) {
  return draw("circle", { cx: cx.toFixed(1), cy: cy.toFixed(1), r: r.toFixed(1), fill, opacity });
}

/** FNV-1a, stirred once more, so that ids that differ in the last letter differ in all. */
function hash(text) {
  let value = 0x811c9dc5;
  for (const letter of text) value = Math.imul(value ^ letter.codePointAt(0), 0x01000193);
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  return (value ^ (value >>> 13)) >>> 0;
}

/** Mulberry32: numbers from 0 to 1 that an id determines. */
function chances(id) {
  let state = hash(id);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
