// A plot of the last minutes, drawn by uPlot; its numbers stand beside it in words.

import { make } from "./elements.js";

const HEIGHT = 150; // pixels

export class Plot {
  /** `series` gives each line the column of the course that it shows, in `unit`, `factor` to one of its own. */
  constructor(title, series, unit, factor = 1) {
    this.title = title;
    this.names = Object.keys(series);
    this.columns = Object.values(series);
    this.unit = unit;
    this.factor = factor;
    this.values = this.names.map(() => make("strong", {}));
    this.keys = this.names.map((name, line) =>
      make("span", { class: `key line-${line}` }, make("span", { class: "swatch" }), name, " ", this.values[line]),
    );
    this.canvas = make("div", { class: "canvas", role: "img" });
    this.element = make(
      "figure",
      { class: "plot" },
      make("figcaption", {}, make("h2", {}, title), make("span", { class: "keys" }, ...this.keys)),
      this.canvas,
    );
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.drawn?.redraw(false));
    new ResizeObserver(() => this.drawn?.setSize(this.size())).observe(this.canvas);
  }

  show(course) {
    const scaled = (values) => values.map((one) => (one === null ? null : one * this.factor));
    this.data = [course.at.map((at) => at / 1_000), ...this.columns.map((name) => scaled(course[name]))];
    if (this.drawn) this.drawn.setData(this.data);
    else this.drawn = new uPlot(this.options(), this.data, this.canvas);
    this.tell(this.drawn.cursor.idx);
  }

  /** Write the values at a place that is pointed at, else the last ones. */
  tell(place) {
    const values = this.data.slice(1).map((column) => column[place ?? column.length - 1]);
    const words = values.map((one) => this.word(one));
    this.values.forEach((element, line) => (element.textContent = words[line]));
    const said = this.names.map((name, line) => `${name} ${words[line]}`).join(", ");
    if (place == null) this.canvas.setAttribute("aria-label", `${this.title}, the last five minutes. Now: ${said}`);
  }

  word(value) {
    if (value == null) return "unknown";
    return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 }) + this.unit;
  }

  size() {
    return { width: Math.max(this.canvas.clientWidth, 200), height: HEIGHT };
  }

  options() {
    const ink = () => getComputedStyle(this.canvas).color;
    const grid = { stroke: () => getComputedStyle(this.canvas).borderTopColor, width: 1 };
    const axis = { stroke: ink, grid, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    return {
      ...this.size(),
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      hooks: { setCursor: [(drawn) => this.data && this.tell(drawn.cursor.idx)] },
      scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
      axes: [{ ...axis, values: "{HH}:{mm}:{ss}", space: 90, size: 28 }, { ...axis, size: 40, space: 36, values: (_, all) => all.map(short) }],
      series: [{}, ...this.keys.map((key) => ({ stroke: () => getComputedStyle(key.firstChild).color, width: 2, points: { show: false } }))],
    };
  }
}

const short = (value) => value.toLocaleString("en", { notation: "compact" });
