import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { record, warnings } from "./browser.js";
import { Clock, settled } from "./clock.js";
import { answer, connections } from "./peer-connection.js";
import { Session } from "../../web/session.js";

/** A call that has just been made: its offer is sent. */
async function call(context, { listens = false, deliver = () => Promise.resolve() } = {}) {
  const clock = new Clock(context);
  const made = connections(context);
  const sent = [];
  const session = new Session((body) => {
    sent.push(body === "BYE" ? body : JSON.parse(body));
    return deliver(body);
  }, listens);
  const events = record(session, "connected", "track", "ended");
  session.start();
  await settled();
  return { clock, session, events, sent, connection: made[0] };
}

/** One that the camera has answered. */
async function answered(context, { answered: words = {}, ...options } = {}) {
  const made = await call(context, options);
  await made.session.receive(answer(words));
  made.sent.length = 0;
  made.events.length = 0;
  return made;
}

const candidate = (text) => JSON.stringify({ candidate: text, sdpMid: "0", sdpMLineIndex: 0 });
const ended = (code, reason = null) => ({ type: "ended", code, reason });

describe("the offer", () => {
  test("asks for a picture, and marks that our microphone is on only while a person wants it", async (t) => {
    const { sent } = await call(t);
    assert.equal(sent.length, 1);
    assert.equal(sent[0].type, "offer");
    assert.match(sent[0].sdp, /m=video .*\r\na=recvonly\r\nm=audio .*\r\na=sendonly\r\na=x-pinhole-talk\r\n$/);
  });

  test("asks for sound where the person listens", async (t) => {
    const { sent } = await call(t, { listens: true });
    assert.match(sent[0].sdp, /m=audio .*\r\na=sendrecv\r\n/);
  });

  test("has a channel for control, under the page's protocol", async (t) => {
    const { session, connection } = await call(t);
    assert.deepEqual(connection.channels.map(({ label, protocol }) => [label, protocol]), [["pinhole-control", "page"], ["pinhole-watch", ""]]);
    assert.equal(session.control, connection.channels[0]);
  });

  test("goes before the candidates that are found meanwhile", async (t) => {
    const made = connections(t);
    const sent = [];
    const session = new Session((body) => {
      sent.push(JSON.parse(body));
      return Promise.resolve();
    }, false);
    t.after(() => session.drop());
    session.start();
    made[0].find("first");
    assert.deepEqual(sent, []);
    await settled();
    made[0].find("second");
    assert.deepEqual(sent.map(({ type, candidate: text }) => type ?? text), ["offer", "first", "second"]);
  });

  test("is followed by no end of candidates, which the protocol has not", async (t) => {
    const { sent, connection } = await call(t);
    connection.find("");
    connection.find(null);
    assert.equal(sent.length, 1);
  });

  test("that can't be delivered ends the call with the reason", async (t) => {
    const { events, connection } = await call(t, { deliver: () => Promise.reject(new Error("the server cannot be reached")) });
    assert.deepEqual(events, [ended("failed", "the server cannot be reached")]);
    assert.equal(connection.closed, true);
  });

  test("a candidate that can't be delivered is no reason to end", async (t) => {
    const said = warnings(t);
    const { events, connection } = await call(t, {
      deliver: (body) => (body.includes("candidate") ? Promise.reject(new Error("gone")) : Promise.resolve()),
    });
    connection.find("first");
    await settled();
    assert.deepEqual(events, []);
    assert.deepEqual(said, ["a candidate was not delivered: gone"]);
  });
});

describe("patience", () => {
  test("8 s for an answer", async (t) => {
    const { clock, events, sent } = await call(t);
    await clock.pass(7_999);
    assert.deepEqual(events, []);
    await clock.pass(1);
    assert.deepEqual(events, [ended("no-answer")]);
    assert.equal(sent.at(-1), "BYE");
  });

  test("and after 3 s a doubt, once, whether it will come", async (t) => {
    const { clock, session } = await call(t);
    const doubts = record(session, "doubt");
    await clock.pass(2_999);
    assert.equal(doubts.length, 0);
    await clock.pass(1);
    await clock.pass(4_000);
    assert.equal(doubts.length, 1);
  });

  test("and none where it has come", async (t) => {
    const { clock, session, connection } = await answered(t);
    const doubts = record(session, "doubt");
    connection.become("connected");
    session.pictureCame();
    await clock.pass(60_000);
    assert.equal(doubts.length, 0);
  });

  test("then 12 s for a path", async (t) => {
    const { clock, session, events } = await call(t);
    await clock.pass(7_000);
    await session.receive(answer());
    await clock.pass(11_999);
    assert.deepEqual(events.filter(({ type }) => type === "ended"), []);
    await clock.pass(1);
    assert.deepEqual(events.at(-1), ended("no-path"));
  });

  test("then 8 s for a picture", async (t) => {
    const { clock, connection, events } = await answered(t);
    await clock.pass(11_000);
    connection.become("connected");
    await clock.pass(7_999);
    assert.deepEqual(events, [{ type: "connected" }]);
    await clock.pass(1);
    assert.deepEqual(events.at(-1), ended("no-picture"));
  });

  test("ends with the first picture", async (t) => {
    const { clock, session, connection, events } = await answered(t);
    connection.become("connected");
    session.pictureCame();
    await clock.pass(60_000);
    assert.deepEqual(events, [{ type: "connected" }]);
  });

  test("does not begin anew where a path comes back", async (t) => {
    const { clock, connection, events } = await answered(t);
    connection.become("connected");
    connection.become("disconnected");
    await clock.pass(5_000);
    connection.become("connected");
    await clock.pass(3_000);
    assert.deepEqual(events, [{ type: "connected" }, ended("no-picture")]);
  });

  test("ends with the first picture, even where that is shown before the path is known", async (t) => {
    const { clock, session, connection, events } = await answered(t);
    session.pictureCame();
    connection.become("connected");
    await clock.pass(60_000);
    assert.deepEqual(events, [{ type: "connected" }]);
    assert.equal(clock.timers, 0);
  });
});

describe("the camera's candidates", () => {
  test("that come before its answer are kept, in order", async (t) => {
    const { session, connection } = await call(t);
    await session.receive(candidate("one"));
    await session.receive(candidate("two"));
    assert.deepEqual(connection.candidates, []);
    await session.receive(answer());
    await session.receive(candidate("three"));
    assert.deepEqual(connection.candidates, ["one", "two", "three"]);
  });

  test("that are no use leave the call alone", async (t) => {
    const said = warnings(t);
    const { session, connection, events } = await answered(t);
    await session.receive(candidate("bad one"));
    await session.receive(candidate("good one"));
    assert.deepEqual(connection.candidates, ["good one"]);
    assert.deepEqual(events, []);
    assert.match(said[0], /^a candidate of the camera could not be used/);
  });
});

describe("the camera's end", () => {
  test("BYE is a hang-up, and is not answered", async (t) => {
    const { session, events, sent, connection } = await answered(t);
    await session.receive("BYE");
    assert.deepEqual(events, [ended("hung-up")]);
    assert.deepEqual(sent, []);
    assert.equal(connection.closed, true);
  });

  test("BYE may have blanks around it, as stock clients write", async (t) => {
    const { session, events } = await answered(t);
    await session.receive("BYE\n");
    assert.deepEqual(events, [ended("hung-up")]);
  });

  test("an error says why before it", async (t) => {
    const { session, events } = await call(t);
    await session.receive(JSON.stringify({ type: "error", code: "busy", reason: "8 viewers are enough" }));
    assert.deepEqual(events, []);
    await session.receive("BYE");
    assert.deepEqual(events, [ended("busy", "8 viewers are enough")]);
  });

  test("any code but busy is a refusal, and a reason is text of bounded length", async (t) => {
    const { session, events } = await call(t);
    await session.receive(JSON.stringify({ type: "error", code: "eclipse", reason: "x".repeat(5_000) }));
    await session.receive("BYE");
    assert.deepEqual(events, [ended("refused", "x".repeat(300))]);
  });

  test("a refusal needs no reason", async (t) => {
    const { session, events } = await call(t);
    await session.receive(JSON.stringify({ type: "error" }));
    await session.receive("BYE");
    assert.deepEqual(events, [ended("refused", "")]);
  });

  test("a DTLS close is a hang-up", async (t) => {
    const { clock, connection, events } = await answered(t);
    const { transport } = connection.transceiver("video").receiver;
    transport.state = "connected";
    transport.dispatchEvent(new Event("statechange"));
    assert.deepEqual(events, []);
    transport.state = "closed";
    transport.dispatchEvent(new Event("statechange"));
    await clock.pass(499);
    assert.deepEqual(events, [], "its last word may be on the way");
    await clock.pass(1);
    assert.deepEqual(events, [ended("hung-up")]);
    assert.equal(clock.timers, 0);
  });

  test("a path that breaks is lost, one that never was is none", async (t) => {
    const { connection, events } = await answered(t);
    connection.become("connected");
    connection.become("disconnected");
    assert.deepEqual(events, [{ type: "connected" }]);
    connection.become("failed");
    assert.deepEqual([events.length, connection.restarts], [1, 1], "another path is looked for, once");
    connection.become("failed");
    assert.deepEqual(events.at(-1), ended("lost"));
  });

  test("another path is asked for in the same call, and again where that one breaks", async (t) => {
    const { session, sent, connection, events } = await answered(t);
    connection.become("connected");
    for (const round of [1, 2]) {
      sent.length = 0;
      await session.renewPath();
      await session.renewPath();
      assert.deepEqual([sent.map(({ type }) => type), connection.restarts], [["offer"], round]);
      await session.receive(answer());
      connection.become("connected");
    }
    assert.equal(events.filter(({ type }) => type === "ended").length, 0);
  });

  test("and is lost where nobody can be asked", async (t) => {
    let reaches = true;
    const deliver = () => (reaches ? Promise.resolve() : Promise.reject(new Error("not signed in")));
    const said = warnings(t);
    const { session, connection, events } = await answered(t, { deliver });
    connection.become("connected");
    reaches = false;
    connection.connectionState = "failed";
    await session.renewPath();
    assert.deepEqual(events.at(-1), ended("lost"));
    assert.deepEqual(said, ["no other path could be asked for: not signed in"]);
  });

  test("is told once, whatever follows", async (t) => {
    const { clock, session, connection, events } = await answered(t);
    connection.become("failed");
    connection.become("closed");
    await session.receive("BYE");
    await clock.pass(60_000);
    assert.equal(events.length, 1);
  });

  test("ICE that fails before there was a path", async (t) => {
    const { connection, events } = await answered(t);
    connection.become("failed");
    assert.deepEqual(events, [ended("no-path")]);
  });
});

describe("a call with a name", () => {
  const NAME = /^[0-9a-f]{32}$/;
  const bye = (name) => JSON.stringify({ type: "bye", call: name });
  const error = (name, code, reason) => JSON.stringify({ type: "error", call: name, code, reason });

  /** One whose camera knows it by its name. */
  async function named(context, options) {
    const made = await call(context, options);
    const [{ call: name }] = made.sent;
    await made.session.receive(answer({ call: name, sound: true }));
    made.sent.length = 0;
    made.events.length = 0;
    return { ...made, name };
  }

  test("says it in its offers; to who has not said it, in nothing else", async (t) => {
    const { session, sent, connection } = await call(t);
    assert.match(sent[0].call, NAME);
    connection.find("early");
    await session.receive(answer());
    connection.find("late");
    await session.receive(JSON.stringify({ type: "offer", sdp: "v=0\r\n" }));
    session.end();
    assert.deepEqual(sent.map((message) => message.call).slice(1), [undefined, undefined, undefined, undefined]);
    assert.equal(sent.at(-1), "BYE");
  });

  test("to who has said it, in everything", async (t) => {
    const { session, sent, connection, name } = await named(t);
    connection.find("late");
    await session.receive(JSON.stringify({ type: "offer", sdp: "v=0\r\n", call: name }));
    assert.equal(session.farewell, bye(name));
    session.end();
    assert.deepEqual(sent.map(({ type, call: of }) => [type, of]), [[undefined, name], ["answer", name], ["bye", name]]);
  });

  test("no two have the same", async (t) => {
    const [one, other] = [await named(t), await named(t)];
    assert.notEqual(one.name, other.name);
  });

  test("is not ended by a late goodbye to another, nor by one to nobody", async (t) => {
    const { session, events } = await named(t);
    await session.receive(bye("0".repeat(32)));
    await session.receive("BYE");
    await session.receive(JSON.stringify({ type: "bye" }));
    assert.deepEqual(events, []);
  });

  test("is not disturbed by what else is said of another", async (t) => {
    const { session, events, connection, sent } = await call(t);
    const other = "0".repeat(32);
    await session.receive(answer({ call: other }));
    assert.equal(session.answered, false);
    await session.receive(JSON.stringify({ candidate: "late", sdpMid: "0", sdpMLineIndex: 0, call: other }));
    await session.receive(error(other, "busy", "full"));
    await session.receive(bye(other));
    await session.receive(answer({ call: sent[0].call }));
    assert.equal(session.answered, true);
    assert.deepEqual(connection.candidates, []);
    assert.deepEqual(events, [{ type: "track" }]);
    await session.receive(bye(sent[0].call));
    assert.deepEqual(events.at(-1), ended("hung-up"));
  });

  for (const [code, comes] of [
    ["no_path", "no-path"], ["unfinished", "no-path"], ["silent", "lost"], ["crowded", "busy"], ["stopped", "stopped"],
    ["removed", "removed"], ["negotiation", "hung-up"],
  ]) {
    test(`ends with the camera's reason: ${code}`, async (t) => {
      const { session, events, sent, name } = await named(t);
      await session.receive(error(name, code, "why"));
      await session.receive(bye(name));
      assert.deepEqual(events, [ended(comes, "why")]);
      assert.deepEqual(sent, [], "the camera knows");
    });
  }

  test("that is refused is so before it is answered", async (t) => {
    const { session, events, sent } = await call(t);
    await session.receive(error(sent[0].call, "offer", "no video"));
    await session.receive(bye(sent[0].call));
    assert.deepEqual(events, [ended("refused", "no video")]);
  });

  test("whose connection the camera has closed ends with the reason that comes behind", async (t) => {
    const { session, clock, connection, events, name } = await named(t);
    const { transport } = connection.transceiver("video").receiver;
    transport.state = "closed";
    transport.dispatchEvent(new Event("statechange"));
    await clock.pass(100);
    await session.receive(error(name, "stopped", "the camera stops"));
    await session.receive(bye(name));
    await clock.pass(60_000);
    assert.deepEqual(events, [ended("stopped", "the camera stops")]);
  });
});

describe("our end", () => {
  test("says BYE once, closes, and tells nobody", async (t) => {
    const { clock, session, events, sent, connection } = await answered(t);
    session.end();
    session.end();
    assert.deepEqual(sent, ["BYE"]);
    assert.equal(connection.closed, true);
    assert.equal(clock.timers, 0);
    await clock.pass(60_000);
    assert.deepEqual(events, []);
  });

  test("need not reach the camera", async (t) => {
    const { session } = await answered(t);
    session.end();
    await settled();
    const unreachable = await call(t, { deliver: (body) => (body === "BYE" ? Promise.reject(new Error("gone")) : Promise.resolve()) });
    unreachable.session.end();
    await settled();
    assert.deepEqual(unreachable.events, []);
  });

  test("dropping says nothing", async (t) => {
    const { session, sent, connection } = await answered(t);
    session.drop();
    assert.deepEqual(sent, []);
    assert.equal(connection.closed, true);
  });

  test("what comes afterwards is passed over", async (t) => {
    const { session, events, connection } = await call(t);
    session.end();
    await session.receive(answer());
    await session.receive("BYE");
    assert.equal(connection.remoteDescription, null);
    assert.deepEqual(events, []);
  });

  test("while the offer is being made: it does not leave any more", async (t) => {
    connections(t);
    const sent = [];
    const session = new Session((body) => {
      sent.push(body);
      return Promise.resolve();
    }, false);
    session.start();
    session.end();
    await settled();
    assert.deepEqual(sent, ["BYE"]);
  });
});

describe("answers", () => {
  test("free the call from the server", async (t) => {
    const { session } = await call(t);
    assert.equal(session.answered, false);
    await session.receive(answer());
    assert.equal(session.answered, true);
  });

  test("without a picture end the call: there is no common codec", async (t) => {
    const { session, events, sent } = await call(t);
    await session.receive(answer({ video: "inactive" }));
    assert.deepEqual(events.at(-1), ended("no-codec"));
    assert.equal(sent.at(-1), "BYE");
  });

  test("that can't be understood end the call with the browser's words", async (t) => {
    warnings(t);
    const { session, events } = await call(t);
    await session.receive(JSON.stringify({ type: "answer", sdp: "rubbish" }));
    assert.deepEqual(events, [ended("failed", "not a description")]);
  });

  test("that come twice before a path belong to a call that we gave up", async (t) => {
    const { session, events } = await answered(t);
    await session.receive(answer());
    assert.deepEqual(events, [ended("failed", "the camera answered twice")]);
  });

  test("that come twice to a call that works are passed over", async (t) => {
    const { session, connection, events } = await answered(t);
    connection.become("connected");
    await session.receive(answer());
    assert.deepEqual(events, [{ type: "connected" }]);
  });

  test("an offer of the camera is answered", async (t) => {
    const { session, sent } = await answered(t);
    await session.receive(JSON.stringify({ type: "offer", sdp: "v=0\r\n" }));
    assert.deepEqual(sent, [{ type: "answer", sdp: "our answer" }]);
  });

  for (const rubbish of ["", "{", "null", "7", "[]", "\"BYE\"", "{\"type\":\"eclipse\"}", "{\"candidate\":7}", "bye"]) {
    test(`${JSON.stringify(rubbish)} is no message, and harms nothing`, async (t) => {
      const said = warnings(t);
      const { session, events } = await call(t);
      await session.receive(rubbish);
      assert.deepEqual(events, []);
      assert.equal(said.length, 1);
    });
  }

  test("a broken message does not end a call that has been answered", async (t) => {
    const said = warnings(t);
    const { session, events } = await answered(t);
    await session.receive(JSON.stringify({ type: "offer", sdp: "rubbish" }));
    assert.deepEqual(events, []);
    assert.equal(said.length, 1);
  });
});

describe("sound", () => {
  test("is offered where the camera says so, or sends it", async (t) => {
    const { session } = await answered(t);
    assert.equal(session.offersSound, false);
    const silent = await answered(t, { answered: { sound: true } });
    assert.equal(silent.session.offersSound, true);
    assert.equal(silent.session.hasSound, false);
    const loud = await answered(t, { listens: true, answered: { audio: "sendonly" } });
    assert.equal(loud.session.offersSound, true);
    assert.equal(loud.session.hasSound, true);
  });

  test("is asked for by another offer, in the same call", async (t) => {
    const { session, sent } = await answered(t, { answered: { sound: true } });
    await session.listen(true);
    assert.match(sent[0].sdp, /m=audio .*\r\na=sendrecv\r\na=x-pinhole-talk\r\n/);
    await session.receive(answer({ audio: "sendonly", sound: true }));
    assert.equal(session.hasSound, true);
    assert.equal(sent.length, 1);
  });

  test("is not asked for where the camera has none, or before it has answered", async (t) => {
    const mute = await answered(t);
    await mute.session.listen(true);
    assert.deepEqual(mute.sent, []);
    const early = await call(t);
    await early.session.listen(true);
    assert.equal(early.sent.length, 1);
    await early.session.receive(answer({ sound: true }));
    assert.match(early.sent[1].sdp, /m=audio .*\r\na=sendrecv\r\n/);
  });

  test("one question at a time: the answer to the first brings the next", async (t) => {
    const { session, sent } = await answered(t, { answered: { sound: true } });
    await session.listen(true);
    await session.listen(false);
    assert.equal(sent.length, 1);
    await session.receive(answer({ audio: "sendonly", sound: true }));
    assert.equal(sent.length, 2);
    assert.match(sent[1].sdp, /m=audio .*\r\na=sendonly\r\n/);
  });

  test("changing one's mind twice while a question is open asks nothing more", async (t) => {
    const { session, sent } = await answered(t, { answered: { sound: true } });
    await session.listen(true);
    await session.listen(false);
    await session.listen(true);
    await session.receive(answer({ audio: "sendonly", sound: true }));
    assert.equal(sent.length, 1);
  });

  test("that can't be asked for leaves the picture alone, and can be tried again", async (t) => {
    const said = warnings(t);
    let deliver = () => Promise.resolve();
    const { session, sent, events, connection } = await answered(t, { answered: { sound: true }, deliver: (body) => deliver(body) });
    deliver = () => Promise.reject(new Error("gone"));
    await session.listen(true);
    assert.equal(connection.signalingState, "stable");
    assert.deepEqual(events, []);
    assert.deepEqual(said, ["the sound could not be switched: gone"]);
    deliver = () => Promise.resolve();
    await session.listen(false);
    await session.receive(answer({ sound: true }));
    await session.listen(true);
    assert.match(sent.at(-1).sdp, /m=audio .*\r\na=sendrecv\r\n/);
  });

  test("our voice has a way only to a camera that listens, and only during the call", async (t) => {
    const deaf = await answered(t, { answered: { sound: true } });
    assert.equal(deaf.session.voice, null);
    const { session, connection } = await answered(t, { answered: { audio: "recvonly" } });
    assert.equal(session.voice, connection.transceiver("audio").sender);
    session.end();
    assert.equal(session.voice, null);
  });
});

describe("tracks", () => {
  test("come into the stream, and are shown as soon as they can be", async (t) => {
    const { session, connection, events } = await answered(t);
    const receiver = { jitterBufferTarget: null };
    const track = { kind: "video" };
    connection.ontrack({ track, receiver });
    assert.deepEqual(session.stream.getTracks(), [track]);
    assert.equal(receiver.jitterBufferTarget, 0);
    assert.equal("playoutDelayHint" in receiver, false);
    assert.deepEqual(events, [{ type: "track" }]);
  });

  test("are held back where packets get lost on the way", async (t) => {
    const { session, connection } = await answered(t);
    const receiver = { jitterBufferTarget: null };
    connection.ontrack({ track: { kind: "video" }, receiver });
    const pair = { type: "candidate-pair", nominated: true, state: "succeeded", currentRoundTripTime: 0.04 };
    const lost = (packetsLost) => ({ pair, v: { type: "inbound-rtp", kind: "video", packetsReceived: 100 * packetsLost, packetsLost } });
    for (const count of [1, 1, 30]) {
      connection.reports(lost(count));
      await session.takeStats();
    }
    assert.equal(receiver.jitterBufferTarget, 80);
  });
});
