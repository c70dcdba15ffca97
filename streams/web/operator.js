// The page for operators: the report of this moment, asked for again every second.

import { get, reach } from "./api.js";
import { find } from "./elements.js";
import { speak } from "./messages.js";
import { partitions, remedies, tiles } from "./operator_parts.js";
import { Plot } from "./plot.js";
import { openSession, tokenInAddress } from "./session.js";
import { ago } from "./words.js";

const EVERY_MS = 1_000;
const TELLING_LAG = 100; // from which on a partition that is OK is shown with those that matter

const PLOTS = [
  ["Events a second", { arriving: "arrival_rate", applied: "applied_rate" }, "/s"],
  ["Events that wait", { waiting: "lag" }, ""],
  ["Act to visible", { p50: "p50", p99: "p99" }, " ms", 1_000],
  ["Dead letters a second", { rejected: "dead_letter_rate" }, "/s"],
];

let plots = null;
let timer = null;

function start() {
  find("sign-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    signIn(find("token").value.trim());
  });
  find("leave").addEventListener("click", leave);
  addEventListener("hashchange", enter);
  document.addEventListener("visibilitychange", () => plots && look());
  enter();
}

function enter() {
  const token = tokenInAddress();
  return token ? signIn(token) : look();
}

async function signIn(token) {
  try {
    await openSession(token);
    await look();
  } catch (problem) {
    askForToken(String(problem));
  }
}

async function leave() {
  try {
    await reach("/v1/session", { method: "DELETE" });
    askForToken();
  } catch (problem) {
    tellState("waiting", problem);
  }
}

/** Look now, and again as long as somebody may see it. */
async function look() {
  clearTimeout(timer);
  try {
    show(await get("/v1/operator/report"));
    tellState("live");
  } catch (problem) {
    if (problem.status === 401) return askForToken(plots ? "Your session has ended: sign in again." : "");
    if (problem.status === 403) return askForToken(String(problem));
    tellState("waiting", problem);
  }
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(look, EVERY_MS);
}

function askForToken(error = "") {
  clearTimeout(timer);
  for (const id of ["view", "leave", "state"]) find(id).hidden = true;
  find("sign-in").hidden = false;
  find("token-error").textContent = error;
  find("token").focus();
}

function tellState(state, problem) {
  const before = find("state").dataset.state;
  find("state").hidden = false;
  find("state").dataset.state = state;
  find("state-words").textContent = state === "live" ? "Live" : "Reconnecting";
  find("trouble").textContent = problem ? `What you see is old. ${problem}` : "";
  if (before && before !== state) speak(state === "live" ? "Connected again." : String(problem));
}

function show({ by_monitor, monitor_at, monitor_age_ms, report }) {
  for (const id of ["view", "leave"]) find(id).hidden = false;
  find("sign-in").hidden = true;
  find("token").value = "";
  tellVerdict(report.diagnosis);
  find("source").textContent = source(by_monitor, monitor_at && ago(0, monitor_age_ms), report);
  fill("tiles", tiles(report));
  fill("remedies", remedies(report.diagnosis.partitions));
  showPartitions(report.diagnosis);
  showCourse(report.course);
}

/** Show other parts, unless somebody is about to copy something of those that are there. */
function fill(id, parts) {
  const selection = getSelection();
  if (selection.isCollapsed || !find(id).contains(selection.anchorNode)) find(id).replaceChildren(...parts);
}

function source(byMonitor, lastReport, { at, store }) {
  const time = new Date(at).toLocaleTimeString("en-GB");
  if (byMonitor) return `By the monitor’s report of ${time}.`;
  if (store.error) return `Asked by the API at ${time}: while the store does not answer, no report of a monitor can be read.`;
  if (store.refusal) return `Asked by the API at ${time}: while the store refuses writes, no monitor can leave its report there.`;
  const last = lastReport ? `The last report of a monitor is of ${lastReport}.` : "No report of a monitor was found.";
  return `Asked by the API at ${time}. ${last}`;
}

function tellVerdict({ verdict, error }) {
  const words = error ? "Cannot be measured" : verdict;
  const before = find("verdict").textContent;
  find("verdict").dataset.verdict = verdict;
  find("verdict").textContent = words;
  document.title = `${words} · Likewave`;
  if (before && before !== words) speak(`The verdict is ${words}.`);
}

function showPartitions({ partitions: all, hot_accounts: hot }) {
  const matters = (one) => one.verdict !== "OK" || one.lag >= TELLING_LAG;
  const telling = all.filter(matters);
  const well = all.filter((one) => !matters(one));
  fill("telling", telling.length ? [partitions(telling)] : []);
  fill("well", [partitions(well)]);
  find("well-title").textContent =
    `${well.length} partitions are OK${telling.length ? "" : ": that is all of them"}`;
  find("hot").textContent = hot.length
    ? `Newest events of the partition with the greatest lag: ${hot.map((one) => `${one.account} ${Math.round(one.share * 100)} %`).join(", ")}`
    : "";
}

function showCourse(course) {
  plots ??= PLOTS.map((one) => new Plot(...one));
  if (!find("plots").hasChildNodes()) find("plots").append(...plots.map((one) => one.element));
  for (const plot of plots) plot.show(course);
}

start();
