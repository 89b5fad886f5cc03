// A clock that stands until a test lets it go: in place of the timers, performance.now and AbortSignal.timeout. Node.js 18 has
// no such thing for all of them.

import { standIn } from "./stand-in.js";

export class Clock {
  now = 0;
  #timers = new Map(); // id -> {at, act, every (null: once)}
  #last = 0;

  /** Takes the place of the real one until the test `context` is over. */
  constructor(context) {
    const replace = (owner, name, value) => standIn(context, owner, name, value);
    replace(globalThis, "setTimeout", (act, duration = 0) => this.#add(act, duration, null));
    replace(globalThis, "setInterval", (act, duration) => this.#add(act, duration, duration));
    replace(globalThis, "clearTimeout", (id) => this.#timers.delete(id));
    replace(globalThis, "clearInterval", (id) => this.#timers.delete(id));
    replace(performance, "now", () => this.now);
    replace(AbortSignal, "timeout", (duration) => this.#timeout(duration));
  }

  /** How many timers run. */
  get timers() {
    return [...this.#timers.values()].filter(({ idle }) => !idle).length;
  }

  /** Lets `duration` (ms) go by: what falls due happens in order, and everything that follows from it. */
  async pass(duration) {
    const end = this.now + duration;
    await settled();
    for (;;) {
      const [id, next] = [...this.#timers].reduce((least, each) => (each[1].at < least[1].at ? each : least), [null, { at: Infinity }]);
      if (next.at > end) break;
      this.now = Math.max(this.now, next.at);
      if (next.every === null) this.#timers.delete(id);
      else next.at += next.every;
      next.act();
      await settled();
    }
    this.now = end;
  }

  #timeout(duration) {
    const controller = new AbortController();
    const end = () => controller.abort(new DOMException("The operation timed out.", "TimeoutError"));
    // Nobody can take such a timer back, so it counts for nothing.
    this.#timers.get(this.#add(end, duration, null)).idle = true;
    return controller.signal;
  }

  #add(act, duration, every) {
    this.#last += 1;
    this.#timers.set(this.#last, { at: this.now + duration, act, every });
    return this.#last;
  }
}

/** Once every promise has been followed to its end: with no real timer and no network there is nothing else to wait for. */
export function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}
