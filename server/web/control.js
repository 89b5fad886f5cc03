// What the watched camera's node lets this page do besides watching: switches, a pad, sliders, a picture as a file, what
// happens there. Nothing is shown where there is nothing.
//
// Names and words come from other machines: they reach the page as textContent and attributes only.

import { Channel } from "./channel.js";
import { paced } from "./pace.js";
import { Pad } from "./pad.js";
import { describeControl, describeEvent, describeFaults } from "./words.js";

const EVENTS = 8; // the last so many are shown
const SLIDE = 60; // ms between two values of a slider that is moved

const find = (id) => document.getElementById(id);

export class Controls {
  #changed;
  #told;
  #channel = null; // Channel
  #raw = null; // its RTCDataChannel
  #may = new Set();
  #state = null;
  #pad = new Pad(find("pad"), (velocity) => this.#steer(velocity));
  #steered = new Map(); // the servos that the pad has turn: name -> velocity
  #held = new Map(); // momentary outputs that are held -> their buttons

  /**
   * `changed()` is called when there is something to show, or nothing any more; `told(camera)` when the camera has told how it is, as in `state`
   * (null: nobody knows).
   */
  constructor(changed, told) {
    this.#changed = changed;
    this.#told = told;
    find("snapshot").addEventListener("click", () => this.#channel?.send({ type: "snapshot", id: "snapshot" }));
    find("centre").addEventListener("click", () => this.#centre());
    find("words").addEventListener("submit", (event) => this.#speak(event));
    const release = () => this.#releaseAll();
    addEventListener("blur", release);
    addEventListener("pagehide", release);
    document.addEventListener("visibilitychange", () => document.hidden && release());
  }

  /** Whether there is anything to show. */
  get any() {
    const state = this.#state;
    return state !== null && [state.outputs, state.servos, state.inputs, state.camera].some((list) => list.length > 0)
      || this.#may.has("snapshot") || this.#may.has("messages");
  }

  /** Whether there is something to switch or to move. A camera's settings and pictures as files are nothing that anybody is waiting for. */
  get acts() {
    const state = this.#state;
    return state !== null && [state.outputs, state.servos, state.inputs].some((list) => list.length > 0);
  }

  /** The present call's RTCDataChannel; null: there is no call. */
  attach(raw) {
    if (raw === this.#raw) return;
    this.#raw = raw;
    this.#channel?.forget();
    this.#reset();
    this.#channel = raw && new Channel(raw);
    const on = (type, act) => this.#channel?.addEventListener(type, ({ detail }) => act(detail));
    on("hello", ({ may }) => {
      this.#may = new Set(may);
      this.#show();
    });
    on("state", (state) => {
      this.#state = state;
      this.#told(state);
      this.#show();
    });
    on("event", (event) => this.#happened(event));
    on("message", ({ from, text }) => this.#note(`${from}: ${text}`));
    on("error", (error) => this.#refused(error));
    on("picture", (picture) => this.#save(picture));
    on("closed", () => this.#reset());
  }

  #reset() {
    this.#held.clear();
    this.#steered.clear();
    this.#pad.stop();
    this.#may = new Set();
    this.#state = null;
    this.#told(null);
    find("events").replaceChildren();
    this.#show();
  }

  #happened(event) {
    const state = this.#state;
    if (!state) return;
    const lists = { output: state.outputs, input: state.inputs, servo: state.servos };
    const part = lists[event.what]?.find(({ name }) => name === event.name);
    if (event.what === "privacy") state.privacy = event.on;
    else if (event.what === "picture") state.picture_fault = event.reason;
    else if (event.what === "speaker") state.speaker_fault = event.reason;
    else if (part) Object.assign(part, { on: event.on, position: event.position, moving: event.moving });
    if (event.what === "servo" && !event.moving && !this.#steered.has(event.name)) this.#channel.letGo(`servo ${event.name}`);
    const words = describeEvent(event);
    if (words) this.#note(words);
    this.#told(state);
    this.#show();
  }

  #refused({ code, reason, id }) {
    if (code === "heartbeat") this.#releaseAll();
    if (id === "snapshot" || code !== "busy") this.#note(reason);
  }

  #note(words) {
    const item = document.createElement("li");
    const time = document.createElement("time");
    time.textContent = new Date().toLocaleTimeString();
    item.append(time, ` ${words}`);
    const list = find("events");
    list.prepend(item);
    while (list.childElementCount > EVENTS) list.lastElementChild.remove();
    find("events-part").hidden = false;
  }

  #show() {
    const { outputs = [], servos = [], inputs = [], camera = [] } = this.#state ?? {};
    fill(find("outputs"), outputs, (output) => this.#switch(output), (button, output) => this.#showSwitch(button, output));
    fill(find("inputs"), inputs, input, showInput);
    const pads = servos.filter(({ name }) => name === "pan" || name === "tilt");
    const others = servos.filter((servo) => !pads.includes(servo));
    find("pad").dataset.axes = pads.map(({ name }) => name).join(" ");
    find("pad-part").hidden = pads.length === 0;
    find("pad-where").textContent = pads.map(({ name, position }) => `${name} ${position.toFixed(0)}°`).join(" · ");
    fill(find("servos"), others, (servo) => this.#slider(servo, "servo"), showSlider);
    fill(find("camera"), camera, (control) => this.#slider(control, "control"), showSlider);
    find("faults").replaceChildren(...describeFaults(this.#state ?? {}).map(line));
    find("faults").hidden = find("faults").childElementCount === 0;
    find("pad-part").dataset.fault = String(pads.some((pad) => pad.fault));
    find("snapshot").hidden = !this.#may.has("snapshot");
    find("words").hidden = !this.#may.has("messages");
    find("camera-part").hidden = camera.length === 0;
    find("events-part").hidden = inputs.length === 0 && find("events").childElementCount === 0;
    this.#changed();
  }

  // Outputs

  #switch(output) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "switch";
    button.dataset.output = output.name;
    button.dataset.kind = output.kind;
    const lamp = document.createElement("span");
    lamp.className = "lamp";
    const title = document.createElement("span");
    title.textContent = output.name;
    button.append(lamp, title);
    if (output.kind === "momentary") {
      const press = () => this.#press(output.name, button);
      const release = () => this.#release(output.name);
      button.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        button.setPointerCapture(event.pointerId);
        press();
      });
      for (const end of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) button.addEventListener(end, release);
      button.addEventListener("keydown", (event) => {
        if (event.key !== " " && event.key !== "Enter") return;
        event.preventDefault();
        if (!event.repeat) press();
      });
      button.addEventListener("keyup", release);
      button.addEventListener("contextmenu", (event) => event.preventDefault());
    } else {
      button.setAttribute("role", "switch");
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-checked") !== "true";
        this.#channel?.send({ type: "set", output: output.name, on });
      });
    }
    return button;
  }

  #showSwitch(button, { on, kind, fault }) {
    button.dataset.on = String(on);
    button.setAttribute(kind === "momentary" ? "aria-pressed" : "aria-checked", String(on));
    button.disabled = Boolean(fault);
    button.dataset.fault = String(Boolean(fault));
    button.title = fault ?? (kind === "momentary" ? "Hold" : "");
  }

  #press(name, button) {
    if (this.#held.has(name) || !this.#channel?.send({ type: "set", output: name, on: true })) return;
    this.#held.set(name, button);
    this.#channel.hold(`output ${name}`);
  }

  #release(name) {
    if (!this.#held.delete(name)) return;
    this.#channel?.send({ type: "set", output: name, on: false });
    this.#channel?.letGo(`output ${name}`);
  }

  #releaseAll() {
    for (const name of [...this.#held.keys()]) this.#release(name);
    this.#pad.stop();
  }

  // Servos

  #steer([x, y]) {
    for (const [name, velocity] of [["pan", x], ["tilt", y]]) {
      if (!this.#state?.servos.some((servo) => servo.name === name)) continue;
      if ((this.#steered.get(name) ?? 0) === velocity) continue;
      this.#channel.send({ type: "move", servo: name, velocity });
      if (velocity === 0) this.#steered.delete(name);
      else this.#steered.set(name, velocity);
      if (velocity === 0) this.#channel.letGo(`servo ${name}`);
      else this.#channel.hold(`servo ${name}`);
    }
  }

  #centre() {
    for (const { name, centre } of this.#state?.servos ?? []) {
      if (name === "pan" || name === "tilt") this.#turn(name, centre);
    }
  }

  /** The node goes on turning only while it hears from us; it tells when it is there. */
  #turn(name, to) {
    if (this.#channel?.send({ type: "move", servo: name, to })) this.#channel.hold(`servo ${name}`);
  }

  #slider(part, kind) {
    const row = document.createElement("label");
    row.className = "slider";
    row.dataset[kind] = part.name;
    const title = document.createElement("span");
    title.textContent = kind === "control" ? describeControl(part.name) : part.name;
    const range = document.createElement("input");
    const yesOrNo = kind === "control" && part.min === 0 && part.max === 1;
    range.type = yesOrNo ? "checkbox" : "range";
    if (!yesOrNo) Object.assign(range, { min: part.min, max: part.max, step: kind === "control" ? part.step || 1 : 1 });
    const value = document.createElement("output");
    const say = paced(SLIDE, () => {
      const wanted = yesOrNo ? Number(range.checked) : Number(range.value);
      if (kind === "servo") this.#turn(part.name, wanted);
      else this.#channel?.send({ type: "camera", control: part.name, value: wanted });
    });
    range.addEventListener("input", () => {
      value.textContent = yesOrNo ? "" : range.value;
      say();
    });
    row.append(title, range, value);
    return row;
  }

  // The rest

  #speak(event) {
    event.preventDefault();
    const field = find("words").elements.text;
    const text = field.value.trim();
    if (!text || !this.#channel?.send({ type: "message", text, id: "message" })) return;
    field.value = "";
    this.#note(`${describeEvent({ what: "said" })} ${text}`);
  }

  #save(picture) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(picture);
    link.download = `${find("name").textContent || "picture"} ${new Date().toISOString().slice(0, 19).replaceAll(":", ".")}.jpg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    this.#note(describeEvent({ what: "saved", name: link.download }));
    find("snapshot").dataset.saved = String(picture.size);
  }
}

function input() {
  const item = document.createElement("span");
  item.className = "input";
  const lamp = document.createElement("span");
  lamp.className = "lamp";
  const title = document.createElement("span");
  item.append(lamp, title);
  return item;
}

/** What is broken, in words: a pointer that rests on a switch is nothing that a phone has. */
function line(words) {
  const item = document.createElement("li");
  item.textContent = words;
  return item;
}

function showInput(item, { name, on, fault }) {
  item.dataset.input = name;
  item.dataset.on = String(on && !fault);
  item.dataset.fault = String(Boolean(fault));
  item.title = fault ?? "";
  // What a pin that can't be read was last is nothing to go by.
  item.lastElementChild.textContent = fault ? `${name}: unknown` : describeEvent({ what: "input", name, on });
}

function showSlider(row, { value, position, fault }) {
  const range = row.querySelector("input");
  const now = value ?? position;
  range.disabled = Boolean(fault);
  row.dataset.fault = String(Boolean(fault));
  row.title = fault ?? "";
  // A hand that moves it knows better.
  if (now === undefined || range.matches(":active")) return;
  if (range.type === "checkbox") range.checked = now !== 0;
  else {
    range.value = String(now);
    row.querySelector("output").textContent = range.value;
  }
}

/** Makes the element's children those of the parts, keeping those that are there already, and with them the focus. */
function fill(element, parts, make, show) {
  const signature = ({ name, kind, min, max }) => JSON.stringify([name, kind, min, max]);
  const old = new Map(Array.from(element.children, (child) => [child.dataset.key, child]));
  const children = parts.map((part) => {
    const key = signature(part);
    const child = old.get(key) ?? make(part);
    child.dataset.key = key;
    show(child, part);
    return child;
  });
  if (children.length !== element.childElementCount || children.some((child, at) => child !== element.children[at])) {
    element.replaceChildren(...children);
  }
  element.hidden = parts.length === 0;
}
