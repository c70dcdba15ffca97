// The page: who looks, which feed is open, and how the line to the server is.

import { get, post, reach } from "./api.js";
import { keepMarked, tick } from "./card.js";
import { cover, face } from "./cover.js";
import { Deeds } from "./deeds.js";
import { find, make } from "./elements.js";
import { ForYou } from "./for_you.js";
import { Friends } from "./friends.js";
import { speak, toast } from "./messages.js";
import { account, findSomebody, meet, share } from "./people.js";
import { openSession, tokenInAddress } from "./session.js";
import { Sightings } from "./sightings.js";
import { Trending } from "./trending.js";
import { explain } from "./why.js";
import { person } from "./words.js";

const SIGNED_IN = "likewave.user"; // the session itself is a cookie that no script can read
const VIEWS = { "#friends": "Friends", "#for-you": "For you", "#trending": "Trending" };
const STATES = { connecting: "Connecting", live: "Live", waiting: "Reconnecting" };
const TICK_MS = 1_000;
const AGAIN_MS = 2_000;
const isLocal = document.documentElement.dataset.local !== undefined; // one may look as anybody

let isOpen = false;

async function start() {
  find("look-form").hidden = !isLocal;
  find("look-form").addEventListener("submit", (event) => {
    event.preventDefault();
    signIn(tokenOf(find("look").value));
  });
  find("sign-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    signIn(find("token").value.trim());
  });
  addEventListener("hashchange", takeToken);
  if (takeToken()) return;
  if (localStorage.getItem(SIGNED_IN)) await enter();
  else askForToken();
}

/** Sign in with the token that the address holds, if it does. */
function takeToken() {
  const token = tokenInAddress();
  if (token) signIn(token);
  return Boolean(token);
}

async function signIn(token) {
  try {
    await openSession(await token);
    await enter();
  } catch (problem) {
    askForToken(String(problem));
  }
}

const tokenOf = async (user) => (await post("/v1/dev/token", { user })).token;

/** Open the feeds of whoever has the session, as soon as the server says who that is. */
async function enter() {
  for (;;) {
    try {
      const me = await get("/v1/me");
      localStorage.setItem(SIGNED_IN, me.user);
      return open(me);
    } catch (problem) {
      if (problem.status === 401) return askForToken("Your session has ended: sign in with a new token.");
      const wait_ms = problem.wait_ms || AGAIN_MS;
      tellState("waiting", problem);
      await new Promise((resolve) => setTimeout(resolve, wait_ms));
    }
  }
}

/** Show nothing but the way in, and why. */
function askForToken(error = "") {
  localStorage.removeItem(SIGNED_IN);
  for (const name of Object.keys(VIEWS)) find(name.slice(1)).hidden = true;
  frame().forEach((element) => (element.hidden = true));
  find("sign-in-art").replaceChildren(...["song", "film", "walk", "book"].map((item) => cover(item)));
  find("sign-in").hidden = false;
  find("token-error").textContent = error;
  if (error) find("token").focus();
}

/** Name what stands around the feeds. */
const frame = () => [document.querySelector(".tabs"), find("state"), find("account"), find("aside")];

/** Open the feeds of who looks; whoever comes after somebody else has a page of their own. */
function open({ user, expires }) {
  if (isOpen) return location.reload();
  isOpen = true;
  const desk = new Desk(user, expires);
  const friends = (desk.friends = new Friends(desk, tellState));
  const views = { "#friends": friends, "#for-you": new ForYou(desk), "#trending": new Trending(desk) };
  const sightings = new Sightings();
  for (const id of ["friends-feed", "for-you-feed", "trending-feed"]) sightings.watch(find(id));
  keepMarked(desk.deeds);
  greet(desk);
  friends.stream.open();
  addEventListener("hashchange", () => turnTo(views, { withFocus: true }));
  turnTo(views);
  views["#trending"].look();
  setInterval(() => (tick(), friends.tellLatest()), TICK_MS);
  addEventListener("storage", ({ key }) => key === SIGNED_IN && location.reload()); // another tab looks as somebody else
}

function greet(desk) {
  find("sign-in").hidden = true;
  find("token").value = "";
  frame().forEach((element) => (element.hidden = false));
  find("account").replaceChildren(
    face(desk.user),
    make("span", { class: "unseen" }, `${person(desk.user)}: your account`),
  );
  find("account").addEventListener("click", () => account(desk));
  document.querySelector("[data-find]").addEventListener("click", () => findSomebody(desk));
}

/** Show the feed that the address names. */
function turnTo(views, { withFocus = false } = {}) {
  const name = location.hash in VIEWS ? location.hash : "#friends";
  for (const one of Object.keys(VIEWS)) find(one.slice(1)).hidden = one !== name;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.hash === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  find("aside").hidden = name === "#trending";
  document.title = `${VIEWS[name]} · Likewave`;
  scrollTo({ top: 0, behavior: "instant" });
  if (withFocus) find(`${name.slice(1)}-title`).focus({ preventScroll: true });
  views[name].open();
}

/** What cards and sheets ask for: who looks, what they did, and the sheets themselves. */
class Desk {
  constructor(user, expires) {
    this.user = user;
    this.expires = expires;
    this.deeds = new Deeds(user);
    this.canSwitch = isLocal;
  }

  explain(item) {
    explain(item, this.user);
  }

  share(item) {
    share(item, this);
  }

  meet(who) {
    meet(who, this);
  }

  /** Name the people of the feed, who acted last first. */
  known() {
    const acts = this.friends.feed.flatMap((one) => one.proofs).sort((one, other) => other.at - one.at);
    return [...new Set(acts.map((act) => act.who))].filter((who) => who !== this.user);
  }

  /** Look as another user; raises Problem. */
  async lookAs(user) {
    await openSession(await tokenOf(user));
    localStorage.setItem(SIGNED_IN, user);
    location.reload();
  }

  async leave() {
    try {
      await reach("/v1/session", { method: "DELETE" });
      localStorage.removeItem(SIGNED_IN);
      location.reload();
    } catch (problem) {
      toast(`You are still signed in. ${problem}`, { isError: true });
    }
  }
}

/** Say how the line to the server is; speak of it only where it is lost, and when it is back. */
function tellState(state, problem) {
  if (state === "refused") return askForToken(String(problem));
  const before = find("state").dataset.state;
  if (state === "connecting" && before === "waiting") return; // no flicker between two attempts
  find("state").hidden = false;
  find("state").dataset.state = state;
  find("state-words").textContent = STATES[state];
  if (state === "live" && before === "waiting") speak("Connected again.");
  if (state !== "waiting" || before === "waiting") return;
  if (problem.status)
    toast(String(problem), { isError: true }); // it is not the line: the server says what it is
  else speak("The connection is lost. Trying again.");
}

start();
