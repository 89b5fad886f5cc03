// Many short sessions of a real libwebrtc with a node, over ways that lose packets (relay.mjs), each drawn by its number: what codec and whether
// with sound, what gets lost, whether ICE begins anew, at the same address or at another, and which sections are added, switched off and
// on. Driven by a test through JSON lines on stdin. Commands, each `{"id": N, "do": NAME, …}` and answered by `{"reply": N, …}`
// or `{"reply": N, "error": TEXT}`:
//   start {engine: "chromium" | "wrtc", server: "HOST:PORT", node, lanes, home, elsewhere}  -> {}   signs in as so many members, each of
//                                    which has one session after the other; `home` and `elsewhere` are addresses of this machine
//   sessions {first, count, harm?}   -> {sessions: [ACCOUNT]}   has those of these numbers; `harm`: in each a packet is spoilt on its way
// An ACCOUNT is {number, error?, course, cipher, pictures, delivered, received, overflows, dropped, again, suspect, differing, ports}:
// `pictures` decoded; media packets that were `delivered` to the viewer, each number once, and `received` by it, that is, decrypted; `overflows`:
// packets for which the kernel had no room meanwhile, in whichever session; and of the relay's figures.
// It ends when stdin is closed.

import { readFile } from "node:fs/promises";
import readline from "node:readline";
import { ends } from "./ends.mjs";
import { Chromium } from "./launch.mjs";
import { Relay } from "./relay.mjs";
import { StockWire } from "./stock-wire.mjs";

/** How long it waits for what should come at once, in ms: the machine may be busy with other work. */
const PATIENCE = 30_000;
/** A member may offer once a second, and has some more to begin with. */
const OFFERS = { every: 1_050, saved: 6 };
/** Pictures after which something has gone on. */
const GOES_ON = 5;

const sleep = (time) => new Promise((resolve) => setTimeout(resolve, time));

/** Numbers from 0 to 1 that follow from a seed (mulberry32). */
function generator(seed) {
  let state = (seed + 0x9e3779b9) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Datagrams for which sockets of this network had no room so far. */
async function overflows() {
  const rows = (await readFile("/proc/self/net/snmp", "latin1")).split("\n").filter((row) => row.startsWith("Udp:"));
  const [names, values] = rows.map((row) => row.split(" "));
  return Number(values[names.indexOf("RcvbufErrors")]);
}

/** A libwebrtc: ends of sessions, and how one is had. */
const ENGINES = {
  async chromium() {
    const browser = new Chromium();
    await browser.start([], (code, signal) => console.error(`Chromium has ended (${signal ?? code})`));
    const page = await (await browser.browser.newContext()).newPage();
    await page.evaluate(`(window.ends = (${ends})(RTCPeerConnection), null)`);
    const ask = (name) => (words) => page.evaluate(([what, given]) => window.ends[what](given), [name, words]);
    const names = ["open", "offer", "answer", "figures", "close"];
    return { codecs: ["VP8", "H264"], stop: () => browser.close(), ...Object.fromEntries(names.map((name) => [name, ask(name)])) };
  },

  async wrtc() {
    const { default: wrtc } = await import("@roamhq/wrtc");
    return { codecs: [null], stop() {}, ...ends(wrtc.RTCPeerConnection) };
  },
};

/** A member of the server, which has one session at a time. */
class Lane {
  #wire;
  #node = null;
  #waits = null;
  #offers = [];

  constructor(server, node) {
    this.#wire = new StockWire(server, {
      peerConnected: () => {},
      peerDisconnected: () => {},
      message: (_, body) => this.#hear(body),
      disconnected: (error) => this.#waits?.reject(error),
    });
    this.name = node;
  }

  async join(name) {
    await this.#wire.signIn(name);
    [this.#node] = [...this.#wire.peers].find(([, each]) => each === this.name) ?? [];
    if (this.#node === undefined) throw new Error(`${this.name} is not there`);
  }

  #hear(body) {
    const waits = this.#waits;
    if (body === "BYE") return waits?.reject(new Error("the node hung up"));
    const message = JSON.parse(body);
    if (message.type === "answer") waits?.resolve(message.sdp);
    if (message.type === "error") waits?.reject(new Error(message.reason));
    // Candidates are of no use: they would lead past the relay.
    return null;
  }

  /** Waits until it may offer. */
  async mayOffer() {
    const span = OFFERS.every * OFFERS.saved;
    this.#offers = this.#offers.filter((at) => at > performance.now() - span);
    if (this.#offers.length >= OFFERS.saved) await sleep(this.#offers[0] + span - performance.now());
    this.#offers.push(performance.now());
  }

  /** Sends an offer. Returns the answer to it. */
  async exchange(sdp) {
    const answered = new Promise((resolve, reject) => (this.#waits = { resolve, reject }));
    const late = setTimeout(() => this.#waits.reject(new Error("no answer")), PATIENCE);
    try {
      await this.#wire.send(this.#node, JSON.stringify({ type: "offer", sdp }));
      return await answered;
    } finally {
      clearTimeout(late);
      this.#waits = null;
    }
  }

  async hangUp() {
    await this.#wire.send(this.#node, "BYE");
  }
}

/** What happens in the session of a number. */
function draw(number, codecs) {
  const random = generator(number);
  const pick = (all) => all[Math.floor(random() * all.length)];
  const sound = random() < 0.5;
  const acts = [];
  for (let left = Math.floor(random() * 3); left > 0; left -= 1) acts.push(pick(["restart", "move", "sound", "mute", "pause"]));
  const course = { codec: pick(codecs), sound, loss: random() < 0.6 ? 0.02 + random() * 0.08 : 0, acts };
  return { course, random };
}

class Sessions {
  #engine = null;
  #lanes = [];
  #places;

  async start({ engine, server, node, lanes, home, elsewhere }) {
    this.#places = [home, elsewhere];
    this.#engine = await ENGINES[engine]();
    for (let number = 0; number < lanes; number += 1) {
      const lane = new Lane(server, node);
      await lane.join(`viewer-${number}`);
      this.#lanes.push(lane);
    }
    return {};
  }

  async sessions({ first, count, harm = null }) {
    const accounts = [];
    let next = first;
    await Promise.all(this.#lanes.map(async (lane) => {
      while (next < first + count) {
        const number = next;
        next += 1;
        accounts.push(await this.#session(number, lane, harm));
      }
    }));
    return { sessions: accounts };
  }

  async stop() {
    await this.#engine?.stop();
  }

  async #session(number, lane, harm) {
    const { course, random } = draw(number, this.#engine.codecs);
    const session = new Session(number, this.#engine, lane, new Relay(this.#places[0], random));
    const account = { number, course };
    const before = await overflows();
    try {
      Object.assign(account, await session.run(course, this.#places, harm));
    } catch (error) {
      Object.assign(account, { error: error.message });
    }
    Object.assign(account, session.relay.figures(), { overflows: await overflows() - before });
    await session.end();
    return account;
  }
}

class Session {
  /** Of each kind: what was counted by what is no more, and what is counted now. */
  #counts = { packets: new Map(), pictures: new Map() };
  /** The sources of what is counted, … */
  #sources = new Set();
  /** … and whether what came again in a stream of its own is counted with it, as newer ones do. */
  #countsAgain = false;

  constructor(number, engine, lane, relay) {
    Object.assign(this, { number, engine, lane, relay });
  }

  async run({ codec, sound, loss, acts }, places, harm) {
    const { number, engine, relay } = this;
    await relay.open();
    await this.#exchange(() => engine.open({ number, codec, sound }));
    await this.#goesOn();
    [relay.loss, relay.harm] = [loss, harm];
    let place = 0;
    for (const act of acts) {
      if (act === "move") relay.move(places[(place = 1 - place)]);
      const { ports } = relay.figures();
      for (const change of changes(act)) {
        const closes = change.direction === "inactive";
        // With a section go its counts.
        if (closes) await this.#compare();
        await this.#exchange(() => engine.offer({ number, ...change }), closes);
      }
      if (changes(act)[0].restart) await this.#until(() => relay.isOn(ports + 1, GOES_ON), "the new way is not taken");
      await this.#goesOn();
    }
    relay.loss = 0;
    await this.#goesOn();
    const compared = await this.#compare();
    return { ...compared, pictures: await this.#count("pictures") };
  }

  async end() {
    await this.engine.close({ number: this.number });
    await this.lane.hangUp();
    this.relay.close();
  }

  /** Offers, and takes the answer. A stream that begins must not be ahead of that, and what is on its way for a section that it `closes` is not taken. */
  async #exchange(describe, closes = false) {
    await this.lane.mayOffer();
    this.relay.hold();
    const answer = await this.lane.exchange(await describe());
    await this.engine.answer({ number: this.number, sdp: this.relay.instead(answer) });
    this.relay.release({ lose: closes });
  }

  /** What was counted so far, of all kinds; a section that is there again counts from nothing. */
  async #count(what) {
    const figures = await this.engine.figures({ number: this.number });
    let sum = 0;
    for (const kind of ["video", "audio"]) {
      const key = what === "packets" ? "packetsReceived" : "framesDecoded";
      if (figures[kind]) {
        this.#sources.add(figures[kind].ssrc);
        this.#countsAgain ||= figures[kind].retransmittedPacketsReceived !== undefined;
      }
      const count = this.#counts[what].get(kind) ?? { before: 0, now: 0 };
      const now = figures[kind]?.[key] ?? count.now;
      if (now < count.now) count.before += count.now;
      count.now = now;
      this.#counts[what].set(kind, count);
      sum += count.before + count.now;
    }
    return sum;
  }

  async #until(condition, complaint) {
    const end = performance.now() + PATIENCE;
    while (!(await condition())) {
      if (performance.now() > end) throw new Error(`${complaint}: ${JSON.stringify(await this.engine.figures({ number: this.number }))}`);
      await sleep(30);
    }
  }

  /** Waits for more pictures. */
  async #goesOn() {
    const before = await this.#count("pictures");
    await this.#until(async () => await this.#count("pictures") >= before + GOES_ON, "no picture");
  }

  /** What was delivered and what was received so far, as soon as that is the same: some of it may be on its way. Media wait from now on. */
  async #compare() {
    this.relay.hold();
    const end = performance.now() + 2_000;
    for (;;) {
      const received = await this.#count("packets");
      const counted = Object.entries(this.relay.delivered()).filter(([source]) => this.#countsAgain || this.#sources.has(Number(source)));
      const delivered = counted.reduce((sum, [, count]) => sum + count, 0);
      if (received === delivered || performance.now() > end) {
        const { cipher } = await this.engine.figures({ number: this.number });
        return { cipher, delivered, received };
      }
      await sleep(50);
    }
  }
}

/** The offers that an act comes to. */
function changes(act) {
  switch (act) {
    case "restart": case "move": return [{ restart: true }];
    case "sound": return [{ kind: "audio", direction: "recvonly" }];
    case "mute": return [{ kind: "audio", direction: "inactive" }, { kind: "audio", direction: "recvonly" }];
    case "pause": return [{ kind: "video", direction: "inactive" }, { kind: "video", direction: "recvonly" }];
    default: throw new Error(`no such act: ${act}`);
  }
}

const sessions = new Sessions();
const lines = readline.createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const { id, do: name, ...words } = JSON.parse(line);
  let answer;
  try {
    if (!["start", "sessions"].includes(name)) throw new Error(`no such command: ${name}`);
    answer = { reply: id, ...(await sessions[name](words)) };
  } catch (error) {
    answer = { reply: id, error: error.message };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
lines.on("close", async () => {
  await sessions.stop();
  process.exit(0);
});
