// What the page's modules find in every browser, and Node.js lacks.

import { webcrypto } from "node:crypto";
import { standIn } from "./stand-in.js";

// Node.js has it since 19.
globalThis.CustomEvent ??= class extends Event {
  constructor(type, { detail = null } = {}) {
    super(type);
    this.detail = detail;
  }
};

// Node.js has it since 19.
globalThis.crypto ??= webcrypto;

globalThis.document ??= { hidden: false };

globalThis.MediaStream ??= class {
  #tracks = [];

  addTrack(track) {
    this.#tracks.push(track);
  }

  getTracks() {
    return [...this.#tracks];
  }
};

/** Writes down the events of these types: `{type, …detail}` each. */
export function record(target, ...types) {
  const events = [];
  for (const type of types) target.addEventListener(type, ({ detail }) => events.push({ type, ...detail }));
  return events;
}

/** Collects what is said by console.warn, instead of printing it, until the test `context` is over. */
export function warnings(context) {
  const said = [];
  standIn(context, console, "warn", (...words) => said.push(words.join(" ")));
  return said;
}

/** Makes chance an even one until the test `context` is over: Math.random gives `value`. */
export function chance(context, value) {
  standIn(context, Math, "random", () => value);
}
