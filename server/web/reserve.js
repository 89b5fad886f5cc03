// How long pictures are held back before they are shown.
//
// A live picture is shown as soon as it is complete. Where packets get lost, one that misses some waits until these are sent again, and those behind it
// wait with it; then all come at once, and a screen shows the last of them. Held back for as long as that takes, each is seen in its time.

/** The share of packets lost, or sent again, that is worth holding pictures back for. */
const LOSSY = 0.005;
/** How long after the last loss pictures are shown at once again, in ms: losses come in groups. */
const QUIET = 10_000;
/** What asking for a packet and getting it takes besides the way there and back, in ms: a loss shows by what comes next, and that is up to a picture later. */
const BESIDE = 40;
/** No picture is held back for longer, in ms: a call that is half a second late is none. */
const MOST = 400;
/** A change that is smaller is none, in ms: round trips vary, and players change over slowly. */
const SMALL = 20;

export class Reserve {
  #target = 0;
  #lossyAt = null;

  /** How long pictures are to be held back now, in ms, as far as a digest (stats.js) tells. */
  look({ loss, repaired, roundTrip }) {
    const now = performance.now();
    if (Math.max(loss ?? 0, repaired ?? 0) > LOSSY) this.#lossyAt = now;
    const holds = this.#lossyAt !== null && now - this.#lossyAt < QUIET && roundTrip !== null;
    const wanted = holds ? Math.min(MOST, Math.round(roundTrip + BESIDE)) : 0;
    if (wanted === 0 || Math.abs(wanted - this.#target) > SMALL) this.#target = wanted;
    return this.#target;
  }
}
