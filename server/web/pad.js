// A pad for a camera that turns: drag from the middle, or hold the arrow keys. It tells velocities, -1 to 1 each way.

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const DEAD = 0.12; // of the way to the edge: a finger that rests is no wish
const STEP = 0.05; // finer than a hand is

export class Pad {
  #element;
  #knob;
  #tell;
  #pointer = null;
  #keys = new Set();
  #told = [0, 0];

  /** `tell([x, y])` is called when the velocity changes; [0, 0] is a stop. */
  constructor(element, tell) {
    this.#element = element;
    this.#knob = element.firstElementChild;
    this.#tell = tell;
    element.addEventListener("pointerdown", (event) => this.#begin(event));
    element.addEventListener("pointermove", (event) => event.pointerId === this.#pointer && this.#drag(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) element.addEventListener(end, () => this.#end());
    element.addEventListener("keydown", (event) => this.#key(event, true));
    element.addEventListener("keyup", (event) => this.#key(event, false));
    element.addEventListener("blur", () => this.stop());
    element.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  /** Whatever is pressed counts as let go. */
  stop() {
    this.#pointer = null;
    this.#keys.clear();
    this.#go([0, 0]);
  }

  #begin(event) {
    if (event.button !== 0) return;
    this.#pointer = event.pointerId;
    this.#element.setPointerCapture(event.pointerId);
    this.#element.focus({ preventScroll: true });
    this.#drag(event);
  }

  #drag({ clientX, clientY }) {
    const { left, top, width, height } = this.#element.getBoundingClientRect();
    this.#go([velocity((clientX - left - width / 2) / (width / 2)), velocity((top + height / 2 - clientY) / (height / 2))]);
  }

  #end() {
    if (this.#pointer !== null) this.stop();
  }

  #key(event, down) {
    if (!(event.key in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(); // The page would scroll.
    if (down) this.#keys.add(event.key);
    else this.#keys.delete(event.key);
    const sum = (axis) => Math.max(-1, Math.min(1, [...this.#keys].reduce((total, key) => total + KEYS[key][axis], 0)));
    this.#go([sum(0), sum(1)]);
  }

  #go([x, y]) {
    this.#knob.style.setProperty("translate", `${x * 36}px ${-y * 36}px`);
    if (x === this.#told[0] && y === this.#told[1]) return;
    this.#told = [x, y];
    this.#tell([x, y]);
  }
}

function velocity(share) {
  const size = Math.min(1, Math.abs(share));
  if (size < DEAD) return 0;
  return Math.sign(share) * Math.round((size - DEAD) / (1 - DEAD) / STEP) * STEP;
}
