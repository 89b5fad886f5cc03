// Talking back: a button that is held while one speaks. A short press leaves it on until the next one.
//
// The microphone is asked for at the first press, and let go a while after the last. What it hears leaves this computer only
// while the button says so: between two presses the call has no track to send (RTCRtpSender.replaceTrack).

import { describeTalk } from "./words.js";

const SHORT = 350; // ms: a press that is no longer is a tap, which latches
const KEEP = 30_000; // ms that the microphone stays open for the next press
const QUIET = -60; // dB at the left end of the meter

export class Talk {
  #button;
  #note;
  #sender = null; // of the present call, where the camera has a loudspeaker
  #track = null;
  #asking = null; // a promise while the browser asks the person
  #trouble = null;
  #broken = null; // why the camera's loudspeaker does not play
  #pressed = null; // when
  #latched = false;
  #letGo = null;
  #meter = null;

  /** `button` is held, `note` says what is wrong. */
  constructor(button, note) {
    this.#button = button;
    this.#note = note;
    button.addEventListener("pointerdown", (event) => this.#pointerDown(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) button.addEventListener(end, () => this.#release());
    button.addEventListener("contextmenu", (event) => event.preventDefault()); // A long touch is no wish for a menu.
    button.addEventListener("click", (event) => this.#clicked(event));
    for (const type of ["keydown", "keyup"]) document.addEventListener(type, (event) => this.#key(event));
    addEventListener("blur", () => this.#release(false));
    addEventListener("pagehide", () => this.#close());
    this.#show();
  }

  /** The camera hears on this RTCRtpSender from now on; null: it has no ears. */
  attach(sender) {
    if (sender === this.#sender) return;
    const talks = this.#talks;
    this.#sender = sender;
    if (sender === null && this.#pressed === null) this.#latched = false;
    if (talks && sender !== null) this.#connect();
    if (sender === null) this.#close();
    this.#show();
  }

  /** The camera's loudspeaker does not play, for this reason; null: as far as is known, it does. */
  warn(reason) {
    if (reason === this.#broken) return;
    this.#broken = reason;
    this.#show();
  }

  get #talks() {
    return this.#track !== null && this.#sender !== null && (this.#pressed !== null || this.#latched);
  }

  #pointerDown(event) {
    if (event.button !== 0) return;
    this.#button.setPointerCapture(event.pointerId);
    this.#press();
  }

  /** Screen readers and the like click without pressing first. */
  #clicked(event) {
    if (event.detail !== 0 || event.pointerType) return;
    if (this.#latched) {
      this.#latched = false;
      this.#stop();
    } else {
      this.#latched = true;
      this.#start();
    }
  }

  #key(event) {
    const here = event.target === this.#button && [" ", "Enter"].includes(event.key);
    const shortcut = event.key?.toLowerCase() === "t" && !event.target.closest?.("input, textarea");
    if ((!here && !shortcut) || this.#sender === null) return;
    if (event.type === "keyup") {
      this.#release();
    } else if (!event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault(); // Or the button clicks itself.
      if (!event.repeat) this.#press();
    }
  }

  #press() {
    if (this.#sender === null || this.#pressed !== null) return;
    this.#pressed = performance.now();
    if (this.#latched) return; // Its release ends the latch.
    this.#start();
  }

  #release(mayLatch = true) {
    if (this.#pressed === null) return;
    const tapped = performance.now() - this.#pressed < SHORT;
    this.#pressed = null;
    // A press that has brought up the browser's question was none yet.
    this.#latched = mayLatch && tapped && !this.#latched && this.#asking === null && this.#track !== null;
    if (this.#latched) this.#show();
    else this.#stop();
  }

  async #start() {
    clearTimeout(this.#letGo);
    this.#trouble = null;
    if (this.#track === null) {
      this.#asking ??= this.#open();
      this.#show();
      await this.#asking;
      this.#asking = null;
    }
    if (this.#talks) this.#connect();
    else this.#stop();
  }

  async #open() {
    try {
      if (!navigator.mediaDevices) throw new DOMException("", "InsecureError");
      const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
      const stream = await navigator.mediaDevices.getUserMedia({ audio });
      [this.#track] = stream.getAudioTracks();
      this.#track.addEventListener("ended", () => this.#close()); // Unplugged, or the person took the permission back.
      this.#meter = new Meter(stream, (level) => this.#button.style.setProperty("--level", level.toFixed(2)));
    } catch (error) {
      this.#trouble = { name: error.name, message: error.message };
      this.#latched = false;
    }
  }

  #connect() {
    this.#send(this.#track);
    this.#meter?.start();
    this.#show();
  }

  #stop() {
    this.#send(null);
    this.#meter?.stop();
    clearTimeout(this.#letGo);
    if (this.#track !== null) this.#letGo = setTimeout(() => this.#close(), KEEP);
    this.#show();
  }

  #send(track) {
    this.#sender?.replaceTrack(track).catch((error) => console.warn("the microphone could not be switched:", error.message));
  }

  /** Gives the microphone back. */
  #close() {
    clearTimeout(this.#letGo);
    this.#send(null);
    this.#meter?.close();
    this.#meter = null;
    this.#track?.stop();
    this.#track = null;
    this.#latched = false;
    this.#show();
  }

  #show() {
    const state = this.#talks ? "talking" : this.#asking !== null ? "asking" : this.#trouble ? "refused" : "ready";
    const { label, note } = describeTalk(state, this.#latched, this.#trouble, this.#broken);
    this.#button.hidden = this.#sender === null;
    this.#button.dataset.state = state;
    this.#button.dataset.fault = String(this.#broken !== null);
    this.#button.setAttribute("aria-pressed", String(state === "talking"));
    this.#button.querySelector(".label").textContent = label;
    this.#note.hidden = this.#sender === null || note === "";
    if (this.#note.textContent !== note) this.#note.textContent = note;
  }
}

/** Tells how loud a stream is, 0 to 1, as often as the screen is drawn. */
class Meter {
  #context = new AudioContext();
  #analyser = this.#context.createAnalyser();
  #samples = new Float32Array(this.#analyser.fftSize);
  #tell;
  #frame = null;

  constructor(stream, tell) {
    this.#tell = tell;
    this.#context.createMediaStreamSource(stream).connect(this.#analyser);
  }

  start() {
    this.#context.resume();
    if (this.#frame === null) this.#look();
  }

  stop() {
    cancelAnimationFrame(this.#frame);
    this.#frame = null;
    this.#tell(0);
    this.#context.suspend().catch(() => {});
  }

  close() {
    this.stop();
    this.#context.close().catch(() => {});
  }

  #look() {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let power = 0;
    for (const sample of this.#samples) power += sample * sample;
    const decibels = 10 * Math.log10(power / this.#samples.length + 1e-12);
    this.#tell(Math.min(1, Math.max(0, 1 - decibels / QUIET)));
    this.#frame = requestAnimationFrame(() => this.#look());
  }
}
