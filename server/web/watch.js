// Keeps the picture of one camera on the screen, whatever restarts: decides when to call it, when to leave a call
// alone and when to call again.
//
// Invariants: a call whose media still flows is never replaced; the camera is known by its name, because its id
// changes whenever it or the server restarts; there is always either a call, a timer, or an event to wait for.

import { Backoff } from "./backoff.js";
import { Session } from "./session.js";

const TICK = 500; // ms between looks at the statistics
const CALLING_TICK = 100; // ms, while the first frame is awaited
const STILL_AFTER = 1_000; // ms without a packet (or a picture) until it is called still
const IN_FLIGHT = 200; // ms in which packets may still come from a camera that has stopped
const SAY_AFTER = 2_500; // ms without a picture until the person is told
const GONE_AFTER = 3_000; // ms without a packet from a camera that the server does not list
const RECALL_AFTER = 10_000; // ms without a picture over a connection that is otherwise sound
const RENEW_AFTER = 12_000; // ms without a picture until another path is looked for, where the one that there was is broken
const KEPT = 30_000; // ms for which a camera keeps the call of a page that it can't hear
const STEADY_AFTER = 5_000; // ms of picture after which the next trouble is a new one
/** The least pause (ms) before the next call, by what ended the last one; a new id of the camera cuts it short. */
const LEAST_PAUSE = {
  busy: 3_000,
  refused: 3_000,
  "hung-up": 2_000,
  stopped: 2_000,
  removed: 10_000,
  "no-codec": 30_000, // only a change at the camera can help
};

/** Ends of a call after which nothing is wrong, as far as anybody knows. */
const GENTLE = new Set(["hung-up", "lost", "stopped"]);

/**
 * Events:
 * - `state`: `state` ("connecting", "live", "waiting", "error") or `trouble` has changed
 * - `stream`: `stream` (null: no call), `hasSound` or `voice` has changed
 * - `freeze`: the picture is about to go: keep what is on the screen
 * - `stats`: `detail` is a digest (stats.js)
 */
export class Watch extends EventTarget {
  state = "connecting";
  /** What is wrong: {code, reason}, or null. */
  trouble = null;

  #signaling;
  #target; // id of the camera in the present call, or the one to call
  #newestKnown = Infinity; // the highest id of that name when the call was made: a higher one is the camera's next life
  #session = null;
  #timer = null; // the pause before the next call
  #tick = null;
  #backoff = new Backoff(300, 10_000);
  #flow = null; // of the present call: when packets (of any kind) and pictures last came, their counts, the usual fps, when the path was broken last
  #liveSince = null;
  #stopped = false;
  #moved = -Infinity; // when this machine's network changed
  #listens = false;
  #wish = "full";
  #listening = new AbortController();

  /** `id` is preferred where several cameras have the name; null takes the newest. */
  constructor(name, id, signaling) {
    super();
    this.name = name;
    this.#target = id;
    this.#signaling = signaling;
    const until = { signal: this.#listening.signal };
    signaling.addEventListener("online", () => this.#rosterChanged(), until);
    signaling.addEventListener("offline", () => this.#serverLost(), until);
    signaling.addEventListener("presence", ({ detail }) => {
      if (detail.member.name === name) this.#rosterChanged();
    }, until);
  }

  /** The id of the camera in the present call, or of the one to call; null before the first. */
  get target() {
    return this.#target;
  }

  get stream() {
    return this.#session?.stream ?? null;
  }

  /** The present call's RTCDataChannel for control, or null. */
  get control() {
    return this.#session?.control ?? null;
  }

  /** The RTCRtpSender to talk on; null where the camera does not listen. */
  get voice() {
    return this.#session?.voice ?? null;
  }

  /** Whether sound may come at this moment. */
  get hasSound() {
    return this.#session?.hasSound ?? false;
  }

  /** Whether the camera has a microphone. */
  get offersSound() {
    return this.#session?.offersSound ?? false;
  }

  /** Asks for the camera's sound, in this call and those after it, or for none. */
  listen(listens) {
    this.#listens = listens;
    this.#session?.listen(listens);
  }

  /** How much of the picture is of use: "full", "small" or "none". */
  want(wish) {
    this.#wish = wish;
    // Before its first picture nobody knows whether a call is any good.
    if (this.#liveSince !== null) this.#session.eyes.want(wish);
  }

  /** The picture with this time stamp is on the screen, at this moment of performance.now(). */
  shown(rtp, at) {
    this.#session?.eyes?.shown(rtp, at);
  }

  start() {
    if (this.#signaling.error) this.#serverLost();
    else this.#rosterChanged();
  }

  /** A message that came for this page; false where it is not from the watched camera. */
  receive({ from, body }) {
    if (this.#signaling.members.get(from)?.name !== this.name) return false;
    // It was there when the call was made, and was not called: another camera of that name, or this one's former life.
    if (this.#targetIsHere && from !== this.#target && from <= this.#newestKnown) return false;
    this.#session?.receive(body);
    return true;
  }

  /** Calls at once instead of after the pause. */
  retry() {
    if (this.#stopped || this.state === "live") return;
    this.#signaling.nudge();
    if (this.#signaling.id === null) return;
    this.#hangUp();
    this.#rosterChanged();
  }

  /** This machine has another network now, perhaps. */
  networkChanged() {
    this.#moved = performance.now();
  }

  /** The first frame of the present call has been shown. */
  pictureCame() {
    if (!this.#session || this.#liveSince !== null) return;
    this.#session.pictureCame();
    this.#liveSince = performance.now();
    this.#session.eyes.want(this.#wish);
    this.#become("live");
  }

  stop() {
    this.#hangUp();
    this.#shutDown();
  }

  /** The page is being closed: say BYE in the way that still works then. */
  stopAtOnce() {
    if (this.#session && this.#targetIsHere) this.#signaling.sendLast(this.#target, this.#session.farewell);
    this.#session?.drop();
    this.#session = null;
    this.#shutDown();
  }

  #shutDown() {
    this.#stopped = true;
    this.#listening.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#tick);
  }

  /** Members of the watched name, newest first: after a crash the server may still list the camera's former self. */
  #candidates() {
    return [...this.#signaling.members.values()]
      .filter((member) => member.name === this.name)
      .sort((one, other) => other.id - one.id);
  }

  /** Whether the id of the present call is (still) that of a member with the right name. */
  get #targetIsHere() {
    return this.#signaling.members.get(this.#target)?.name === this.name;
  }

  /** The id of the camera's next life, if it has one; null where it is as before or away. */
  #nextLife() {
    const newest = this.#candidates()[0]?.id ?? null;
    if (newest === null) return null;
    return !this.#targetIsHere || newest > this.#newestKnown ? newest : null;
  }

  async #rosterChanged() {
    if (this.#stopped || this.#signaling.id === null) return;
    const session = this.#session;
    if (!session) {
      this.#backoff.reset();
      this.#callAny();
      return;
    }
    if (this.#targetIsHere && this.#nextLife() === null) return;
    if (this.#liveSince === null) {
      this.#replace();
      return;
    }
    const flows = await this.#flows(session);
    if (session !== this.#session || this.#signaling.id === null || this.#nextLife() === null) return;
    if (!flows) this.#replace();
    else if (!this.#targetIsHere) this.#adopt(this.#nextLife());
  }

  /** The server has restarted, or the camera has signed in anew: it goes on with the same call under another id. */
  #adopt(id) {
    this.#target = id;
    this.#newestKnown = id;
  }

  /** The present call is dead: go on with the newest life of that name, or wait for one. */
  #replace() {
    const id = this.#nextLife() ?? this.#target;
    this.#hangUp();
    this.#backoff.reset();
    if (this.#candidates().length > 0) this.#call(id);
    else this.#wait("away");
  }

  #callAny() {
    if (this.#candidates().length === 0) this.#wait("away");
    else this.#call(this.#nextLife() ?? this.#target);
  }

  #serverLost() {
    if (this.#session?.answered) return;
    // No answer can reach us any more under the id we had.
    this.#hangUp();
    clearTimeout(this.#timer);
    this.#become("error", { code: "server", reason: null });
  }

  #call(id) {
    clearTimeout(this.#timer);
    this.#target = id;
    this.#newestKnown = this.#candidates()[0].id;
    const session = new Session((body) => this.#signaling.send(this.#target, body), this.#listens);
    this.#session = session;
    const now = performance.now();
    this.#flow = { packets: 0, packetAt: now, pictures: 0, pictureAt: now, fps: 0, brokenAt: null };
    this.#liveSince = null;
    session.addEventListener("ended", ({ detail }) => this.#sessionEnded(session, detail));
    session.addEventListener("track", () => this.#emit("stream"));
    // Where the answer went, nobody knows: perhaps to a connection that is dead.
    session.addEventListener("doubt", () => this.#signaling.renew());
    // While calls fail one after another, what is wrong stays on the screen.
    if (this.state !== "error" || this.trouble?.code === "server") this.#become("connecting");
    this.#emit("stream");
    session.start();
    this.#scheduleTick(session);
  }

  #sessionEnded(session, { code, reason }) {
    if (session !== this.#session) return;
    const steady = this.#liveSince !== null && performance.now() - this.#liveSince > STEADY_AFTER;
    this.#letGo();
    if (code === "no-answer") this.#signaling.renew();
    if (steady) this.#backoff.reset();
    if (this.#signaling.id === null) {
      this.#become("error", { code: "server", reason: null });
      return;
    }
    if (this.#candidates().length === 0) {
      this.#wait("away");
      return;
    }
    this.#become(GENTLE.has(code) ? "waiting" : "error", { code, reason });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#callAny(), Math.max(LEAST_PAUSE[code] ?? 0, this.#backoff.next()));
  }

  #scheduleTick(session) {
    clearTimeout(this.#tick);
    this.#tick = setTimeout(() => this.#look(session), this.state === "live" ? TICK : CALLING_TICK);
  }

  async #look(session) {
    const stats = await this.#measure(session);
    if (session !== this.#session) return;
    if (stats) {
      // Also true where the page is hidden and the browser shows no frames.
      if (stats.framesDecoded > 0) this.pictureCame();
      if (this.#liveSince !== null) {
        this.dispatchEvent(new CustomEvent("stats", { detail: { ...stats, latency: session.eyes.latency } }));
        this.#judge(session);
      }
    }
    if (session === this.#session) this.#scheduleTick(session);
  }

  /** What to do about a picture that stands still. */
  #judge(session) {
    const now = performance.now();
    const online = this.#signaling.id !== null;
    const still = now - this.#flow.pictureAt;
    const silent = now - this.#flow.packetAt;
    const reborn = this.#nextLife() !== null && silent > this.#patience();
    if (online && (reborn || (!this.#targetIsHere && silent > GONE_AFTER))) {
      this.#replace();
    } else if (still < this.#patience()) {
      this.#flow.brokenAt = null;
      if (this.state !== "live") this.#become("live");
    } else if (still > SAY_AFTER) {
      this.#become("waiting", { code: "still", reason: null });
      if (session.connectionState !== "connected") this.#broken(session, { now, still, silent, online });
      // What was still while the path was broken may move again in a moment.
      else if (online && now - Math.max(this.#flow.pictureAt, this.#flow.brokenAt ?? 0) > RECALL_AFTER) this.#replace();
    }
  }

  /** What to do about a path that is broken: the camera waits for us, and goes on at once where it comes back. */
  #broken(session, { now, still, silent, online }) {
    // The server's connection may have broken with it, and nobody has noticed.
    if (this.#flow.brokenAt === null) this.#signaling.nudge();
    this.#flow.brokenAt = now;
    if (!online) return;
    if (silent > KEPT) this.#replace();
    else if (still > RENEW_AFTER || now - this.#moved < RENEW_AFTER) session.renewPath();
  }

  async #measure(session) {
    let stats;
    try {
      stats = await session.takeStats();
    } catch {
      return null; // The connection was closed meanwhile.
    }
    if (session !== this.#session) return null;
    const flow = this.#flow;
    if (stats.packets > flow.packets) flow.packetAt = performance.now();
    flow.packets = stats.packets;
    // A browser need not decode what nobody sees.
    const pictures = document.hidden ? stats.videoPackets : stats.framesDecoded;
    // Where none is wanted, none is missed as long as there is a path.
    const isUnwanted = this.#wish === "none" && this.#liveSince !== null && session.connectionState === "connected";
    if (pictures !== flow.pictures || isUnwanted) {
      flow.pictureAt = performance.now();
      flow.fps = (isUnwanted ? null : stats.fps) ?? 0;
    }
    flow.pictures = pictures;
    return stats;
  }

  /** A slow camera (one frame a second, say) is not a dead one. */
  #patience() {
    const { fps } = this.#flow;
    return Math.max(STILL_AFTER, fps > 0 ? Math.min(2_500 / fps, RECALL_AFTER) : 0);
  }

  /** Whether the call still gets media: resolves as soon as a packet has come, or when the longest normal gap is over. */
  async #flows(session) {
    await pause(IN_FLIGHT);
    await this.#measure(session);
    const before = this.#flow.packets;
    while (session === this.#session && performance.now() - this.#flow.packetAt < this.#patience()) {
      await pause(CALLING_TICK);
      await this.#measure(session);
      if (this.#flow.packets > before) return session === this.#session;
    }
    return false;
  }

  #wait(code) {
    clearTimeout(this.#timer);
    this.#become("waiting", { code, reason: null });
  }

  #hangUp() {
    const session = this.#session;
    this.#letGo();
    session?.end();
  }

  #letGo() {
    if (!this.#session) return;
    if (this.#liveSince !== null) this.#emit("freeze");
    clearTimeout(this.#tick);
    this.#session = null;
    this.#liveSince = null;
    this.#emit("stream");
  }

  #become(state, trouble = null) {
    if (this.state === state && this.trouble?.code === trouble?.code && this.trouble?.reason === trouble?.reason) return;
    this.state = state;
    this.trouble = trouble;
    this.#emit("state");
  }

  #emit(type) {
    this.dispatchEvent(new Event(type));
  }
}

function pause(duration) {
  return new Promise((resolve) => setTimeout(resolve, duration));
}
