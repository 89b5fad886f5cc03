import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { record, warnings } from "./browser.js";
import { Clock } from "./clock.js";
import { Channel } from "../../web/channel.js";

/** A control channel on a data channel that the test holds the other end of. */
function open(readyState = "open") {
  const sent = [];
  const raw = { readyState, send: (text) => sent.push(JSON.parse(text)) };
  const channel = new Channel(raw);
  const events = record(channel, "hello", "state", "event", "message", "error", "closed");
  const pictures = [];
  channel.addEventListener("picture", ({ detail }) => pictures.push(detail));
  const hear = (...messages) => messages.forEach((message) => raw.onmessage({ data: JSON.stringify(message) }));
  return { raw, channel, events, pictures, sent, hear };
}

const part = (text) => ({ type: "part", data: btoa(text) });
const snapshot = (size, parts) => ({ type: "snapshot", size, parts });

describe("messages", () => {
  test("are sent as JSON where the channel is open", () => {
    const { channel, sent } = open();
    assert.equal(channel.send({ type: "set", output: "lamp", on: true }), true);
    assert.deepEqual(sent, [{ type: "set", output: "lamp", on: true }]);
  });

  test("are not sent where it is not", () => {
    for (const readyState of ["connecting", "closing", "closed"]) {
      const { channel, sent } = open(readyState);
      assert.equal(channel.send({ type: "beat" }), false);
      assert.deepEqual(sent, []);
    }
  });

  test("that the page knows become events", () => {
    const { events, hear } = open();
    const known = ["hello", "state", "event", "message", "error"].map((type, at) => ({ type, at }));
    hear(...known);
    assert.deepEqual(events, known);
  });

  test("that it does not know are passed over", () => {
    const { events, hear } = open();
    hear({ type: "eclipse" }, { type: "closed" }, { type: "picture" }, {}, []);
    assert.deepEqual(events, []);
  });

  for (const rubbish of ["", "{", "null", "7", "\"hello\""]) {
    test(`${JSON.stringify(rubbish)} is none, and harms nothing`, (t) => {
      const said = warnings(t);
      const { raw, events, hear } = open();
      raw.onmessage({ data: rubbish });
      hear({ type: "hello", may: [] });
      assert.deepEqual(events, [{ type: "hello", may: [] }]);
      assert.equal(said.length, 1);
    });
  }

  test("the end of the channel is told", () => {
    const { raw, events } = open();
    raw.onclose();
    assert.deepEqual(events, [{ type: "closed" }]);
  });
});

describe("holding", () => {
  test("sends heartbeats more often than the node's half second, until everything is let go", async (t) => {
    const clock = new Clock(t);
    const { channel, sent } = open();
    channel.hold("lamp");
    channel.hold("servo pan");
    await clock.pass(600);
    assert.deepEqual(sent, Array(4).fill({ type: "beat" }));
    channel.letGo("lamp");
    await clock.pass(150);
    assert.equal(sent.length, 5);
    channel.letGo("servo pan");
    await clock.pass(1_000);
    assert.equal(sent.length, 5);
    assert.equal(clock.timers, 0);
  });

  test("the same thing twice is holding it once", async (t) => {
    const clock = new Clock(t);
    const { channel, sent } = open();
    channel.hold("lamp");
    channel.hold("lamp");
    await clock.pass(150);
    assert.equal(sent.length, 1);
    channel.letGo("lamp");
    assert.equal(clock.timers, 0);
  });

  test("ends with the channel", (t) => {
    const clock = new Clock(t);
    const { raw, channel } = open();
    channel.hold("lamp");
    raw.onclose();
    assert.equal(clock.timers, 0);
  });

  test("ends when nobody listens any more", (t) => {
    const clock = new Clock(t);
    const { raw, channel } = open();
    channel.hold("lamp");
    channel.forget();
    assert.equal(clock.timers, 0);
    assert.equal(raw.onmessage, null);
    assert.equal(raw.onclose, null);
  });
});

describe("a picture", () => {
  test("is put together from its parts", async () => {
    const { pictures, hear } = open();
    hear(snapshot(6, 2), part("abc"));
    assert.equal(pictures.length, 0);
    hear(part("def"));
    assert.equal(pictures.length, 1);
    assert.equal(pictures[0].type, "image/jpeg");
    assert.equal(await pictures[0].text(), "abcdef");
  });

  test("may have any bytes in it", async () => {
    const { pictures, hear } = open();
    hear(snapshot(3, 1), part("\xff\xd8\x00"));
    assert.deepEqual(new Uint8Array(await pictures[0].arrayBuffer()), new Uint8Array([0xff, 0xd8, 0]));
  });

  test("that is announced anew begins anew", async () => {
    const { pictures, hear } = open();
    hear(snapshot(6, 2), part("abc"), snapshot(3, 1), part("xyz"));
    assert.equal(pictures.length, 1);
    assert.equal(await pictures[0].text(), "xyz");
  });

  test("without an announcement is none", () => {
    const { pictures, hear } = open();
    hear(part("abc"), snapshot(3, 1), part("abc"), part("abc"));
    assert.equal(pictures.length, 1);
  });

  test("of no size, or too large a one, is not taken", () => {
    for (const size of [0, -1, 4 * 1024 * 1024 + 1, null, "large"]) {
      const { pictures, hear } = open();
      hear(snapshot(size, 1), part("abc"));
      assert.equal(pictures.length, 0, `${size}`);
    }
  });

  test("that grows beyond its size is dropped: nobody fills our memory with parts", (t) => {
    const said = warnings(t);
    const { pictures, hear } = open();
    hear(snapshot(5, 3), part("abc"), part("def"), part("g"), part("h"));
    assert.equal(pictures.length, 0);
    assert.equal(said.length, 1);
    hear(snapshot(5, 3), part("abc"), part("d"), part("e"));
    assert.equal(pictures.length, 1);
  });

  test("with a part that is no base64 is dropped, and the next one is taken", (t) => {
    const said = warnings(t);
    const { pictures, hear } = open();
    hear(snapshot(6, 2), part("abc"), { type: "part", data: "%%%" }, part("def"));
    hear(snapshot(3, 1), { type: "part" });
    assert.equal(pictures.length, 0);
    assert.equal(said.length, 2);
    hear(snapshot(3, 1), part("abc"));
    assert.equal(pictures.length, 1);
  });

  for (const [what, message] of [
    ["the state", { type: "state", privacy: true }],
    ["an event", { type: "event", what: "privacy", on: true }],
    ["a refusal", { type: "error", code: "privacy" }],
  ]) {
    test(`does not come any more when ${what} says that the camera is private`, () => {
      const { pictures, events, hear } = open();
      hear(snapshot(6, 2), part("abc"), message, part("def"));
      assert.equal(pictures.length, 0);
      assert.deepEqual(events, [message]);
    });
  }

  test("goes on when something else happens", () => {
    const { pictures, hear } = open();
    hear(snapshot(6, 2), part("abc"), { type: "event", what: "privacy", on: false }, { type: "state", privacy: false }, part("def"));
    assert.equal(pictures.length, 1);
  });
});
