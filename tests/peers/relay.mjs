// A way between a viewer and the node on which packets get lost, and which knows what passed: what the node sent, and what the viewer must
// have got. It is a router of the viewer's: whatever the viewer sends from one of its ports leaves from one of the router's.

import dgram from "node:dgram";

/** How often a stream's numbers have begun anew before its first one, so that none is below zero. */
const BEFORE = 1 << 16;

/** Whether a packet is one of SRTP: neither STUN nor DTLS (RFC 7983), and not a report (RFC 5761). */
function isMedia(packet) {
  return packet.length > 12 && packet[0] >> 6 === 2 && !(packet[1] >= 192 && packet[1] <= 223);
}

/** FNV-1a. */
function digest(packet) {
  let hash = 0x811c9dc5;
  for (const byte of packet) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

async function bound(address, hear) {
  const socket = dgram.createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
  socket.on("message", hear);
  await new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(0, address, resolve);
  });
  // Who is no longer there is told so by the kernel, and needs no answer.
  socket.removeAllListeners("error");
  socket.on("error", () => {});
  return socket;
}

/** One stream of the node's. */
class Stream {
  newest = null;
  /** By a packet's number: what it was, and whether it was lost here, and passed on. */
  packets = new Map();

  /** The packet's number, continued beyond 16 bits. */
  number(sequence) {
    this.newest ??= BEFORE * 65536 + sequence;
    const ahead = ((sequence - this.newest) & 0xffff) << 16 >> 16;
    const number = this.newest + ahead;
    this.newest = Math.max(this.newest, number);
    return number;
  }
}

export class Relay {
  /** The share of media packets that get lost, and of reports. */
  loss = 0;
  /** Counts down to a packet that is spoilt on its way, where one is to be. */
  harm = null;
  #random;
  #home;
  #node = null;
  #front = null;
  /** By the viewer's port, the router's, in the order in which they were opened. */
  #ports = new Map();
  #streams = new Map();
  #held = null;
  #dropped = 0;
  #again = 0;
  #suspect = 0;
  #differing = 0;
  #opening = Promise.resolve();
  #closed = false;
  /** The router's port that was opened last, and media that came to it. */
  #newest = null;
  #onNewest = 0;

  /** `home` is the router's address, `random()` draws from 0 to 1. */
  constructor(home, random) {
    this.#home = home;
    this.#random = random;
  }

  async open() {
    this.#front = await bound(this.#home, (packet, { address, port }) => {
      // One after the other: a viewer's first packet opens a port.
      this.#opening = this.#opening
        .then(() => this.#toNode(packet, address, port))
        .catch((error) => console.error(`relay: ${error.message}`));
    });
  }

  /** The node's answer, as if the node were here; where the node is, is found in it. */
  instead(sdp) {
    const candidates = [...sdp.matchAll(/^a=candidate:\S+ 1 udp \d+ (\d+\.\d+\.\d+\.\d+) (\d+) typ host.*\r\n/gim)];
    const [, address, port] = candidates[0] ?? [];
    if (address === undefined) throw new Error(`the node has no address:\n${sdp}`);
    this.#node = { address, port: Number(port) };
    const front = this.#front.address();
    const own = `a=candidate:1 1 udp 2130706431 ${front.address} ${front.port} typ host\r\n`;
    let given = false;
    return sdp.replace(/^a=(candidate:.*|end-of-candidates)\r\n/gm, "").replace(/^a=ice-pwd:.*\r\n/gm, (line) => {
      const first = !given;
      given = true;
      return first ? line + own : line;
    });
  }

  /** From now on the viewer comes from another address, at each port that it opens. */
  move(address) {
    this.#home = address;
  }

  /** Media wait here, … */
  hold() {
    this.#held ??= [];
  }

  /** … until now, when they go on or get lost. */
  release({ lose = false } = {}) {
    const held = this.#held ?? [];
    this.#held = null;
    for (const { record, packet, to } of held) {
      if (lose) this.#lose(record);
      else this.#pass(record, packet, to);
    }
  }

  /** Whether so many media packets came on the way that the viewer opened last, which is the `ports`th. */
  isOn(ports, packets) {
    return this.#ports.size >= ports && this.#onNewest >= packets;
  }

  /** Packets of each source that were passed on, each number once. */
  delivered() {
    const counts = {};
    for (const [source, { packets }] of this.#streams) counts[source] = [...packets.values()].filter(({ passed }) => passed).length;
    return counts;
  }

  /**
   * `dropped` here; sent `again` by the node; `suspect`: of those the ones that had been passed on and were not dropped before, so that
   * the viewer can't have decrypted them; `differing`: of those the ones that were another packet by the same number.
   */
  figures() {
    return { dropped: this.#dropped, again: this.#again, suspect: this.#suspect, differing: this.#differing, ports: this.#ports.size };
  }

  close() {
    this.#closed = true;
    this.#front.close();
    for (const socket of this.#ports.values()) socket.close();
  }

  async #toNode(packet, address, port) {
    if (this.#node === null || this.#closed) return;
    if (this.loss > 0 && packet[0] >> 6 === 2 && this.#random() < this.loss) return;
    const key = `${address}:${port}`;
    if (!this.#ports.has(key)) {
      const back = await bound(this.#home, (answer) => this.#toViewer(key, answer, { address, port }));
      if (this.#closed) return back.close();
      this.#ports.set(key, back);
      [this.#newest, this.#onNewest] = [key, 0];
    }
    this.#ports.get(key).send(packet, this.#node.port, this.#node.address);
  }

  #toViewer(key, packet, to) {
    if (!isMedia(packet)) return this.#front.send(packet, to.port, to.address);
    if (key === this.#newest) this.#onNewest += 1;
    const source = packet.readUInt32BE(8);
    if (!this.#streams.has(source)) this.#streams.set(source, new Stream());
    const stream = this.#streams.get(source);
    const number = stream.number(packet.readUInt16BE(2));
    const hash = digest(packet);
    const known = stream.packets.get(number);
    const record = known ?? { hash, dropped: false, passed: false };
    stream.packets.set(number, record);
    if (known) {
      this.#again += 1;
      if (known.hash !== hash) this.#differing += 1;
      if (known.passed && !known.dropped) this.#suspect += 1;
    }
    if (this.loss > 0 && this.#random() < this.loss) return this.#lose(record);
    if (this.#held) return this.#held.push({ record, packet, to });
    return this.#pass(record, packet, to);
  }

  #lose(record) {
    record.dropped = true;
    this.#dropped += 1;
  }

  #pass(record, packet, to) {
    record.passed = true;
    const spoilt = this.harm !== null && (this.harm -= 1) === 0;
    const passed = Buffer.from(packet);
    if (spoilt) passed[passed.length - 1] ^= 1;
    this.#front.send(passed, to.port, to.address);
  }
}
