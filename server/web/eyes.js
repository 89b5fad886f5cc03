// What the person sees of a call (docs/watch.md): tells the camera how much of the picture is of use, and finds out how late it is.
//
// The camera answers what time it is by the clock of the picture's time stamps; half of the way there and back is between its answer and us. The answer
// that took the shortest way is right within half of the difference of the two directions.

export const LABEL = "pinhole-watch";

const QUICKLY = [100, 100, 100, 200, 500]; // ms from one question to the next, at the beginning
const ASK_EVERY = 10_000; // ms, later: two clocks drift apart by a millisecond in that time at most
const KEPT = 6; // answers from which the best is taken
const TELL_EVERY = 2_000; // ms from one report of the latency to the next
const TICKS_PER_MS = 90; // of a picture's time stamps (RFC 6184, RFC 7741)

export class Eyes {
  /** From the capture of the picture on the screen until it was there, in ms; null while nobody knows. */
  latency = null;

  #channel;
  #wish = "full";
  #isOpen = false;
  #id = 0;
  #asked = null; // of the question that is open: {id, at}
  #answers = []; // {rtp, at, way}: what the clock said at that moment of ours, and how long the answer took
  #timer = null;
  #toldAt = -Infinity;

  /** `channel`: an RTCDataChannel that is about to open. */
  constructor(channel) {
    this.#channel = channel;
    channel.onopen = () => {
      this.#isOpen = true;
      if (this.#wish !== "full") this.#say({ type: "want", picture: this.#wish });
      this.#ask();
    };
    channel.onmessage = ({ data }) => this.#hear(data);
    channel.onclose = () => this.close();
  }

  /** What is of use from now on: "full", "small" or "none" of the picture. */
  want(wish) {
    if (wish === this.#wish) return;
    this.#wish = wish;
    this.#say({ type: "want", picture: wish });
  }

  /** The picture with this time stamp is on the screen, at this moment of performance.now(). */
  shown(rtp, at) {
    const best = this.#answers.reduce((one, other) => (other.way < one.way ? other : one), { way: Infinity });
    if (rtp === undefined || best.way === Infinity) return;
    const now = best.rtp + (at - best.at) * TICKS_PER_MS;
    const late = wrapped(now - rtp) / TICKS_PER_MS;
    // What was to be on the screen before it was captured says how wrong the clocks are.
    this.latency = Math.max(late, 0);
    if (at - this.#toldAt < TELL_EVERY) return;
    this.#toldAt = at;
    this.#say({ type: "latency", ms: Math.round(this.latency * 10) / 10 });
  }

  close() {
    this.#isOpen = false;
    clearTimeout(this.#timer);
  }

  #ask() {
    this.#asked = { id: this.#id, at: performance.now() };
    this.#say({ type: "clock", id: this.#id });
    this.#timer = setTimeout(() => this.#ask(), QUICKLY[this.#id] ?? ASK_EVERY);
    this.#id += 1;
  }

  #hear(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (message?.type !== "clock" || message.id !== this.#asked?.id || !Number.isFinite(message.rtp)) return;
    const now = performance.now();
    const way = now - this.#asked.at;
    this.#asked = null;
    this.#answers.push({ rtp: message.rtp, at: now - way / 2, way });
    if (this.#answers.length > KEPT) this.#answers.shift();
  }

  #say(message) {
    if (this.#isOpen) this.#channel.send(JSON.stringify(message));
  }
}

/** A difference of two time stamps of 32 bits, of which the nearer way around is meant. */
function wrapped(ticks) {
  const rest = ((ticks % 2 ** 32) + 2 ** 32) % 2 ** 32;
  return rest < 2 ** 31 ? rest : rest - 2 ** 32;
}

/** How much of a picture of that width is of use where it is shown with this one, both in pixels; 0 where that is not known. */
export function wishFor({ shown, width }) {
  return width > 0 && shown > 0 && shown <= width / 2 ? "small" : "full";
}
