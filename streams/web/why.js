// Why an item is there: every number, in the order in which they make a place.

import { get } from "./api.js";
import { cover, face } from "./cover.js";
import { make } from "./elements.js";
import { sheet } from "./sheet.js";
import { ago, count, figure, person, title } from "./words.js";

const PARTS = {
  social: ["Your circle", "the acts of the people around you"],
  trending: ["Everybody", "what the acts of all others add"],
  recent: ["Just now", "how new the newest act of your circle is"],
  taste: ["Your taste", "what you think of its topics"],
};
const FACTORS = {
  circle: ["Near or far", "1 where it has to do with your circle"],
  author: ["Once more by the same author", "1 for an author's best on a page"],
};
const STEPS = {
  feed: "in your feed",
  blend: "by its value",
  filters: "after the filters",
  circle: "near or far",
  author: "one author, many items",
  page: "on the page",
};
const FILTERS = {
  hidden: "not hidden by you",
  own: "not made by you",
  acted: "not liked or shared by you yet",
  seen: "not seen by you yet",
  threshold: "enough friends acted",
  brought: "something brings it to you",
};
const WHAT = { like: "liked", share: "shared", post: "posted", direct: "shared with you", acts: "acted" };

/** Open the panel, and fill it when the numbers are there. */
export async function explain(item, user) {
  const { body } = sheet(`Why ${title(item)}?`, make("p", { class: "quiet" }, "Asking for the numbers …"));
  try {
    body.replaceChildren(...explanation(await get(`/v1/feed/explain/${item}`), user));
  } catch (problem) {
    body.replaceChildren(make("p", { class: "error", role: "alert" }, String(problem)));
  }
}

function explanation(found, user) {
  const { evidence, parts, places, filters } = found;
  return [
    make(
      "div",
      { class: "why-verdict" },
      cover(found.item, Object.keys(evidence?.affinities ?? {})),
      make("p", {}, verdict(found, user)),
    ),
    ...(evidence ? acts(evidence.contributions) : []),
    ...(Object.keys(parts).length ? value(found) : []),
    ...(evidence?.counters ? crowd(evidence) : []),
    ...(Object.keys(places).length ? journey(places) : []),
    ...(Object.keys(filters).length ? passed(filters) : []),
    make("p", { class: "quiet" }, `Page policy ${found.version}`),
  ];
}

/** Say the verdict to the one whom it is about. */
function verdict({ verdict: words, page, places }, user) {
  if (page)
    return `Place ${places.page} on page ${page} of “For you”: ${words.split(": ").slice(1).join(": ")}.`;
  const said = words
    .replace("not shown: ", "")
    .replace(`${user} has`, "you have")
    .replace(`to ${user}`, "to you")
    .replace(user, "you");
  return `Not in “For you”: ${said}.`;
}

function acts(contributions) {
  if (!contributions.length) return [];
  const most = Math.max(...contributions.map((one) => one.strength));
  const rows = contributions.map((one) =>
    make(
      "tr",
      {},
      make(
        "th",
        { scope: "row" },
        one.who === "others" ? "Others" : make("span", { class: "who" }, face(one.who), person(one.who)),
      ),
      make(
        "td",
        {},
        WHAT[one.what] ?? one.what,
        make("small", { class: "quiet" }, one.at ? ` ${ago(one.at)}` : ""),
      ),
      make("td", { class: "number" }, one.weight === null ? "" : figure(one.weight)),
      make("td", { class: "number" }, figure(one.strength), bar(one.strength / most)),
    ),
  );
  return [
    make("h3", {}, "Who acted"),
    make(
      "p",
      { class: "quiet" },
      "An act counts its weight at first, and fades. Strength is what is left of it, in likes of this moment.",
    ),
    table(["Who", "What", "Weight", "Strength"], rows),
  ];
}

function value({ parts, value: total }) {
  const most = Math.max(...Object.keys(PARTS).map((part) => Math.abs(parts[part] ?? 0)), 0.001);
  const row = ([part, [words, help]], sign) =>
    part in parts &&
    make(
      "tr",
      {},
      make("th", { scope: "row" }, words, make("small", { class: "quiet" }, help)),
      make(
        "td",
        { class: "number" },
        `${sign}${figure(parts[part])}`,
        sign === "× " ? "" : bar(Math.abs(parts[part]) / most),
      ),
    );
  const rows = [
    ...Object.entries(PARTS).map((one, place) => row(one, place ? "+ " : "")),
    ...Object.entries(FACTORS).map((one) => row(one, "× ")),
    total !== null &&
      make(
        "tr",
        { class: "sum" },
        make("th", { scope: "row" }, "Value"),
        make("td", { class: "number" }, `= ${figure(total)}`),
      ),
  ];
  return [make("h3", {}, "What speaks for it"), table(["Part", "Number"], rows.filter(Boolean))];
}

function crowd({ counters, trending, affinities }) {
  const tastes = Object.entries(affinities).map(([topic, liking]) => `you and ${topic}: ${figure(liking)}`);
  const counted = [
    count(counters.likes, "like"),
    count(counters.shares, "share"),
    count(counters.views, "view"),
  ];
  return [
    make("h3", {}, "Everybody"),
    make("p", {}, `${counted.join(", ")}; trending with a strength of ${figure(trending)}.`),
    tastes.length > 0 && make("p", { class: "quiet" }, `Taste goes from -1 to 1: ${tastes.join(", ")}.`),
  ].filter(Boolean);
}

function journey(places) {
  const steps = Object.entries(STEPS).filter(([step]) => places[step] !== undefined && places[step] !== null);
  return [
    make("h3", {}, "Its place, step by step"),
    make(
      "ol",
      { class: "steps" },
      ...steps.map(([step, words]) =>
        make("li", {}, make("strong", {}, String(places[step])), make("span", { class: "quiet" }, words)),
      ),
    ),
  ];
}

function passed(filters) {
  const rows = Object.entries(filters).map(([name, isPassed]) =>
    make(
      "li",
      { class: isPassed ? "passed" : "failed" },
      make("span", {}, isPassed ? "✓" : "✗"),
      ` ${FILTERS[name] ?? name}`,
      make("span", { class: "unseen" }, isPassed ? ": yes" : ": no"),
    ),
  );
  return [make("h3", {}, "Filters"), make("ul", { class: "filters" }, ...rows)];
}

function table(headings, rows) {
  const head = headings.map((words, place) =>
    make("th", { scope: "col", class: place > 1 || (headings.length === 2 && place) ? "number" : "" }, words),
  );
  return make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
}

function bar(share) {
  const filled = make("span", {});
  filled.style.width = `${Math.max(2, Math.min(1, share) * 100)}%`;
  return make("span", { class: "bar", "aria-hidden": "true" }, filled);
}
