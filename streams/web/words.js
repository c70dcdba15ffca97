// Ids, proofs, moments and numbers, as a person reads them.

const NUMBER = /^\d+$/;
const TELLING = ["direct", "share", "post", "like"]; // the most telling kind of act first
const DID = { direct: "shared this with you", share: "shared this", post: "posted this", like: "liked this" };
const DID_BRIEFLY = { direct: "shared", share: "shared", post: "posted", like: "liked" };
const SPANS = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
];

// An id is shown as it is, since `Song` is another item than `song`.
export const person = (id) => (NUMBER.test(id) ? `User ${id}` : id);
export const title = (id) => (NUMBER.test(id) ? `No. ${id}` : id);

/** Say how long ago a moment was (both Unix ms). */
export function ago(at, now = Date.now()) {
  const passed = now - at;
  if (passed < 5_000) return "just now";
  const [span, unit] = SPANS.find(([one]) => passed >= one);
  return `${Math.floor(passed / span)} ${unit} ago`;
}

export const count = (number, one, many = `${one}s`) =>
  `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/** Write a strength or a part of a value: three digits say enough. */
export function figure(number) {
  if (number !== 0 && Math.abs(number) < 0.001) return "< 0.001";
  return number.toLocaleString("en", { maximumSignificantDigits: 3 });
}

/**
 * Say who put an item there: a list of texts and of `{ who }`, for a name that can be pressed.
 * `accounts` is how many have acted, the named ones included.
 */
export function because(proofs, accounts) {
  const kind = TELLING.find((one) => proofs.some((proof) => proof.kind === one));
  const actors = [...new Set(proofs.filter((proof) => proof.kind === kind).map((proof) => proof.who))];
  const alike = proofs.every((proof) => proof.kind === kind);
  const company = [...new Set(proofs.map((proof) => proof.who))].filter((who) => who !== actors[0]);
  const others = Math.max(accounts - 1, company.length);
  if (others === 0) return [{ who: actors[0] }, ` ${DID[kind]}`];
  const rest = others === 1 && company.length ? { who: company[0] } : count(others, "friend");
  if (alike) return [{ who: actors[0] }, " and ", rest, ` ${DID[kind]}`];
  if (!rest.who) return [{ who: actors[0] }, ` ${DID[kind]} · ${others} more friends`];
  const theirs = proofs.find((proof) => proof.who === rest.who).kind;
  return [{ who: actors[0] }, ` ${DID[kind]}, `, rest, ` ${DID_BRIEFLY[theirs]} it`];
}

/** Say in a few words what somebody did just now. */
export const deed = (proof, item) => `${person(proof.who)} ${DID_BRIEFLY[proof.kind]} ${title(item)}`;
