// The page's end of the peerconnection signaling protocol: plain HTTP requests and one long poll.
//
// Invariants: at most one /wait is open at a time; messages leave one after another, in order; after any failure the
// client signs in again under the same name (with a new id), for as long as it has not been stopped. By its key the server knows
// that it is the same page, whatever address it comes from, and gives up the old id at once.

import { Backoff } from "./backoff.js";
import { randomHex } from "./random.js";

const SIGN_IN_PATIENCE = 10_000; // ms
const SEND_PATIENCE = 10_000; // ms
// A network that died silently leaves a long poll hanging for ever. A message to oneself is echoed by the server, so
// it tells a dead connection (or a forgotten sign-in) from a quiet one.
const ECHO_EVERY = 20_000; // ms
const ECHO_PATIENCE = 5_000; // ms
const STEADY_AFTER = 5_000; // ms of a sign-in after which the next trouble is a new one

/** Why a /wait was taken back. */
const RENEWED = new DOMException("the wait is opened anew", "AbortError");

/** The server answers requests of a member it does not know, and those to one, with this status. */
const GONE = 500;

export class SignalingError extends Error {
  /** `kind`: "unreachable" (no answer), "gone" (the sender or the addressee is unknown), "refused" (any other status). */
  constructor(kind, message) {
    super(message);
    this.name = "SignalingError";
    this.kind = kind;
  }
}

/**
 * Events:
 * - `online`: signed in; `members` holds everyone else.
 * - `offline`: `detail.error` says why, `detail.retryIn` (ms) when the next try is made.
 * - `presence`: `detail.member` came (`detail.here`) or went.
 * - `message`: `detail.from` (an id) sent `detail.body` (text).
 */
export class Signaling extends EventTarget {
  /** Everyone else who is signed in: id -> {id, name}. Empty while offline. */
  members = new Map();
  /** Our id, or null while offline. */
  id = null;
  /** Why we are offline; null while online and before the first try has failed. */
  error = null;

  #name;
  #base;
  #run = null; // AbortController of the present run
  #doubt = null; // AbortController of the present sign-in, aborted when it has turned out to be void
  #wake = null; // ends the present pause between two tries
  #backoff = new Backoff(300, 3_000);
  #outbox = Promise.resolve();
  #key = randomHex(); // which nobody else shows
  #wait = null; // AbortController of the open /wait

  /** `base` is the URL that the server's paths are relative to. */
  constructor(name, base) {
    super();
    this.#name = name;
    this.#base = base;
  }

  get name() {
    return this.#name;
  }

  start() {
    if (this.#run) return;
    this.#run = new AbortController();
    this.#stayOnline(this.#run.signal);
  }

  /** Signs out without waiting for the answer, so that it also works while the page is being closed. */
  stop() {
    if (!this.#run) return;
    this.#run.abort();
    this.#run = null;
    const id = this.id;
    this.id = null;
    this.members.clear();
    if (id !== null) {
      fetch(this.#url(`sign_out?peer_id=${id}`), this.#with({ keepalive: true, cache: "no-store" })).catch(() => {});
    }
  }

  /** Cuts the pause before the next try short, or makes sure of connections that may have died unnoticed. */
  nudge() {
    if (this.#wake) {
      this.#wake();
    } else {
      this.renew();
      this.#probe();
    }
  }

  /**
   * Opens the /wait anew: its connection may be dead without that this end notices, as after another address or a router's restart, and no
   * other request tells of that, for each has a connection of its own. What was on its way on it comes again.
   */
  renew() {
    this.#wait?.abort(RENEWED);
  }

  /** Sends `body` to the member `to` after everything sent before it. Rejects with a SignalingError. */
  send(to, body) {
    // `to` means something only in the present sign-in: a server that has restarted may have given that id to somebody else by the
    // time that it is the message's turn.
    const during = this.id === null ? null : this.#doubt;
    const sent = this.#outbox.then(() => this.#post(to, body, during));
    this.#outbox = sent.catch(() => {});
    return sent;
  }

  /** Sends without waiting for what is under way or for the answer: for a page that is being closed. */
  sendLast(to, body) {
    if (this.id === null) return;
    fetch(this.#url(`message?peer_id=${this.id}&to=${to}`), this.#with({ ...post(body), keepalive: true })).catch(() => {});
  }

  async #stayOnline(stopped) {
    while (!stopped.aborted) {
      const doubt = new AbortController();
      const ended = AbortSignal.any([stopped, doubt.signal]);
      let error;
      let echo;
      let since = Infinity; // when this sign-in succeeded
      try {
        this.#doubt = doubt;
        await this.#signIn(stopped);
        since = performance.now();
        this.error = null;
        this.#emit("online");
        echo = setInterval(() => this.#probe(), ECHO_EVERY);
        for (;;) {
          await this.#waitOnce(ended);
          this.#backoff.reset();
        }
      } catch (reason) {
        error = doubt.signal.aborted ? doubt.signal.reason : reason;
      } finally {
        clearInterval(echo);
      }
      if (stopped.aborted) return;
      this.id = null;
      this.members.clear();
      this.error = error;
      // Not before: where every sign-in succeeds and its first wait fails, everybody would hear of us come and go without a pause.
      if (performance.now() - since > STEADY_AFTER) this.#backoff.reset();
      const retryIn = this.#backoff.next();
      this.#emit("offline", { error, retryIn });
      await this.#pause(retryIn, stopped);
    }
  }

  async #signIn(stopped) {
    const answer = await this.#request(`sign_in?${encodeURIComponent(this.#name)}`, {}, stopped, SIGN_IN_PATIENCE);
    if (answer.pragma === null) {
      throw new SignalingError("refused", "what answers at this address is not a signaling server");
    }
    this.members.clear();
    for (const line of answer.body.split("\n")) {
      const entry = parseEntry(line);
      if (entry && entry.here && entry.member.id !== answer.pragma) this.members.set(entry.member.id, entry.member);
    }
    this.id = answer.pragma;
  }

  /** The next event, by a long poll or, where that is renewed, several. */
  async #longPoll(ended) {
    for (;;) {
      this.#wait = new AbortController();
      try {
        return await this.#request(`wait?peer_id=${this.id}`, {}, AbortSignal.any([ended, this.#wait.signal]));
      } catch (error) {
        if (error !== RENEWED) throw error;
      } finally {
        this.#wait = null;
      }
    }
  }

  /** One event. Presence and messages are told apart by the Pragma header alone. */
  async #waitOnce(ended) {
    const { pragma, body } = await this.#longPoll(ended);
    // A stock server that shuts down answers every wait without a Pragma.
    if (pragma === null) throw new SignalingError("unreachable", "the server is shutting down");
    if (pragma !== this.id) {
      this.#emit("message", { from: pragma, body });
      return;
    }
    const entry = parseEntry(body.trimEnd());
    if (!entry || entry.member.id === this.id) return;
    if (entry.here) this.members.set(entry.member.id, entry.member);
    else this.members.delete(entry.member.id);
    this.#emit("presence", entry);
  }

  async #post(to, body, during) {
    if (this.id === null || during !== this.#doubt) throw new SignalingError("unreachable", "not signed in");
    try {
      await this.#request(`message?peer_id=${this.id}&to=${to}`, post(body), this.#run?.signal, SEND_PATIENCE);
    } catch (error) {
      // Either of the two may be unknown to the server; if it is us, the echo fails too.
      if (error.kind === "gone") this.#probe();
      throw error;
    }
  }

  /** Finds out whether we are still signed in; if not, ends this sign-in so that a new one is made. */
  async #probe() {
    const { id } = this;
    const doubt = this.#doubt;
    if (id === null) return;
    try {
      await this.#request(`message?peer_id=${id}&to=${id}`, post("still here"), doubt.signal, ECHO_PATIENCE);
    } catch (error) {
      if (error.kind === "gone" || error.kind === "unreachable") doubt.abort(error);
    }
  }

  async #request(path, options, stopped, patience) {
    const signals = [stopped, patience && AbortSignal.timeout(patience)].filter(Boolean);
    let answer;
    let body;
    try {
      answer = await fetch(this.#url(path), this.#with({ ...options, cache: "no-store", signal: AbortSignal.any(signals) }));
      body = await answer.text();
    } catch (error) {
      if (stopped?.aborted) throw stopped.reason;
      const silent = error.name === "TimeoutError";
      throw new SignalingError("unreachable", silent ? "the server does not answer" : "the server cannot be reached");
    }
    if (answer.status === GONE) throw new SignalingError("gone", "the server does not know this member");
    if (!answer.ok) throw new SignalingError("refused", `the server answered ${answer.status} ${body.trim().slice(0, 200)}`);
    return { pragma: parseId(answer.headers.get("Pragma")), body };
  }

  #pause(duration, stopped) {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        stopped.removeEventListener("abort", end);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(end, duration);
      stopped.addEventListener("abort", end);
      this.#wake = end;
    });
  }

  /** A request's options, with what the server knows this page by. */
  #with(options) {
    return { ...options, headers: { ...options.headers, "X-Pinhole-Key": this.#key } };
  }

  #url(path) {
    return new URL(path, this.#base);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

// The stock server drops a POST without a type.
function post(body) {
  return { method: "POST", body, headers: { "Content-Type": "text/plain" } };
}

function parseId(text) {
  return text !== null && /^[0-9]{1,16}$/.test(text.trim()) ? Number(text) : null;
}

/** `name,id,connected`. The name has no comma of its own; an entry that makes no sense is reported and left out. */
function parseEntry(line) {
  if (line === "") return null;
  const [, name, id, here] = /^(.*),([0-9]{1,16}),([01])$/s.exec(line) ?? [];
  if (id === undefined) {
    console.warn("not a member's entry:", line);
    return null;
  }
  return { member: { id: Number(id), name }, here: here === "1" };
}
