import assert from "node:assert/strict";
import { describe as group, test } from "node:test";
import {
  describe, describeControl, describeEvent, describeFaults, describeServer, describeStats, describeTalk, slateOf,
} from "../../web/words.js";

/** Every trouble that watch.js, session.js and view.js can name; what is offered, and whether the camera's name is in the words. */
const TROUBLES = {
  server: { retry: true, names: false },
  away: { retry: false, names: true },
  still: { retry: false, names: true },
  "hung-up": { retry: true, names: true },
  lost: { retry: true, names: true },
  "no-answer": { retry: true, names: true },
  "no-path": { retry: true, names: true },
  "no-picture": { retry: true, names: true },
  "no-codec": { retry: true, names: true },
  busy: { retry: true, names: true },
  refused: { retry: true, names: true },
  stopped: { retry: true, names: true },
  removed: { retry: true, names: true },
  "no-signal": { retry: false, names: true },
  private: { retry: false, names: true },
  autoplay: { retry: false, names: true },
  failed: { retry: true, names: true },
};

group("a watched camera", () => {
  for (const [code, { retry, names }] of Object.entries(TROUBLES)) {
    test(`"${code}" has words of its own`, () => {
      const words = describe("porch", "error", { code, reason: null });
      for (const key of ["chip", "title", "detail"]) assert.ok(words[key].length > 0, `${key} is empty`);
      assert.equal(words.retry ?? false, retry);
      // Nothing is under way where only the camera's owner, or the person, can do something.
      assert.equal(words.busy ?? false, !["no-codec", "autoplay", "removed", "private"].includes(code));
      assert.equal(`${words.title} ${words.detail}`.includes("porch"), names);
      assert.doesNotMatch(words.detail, /undefined|null/);
      assert.match(words.detail, /\.$/);
    });
  }

  test("no two troubles have the same title", () => {
    const titles = Object.keys(TROUBLES).map((code) => describe("porch", "error", { code, reason: null }).title);
    assert.equal(new Set(titles).size, titles.length);
  });

  test("live has nothing on the stage", () => {
    assert.deepEqual(describe("porch", "live", null), { chip: "Live", title: "", detail: "" });
  });

  test("connecting names the camera and shows that something is under way", () => {
    const words = describe("porch", "connecting", null);
    assert.equal(words.title, "Connecting to porch…");
    assert.equal(words.busy, true);
  });

  test("only blocked autoplay offers to play", () => {
    const offering = Object.keys(TROUBLES).filter((code) => describe("porch", "error", { code, reason: null }).play);
    assert.deepEqual(offering, ["autoplay"]);
  });

  test("what the camera says stands between our sentences", () => {
    const detail = (code, reason) => describe("porch", "error", { code, reason }).detail;
    assert.equal(detail("hung-up", "negotiation failed"), "Negotiation failed. Calling again in a moment.");
    assert.equal(detail("no-signal", "it was unplugged"), "It was unplugged. The picture comes by itself when there is one.");
    assert.match(detail("no-path", "no network path was found"), /\. The camera says: No network path was found\. A firewall/);
  });

  test("an unknown trouble is a failed call", () => {
    assert.equal(describe("porch", "error", { code: "eclipse", reason: null }).chip, "Call failed");
    assert.equal(describe("porch", "error", null).chip, "Call failed");
  });
});

group("a reason that the camera gives", () => {
  const detail = (code, reason) => describe("porch", "error", { code, reason }).detail;

  test("becomes a sentence between ours", () => {
    assert.equal(detail("refused", "the driveway is private"), "The driveway is private. Trying again from time to time.");
  });

  test("keeps the stop that it has", () => {
    assert.equal(detail("failed", "Out of memory!"), "Out of memory. Trying again.");
    assert.equal(detail("failed", "Out of memory."), "Out of memory. Trying again.");
  });

  test("is replaced where it says nothing", () => {
    for (const nothing of [null, undefined, "", "  \n"]) {
      assert.equal(detail("busy", nothing), "It has all the viewers it can serve. Trying again until a place is free.");
      assert.equal(detail("refused", nothing), "It gave no reason. Trying again from time to time.");
    }
  });
});

group("the server chip", () => {
  test("says each state", () => {
    assert.equal(describeServer("online", null), "Server connected");
    assert.equal(describeServer("connecting", null), "Connecting…");
    assert.equal(describeServer("offline", { kind: "unreachable" }), "Server unreachable");
    assert.equal(describeServer("offline", { kind: "refused" }), "Server unreachable");
    assert.equal(describeServer("offline", null), "Server unreachable");
  });

  test("a server that has forgotten us is there: we sign in again", () => {
    assert.equal(describeServer("offline", { kind: "gone" }), "Signing in again…");
  });
});

group("what happens at the camera", () => {
  test("is told", () => {
    assert.equal(describeEvent({ what: "input", name: "door", on: true }), "door: on");
    assert.equal(describeEvent({ what: "input", name: "door", on: false }), "door: off");
    assert.equal(describeEvent({ what: "privacy", on: true }), "Privacy: picture and sound are off");
    assert.equal(describeEvent({ what: "privacy", on: false }), "Privacy ended");
    assert.equal(describeEvent({ what: "fault", reason: "the pin is in use" }), "the pin is in use");
    assert.equal(describeEvent({ what: "fault", reason: null }), "A part works again");
    assert.equal(describeEvent({ what: "saved", name: "porch.jpg" }), "Saved porch.jpg");
    assert.equal(describeEvent({ what: "said" }), "You:");
  });

  test("is passed over where a button shows it, or nobody knows it", () => {
    assert.equal(describeEvent({ what: "output", name: "lamp", on: true }), null);
    assert.equal(describeEvent({ what: "eclipse" }), null);
  });

  test("a control's name is for people", () => {
    assert.equal(describeControl("white_balance_automatic"), "White balance automatic");
  });
});

group("the button for talking", () => {
  test("says how to use it, and how to stop", () => {
    assert.match(describeTalk("ready", false, null).label, /^Hold to talk/);
    assert.equal(describeTalk("talking", false, null).label, "Talking…");
    assert.equal(describeTalk("talking", true, null).label, "Stop talking");
    assert.match(describeTalk("asking", false, null).note, /Allow it/);
  });

  test("says what to do about each refusal of the browser", () => {
    const note = (name, message = "") => describeTalk("refused", false, { name, message }).note;
    assert.match(note("InsecureError"), /https:\/\//);
    assert.match(note("NotAllowedError"), /Allow it/);
    assert.match(note("NotFoundError"), /no microphone/);
    assert.match(note("NotReadableError"), /another program/);
    assert.equal(note("AbortError", "hardware on fire"), "The microphone could not be opened: Hardware on fire.");
    assert.equal(note("AbortError"), "The microphone could not be opened: The browser gave no reason.");
  });
});

group("figures", () => {
  const NOTHING = {
    width: null, height: null, fps: null, bitrate: null, loss: null, roundTrip: null, buffer: null, latency: null, dropped: null, codec: null,
    soundCodec: null, path: null,
  };
  const texts = (stats, offersSound = true, hasSound = true) => describeStats({ ...NOTHING, ...stats }, offersSound, hasSound);

  test("what is not known is a dash", () => {
    const { sound, ...rest } = texts({});
    assert.deepEqual(new Set(Object.values(rest)), new Set(["–"]));
    assert.equal(sound, "silent");
  });

  test("have their units", () => {
    assert.equal(texts({ width: 1280, height: 720 }).resolution, "1280 × 720");
    assert.equal(texts({ fps: 29.97 }).fps, "30\u202ffps");
    assert.equal(texts({ fps: 7.25 }).fps, "7.3\u202ffps");
    assert.equal(texts({ bitrate: 2_345_678 }).bitrate, "2.35\u202fMbit/s");
    assert.equal(texts({ bitrate: 640_400 }).bitrate, "640\u202fkbit/s");
    assert.equal(texts({ bitrate: 0 }).bitrate, "0\u202fkbit/s");
    assert.equal(texts({ roundTrip: 3.14 }).rtt, "3.1\u202fms");
    assert.equal(texts({ roundTrip: 31.4 }).rtt, "31\u202fms");
    assert.equal(texts({ buffer: 42.4 }).buffer, "42\u202fms");
    assert.equal(texts({ dropped: 0 }).dropped, "0");
  });

  test("a small loss has a decimal, none and a large one have not", () => {
    assert.equal(texts({ loss: 0 }).loss, "0\u202f%");
    assert.equal(texts({ loss: 0.004 }).loss, "0.4\u202f%");
    assert.equal(texts({ loss: 0.25 }).loss, "25\u202f%");
  });

  test("sound is its codec, silent, off, or none", () => {
    assert.equal(texts({ soundCodec: "Opus" }).sound, "Opus");
    assert.equal(texts({}).sound, "silent");
    assert.equal(texts({}, true, false).sound, "off");
    assert.equal(texts({}, false, false).sound, "none");
  });
});

group("a camera that is connected", () => {
  test("shows a slate where it has no picture, or is private", () => {
    assert.equal(slateOf({ privacy: false }), null);
    assert.equal(slateOf({ privacy: false, picture_fault: "" }), null);
    assert.deepEqual(slateOf({ privacy: false, picture_fault: "it was unplugged" }), { code: "no-signal", reason: "it was unplugged" });
    assert.deepEqual(slateOf({ privacy: true, picture_fault: "it was unplugged" }), { code: "private", reason: null });
    assert.equal(slateOf({ picture_fault: "x".repeat(5_000) }).reason.length, 300);
  });

  test("says what is broken of it", () => {
    const parts = {
      outputs: [{ name: "light", fault: "output `light`: the pin is taken" }, { name: "horn" }],
      servos: [{ name: "pan", fault: "servo `pan`: no such chip." }],
      inputs: [{ name: "bell" }],
    };
    assert.deepEqual(describeFaults(parts), ["Output `light`: the pin is taken.", "Servo `pan`: no such chip."]);
    assert.deepEqual(describeFaults({}), []);
  });

  test("and has no voice, says so to who talks, and lets the browser's questions go first", () => {
    const broken = "no such card";
    for (const state of ["ready", "talking"]) {
      assert.match(describeTalk(state, false, null, broken).note, /^You are not heard: .* No such card\.$/);
    }
    assert.doesNotMatch(describeTalk("asking", false, null, broken).note, /not heard/);
    assert.doesNotMatch(describeTalk("refused", false, { name: "NotFoundError", message: "" }, broken).note, /not heard/);
    assert.equal(describeTalk("talking", true, null, broken).label, "Stop talking");
  });
});
