// The screen: the only file that touches the document (with trend.js, which draws one canvas).
//
// Names and reasons come from other machines: they reach the page as textContent and attributes only, never as markup.

import { Controls } from "./control.js";
import { wishFor } from "./eyes.js";
import { Sound } from "./sound.js";
import { Talk } from "./talk.js";
import { Trend } from "./trend.js";
import { describe, describeServer, describeStats, slateOf } from "./words.js";

const UNSEEN_AFTER = 5_000; // ms until a hidden page takes no pictures any more: who only looks something up is soon back
const IDLE_AFTER = 2_500; // ms without a pointer until the bar leaves a full screen

const find = (id) => document.getElementById(id);

export class View {
  #actions;
  #video = find("picture");
  /** Whether they lie over the picture; null: as it suits what there is. */
  #wantsControls = null;
  #controls = new Controls(() => this.#showControls(), (camera) => this.#cameraTold(camera));
  #talk = new Talk(find("talk"), find("talk-note"));
  #trend = new Trend(find("trend"));
  #sound = new Sound(this.#video, {
    group: find("sound-group"), button: find("sound"), volume: find("volume"), meter: find("level"),
    label: (on) => label(find("sound"), on ? "sound-on" : "sound-off", on ? "Sound off" : "Sound on"),
  });
  #watch = null;
  #autoplayBlocked = false;
  /** Why a live call shows nothing but a slate: {code, reason}, or null. */
  #slate = null;
  #idle = null;
  #unseen = null;
  #width = 0; // of the whole picture, as far as it was ever seen

  /** `actions`: choose(member), close(), retry(), shown() (the first frame is on the screen), recipe (text). */
  constructor(actions) {
    this.#actions = actions;
    for (const place of document.querySelectorAll("[data-recipe]")) place.textContent = actions.recipe;
    find("retry").addEventListener("click", actions.retry);
    find("close").addEventListener("click", actions.close);
    find("play").addEventListener("click", () => this.#play());
    find("control").addEventListener("click", () => this.#toggleControls());
    find("figures").addEventListener("click", () => this.#toggleFigures());
    find("fullscreen").addEventListener("click", () => this.#toggleFullScreen());
    find("screen").addEventListener("dblclick", () => this.#watch && this.#toggleFullScreen());
    document.addEventListener("fullscreenchange", () => this.#fullScreenChanged());
    document.addEventListener("visibilitychange", () => this.#look());
    this.#video.addEventListener("resize", () => this.#look());
    this.#video.addEventListener("enterpictureinpicture", () => this.#look());
    this.#video.addEventListener("leavepictureinpicture", () => this.#look());
    new ResizeObserver(() => this.#look()).observe(this.#video);
    document.addEventListener("keydown", (event) => this.#key(event));
    for (const motion of ["pointermove", "pointerdown", "focusin"]) {
      find("stage").addEventListener(motion, () => this.#stir(), { passive: true });
    }
  }

  server(state, error) {
    const chip = find("server");
    chip.dataset.state = state;
    chip.textContent = describeServer(state, error);
  }

  /** `members` are the cameras in order; while offline the list stays as it was, greyed. */
  cameras(members, watch, signaling) {
    const watched = watch?.name ?? null;
    const online = signaling.id !== null;
    const list = find("cameras");
    list.dataset.stale = String(!online);
    if (online || list.childElementCount === 0) {
      const entries = members.map((member) => ({ ...member, present: true }));
      if (watched !== null && !members.some((member) => member.name === watched)) {
        entries.unshift({ id: null, name: watched, present: false });
      }
      this.#listCameras(list, entries);
    }
    const buttons = [...list.querySelectorAll("button")];
    for (const button of buttons) {
      const { camera, id, present } = button.dataset;
      const shared = buttons.filter((other) => other.dataset.camera === camera).length > 1;
      const current = camera === watched && (!shared || Number(id) === watch.target);
      button.setAttribute("aria-current", String(current));
      const watching = current && watch.state === "live";
      const state = watching ? "Watching" : present !== "true" ? "Away" : online ? "Online" : "Last seen here";
      button.querySelector(".sub").textContent = shared ? `${state} · no. ${id}` : state;
    }
    find("layout").dataset.cameras = String(list.childElementCount > 0);
    find("count").textContent = online && members.length > 0 ? String(members.length) : "";
    find("none").hidden = !online || list.childElementCount > 0;
    this.#welcome(signaling, members.length);
  }

  /** A camera is being watched from now on, or (null) none is. */
  watching(watch) {
    this.#watch = watch;
    this.#width = 0;
    this.#look();
    this.#trend.clear();
    find("layout").dataset.watching = String(watch !== null);
    find("welcome").hidden = watch !== null;
    find("bar").hidden = watch === null;
    find("name").textContent = watch?.name ?? "";
    document.title = watch ? `${watch.name} · Pinhole` : "Pinhole";
    this.#thaw();
    this.#showPanel();
    if (watch) {
      this.state(watch);
    } else {
      find("notice").hidden = true;
      this.#setStatus("waiting", "", "");
      if (document.fullscreenElement) document.exitFullscreen();
    }
    this.stream(watch);
  }

  state(watch) {
    let { state, trouble } = watch;
    if (state === "live" && this.#slate !== null) [state, trouble] = ["waiting", this.#slate];
    if (watch.state === "live" && this.#autoplayBlocked) [state, trouble] = ["error", { code: "autoplay", reason: null }];
    const words = describe(watch.name, state, trouble);
    this.#setStatus(state, words.chip, trouble?.code ?? "");
    const notice = find("notice");
    notice.hidden = state === "live";
    notice.dataset.state = state;
    notice.dataset.busy = String(words.busy ?? false);
    find("title").textContent = words.title;
    find("detail").textContent = words.detail;
    find("retry").hidden = !words.retry;
    find("play").hidden = !words.play;
    find("screen").dataset.dim = String(state !== "live");
  }

  /** The watch has another stream, or another track in it. */
  stream(watch) {
    const video = this.#video;
    const stream = watch?.stream ?? null;
    this.#sound.follow(watch);
    this.#controls.attach(watch?.control ?? null);
    this.#talk.attach(watch?.voice ?? null);
    if (video.srcObject === stream) return;
    video.srcObject = stream;
    video.hidden = stream === null;
    this.#autoplayBlocked = false;
    for (const figure of find("panel").querySelectorAll("[data-stat]")) figure.textContent = "–";
    if (!stream) return;
    video.requestVideoFrameCallback?.(() => {
      if (video.srcObject !== stream) return;
      this.#thaw();
      this.#actions.shown();
    });
    this.#play();
  }

  /** The picture is about to go: the last frame stays, dimmed, until the next one comes. */
  freeze() {
    const { videoWidth, videoHeight } = this.#video;
    if (!videoWidth) return;
    const frozen = find("frozen");
    frozen.width = videoWidth;
    frozen.height = videoHeight;
    frozen.getContext("2d").drawImage(this.#video, 0, 0);
    frozen.dataset.filled = "true";
  }

  stats(stats, watch) {
    if (!document.hidden) {
      this.#video.requestVideoFrameCallback?.((_, { rtpTimestamp, expectedDisplayTime }) => watch.shown(rtpTimestamp, expectedDisplayTime));
    }
    this.#trend.add(stats.bitrate ?? 0);
    const texts = describeStats(stats, watch.offersSound, watch.hasSound);
    for (const [key, text] of Object.entries(texts)) {
      const figure = find("panel").querySelector(`[data-stat="${key}"]`);
      if (figure.textContent !== text) figure.textContent = text;
    }
  }

  /** The watched camera has said how it is (control.js), or (null) nobody knows. */
  #cameraTold(camera) {
    this.#slate = camera && slateOf(camera);
    this.#talk.warn(camera?.speaker_fault || null);
    if (this.#watch) this.state(this.#watch);
  }

  #listCameras(list, entries) {
    const old = new Map(Array.from(list.children, (item) => [item.dataset.key, item]));
    const seen = new Set();
    const items = entries.map((entry) => {
      // The newest of a name keeps its button through a restart, and with it the focus.
      const key = seen.has(entry.name) ? `${entry.name}#${entry.id}` : entry.name;
      seen.add(entry.name);
      const item = old.get(key) ?? this.#cameraItem(key, entry.name);
      const button = item.firstElementChild;
      button.dataset.id = entry.id ?? "";
      button.dataset.present = String(entry.present);
      return item;
    });
    if (items.length !== list.childElementCount || items.some((item, at) => item !== list.children[at])) {
      const focused = document.activeElement;
      list.replaceChildren(...items);
      if (list.contains(focused)) focused.focus();
    }
  }

  #cameraItem(key, name) {
    const item = document.createElement("li");
    item.dataset.key = key;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "camera";
    button.dataset.camera = name;
    const title = document.createElement("span");
    title.className = "title";
    title.textContent = name;
    title.title = name;
    const sub = document.createElement("span");
    sub.className = "sub";
    button.append(icon("camera"), title, sub);
    button.addEventListener("click", () => {
      const id = button.dataset.id === "" ? null : Number(button.dataset.id);
      this.#actions.choose({ name, id });
    });
    item.append(button);
    return item;
  }

  #welcome(signaling, count) {
    const empty = signaling.id !== null && count === 0;
    find("welcome-recipe").hidden = !empty;
    find("add").hidden = empty && this.#watch === null;
    const [title, text] = signaling.error
      ? ["Server unreachable", "Cameras appear here as soon as the server answers again."]
      : signaling.id === null
        ? ["Looking for cameras…", ""]
        : empty
          ? ["No cameras yet", "Point one at this server:"]
          : ["Choose a camera", "Its live picture appears here."];
    find("welcome-title").textContent = title;
    find("welcome-text").textContent = text;
  }

  #setStatus(state, text, trouble) {
    const chip = find("status");
    chip.dataset.state = state;
    chip.dataset.trouble = trouble;
    if (chip.textContent !== text) chip.textContent = text;
  }

  async #play() {
    const stream = this.#video.srcObject;
    try {
      await this.#video.play();
      this.#setAutoplayBlocked(false);
    } catch (error) {
      // Another stream has taken its place meanwhile, or the person has to tap first; without sound perhaps not.
      if (error.name !== "NotAllowedError" || this.#video.srcObject !== stream) return;
      if (this.#video.muted) {
        this.#setAutoplayBlocked(true);
      } else {
        this.#sound.refused();
        await this.#play();
      }
    }
  }

  #setAutoplayBlocked(blocked) {
    if (this.#autoplayBlocked === blocked) return;
    this.#autoplayBlocked = blocked;
    if (this.#watch) this.state(this.#watch);
  }

  /** Tells the camera how much of the picture is of use here. */
  #look() {
    const video = this.#video;
    clearTimeout(this.#unseen);
    this.#width = Math.max(this.#width, video.videoWidth);
    if (document.hidden && document.pictureInPictureElement !== video) {
      this.#unseen = setTimeout(() => this.#watch?.want("none"), UNSEEN_AFTER);
    } else {
      this.#watch?.want(wishFor({ shown: shownWidth(video), width: this.#width }));
    }
  }

  #thaw() {
    const frozen = find("frozen");
    frozen.dataset.filled = "false";
    frozen.width = 0; // Frees its memory.
    frozen.height = 0;
  }

  #toggleControls() {
    this.#wantsControls = find("control").getAttribute("aria-expanded") !== "true";
    this.#showControls();
  }

  #showControls() {
    const any = this.#watch !== null && this.#controls?.any;
    const open = Boolean(any && (this.#wantsControls ?? this.#controls.acts));
    find("control").hidden = !any;
    find("control").setAttribute("aria-expanded", String(open));
    find("controls").hidden = !open;
  }

  #toggleFigures() {
    const button = find("figures");
    button.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") !== "true"));
    this.#showPanel();
  }

  #showPanel() {
    find("panel").hidden = !this.#watch || find("figures").getAttribute("aria-expanded") !== "true";
    this.#trend.draw();
  }

  #toggleFullScreen() {
    const stage = find("stage");
    if (document.fullscreenElement) document.exitFullscreen();
    else if (stage.requestFullscreen) stage.requestFullscreen().catch((error) => console.warn("no full screen:", error.message));
    else this.#video.webkitEnterFullscreen?.(); // iPhones know only a video that is alone on the screen.
  }

  #fullScreenChanged() {
    const full = document.fullscreenElement !== null;
    label(find("fullscreen"), full ? "shrink" : "enlarge", full ? "Leave full screen" : "Full screen");
    this.#stir();
  }

  #stir() {
    const stage = find("stage");
    stage.dataset.idle = "false";
    clearTimeout(this.#idle);
    if (document.fullscreenElement) this.#idle = setTimeout(() => (stage.dataset.idle = "true"), IDLE_AFTER);
  }

  #key(event) {
    if (!this.#watch || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea")) return;
    if (event.key === "m") this.#sound.toggle();
    else if (event.key === "i") this.#toggleFigures();
    else if (event.key === "c" && !find("control").hidden) this.#toggleControls();
    else if (event.key === "f") this.#toggleFullScreen();
    else if (event.key === "Escape" && !document.fullscreenElement) this.#actions.close();
  }
}

/** How wide the picture is on the screen, in the screen's own pixels; 0 where that is not known. */
function shownWidth(video) {
  if (document.pictureInPictureElement === video || !video.videoWidth) return 0;
  const scale = Math.min(video.clientWidth / video.videoWidth, video.clientHeight / video.videoHeight);
  return scale * video.videoWidth * devicePixelRatio;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

function label(button, name, text) {
  button.querySelector("use").setAttribute("href", `#icon-${name}`);
  button.querySelector(".label").textContent = text;
}
