// What trends: all of it, by topic, and the top of it beside the other feeds.

import { get } from "./api.js";
import { cards } from "./card.js";
import { cover } from "./cover.js";
import { find, make } from "./elements.js";
import { List } from "./list.js";
import { count, title } from "./words.js";

const AGAIN_MS = 5_000;
const BESIDE = 6;
const TOPICS = 10;

export class Trending {
  constructor(desk) {
    this.desk = desk;
    this.topic = "";
    this.topics = new Set();
    this.list = new List(find("trending-feed"), cards(desk));
    this.chart = new List(find("chart"), (entry) => new Line(entry, desk));
    setInterval(() => this.look(), AGAIN_MS);
  }

  open() {
    this.look();
  }

  /** Look again, at what can be seen. */
  async look() {
    if (document.hidden || (find("trending").hidden && !find("aside").checkVisibility())) return;
    try {
      if (find("trending").hidden) this.chart.show((await this.ask("", BESIDE)).map(entry));
      else this.show((await this.ask(this.topic, 20)).map(entry));
    } catch {
      // the state of the stream says what is wrong; this looks again by itself
    }
  }

  async ask(topic, limit) {
    return (await get(`/v1/trending?limit=${limit}${topic && `&topic=${topic}`}`)).items;
  }

  show(entries) {
    if (!this.topic) this.offer(entries.flatMap((one) => one.topics));
    const isRead = find("trending-feed").querySelector(":focus-visible") !== null;
    if (!isRead) this.list.show(entries);
    find("trending-empty").hidden = entries.length > 0;
  }

  /** Offer the topics of what trends. */
  offer(topics) {
    const before = this.topics.size;
    for (const topic of topics) if (this.topics.size < TOPICS) this.topics.add(topic);
    if (this.topics.size === before) return;
    const button = (topic) =>
      make(
        "button",
        {
          type: "button",
          class: "chip",
          "aria-pressed": String(topic === this.topic),
          "data-topic": topic,
          click: () => this.choose(topic),
        },
        topic || "All",
      );
    find("topics").replaceChildren(...["", ...this.topics].map(button));
  }

  choose(topic) {
    this.topic = topic;
    for (const chip of find("topics").children)
      chip.setAttribute("aria-pressed", chip.dataset.topic === topic);
    this.look();
  }
}

/** One line of the chart beside the other feeds. */
class Line {
  constructor({ item, topics }, desk) {
    this.counts = make("span", { class: "quiet" });
    const words = make(
      "span",
      { class: "line-words" },
      make("span", { class: "line-title" }, title(item)),
      this.counts,
    );
    this.element = make(
      "li",
      {},
      make(
        "button",
        { type: "button", class: "line", "aria-haspopup": "dialog", click: () => desk.explain(item) },
        cover(item, topics),
        words,
      ),
    );
  }

  update({ counts }) {
    if (this.counts.textContent !== counts) this.counts.textContent = counts;
  }
}

function entry({ item, author, topics, likes, shares, views }) {
  const counts = [likes && count(likes, "like"), shares && count(shares, "share")].filter(Boolean).join(", ");
  return {
    item,
    author,
    topics,
    proofs: [],
    accounts: 0,
    notes: [counts, count(views, "view")].filter(Boolean),
    counts: counts || count(views, "view"),
    at: null,
  };
}
