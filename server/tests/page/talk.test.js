import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Clock, settled } from "./clock.js";
import { standIn } from "./stand-in.js";
import { Talk } from "../../web/talk.js";

class Track extends EventTarget {
  live = true;

  stop() {
    this.live = false;
  }
}

class AudioContext {
  createAnalyser() {
    return { fftSize: 32, getFloatTimeDomainData: () => {} };
  }

  createMediaStreamSource() {
    return { connect: () => {} };
  }

  resume() {
    return Promise.resolve();
  }

  suspend() {
    return Promise.resolve();
  }

  close() {
    return Promise.resolve();
  }
}

/** An element that is told by its properties. */
function element() {
  const label = { textContent: "" };
  return Object.assign(new EventTarget(), {
    dataset: {}, style: { setProperty: () => {} }, hidden: false, textContent: "", label,
    setAttribute: () => {}, setPointerCapture: () => {}, querySelector: () => label,
  });
}

/**
 * A button for talking, to a camera that listens. `ask` answers for the person whom the browser asks; by default a microphone is given
 * at once.
 */
function begin(context, { ask, secure = true } = {}) {
  const clock = new Clock(context);
  const keys = new EventTarget();
  const page = new EventTarget();
  const microphones = [];
  const give = () => {
    microphones.push(new Track());
    return { getAudioTracks: () => [microphones.at(-1)] };
  };
  standIn(context, globalThis, "document", keys);
  standIn(context, globalThis, "addEventListener", (...words) => page.addEventListener(...words));
  standIn(context, globalThis, "AudioContext", AudioContext);
  standIn(context, globalThis, "requestAnimationFrame", () => 1);
  standIn(context, globalThis, "cancelAnimationFrame", () => {});
  const mediaDevices = { getUserMedia: () => (ask ? ask(give) : Promise.resolve(give())) };
  standIn(context, globalThis, "navigator", { mediaDevices: secure ? mediaDevices : undefined });

  const button = element();
  const note = element();
  const talk = new Talk(button, note);
  const sender = () => ({
    track: null,
    replaceTrack(track) {
      this.track = track;
      return Promise.resolve();
    },
  });
  const camera = sender();
  talk.attach(camera);

  const raise = (target, type, properties = {}) => {
    const event = new Event(type, { cancelable: true });
    for (const [name, value] of Object.entries(properties)) Object.defineProperty(event, name, { value });
    target.dispatchEvent(event);
    return settled();
  };
  return {
    clock, talk, button, note, camera, microphones, sender,
    press: () => raise(button, "pointerdown", { button: 0, pointerId: 1 }),
    release: () => raise(button, "pointerup"),
    click: () => raise(button, "click", { detail: 0 }),
    key: (type, key, rest = {}) => raise(keys, type, { key, target: { closest: () => null }, ...rest }),
    blur: () => raise(page, "blur"),
    hide: () => raise(page, "pagehide"),
    /** Whether the camera hears us. */
    get heard() {
      return camera.track !== null && camera.track.live;
    },
  };
}

const tap = async ({ clock, press, release }) => {
  await press();
  await clock.pass(100);
  await release();
};

describe("holding the button", () => {
  test("is heard for as long as it is held, and no longer", async (t) => {
    const page = begin(t);
    assert.equal(page.heard, false);
    await page.press();
    assert.equal(page.heard, true);
    assert.equal(page.button.dataset.state, "talking");
    await page.clock.pass(2_000);
    await page.release();
    assert.equal(page.heard, false);
    assert.equal(page.button.dataset.state, "ready");
  });

  test("asks for the microphone at the first press, and not before", async (t) => {
    const page = begin(t);
    assert.equal(page.microphones.length, 0);
    await page.press();
    assert.equal(page.microphones.length, 1);
    await page.clock.pass(500);
    await page.release();
    await page.press();
    assert.equal(page.microphones.length, 1);
  });

  test("gives the microphone back 30 s after the last press", async (t) => {
    const page = begin(t);
    await page.press();
    await page.clock.pass(1_000);
    await page.release();
    await page.clock.pass(20_000);
    await page.press();
    await page.clock.pass(60_000);
    assert.equal(page.microphones[0].live, true);
    await page.release();
    await page.clock.pass(29_999);
    assert.equal(page.microphones[0].live, true);
    await page.clock.pass(1);
    assert.equal(page.microphones[0].live, false);
  });

  test("ends when the window loses the focus, without a latch", async (t) => {
    const page = begin(t);
    await page.press();
    await page.blur();
    assert.equal(page.heard, false);
    await page.release();
    assert.equal(page.heard, false);
  });

  test("other buttons of the mouse are none", async (t) => {
    const page = begin(t);
    page.button.dispatchEvent(Object.assign(new Event("pointerdown"), { button: 2 }));
    await settled();
    assert.equal(page.heard, false);
  });
});

describe("a tap", () => {
  test("leaves it on until the next", async (t) => {
    const page = begin(t);
    await page.press();
    await page.clock.pass(1_000);
    await page.release();
    await tap(page);
    assert.equal(page.heard, true);
    assert.equal(page.button.label.textContent, "Stop talking");
    await page.clock.pass(300_000);
    assert.equal(page.heard, true);
    await tap(page);
    assert.equal(page.heard, false);
  });

  test("that has brought up the browser's question is none yet", async (t) => {
    let allow;
    const page = begin(t, { ask: (give) => new Promise((resolve) => (allow = () => resolve(give()))) });
    await tap(page);
    assert.equal(page.button.dataset.state, "asking");
    allow();
    await settled();
    assert.equal(page.button.dataset.state, "ready");
    assert.equal(page.heard, false);
    await page.clock.pass(30_000);
    assert.equal(page.microphones[0].live, false);
  });

  test("by a screen reader, which clicks without pressing, switches", async (t) => {
    const page = begin(t);
    await page.click();
    assert.equal(page.heard, true);
    await page.click();
    assert.equal(page.heard, false);
  });
});

describe("the key T", () => {
  test("is the button too", async (t) => {
    const page = begin(t);
    await page.key("keydown", "t");
    assert.equal(page.heard, true);
    await page.key("keydown", "t", { repeat: true });
    await page.clock.pass(1_000);
    await page.key("keyup", "t");
    assert.equal(page.heard, false);
  });

  test("is not while somebody types, or with Ctrl", async (t) => {
    const page = begin(t);
    await page.key("keydown", "t", { target: { closest: () => ({}) } });
    await page.key("keydown", "t", { ctrlKey: true });
    await page.key("keydown", "x");
    assert.equal(page.microphones.length, 0);
  });
});

describe("the microphone", () => {
  test("that the person refuses is told, and can be asked for again", async (t) => {
    let refuses = true;
    const page = begin(t, {
      ask: (give) => (refuses ? Promise.reject(new DOMException("no", "NotAllowedError")) : Promise.resolve(give())),
    });
    await page.press();
    assert.equal(page.button.dataset.state, "refused");
    assert.equal(page.note.hidden, false);
    assert.match(page.note.textContent, /Allow it/);
    await page.release();
    refuses = false;
    await page.press();
    assert.equal(page.heard, true);
    assert.equal(page.note.hidden, true);
  });

  test("that browsers give to no page without HTTPS", async (t) => {
    const page = begin(t, { secure: false });
    await page.press();
    assert.match(page.note.textContent, /https:\/\//);
  });

  test("that is unplugged ends the talk", async (t) => {
    const page = begin(t);
    await page.press();
    page.microphones[0].dispatchEvent(new Event("ended"));
    await settled();
    assert.equal(page.heard, false);
    assert.equal(page.button.dataset.state, "ready");
  });

  test("is given back when the page is closed", async (t) => {
    const page = begin(t);
    await page.press();
    await page.hide();
    assert.equal(page.microphones[0].live, false);
    assert.equal(page.camera.track, null);
    assert.equal(page.clock.timers, 0);
  });
});

describe("the call", () => {
  test("to a camera without a loudspeaker has no button", async (t) => {
    const page = begin(t);
    page.talk.attach(null);
    assert.equal(page.button.hidden, true);
    await page.press();
    await page.key("keydown", "t");
    assert.equal(page.microphones.length, 0);
  });

  test("that ends takes the microphone with it, and the latch", async (t) => {
    const page = begin(t);
    await page.click();
    page.talk.attach(null);
    assert.equal(page.microphones[0].live, false);
    const next = page.sender();
    page.talk.attach(next);
    assert.equal(next.track, null);
    assert.equal(page.button.dataset.state, "ready");
  });

  test("that is replaced during a talk goes on with the next", async (t) => {
    const page = begin(t);
    await page.press();
    const next = page.sender();
    page.talk.attach(next);
    assert.equal(next.track, page.microphones[0]);
    await page.release();
  });
});
