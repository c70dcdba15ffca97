// Requests, and what goes wrong with them in words: what happened, and what to do.

/** What a request came to, where that is not what was asked for. */
export class Problem extends Error {
  constructor(status, document, wait_s = 0) {
    super(document.detail ?? document.title);
    this.status = status; // 0: the server was not reached
    this.wait_ms = wait_s * 1_000;
    this.isUnsure = document.type === "urn:likewave:broker-away"; // it may be done all the same
  }

  toString() {
    return `${this.message.charAt(0).toUpperCase()}${this.message.slice(1).replace(/[.!]$/, "")}.`;
  }
}

/** Ask the server, and give its answer; raises Problem. */
export async function reach(path, options = {}) {
  const headers = { "X-Likewave": "1", ...options.headers };
  let response;
  try {
    response = await fetch(path, { ...options, headers, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "the server cannot be reached: check the connection" });
  }
  if (response.ok) return response;
  throw new Problem(
    response.status,
    await document(response),
    Number(response.headers.get("Retry-After")) || 0,
  );
}

export const get = async (path) => (await reach(path)).json();

export async function post(path, body, options = {}) {
  const headers = { "Content-Type": "application/json", ...options.headers };
  const response = await reach(path, { ...options, method: "POST", headers, body: JSON.stringify(body) });
  return response.status === 204 ? null : response.json();
}

/** Publish events of whoever looks, at this moment; raises Problem where they are not taken. */
export const publish = (events, options) => post("/v1/events", events, options);

async function document(response) {
  try {
    return await response.json();
  } catch {
    return { detail: `the server answered ${response.status}: try again` };
  }
}
