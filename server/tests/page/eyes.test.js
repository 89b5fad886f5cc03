import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Clock } from "./clock.js";
import { Eyes, wishFor } from "../../web/eyes.js";

/** A data channel, of which the test plays the camera's end. */
class Channel {
  sent = [];

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  say(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }

  /** What was said of this type. */
  of(type) {
    return this.sent.filter((message) => message.type === type);
  }
}

function scene(context) {
  const clock = new Clock(context);
  const channel = new Channel();
  return { clock, channel, eyes: new Eyes(channel) };
}

describe("latency", () => {
  test("is counted from the clock of the shortest way, over the end of the time stamps", async (context) => {
    const { clock, channel, eyes } = scene(context);
    channel.onopen();
    const start = 2 ** 32 - 900; // 10 ms before they begin anew
    const rtp = (at) => (start + at * 90) % 2 ** 32;
    const began = performance.now();
    // The first one takes 40 ms, and is 20 ms old; the second takes none.
    await clock.pass(40);
    channel.say({ type: "clock", id: 0, rtp: rtp(0) });
    eyes.shown(rtp(10), began + 100);
    assert.equal(Math.round(eyes.latency), 70);
    await clock.pass(60);
    channel.say({ type: "clock", id: 1, rtp: rtp(performance.now() - began) });
    eyes.shown(rtp(10), began + 100);
    assert.equal(Math.round(eyes.latency), 90);
    assert.equal(channel.of("latency").length, 1, "not told again so soon");
  });

  test("is unknown without a clock, or without the picture's time stamp", (context) => {
    const { channel, eyes } = scene(context);
    channel.onopen();
    eyes.shown(7, 100);
    channel.say({ type: "clock", id: 0, rtp: 0 });
    eyes.shown(undefined, 100);
    assert.equal(eyes.latency, null);
    for (const data of ["", "[]", "null", '{"type":"clock","id":1}']) channel.onmessage({ data });
    assert.deepEqual(channel.of("latency"), []);
  });

  test("an answer to an older question is none", async (context) => {
    const { clock, channel, eyes } = scene(context);
    channel.onopen();
    await clock.pass(100);
    channel.say({ type: "clock", id: 0, rtp: 0 });
    eyes.shown(0, performance.now());
    assert.equal(eyes.latency, null);
  });

  test("the clock is asked for again and again, but not after the end", async (context) => {
    const { clock, channel, eyes } = scene(context);
    channel.onopen();
    await clock.pass(1_000);
    assert.equal(channel.of("clock").length, 6);
    await clock.pass(20_000);
    assert.equal(channel.of("clock").length, 8);
    eyes.close();
    await clock.pass(60_000);
    assert.equal(channel.of("clock").length, 8);
  });
});

describe("wishes", () => {
  test("are told once, and one from before the channel was open when it opens", (context) => {
    const { channel, eyes } = scene(context);
    eyes.want("small");
    assert.deepEqual(channel.sent, []);
    channel.onopen();
    eyes.want("small");
    eyes.want("none");
    assert.deepEqual(channel.of("want").map(({ picture }) => picture), ["small", "none"]);
  });

  test("follow how large the picture is shown", () => {
    assert.equal(wishFor({ shown: 1280, width: 1280 }), "full");
    assert.equal(wishFor({ shown: 641, width: 1280 }), "full");
    assert.equal(wishFor({ shown: 640, width: 1280 }), "small");
    assert.equal(wishFor({ shown: 0, width: 1280 }), "full", "not laid out yet");
    assert.equal(wishFor({ shown: 300, width: 0 }), "full", "nobody knows how large it is");
  });
});
