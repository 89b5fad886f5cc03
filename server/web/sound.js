// Listening: switches the sound of the camera on and off, sets its volume, and shows how loud it is.
//
// While it is off the camera is asked for none, so that no microphone is open for nobody. Browsers start sound only after a tap,
// so it begins switched off, unless it was on before and this browser lets it play. What was chosen last is kept.

const KEPT = "pinhole.sound";
const LOOK = 100; // ms between two looks at the level
const QUIETEST = -60; // dB of full scale at the left end of the meter

export class Sound {
  #video;
  #button;
  #volume;
  #meter;
  #watch = null;
  #wanted;
  #context = null;
  #analyser = null;
  #source = null; // {stream, node} that the meter reads
  #timer = null;

  /** `parts`: group, button, volume (a range), meter; `label(on)` names the button. */
  constructor(video, { group, button, volume, meter, label }) {
    this.#video = video;
    this.#button = button;
    this.#volume = volume;
    this.#meter = meter;
    this.group = group;
    this.label = label;
    const kept = recall();
    this.#wanted = kept.on && (navigator.userActivation?.hasBeenActive ?? false);
    video.volume = kept.volume;
    volume.value = String(Math.round(kept.volume * 100));
    button.addEventListener("click", () => this.toggle());
    volume.addEventListener("input", () => this.#setVolume(volume.valueAsNumber / 100));
    this.#show();
  }

  /** Whether calls should ask for sound. */
  get wanted() {
    return this.#wanted;
  }

  /** The watch has begun, has another stream or track in it, or (null) is over. */
  follow(watch) {
    this.#watch = watch;
    watch?.listen(this.#wanted);
    this.#show();
  }

  toggle() {
    if (!this.#watch?.offersSound) return;
    this.#set(!this.#wanted);
    remember({ on: this.#wanted, volume: this.#video.volume });
  }

  /** The browser lets nothing be heard before a tap: as if it were off. */
  refused() {
    this.#set(false);
  }

  #set(wanted) {
    this.#wanted = wanted;
    this.#watch?.listen(wanted);
    this.#show();
    if (wanted) this.#video.play().catch(() => {}); // View sees to a refusal, when the stream begins.
  }

  #setVolume(volume) {
    this.#video.volume = volume;
    remember({ on: this.#wanted, volume });
  }

  #show() {
    const offered = this.#watch?.offersSound ?? false;
    const on = offered && this.#wanted;
    this.group.hidden = !offered;
    this.#button.disabled = !offered;
    this.#button.setAttribute("aria-pressed", String(on));
    this.label(on);
    this.#volume.hidden = !on;
    this.#meter.hidden = !on;
    this.#video.muted = !on;
    this.#measure(on ? this.#watch.stream : null);
  }

  /** Has the meter follow this stream; null rests it. */
  #measure(stream) {
    const hears = stream !== null && stream.getAudioTracks().length > 0;
    if (!hears) {
      clearInterval(this.#timer);
      this.#timer = null;
      this.#source?.node.disconnect();
      this.#source = null;
      this.#context?.suspend();
      return;
    }
    this.#context ??= new AudioContext();
    this.#context.resume();
    if (this.#source?.stream !== stream) {
      this.#source?.node.disconnect();
      this.#analyser ??= new AnalyserNode(this.#context, { fftSize: 2048 });
      this.#source = { stream, node: this.#context.createMediaStreamSource(stream) };
      this.#source.node.connect(this.#analyser);
    }
    this.#timer ??= setInterval(() => this.#look(), LOOK);
  }

  #look() {
    if (document.hidden) return;
    const samples = new Float32Array(this.#analyser.fftSize);
    this.#analyser.getFloatTimeDomainData(samples);
    const mean = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
    this.#meter.value = Math.min(1, Math.max(0, 1 - (20 * Math.log10(mean || 1e-9)) / QUIETEST));
  }
}

function recall() {
  try {
    const { on, volume } = JSON.parse(localStorage.getItem(KEPT)) ?? {};
    return { on: on === true, volume: Number.isFinite(volume) ? Math.min(1, Math.max(0, volume)) : 1 };
  } catch {
    return { on: false, volume: 1 }; // Nothing is kept, or it is not ours, or the browser keeps nothing.
  }
}

function remember(kept) {
  try {
    localStorage.setItem(KEPT, JSON.stringify(kept));
  } catch {
    // Next time it starts as it does for everybody.
  }
}
