// The parts of the page for operators that are words and numbers.

import { make } from "./elements.js";
import { ago, count } from "./words.js";

const WORST_FIRST = ["ERR", "REWIND", "STOP", "STALL", "WARN", "OK"];
const MEGABYTE = 2 ** 20;
const UNITS = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
];
const HEADINGS = ["Partition", "Verdict", "Wait", "First waits", "In/s", "Applied/s", "Level in"];

const whole = (number) => Math.round(number).toLocaleString("en");

function span(seconds) {
  if (seconds === null) return "never";
  const [unit, name] = UNITS.find(([one]) => seconds >= one) ?? [1, "s"];
  return `${(seconds / unit).toFixed(1)} ${name}`;
}

/** Give the numbers of this moment, each with what it is and what else there is to say of it. */
export function tiles({ diagnosis, store, freshness }) {
  return [...ofLog(diagnosis), ...ofCanary(freshness), ...ofLetters(diagnosis, store), ...ofStore(store)].map(
    ([name, value, more = "", isBad = false]) =>
      make(
        "div",
        { class: isBad ? "tile bad" : "tile" },
        make("dt", {}, name),
        make("dd", {}, make("strong", {}, value), make("span", { class: "quiet" }, more)),
      ),
  );
}

function ofLog({ error, broker_up, lag, seconds, catch_up_s, workers, silent, partitions }) {
  const broker = ["Kafka", broker_up ? "up" : "away", "", !broker_up];
  if (error) return [broker, ["Lag", "unknown", error, true]];
  const total = (name) => partitions.reduce((sum, one) => sum + one[name], 0);
  return [
    ["Lag", whole(lag), lag ? `the first waits for ${span(seconds)}, level in ${span(catch_up_s)}` : "all is applied"],
    ["Events a second", whole(total("applied_rate")), `applied; ${whole(total("arrival_rate"))} arrive`],
    ["Workers", String(workers), ofWorkers(silent), workers === 0 || silent.length > 0],
    broker,
  ];
}

const ofWorkers = (silent) => `hold partitions${silent.length ? `; frozen, or cut off: ${silent.join(", ")}` : ""}`;

function ofCanary({ feed }) {
  if (!feed?.seen_at) return [["Act to visible", "unknown", "a monitor measures it"]];
  const late = `p99 ${whole(feed.p99 * 1_000)} ms; seen ${ago(feed.seen_at)}`;
  return [["Act to visible", `${whole(feed.p50 * 1_000)} ms`, late]];
}

function ofLetters({ error, dead_letters }, { held, error: isAway }) {
  const sources = held.map((one) => one.source).join(", ");
  const breakers = sources ? `held: ${sources}` : "no partition is held";
  return [["Dead letters", error ? "unknown" : whole(dead_letters), isAway ? "" : breakers, sources !== ""]];
}

function ofStore({ error, refusal, memory_bytes, max_memory_bytes, clients, operations_per_s, shards, audited }) {
  if (error) return [["Store", "away", error, true]];
  const busy = shards.filter((one) => one.busy).map((one) => one.shard);
  const limit = max_memory_bytes ? `of ${whole(max_memory_bytes / MEGABYTE)} MB; ` : "";
  const warm = shards.reduce((sum, one) => sum + one.warm, 0);
  return [
    [
      "Store",
      `${whole(memory_bytes / MEGABYTE)} MB`,
      refusal || `${limit}${whole(operations_per_s)} operations a second, ${count(clients, "client")}`,
      refusal !== "",
    ],
    ["Warm users", whole(warm), busy.length ? `a job is open in shard ${busy.join(", ")}` : "no job is open"],
    audit(audited),
  ];
}

function audit(found) {
  if (!found) return ["Audit", "none runs", "likewave audit --continuous"];
  const total = found.differences_total;
  const more = `${count(found.users, "user")} ${ago(found.at)}; ${whole(total)} since its start`;
  return ["Audit", count(found.differing, "differing", "differing"), more, total > 0];
}

/** Say of each verdict what it is about, by the partition of that verdict that lags most. */
export function remedies(all) {
  const bad = all
    .filter((one) => one.verdict !== "OK")
    .sort((one, other) => rank(one) - rank(other) || other.lag - one.lag);
  const first = new Map(bad.toReversed().map((one) => [one.verdict + one.command, one]));
  return [...first.values()].sort((one, other) => rank(one) - rank(other)).map(remedy);
}

const rank = (one) => WORST_FIRST.indexOf(one.verdict);
const place = (one) => `${one.topic}:${one.partition}`;

function remedy(one) {
  return make(
    "li",
    {},
    make("p", {}, badge(one.verdict), ` ${place(one)}: ${one.sentence}`),
    make("code", {}, one.command),
  );
}

const badge = (verdict) => make("strong", { class: "verdict", "data-verdict": verdict }, verdict);

/** Make the table of partitions, the worst first. */
export function partitions(all) {
  const rows = all.toSorted((one, other) => rank(one) - rank(other) || other.lag - one.lag).map(row);
  const head = HEADINGS.map((words, column) =>
    make("th", { scope: "col", class: column > 1 ? "number" : "" }, words),
  );
  return make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
}

function row(one) {
  const { lag, seconds, arrival_rate, applied_rate, catch_up_s } = one;
  const numbers = [whole(lag), span(seconds), whole(arrival_rate), whole(applied_rate), span(catch_up_s)];
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, place(one)),
    make("td", {}, badge(one.verdict)),
    ...numbers.map((words) => make("td", { class: "number" }, words)),
  );
}
