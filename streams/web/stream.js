// A stream of server-sent events that opens itself again.
//
// Read with fetch, not EventSource: so a refusal can be told from a lost line, the version seen last
// is sent along, and silence is noticed, since the comments that keep a stream alive are seen.

import { Problem, reach } from "./api.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const SILENCE_MS = 35_000; // the server says something every 15 s

export class Stream {
  /**
   * `heard(name, data)` is told every event, and `became(state, problem)` how the line is:
   * connecting, live, waiting (until the next attempt), refused (for good).
   */
  constructor(path, heard, became) {
    this.path = path;
    this.heard = heard;
    this.became = became;
    this.version = null; // of the last event
    this.stopper = null;
    addEventListener("online", () => this.hurry?.());
  }

  get isOpen() {
    return this.stopper !== null;
  }

  open() {
    if (!this.isOpen) this.run((this.stopper = new AbortController()));
  }

  close() {
    this.stopper?.abort();
    this.stopper = null;
    this.hurry?.();
  }

  async run(stopper) {
    for (let failures = 0; !stopper.signal.aborted;) {
      this.became("connecting");
      try {
        await this.read(stopper, () => (failures = 0));
      } catch (error) {
        if (stopper.signal.aborted) return;
        if (error.status === 401 || error.status === 403) return this.became("refused", error);
        this.became("waiting", error);
        await this.wait(error.wait_ms || Math.min(FIRST_WAIT_MS * 2 ** failures++, LONGEST_WAIT_MS));
      }
    }
  }

  /** Read one connection to its end, which is a Problem however it comes. */
  async read(stopper, connected) {
    const line = new AbortController();
    const cut = () => line.abort();
    stopper.signal.addEventListener("abort", cut, { once: true });
    let silence = setTimeout(cut, SILENCE_MS);
    try {
      const headers = this.version ? { "Last-Event-ID": this.version } : {};
      const response = await reach(this.path, { headers, signal: line.signal, cache: "no-store" });
      connected();
      this.became("live");
      for await (const event of events(response.body, () => {
        clearTimeout(silence);
        silence = setTimeout(cut, SILENCE_MS);
      }))
        this.hear(event);
    } finally {
      clearTimeout(silence);
      cut();
      stopper.signal.removeEventListener("abort", cut);
    }
    throw new Problem(0, { detail: "the stream has ended" });
  }

  hear({ id, name, data }) {
    if (name === "end" && data.reason === "expired")
      throw new Problem(401, { detail: "your token has expired: sign in with a new one" });
    if (id) this.version = id;
    this.heard(name, data);
  }

  async wait(longest_ms) {
    const wait_ms = longest_ms * (0.6 + 0.4 * Math.random()); // so that not everybody comes back at once
    await new Promise((resolve) => {
      this.hurry = resolve;
      setTimeout(resolve, wait_ms);
    });
    this.hurry = null;
  }
}

/** Take the text of a stream apart: https://html.spec.whatwg.org/multipage/server-sent-events.html */
async function* events(body, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    alive();
    const blocks = (text + value).split(/\r?\n\r?\n/);
    text = blocks.pop();
    for (const block of blocks) {
      const event = parsed(block);
      if (event) yield event;
    }
  }
}

function parsed(block) {
  const event = { name: "message", id: null, data: "" };
  for (const line of block.split(/\r?\n/)) {
    const [, field, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (field === "event") event.name = value;
    else if (field === "id") event.id = value;
    else if (field === "data") event.data += value;
  }
  return event.data && { ...event, data: JSON.parse(event.data) };
}
