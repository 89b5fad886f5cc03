// A real Firefox that looks at the viewer page, driven by a test through JSON lines on stdin, with the commands of chromium.mjs that the
// page's own behaviour needs: open {url}, cameras, watch, wait_live, wait_state, status, media (calls, connection), text, press, leave, kill.
// Debian's firefox-esr is driven as it is, by WebDriver BiDi, which it speaks itself; playwright wants a Firefox of its own making.
// Unasked: `{"event": "ready", "firefox": PID}`, `{"event": "ended"}` when Firefox has ended. Diagnostics go to stderr. It ends when stdin is
// closed; its profile is below TMPDIR.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import readline from "node:readline";

/** How long it waits for what should come at once, in seconds: the machine may be busy with other work. */
const PATIENCE = 30;
const LOOK_EVERY = 50; // ms

const PROGRAM = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
const PREFERENCES = {
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "app.update.disabledForTesting": true,
  "browser.startup.page": 0,
  "extensions.update.enabled": false,
  "media.autoplay.default": 0,
  // No plugin for H.264 is fetched from the network: VP8 is what every browser has.
  "media.gmp-manager.updateEnabled": false,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  // A page that nobody looks at must run at full speed all the same.
  "dom.min_background_timeout_value": 4,
  "dom.timeout.enable_budget_timer_throttling": false,
};

/** A WebSocket (RFC 6455) that carries JSON, as far as this one conversation needs it. Node.js 18 has none. */
class Wire {
  #socket;
  #received = Buffer.alloc(0);
  #parts = [];
  #hear;

  static async connect(port, path, hear) {
    const wire = new Wire();
    wire.#hear = hear;
    wire.#socket = net.connect(port, "127.0.0.1");
    wire.#socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`
      + `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`);
    await new Promise((resolve, reject) => {
      wire.#socket.on("error", reject);
      const opening = (data) => {
        wire.#received = Buffer.concat([wire.#received, data]);
        const end = wire.#received.indexOf("\r\n\r\n");
        if (end < 0) return;
        const head = wire.#received.subarray(0, end).toString();
        wire.#socket.off("data", opening);
        if (!head.startsWith("HTTP/1.1 101")) {
          reject(new Error(`Firefox does not talk: ${head}`));
          return;
        }
        wire.#received = wire.#received.subarray(end + 4);
        wire.#socket.on("data", (more) => wire.#receive(more));
        resolve();
      };
      wire.#socket.on("data", opening);
    });
    return wire;
  }

  send(message) {
    const text = Buffer.from(JSON.stringify(message));
    // All of a text, masked, with its length in as few bytes as may be.
    const head = text.length < 126 ? Buffer.from([0x81, 0x80 | text.length]) : Buffer.alloc(text.length < 65536 ? 4 : 10);
    if (head.length > 2) head.set([0x81, 0x80 | (head.length === 4 ? 126 : 127)]);
    if (head.length === 4) head.writeUInt16BE(text.length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(text.length), 2);
    const mask = randomBytes(4);
    this.#socket.write(Buffer.concat([head, mask, text.map((byte, at) => byte ^ mask[at % 4])]));
  }

  close() {
    this.#socket.destroy();
  }

  #receive(data) {
    this.#received = Buffer.concat([this.#received, data]);
    for (;;) {
      const bytes = this.#received;
      if (bytes.length < 2) return;
      let length = bytes[1] & 0x7f;
      let at = 2;
      if (length === 126) {
        if (bytes.length < 4) return;
        length = bytes.readUInt16BE(2);
        at = 4;
      } else if (length === 127) {
        if (bytes.length < 10) return;
        length = Number(bytes.readBigUInt64BE(2));
        at = 10;
      }
      if (bytes.length < at + length) return;
      const payload = bytes.subarray(at, at + length);
      this.#received = bytes.subarray(at + length);
      if ((bytes[0] & 0x0f) > 2) continue; // A ping or a close.
      this.#parts.push(payload);
      if (bytes[0] & 0x80) this.#hear(JSON.parse(Buffer.concat(this.#parts.splice(0)).toString()));
    }
  }
}

/** Runs in the page before its own scripts: keeps hold of the calls. */
function instrument() {
  const calls = [];
  window.pinholeTest = { calls };
  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(...configuration) {
      super(...configuration);
      calls.push(this);
    }
  };
}

/** In the page: what it says. */
function readStatus() {
  const status = document.getElementById("status");
  const { state, trouble } = status.dataset;
  return {
    state, trouble, text: status.textContent, detail: document.getElementById("detail").textContent,
    server: document.getElementById("server").dataset.state, address: location.href,
  };
}

/** In the page: the newest call. */
async function readMedia() {
  const { calls } = window.pinholeTest;
  const facts = { calls: calls.length, connection: calls.at(-1)?.connectionState ?? null, video: null };
  const report = await calls.at(-1)?.getStats();
  for (const entry of report?.values() ?? []) {
    if (entry.type === "inbound-rtp" && entry.kind === "video") facts.video = { framesDecoded: entry.framesDecoded, framesReceived: entry.framesReceived };
  }
  return facts;
}

function readCameras() {
  return [...document.querySelectorAll("[data-camera]")].map(({ dataset }) => (
    { name: dataset.camera, id: Number(dataset.id), present: dataset.present === "true" }));
}

class Viewer {
  #process;
  #profile;
  #wire;
  #context;
  #asked = 0;
  #open = new Map(); // number -> {resolve, reject}

  async start() {
    this.#profile = await mkdtemp(join(tmpdir(), "pinhole-firefox-"));
    const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`);
    await writeFile(join(this.#profile, "user.js"), lines.join(""));
    const words = ["--headless", "--no-remote", "--profile", this.#profile, "--remote-debugging-port=0", "about:blank"];
    this.#process = spawn(PROGRAM, words, { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, HOME: this.#profile } });
    const port = await new Promise((resolve, reject) => {
      readline.createInterface({ input: this.#process.stderr }).on("line", (line) => {
        const [, found] = /^WebDriver BiDi listening on ws:\/\/127\.0\.0\.1:(\d+)/.exec(line) ?? [];
        if (found) resolve(Number(found));
      });
      this.#process.on("error", (error) => reject(new Error(`${PROGRAM} could not be started: ${error.message}`)));
      this.#process.on("exit", (code, signal) => {
        say({ event: "ended", code, signal });
        reject(new Error(`${PROGRAM} ended at once (${signal ?? code})`));
      });
    });
    this.#wire = await Wire.connect(port, "/session", (message) => this.#hear(message));
    await this.#command("session.new", { capabilities: {} });
    await this.#command("script.addPreloadScript", { functionDeclaration: instrument.toString() });
    const { contexts } = await this.#command("browsingContext.getTree", {});
    this.#context = contexts[0].context;
    say({ event: "ready", firefox: this.#process.pid });
  }

  async open({ url }) {
    await this.#command("browsingContext.navigate", { context: this.#context, url, wait: "complete" });
    return {};
  }

  async cameras({ camera = null, within = PATIENCE }) {
    const listed = async () => {
      const cameras = await this.#inPage(readCameras);
      return (camera === null || cameras.some(({ name, present }) => name === camera && present)) && { cameras };
    };
    return this.#until(listed, within, `${camera} is not listed`);
  }

  async watch({ camera }) {
    await this.cameras({ camera });
    await this.press({ on: `[data-camera=${JSON.stringify(camera)}]` });
    return {};
  }

  async wait_state({ state, trouble = null, within = PATIENCE }) {
    const start = performance.now();
    const reached = async () => {
      const status = await this.status();
      return status.state === state && (trouble === null || status.trouble === trouble) && status;
    };
    const { text, detail } = await this.#until(reached, within, `the page is not ${[state, trouble].filter(Boolean).join(" ")}`);
    return { ms: performance.now() - start, text, detail };
  }

  async wait_live({ within }) {
    const { ms } = await this.wait_state({ state: "live", within });
    return { ms };
  }

  status() {
    return this.#inPage(readStatus);
  }

  media() {
    return this.#inPage(readMedia);
  }

  async text({ of }) {
    return { text: await this.#inPage((selector) => document.querySelector(selector)?.textContent ?? null, of) };
  }

  async press({ on }) {
    await this.#inPage((selector) => document.querySelector(selector).click(), on);
    return {};
  }

  async leave() {
    return this.open({ url: "about:blank" });
  }

  kill() {
    this.#process.kill("SIGKILL");
    return {};
  }

  async close() {
    this.#wire?.close();
    this.kill();
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  /** What a function comes to in the page. */
  async #inPage(work, argument = null) {
    const functionDeclaration = `async () => JSON.stringify(await (${work})(${JSON.stringify(argument)}) ?? null)`;
    const answer = await this.#command("script.callFunction", { functionDeclaration, awaitPromise: true, target: { context: this.#context } });
    if (answer.type !== "success") throw new Error(answer.exceptionDetails?.text ?? "the page's script failed");
    return JSON.parse(answer.result.value);
  }

  async #until(reached, within, complaint) {
    const end = performance.now() + within * 1000;
    for (;;) {
      const outcome = await reached();
      if (outcome) return outcome;
      if (performance.now() > end) throw new Error(`after ${within} s ${complaint}; it says: ${JSON.stringify(await this.status())}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    }
  }

  #command(method, params) {
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
      this.#wire.send({ id, method, params });
    });
  }

  #hear({ id, type, result, error, message }) {
    const asked = this.#open.get(id);
    if (!asked) return; // An event.
    this.#open.delete(id);
    if (type === "success") asked.resolve(result);
    else asked.reject(new Error(`${error}: ${message}`));
  }
}

function say(words) {
  process.stdout.write(`${JSON.stringify(words)}\n`);
}

const COMMANDS = ["open", "cameras", "watch", "wait_live", "wait_state", "status", "media", "text", "press", "leave", "kill"];

const viewer = new Viewer();
const started = viewer.start();
started.catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});

readline.createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const { id, do: name, ...words } = JSON.parse(line);
    try {
      await started;
      if (!COMMANDS.includes(name)) throw new Error(`no such command: ${name}`);
      say({ reply: id, ...(await viewer[name](words)) });
    } catch (error) {
      say({ reply: id, error: error.message });
    }
  })
  .on("close", async () => {
    await viewer.close();
    process.exit();
  });
