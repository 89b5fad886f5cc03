// A signaling server of which the test gives every answer: in place of fetch.

import { standIn } from "./stand-in.js";

export class Server {
  /** Every request that was made. */
  requests = [];

  /** Takes the place of fetch until the test `context` is over. */
  constructor(context) {
    standIn(context, globalThis, "fetch", (url, options) => {
      const request = new Request(url, options);
      this.requests.push(request);
      return request.promise;
    });
  }

  /** The requests to a path that wait for their answer. */
  open(path) {
    return this.requests.filter((request) => request.path === path && request.open);
  }

  /** The only open request to that path. */
  the(path) {
    const found = this.open(path);
    if (found.length !== 1) throw new Error(`${found.length} requests to ${path} are open, not one`);
    return found[0];
  }

  /** How many requests were made to that path. */
  count(path) {
    return this.requests.filter((request) => request.path === path).length;
  }
}

class Request {
  open = true;
  #resolve;
  #reject;

  constructor(url, options) {
    this.path = url.pathname.slice(1);
    this.query = url.search.slice(1);
    this.options = options;
    this.body = options.body;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { signal } = options;
    const abort = () => {
      this.open = false;
      this.aborted = true;
      this.#reject(signal.reason);
    };
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort);
  }

  /** What the page shows to be known by. */
  get key() {
    return this.options.headers["X-Pinhole-Key"];
  }

  answer(body = "", pragma = null, status = 200) {
    this.open = false;
    const headers = { get: (name) => (name === "Pragma" && pragma !== null ? String(pragma) : null) };
    this.#resolve({ status, ok: status >= 200 && status < 300, headers, text: () => Promise.resolve(body) });
  }

  refuse(status, body = "") {
    this.answer(body, null, status);
  }

  /** The connection breaks. */
  break() {
    this.open = false;
    this.#reject(new TypeError("fetch failed"));
  }
}
