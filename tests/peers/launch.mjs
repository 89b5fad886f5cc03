// Debian's Chromium, headless, for a program that drives it (chromium.mjs, sessions.mjs). Its profile is below TMPDIR.

import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import readline from "node:readline";
import { chromium } from "playwright-core";

const PROGRAM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
  "--disable-breakpad", "--disable-dev-shm-usage", "--log-level=3", "--password-store=basic", "--mute-audio", "--hide-scrollbars",
  // A page that nobody looks at must run at full speed all the same.
  "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
  "--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0",
  // Whoever connects to a Chromium that opens a page of its own at the start may wait for that for ever: microsoft/playwright#41093.
  "--no-startup-window",
  // Strangers' names that lead to the tests' own address (network.rs), as by DNS rebinding.
  "--host-resolver-rules=MAP *.example 10.77.1.1",
];

/** What Chromium complains of on a machine without a desktop and a sound card; it would bury what a test has to say. */
const NOISE = /dbus\/|alsa_util|^ALSA lib/;

/** A Chromium. */
export class Chromium {
  browser = null;
  #process = null;
  #profile = null;

  /** Starts it with these flags besides the usual ones; `ended(code, signal)` is called at its end. */
  async start(flags, ended) {
    this.#profile = await mkdtemp(join(tmpdir(), "pinhole-chromium-"));
    this.#process = spawn(PROGRAM, [...FLAGS, ...flags, `--user-data-dir=${this.#profile}`], { stdio: ["ignore", "ignore", "pipe"] });
    const address = await new Promise((resolve, reject) => {
      const words = readline.createInterface({ input: this.#process.stderr });
      words.on("line", (line) => {
        const [, found] = /^DevTools listening on (ws:.*)$/.exec(line) ?? [];
        if (found) resolve(found);
        else if (!NOISE.test(line)) console.error("chromium:", line);
      });
      this.#process.on("error", (error) => reject(new Error(`${PROGRAM} could not be started: ${error.message}`)));
      this.#process.on("exit", (code, signal) => {
        ended(code, signal);
        reject(new Error(`${PROGRAM} ended at once (${signal ?? code})`));
      });
    });
    this.browser = await chromium.connectOverCDP(address);
  }

  get pid() {
    return this.#process.pid;
  }

  /** SIGKILL to it and to all its processes. */
  async kill() {
    if (this.#process === null) return;
    for (const pid of await descendants(this.pid)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch (error) {
        if (error.code !== "ESRCH") throw error; // It has ended by itself.
      }
    }
  }

  /** Ends it, and leaves nothing behind. */
  async close() {
    await this.browser?.close().catch(() => {});
    await this.kill();
    if (this.#profile !== null) await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** `root` and every process below it, deepest last. */
async function descendants(root) {
  const children = new Map();
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = await readFile(`/proc/${pid}/stat`, "latin1");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]); // proc_pid_stat(5)
      children.set(parent, [...(children.get(parent) ?? []), Number(pid)]);
    } catch {
      // It ended while we looked.
    }
  }
  const all = [root];
  for (const pid of all) all.push(...(children.get(pid) ?? []));
  return all;
}
