// One call to one camera: from the offer to BYE. A session is never reused; watch.js makes the next one.
//
// Messages leave through the `send` that the owner gives: after a restart of the server the camera and this page have
// new ids, while the call between them goes on.
//
// The offer names the call, and a camera of ours repeats the name: from then on either says of which call it speaks, and what comes late of
// a call that is over, such as a BYE that waited for a network, means nothing to the present one. To others BYE is the bare word.

import { LABEL, PROTOCOL } from "./channel.js";
import { Eyes, LABEL as EYES } from "./eyes.js";
import { randomHex } from "./random.js";
import { Reserve } from "./reserve.js";
import { StatsDigest } from "./stats.js";

const ANSWER_PATIENCE = 8_000; // ms from the offer to the answer
const DOUBT_AFTER = 3_000; // ms from the offer until an answer may have been lost
const REASON_PATIENCE = 500; // ms from the end of the connection to the camera's word why
const PATH_PATIENCE = 12_000; // ms from the answer to a connection
const PICTURE_PATIENCE = 8_000; // ms from the connection to the first frame

/**
 * Why a session ended:
 * - `no-answer`, `no-path`, `no-picture`: nothing came in time
 * - `no-codec`: the camera sends nothing that this browser can decode
 * - `busy`, `refused`: the camera said why (`reason`)
 * - `hung-up`: the camera ended the call, and perhaps said why (`reason`)
 * - `stopped`, `removed`: it ended the call because its node stops, or has it no more
 * - `lost`: the connection broke
 * - `failed`: the browser or the camera's description is at fault (`reason`)
 */

/** What the codes of a camera's refusal or end (docs/viewer.md) come to; all others are a refusal before its answer, and then a hang-up. */
const CODES = {
  busy: "busy",
  crowded: "busy",
  no_path: "no-path",
  unfinished: "no-path",
  silent: "lost",
  stopped: "stopped",
  removed: "removed",
};

/**
 * Events: `doubt` (an answer is late), `connected` (there is a network path), `track` (another one, or another answer of the camera), `ended`
 * (`detail.code`, `detail.reason`).
 * After end() or `ended` nothing is sent or emitted any more.
 */
export class Session extends EventTarget {
  /** The tracks that arrive; the picture's is there from the answer on. */
  stream = new MediaStream();
  /** Whether the camera's answer has come: from here on the call no longer needs the signaling server. */
  answered = false;
  connected = false;
  /** Whether the camera has a microphone, as its answer says. */
  offersSound = false;
  /** The RTCDataChannel for controlling the camera; a camera that knows none never opens it. */
  control = null;
  /** What the person sees of it: see Eyes. */
  eyes = null;

  #send;
  #peer = null;
  #stats = null;
  #picture = null; // its RTCRtpReceiver
  #reserve = new Reserve();
  #deadline = null;
  #doubt = null;
  #name = randomHex();
  #isNamed = false; // whether the camera knows the call by its name
  #early = []; // the camera's candidates that came before its answer
  #held = []; // our candidates until the offer is on its way; null afterwards
  #refusal = null;
  #pictured = false;
  #over = false;
  #closing = null; // the pause for the camera's last word
  #sound = null; // the transceiver of the camera's sound
  #listens;
  #asked; // what the camera was told of that last
  #renewal = null; // "due" or "asked": another path is looked for, since the one that there was is broken

  /** `send(body)` takes a message to the camera and returns a promise; `listens`: whether to ask for its sound at once. */
  constructor(send, listens) {
    super();
    this.#send = send;
    this.#listens = listens;
  }

  async start() {
    const peer = new RTCPeerConnection();
    this.#peer = peer;
    this.#stats = new StatsDigest(peer);
    peer.ontrack = ({ track, receiver }) => this.#receive(track, receiver);
    peer.onicecandidate = ({ candidate }) => this.#offerCandidate(candidate);
    peer.onconnectionstatechange = () => this.#connectionChanged();
    peer.addTransceiver("video", { direction: "recvonly" });
    this.#asked = this.#listens;
    this.#sound = peer.addTransceiver("audio", { direction: this.#direction });
    this.control = peer.createDataChannel(LABEL, { protocol: PROTOCOL });
    this.eyes = new Eyes(peer.createDataChannel(EYES));
    this.#setDeadline(ANSWER_PATIENCE, "no-answer");
    this.#doubt = setTimeout(() => this.dispatchEvent(new Event("doubt")), DOUBT_AFTER);
    try {
      await peer.setLocalDescription();
      const offer = this.#post({ type: "offer", sdp: markTalk(peer.localDescription.sdp) });
      for (const candidate of this.#held) this.#postCandidate(candidate);
      this.#held = null;
      await offer;
    } catch (error) {
      this.#finish("failed", error.message);
    }
  }

  /** A message from the camera, verbatim. */
  async receive(body) {
    if (this.#over) return;
    if (body.trim() === "BYE") {
      // A camera that knows the call by its name means another one.
      if (!this.#isNamed) this.#hungUp();
      return;
    }
    let message;
    try {
      message = JSON.parse(body);
    } catch {
      console.warn("the camera sent what is neither JSON nor BYE");
      return;
    }
    if (message?.call !== undefined && message?.call !== this.#name) return; // Of a call that is over.
    if (message?.call === this.#name) this.#isNamed = true;
    try {
      await this.#understand(message);
    } catch (error) {
      console.warn("the camera's message could not be used:", error.message);
      if (!this.answered) this.#finish("failed", error.message);
    }
  }

  /** The connection's state in the browser's words, e.g. "disconnected" when the other end has gone silent. */
  get connectionState() {
    return this.#peer.connectionState;
  }

  /** The RTCRtpSender on which the camera would hear us; null where it has no loudspeaker, or does not want to. */
  get voice() {
    const heard = ["sendrecv", "sendonly"].includes(this.#sound?.currentDirection);
    return heard && !this.#over ? this.#sound.sender : null;
  }

  /** Whether sound may come at this moment. */
  get hasSound() {
    return ["recvonly", "sendrecv"].includes(this.#sound?.currentDirection);
  }

  /** Asks the camera for its sound from now on, or for none. */
  async listen(listens) {
    if (this.#over || listens === this.#listens) return;
    this.#listens = listens;
    await this.#ask();
  }

  /** Of the section for sound. We would always talk; without a track nothing is sent before the person does (talk.js). */
  get #direction() {
    return this.#listens ? "sendrecv" : "sendonly";
  }

  /** Looks for another path to the camera within the call (an ICE restart), once until there is one. Without any the call is lost. */
  async renewPath() {
    if (this.#over || !this.answered || this.#renewal !== null) return;
    this.#renewal = "due";
    this.#peer.restartIce();
    await this.#ask();
  }

  /** Tells the camera what has changed since the last answer. */
  async #ask() {
    const peer = this.#peer;
    // One question at a time: the answer to this one brings the next.
    if (!this.answered || peer.signalingState !== "stable") return;
    const renews = this.#renewal === "due";
    const changes = this.offersSound && this.#asked !== this.#listens;
    if (!renews && !changes) return;
    if (renews) this.#renewal = "asked";
    if (changes) this.#asked = this.#listens;
    try {
      if (changes) this.#sound.direction = this.#direction;
      await peer.setLocalDescription();
      await this.#post({ type: "offer", sdp: markTalk(peer.localDescription.sdp) });
    } catch (error) {
      // The picture is worth more than the sound, and the path may still come back: the call stays as it is.
      console.warn(renews ? "no other path could be asked for:" : "the sound could not be switched:", error.message);
      if (changes) this.#asked = null;
      if (peer.signalingState === "have-local-offer") await peer.setLocalDescription({ type: "rollback" }).catch(() => {});
      if (renews && peer.connectionState === "failed") this.#finish("lost");
    }
  }

  /** See StatsDigest.take. What gets lost on the way decides from then on how long pictures are held back; a browser has the sound go with them. */
  async takeStats() {
    const stats = await this.#stats.take();
    if (this.#picture && !this.#over) holdBack(this.#picture, this.#reserve.look(stats));
    return stats;
  }

  /** The first frame is on the screen: from here on the owner watches over the flow. */
  pictureCame() {
    this.#pictured = true;
    this.#clearDeadline();
  }

  /** Ends the call from our side and tells the camera. */
  end() {
    if (this.#over) return;
    this.#close();
    this.#send(this.farewell).catch(() => {}); // A camera that can't be told finds out by itself.
  }

  /** The message that tells the camera that this call is over. */
  get farewell() {
    return this.#isNamed ? JSON.stringify({ type: "bye", call: this.#name }) : "BYE";
  }

  /** Ends the call when the page is closing and has said BYE by other means, or the camera is gone. */
  drop() {
    this.#close();
  }

  async #understand(message) {
    const peer = this.#peer;
    if (typeof message?.candidate === "string") {
      const { candidate, sdpMid, sdpMLineIndex } = message;
      if (peer.remoteDescription) await addCandidate(peer, { candidate, sdpMid, sdpMLineIndex });
      else this.#early.push({ candidate, sdpMid, sdpMLineIndex });
      return;
    }
    switch (message?.type) {
      case "answer":
      case "pranswer":
        await this.#answer(message);
        break;
      case "offer": // The camera changes the call, e.g. adds a track.
        await peer.setRemoteDescription({ type: "offer", sdp: message.sdp });
        await peer.setLocalDescription();
        await this.#post({ type: "answer", sdp: peer.localDescription.sdp });
        break;
      case "error": // Not in the stock protocol: the reason for the BYE that follows.
        this.#refusal = {
          code: CODES[message.code] ?? (this.answered ? "hung-up" : "refused"),
          reason: String(message.reason ?? "").slice(0, 300),
        };
        break;
      case "bye": // Neither is this: a BYE that says to which call.
        if (message.call === this.#name) this.#hungUp();
        break;
      default:
        console.warn("the camera sent a message of an unknown kind:", message?.type);
    }
  }

  async #answer({ type, sdp }) {
    const peer = this.#peer;
    if (peer.signalingState === "stable") {
      // It belongs to an earlier call that we gave up before this one: this one can't work out either.
      if (!this.connected) this.#finish("failed", "the camera answered twice");
      return;
    }
    await peer.setRemoteDescription({ type, sdp });
    if (this.#over) return;
    // Our camera says it in words, because it must not say it in the section of a page that does not listen.
    this.offersSound = /^a=x-pinhole-sound\r?$/m.test(sdp) || this.hasSound;
    this.dispatchEvent(new Event("track"));
    if (this.answered) {
      await this.#ask();
      return;
    }
    this.answered = true;
    clearTimeout(this.#doubt);
    await this.#ask();
    if (this.#over) return;
    for (const candidate of this.#early.splice(0)) await addCandidate(peer, candidate);
    const video = peer.getTransceivers().find((transceiver) => transceiver.receiver.track.kind === "video");
    if (type === "answer" && video.currentDirection !== "recvonly") {
      this.#finish("no-codec");
      return;
    }
    if (!this.connected) this.#setDeadline(PATH_PATIENCE, "no-path");
    // A camera that goes in good order says so on the media path too (DTLS close_notify).
    const { transport } = video.receiver;
    transport?.addEventListener("statechange", () => {
      // Why, it says by the server.
      if (transport.state === "closed") this.#closing ??= setTimeout(() => this.#hungUp(), REASON_PATIENCE);
    });
  }

  #receive(track, receiver) {
    // Live view: show each frame as soon as it is complete.
    holdBack(receiver, 0);
    if (track.kind === "video") this.#picture = receiver;
    this.stream.addTrack(track);
    this.dispatchEvent(new Event("track"));
  }

  #offerCandidate(candidate) {
    // The protocol has no end-of-candidates message.
    if (!candidate?.candidate) return;
    if (this.#held) this.#held.push(candidate);
    else this.#postCandidate(candidate);
  }

  #postCandidate({ candidate, sdpMid, sdpMLineIndex }) {
    this.#post({ sdpMid, sdpMLineIndex, candidate }).catch((error) => {
      console.warn("a candidate was not delivered:", error.message);
    });
  }

  #connectionChanged() {
    switch (this.#peer.connectionState) {
      case "connected":
        this.#renewal = null;
        if (this.connected) return;
        this.connected = true;
        this.#setDeadline(PICTURE_PATIENCE, "no-picture");
        this.dispatchEvent(new Event("connected"));
        break;
      case "failed":
        // The camera keeps the call for longer than the browser keeps a path.
        if (this.connected && this.answered && this.#renewal === null) this.renewPath();
        else this.#finish(this.connected ? "lost" : "no-path");
        break;
      case "closed":
        this.#finish(this.connected ? "lost" : "no-path");
        break;
    }
  }

  #setDeadline(patience, code) {
    this.#clearDeadline();
    // The browser may show the first frame before it says that the connection stands.
    if (this.#pictured) return;
    this.#deadline = setTimeout(() => this.#finish(code), patience);
  }

  #clearDeadline() {
    clearTimeout(this.#deadline);
  }

  /** Only an offer may name the call to a camera that has not done so: an idle stock client begins a call at any JSON. */
  #post(message) {
    if (this.#over) return Promise.resolve();
    const named = this.#isNamed || message.type === "offer" ? { ...message, call: this.#name } : message;
    return this.#send(JSON.stringify(named));
  }

  /** The camera says that the call is over. */
  #hungUp() {
    const { code, reason } = this.#refusal ?? { code: "hung-up", reason: null };
    this.#finish(code, reason, false);
  }

  #finish(code, reason = null, sayBye = true) {
    if (this.#over) return;
    if (sayBye) this.end();
    else this.#close();
    this.dispatchEvent(new CustomEvent("ended", { detail: { code, reason } }));
  }

  #close() {
    this.#over = true;
    this.#clearDeadline();
    clearTimeout(this.#doubt);
    clearTimeout(this.#closing);
    this.eyes?.close();
    this.#peer?.close(); // Raises no events.
  }
}

/**
 * Says in an offer that our microphone is on only while a person wants it: cameras that let nobody else talk (`allow = "page"`) go
 * by this. Others pass over an attribute that they don't know.
 */
function markTalk(sdp) {
  return sdp.replace(/^m=audio .*\r\n(?:[^m].*\r\n)*/m, (section) => `${section}a=x-pinhole-talk\r\n`);
}

/** The second name, in seconds, is what older Chromiums have. */
function holdBack(receiver, milliseconds) {
  if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = milliseconds;
  else if ("playoutDelayHint" in receiver) receiver.playoutDelayHint = milliseconds / 1000;
}

async function addCandidate(peer, candidate) {
  try {
    await peer.addIceCandidate(candidate);
  } catch (error) {
    console.warn("a candidate of the camera could not be used:", error.message);
  }
}
