// An RTCPeerConnection without a network: it keeps the rules of signalingState, and the test plays the camera.

import { standIn } from "./stand-in.js";

const MIRRORED = { sendrecv: "sendrecv", sendonly: "recvonly", recvonly: "sendonly", inactive: "inactive" };

/** A camera's answer: the direction of each section, and what else its section for sound says. */
export function answer({ video = "sendonly", audio = "inactive", sound = false, call = undefined } = {}) {
  const extra = sound ? "a=x-pinhole-sound\r\n" : "";
  return JSON.stringify({ type: "answer", call, sdp: `v=0\r\nm=video 9 RTP 96\r\na=${video}\r\nm=audio 9 RTP 111\r\na=${audio}\r\n${extra}` });
}

/** Stands in for RTCPeerConnection until the test `context` is over; gives a list of those that were made. */
export function connections(context) {
  const made = [];
  standIn(context, globalThis, "RTCPeerConnection", class extends PeerConnection {
    constructor() {
      super();
      made.push(this);
    }
  });
  return made;
}

class PeerConnection {
  signalingState = "stable";
  connectionState = "new";
  localDescription = null;
  remoteDescription = null;
  /** The camera's candidates, in the order in which they were added. */
  candidates = [];
  channels = [];
  closed = false;
  /** How often another path was looked for. */
  restarts = 0;
  #transceivers = [];
  #offers = 0;
  #report = new Map();

  addTransceiver(kind, { direction }) {
    const transport = Object.assign(new EventTarget(), { state: "new" });
    const transceiver = { direction, currentDirection: null, sender: { kind }, receiver: { track: { kind }, transport } };
    this.#transceivers.push(transceiver);
    return transceiver;
  }

  getTransceivers() {
    return this.#transceivers;
  }

  transceiver(kind) {
    return this.#transceivers.find(({ receiver }) => receiver.track.kind === kind);
  }

  createDataChannel(label, { protocol = "" } = {}) {
    const channel = { label, protocol, sent: [], send: (text) => channel.sent.push(JSON.parse(text)) };
    this.channels.push(channel);
    return channel;
  }

  setLocalDescription(description) {
    if (description?.type === "rollback") {
      this.signalingState = "stable";
    } else if (this.signalingState === "have-remote-offer") {
      this.signalingState = "stable";
      this.localDescription = { type: "answer", sdp: "our answer" };
    } else {
      this.signalingState = "have-local-offer";
      this.#offers += 1;
      const sections = this.#transceivers.map(({ direction, receiver }) => `m=${receiver.track.kind} 9 RTP\r\na=${direction}\r\n`);
      this.localDescription = { type: "offer", sdp: `v=0\r\ns=offer ${this.#offers}\r\n${sections.join("")}` };
    }
    return Promise.resolve();
  }

  setRemoteDescription({ type, sdp }) {
    if (!sdp?.startsWith("v=0")) return Promise.reject(new Error("not a description"));
    if (type === "offer") {
      this.signalingState = "have-remote-offer";
    } else {
      if (this.signalingState === "stable") return Promise.reject(new Error("no offer is open"));
      this.signalingState = type === "answer" ? "stable" : "have-remote-pranswer";
      for (const [, kind, direction] of sdp.matchAll(/^m=(video|audio) .*\r\na=(.*)\r$/gm)) {
        this.transceiver(kind).currentDirection = MIRRORED[direction];
      }
    }
    this.remoteDescription = { type, sdp };
    return Promise.resolve();
  }

  addIceCandidate({ candidate }) {
    if (candidate.startsWith("bad")) return Promise.reject(new Error("not a candidate"));
    this.candidates.push(candidate);
    return Promise.resolve();
  }

  getStats() {
    return this.closed ? Promise.reject(new Error("closed")) : Promise.resolve(this.#report);
  }

  restartIce() {
    this.restarts += 1;
  }

  close() {
    this.closed = true;
    this.connectionState = "closed";
  }

  // What the test does

  /** The path to the camera comes about, or breaks. */
  become(state) {
    this.connectionState = state;
    this.onconnectionstatechange();
  }

  /** So many more packets and pictures have come. */
  receive({ packets, pictures }) {
    const before = this.#report.get("video") ?? { packetsReceived: 0, framesDecoded: 0 };
    this.#report = new Map([["video", {
      type: "inbound-rtp", kind: "video", packetsReceived: before.packetsReceived + packets, framesDecoded: before.framesDecoded + pictures,
    }]]);
  }

  /** This is what getStats() tells from now on. */
  reports(entries) {
    this.#report = new Map(Object.entries(entries));
  }

  /** A candidate of ours is found; null: there are no more. */
  find(candidate) {
    this.onicecandidate({ candidate: candidate && { candidate, sdpMid: "0", sdpMLineIndex: 0 } });
  }
}
