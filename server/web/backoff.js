// How long to wait before the next try: doubling, with jitter, so that a hundred pages that lost the same server
// do not all come back in the same instant.

export class Backoff {
  #next;

  /** Both in milliseconds: the first wait, and the longest. */
  constructor(first, longest) {
    this.first = first;
    this.longest = longest;
    this.#next = first;
  }

  /** The next wait in milliseconds, somewhere in ±25 % of the nominal one. */
  next() {
    const nominal = this.#next;
    this.#next = Math.min(nominal * 2, this.longest);
    return nominal * (0.75 + Math.random() / 2);
  }

  /** What was tried has worked, or there is news: begin again with the shortest wait. */
  reset() {
    this.#next = this.first;
  }
}
