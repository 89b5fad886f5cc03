import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { chance, record } from "./browser.js";
import { Clock, settled } from "./clock.js";
import { answer, connections } from "./peer-connection.js";
import { standIn } from "./stand-in.js";
import { Watch } from "../../web/watch.js";

/** What Signaling is to a watch: who is there, and a way to them. */
class Roster extends EventTarget {
  id = 7;
  error = null;
  members = new Map();
  /** Every message, `{to, body}`, and the last ones of a page that is closed. */
  sent = [];
  /** The names of the calls that were offered. */
  names = [];
  last = [];
  nudges = 0;
  renewals = 0;

  send(to, body) {
    if (this.id === null) return Promise.reject(new Error("not signed in"));
    if (body.includes("\"offer\"")) this.names.push(JSON.parse(body).call);
    this.sent.push({ to, body: body === "BYE" ? body : JSON.parse(body).type ?? "candidate" });
    return Promise.resolve();
  }

  sendLast(to, body) {
    this.last.push({ to, body });
  }

  nudge() {
    this.nudges += 1;
  }

  renew() {
    this.renewals += 1;
  }

  // What the test does

  come(id, name = "porch") {
    this.#presence({ id, name }, true);
  }

  go(id) {
    this.#presence(this.members.get(id), false);
  }

  lose() {
    this.id = null;
    this.error = new Error("unreachable");
    this.members.clear();
    this.dispatchEvent(new CustomEvent("offline", { detail: { error: this.error, retryIn: 300 } }));
  }

  find(...ids) {
    this.id = 1;
    this.error = null;
    for (const id of ids) this.members.set(id, { id, name: "porch" });
    this.dispatchEvent(new CustomEvent("online"));
  }

  #presence(member, here) {
    if (here) this.members.set(member.id, member);
    else this.members.delete(member.id);
    this.dispatchEvent(new CustomEvent("presence", { detail: { member, here } }));
  }
}

/** A watch of "porch", which has these ids on the server. */
async function begin(context, { ids = [3], id = null } = {}) {
  chance(context, 0.5);
  const clock = new Clock(context);
  const calls = connections(context);
  const roster = new Roster();
  for (const each of ids) roster.members.set(each, { id: each, name: "porch" });
  const watch = new Watch("porch", id, roster);
  const states = [];
  watch.addEventListener("state", () => states.push([watch.state, watch.trouble?.code].filter(Boolean).join(" ")));
  const events = record(watch, "stream", "freeze", "stats");
  context.after(() => watch.stop());
  watch.start();
  await settled();
  const page = { clock, roster, watch, states, events, calls };
  /** The camera's words, verbatim. */
  page.say = async (body, from = watch.target) => {
    const taken = watch.receive({ from, body });
    await settled();
    return taken;
  };
  /** So much time, in which the camera sends at this rate. */
  page.play = async (duration, fps = 20) => {
    for (let rest = duration; rest > 0; rest -= 1_000 / fps) {
      calls.at(-1).receive({ packets: 4, pictures: 1 });
      await clock.pass(Math.min(rest, 1_000 / fps));
    }
  };
  return page;
}

/** One that shows a picture. */
async function live(context, options) {
  const page = await begin(context, options);
  await page.say(answer());
  page.calls[0].become("connected");
  await page.play(1_000);
  assert.equal(page.watch.state, "live");
  page.states.length = 0;
  page.events.length = 0;
  page.roster.sent.length = 0;
  return page;
}

const now = ({ watch }) => [watch.state, watch.trouble?.code, watch.trouble?.reason].filter(Boolean).join(" ");
/** The path breaks, and there is no other. */
function lose(connection) {
  connection.become("failed");
  connection.become("failed");
}
const offers = ({ roster }) => roster.sent.filter(({ body }) => body === "offer").map(({ to }) => to);

describe("the first call", () => {
  test("goes to the camera at once, and is live with its first picture", async (t) => {
    const page = await begin(t);
    assert.deepEqual(page.roster.sent, [{ to: 3, body: "offer" }]);
    assert.equal(now(page), "connecting");
    await page.say(answer());
    page.calls[0].become("connected");
    await page.clock.pass(1_000);
    assert.equal(now(page), "connecting");
    page.calls[0].receive({ packets: 4, pictures: 1 });
    await page.clock.pass(100);
    assert.equal(now(page), "live");
    assert.deepEqual(page.states, ["live"]);
  });

  test("is live when the screen says so, before the figures do", async (t) => {
    const page = await begin(t);
    await page.say(answer());
    page.watch.pictureCame();
    assert.equal(now(page), "live");
  });

  test("waits for a camera that is away", async (t) => {
    const page = await begin(t, { ids: [] });
    assert.equal(now(page), "waiting away");
    assert.equal(page.clock.timers, 0);
    page.roster.come(12, "garden");
    await settled();
    assert.equal(page.calls.length, 0);
    page.roster.come(13);
    await settled();
    assert.deepEqual(offers(page), [13]);
    assert.equal(now(page), "connecting");
  });

  test("waits for the server", async (t) => {
    chance(t, 0.5);
    new Clock(t);
    connections(t);
    const roster = Object.assign(new Roster(), { id: null, error: new Error("unreachable") });
    const watch = new Watch("porch", null, roster);
    t.after(() => watch.stop());
    watch.start();
    assert.equal(now({ watch }), "error server");
    roster.find(3);
    await settled();
    assert.equal(now({ watch }), "connecting");
    assert.deepEqual(offers({ roster }), [3]);
  });

  test("goes to the newest of a name, or to the one that was chosen", async (t) => {
    assert.deepEqual(offers(await begin(t, { ids: [3, 9, 5] })), [9]);
    assert.deepEqual(offers(await begin(t, { ids: [3, 9, 5], id: 5 })), [5]);
    assert.deepEqual(offers(await begin(t, { ids: [3, 9], id: 4 })), [9]);
  });

  test("asks for sound where the person listens already", async (t) => {
    const page = await begin(t, { ids: [] });
    page.watch.listen(true);
    page.roster.come(3);
    await settled();
    assert.equal(page.calls[0].transceiver("audio").direction, "sendrecv");
  });
});

describe("a call that comes to nothing", () => {
  test("no answer: it is told, taken back, and tried again ever more rarely", async (t) => {
    const page = await begin(t);
    await page.clock.pass(8_000);
    assert.equal(now(page), "error no-answer");
    assert.deepEqual(page.roster.sent, [{ to: 3, body: "offer" }, { to: 3, body: "BYE" }]);
    const times = [];
    for (let tries = 0; tries < 8; tries += 1) {
      const failed = page.clock.now;
      while (page.calls.length < tries + 2) await page.clock.pass(50);
      times.push(page.clock.now - failed);
      await page.clock.pass(8_000);
    }
    assert.deepEqual(times, [300, 600, 1_200, 2_400, 4_800, 9_600, 10_000, 10_000]);
  });

  test("no answer: perhaps it went to a wait that is dead, so another is opened after 3 s, and for the next call", async (t) => {
    const page = await begin(t);
    await page.clock.pass(3_000);
    assert.equal(page.roster.renewals, 1);
    await page.clock.pass(5_000);
    assert.equal(page.roster.renewals, 2);
    await page.clock.pass(300);
    await page.say(answer());
    page.calls[1].become("connected");
    await page.play(10_000);
    assert.equal(now(page), "live");
    assert.equal(page.roster.renewals, 2);
  });

  test("what is wrong stays on the screen while calls fail one after another", async (t) => {
    const page = await begin(t);
    await page.clock.pass(60_000);
    assert.ok(page.calls.length > 3);
    assert.deepEqual(page.states, ["error no-answer"]);
  });

  for (const [what, code, pause, act] of [
    ["a busy camera", "busy", 3_000, (page) => page.say(JSON.stringify({ type: "error", code: "busy", reason: "full" }))],
    ["a refusal", "refused", 3_000, (page) => page.say(JSON.stringify({ type: "error", code: "private", reason: "full" }))],
  ]) {
    test(`${what} is told with its reason, and has ${pause / 1_000} s of peace`, async (t) => {
      const page = await begin(t);
      await act(page);
      await page.say("BYE");
      assert.equal(now(page), `error ${code} full`);
      await page.clock.pass(pause - 1);
      assert.equal(page.calls.length, 1);
      await page.clock.pass(1);
      assert.equal(page.calls.length, 2);
    });
  }

  test("the goodbye to the call before, which comes late, does not end this one", async (t) => {
    const page = await begin(t);
    const name = () => page.roster.names.at(-1);
    const first = name();
    await page.say(answer({ call: first }));
    lose(page.calls[0]);
    await page.clock.pass(300);
    assert.notEqual(name(), first);
    await page.say(JSON.stringify({ type: "bye", call: first }));
    await page.say(answer({ call: name() }));
    await page.say(JSON.stringify({ type: "bye", call: first }));
    page.calls[1].become("connected");
    await page.play(1_000);
    assert.equal(now(page), "live");
  });

  test("a camera that stops is waited for, and is no error", async (t) => {
    const page = await live(t);
    await page.say(JSON.stringify({ type: "error", code: "stopped", reason: "the camera stops" }));
    await page.say("BYE");
    assert.equal(now(page), "waiting stopped the camera stops");
  });

  test("a hang-up is waited out for 2 s", async (t) => {
    const page = await live(t);
    await page.say("BYE");
    assert.equal(now(page), "waiting hung-up");
    await page.clock.pass(1_999);
    assert.equal(page.calls.length, 1);
    await page.clock.pass(1);
    assert.equal(page.calls.length, 2);
    assert.equal(now(page), "connecting");
  });

  test("without a common codec only the camera can help: 30 s", async (t) => {
    const page = await begin(t);
    await page.say(answer({ video: "inactive" }));
    assert.equal(now(page), "error no-codec");
    await page.clock.pass(29_999);
    assert.equal(page.calls.length, 1);
    await page.clock.pass(1);
    assert.equal(page.calls.length, 2);
  });

  test("no path, no picture", async (t) => {
    const page = await begin(t);
    await page.say(answer());
    await page.clock.pass(12_000);
    assert.equal(now(page), "error no-path");
    await page.clock.pass(300);
    await page.say(answer());
    page.calls[1].become("connected");
    await page.clock.pass(8_000);
    assert.equal(now(page), "error no-picture");
  });

  test("a lost connection is tried again soon", async (t) => {
    const page = await live(t);
    lose(page.calls[0]);
    assert.equal(now(page), "waiting lost");
    await page.clock.pass(300);
    assert.equal(page.calls.length, 2);
  });

  test("the camera's next life is called at once, instead of after the pause", async (t) => {
    const page = await begin(t);
    await page.say(answer({ video: "inactive" }));
    page.roster.come(4);
    await settled();
    assert.deepEqual(offers(page), [3, 4]);
    await page.clock.pass(7_000);
    assert.equal(page.calls.length, 2);
  });

  test("a camera that leaves meanwhile is waited for", async (t) => {
    const page = await begin(t);
    await page.clock.pass(8_000);
    page.roster.go(3);
    assert.equal(now(page), "waiting away");
    assert.equal(page.clock.timers, 0);
  });

  test("a camera that comes back begins with the shortest pause again", async (t) => {
    const page = await begin(t);
    for (let tries = 0; tries < 4; tries += 1) await page.clock.pass(8_000 + 300 * 2 ** tries);
    page.roster.go(3);
    page.roster.come(3);
    await page.clock.pass(8_000);
    const calls = page.calls.length;
    await page.clock.pass(300);
    assert.equal(page.calls.length, calls + 1);
  });

  test("the person need not wait either", async (t) => {
    const page = await begin(t);
    await page.say(answer({ video: "inactive" }));
    page.watch.retry();
    await settled();
    assert.equal(page.calls.length, 2);
    assert.equal(page.roster.nudges, 1);
    await page.clock.pass(7_000);
    assert.equal(page.calls.length, 2);
  });

  test("a picture of more than 5 s makes the next trouble a new one", async (t) => {
    const page = await begin(t);
    for (let tries = 0; tries < 4; tries += 1) await page.clock.pass(8_000 + 300 * 2 ** tries);
    await page.say(answer());
    page.calls.at(-1).become("connected");
    await page.play(6_000);
    const calls = page.calls.length;
    lose(page.calls.at(-1));
    await page.clock.pass(300);
    assert.equal(page.calls.length, calls + 1);
  });

  test("a picture of less makes it the same one", async (t) => {
    const page = await begin(t);
    for (let tries = 0; tries < 4; tries += 1) await page.clock.pass(8_000 + 300 * 2 ** tries);
    await page.say(answer());
    page.calls.at(-1).become("connected");
    await page.play(2_000);
    const calls = page.calls.length;
    lose(page.calls.at(-1));
    await page.clock.pass(4_799);
    assert.equal(page.calls.length, calls);
    await page.clock.pass(1);
    assert.equal(page.calls.length, calls + 1);
  });
});

describe("the server is lost", () => {
  test("before the answer: nothing can come any more", async (t) => {
    const page = await begin(t);
    page.roster.lose();
    assert.equal(now(page), "error server");
    assert.equal(page.calls[0].closed, true);
    await page.clock.pass(60_000);
    assert.equal(page.clock.timers, 0);
    page.roster.find(2);
    await settled();
    assert.equal(now(page), "connecting");
    assert.deepEqual(offers(page), [3, 2]);
  });

  test("in a pause between two calls: it is the server that one waits for", async (t) => {
    const page = await begin(t);
    await page.clock.pass(8_000);
    page.roster.lose();
    assert.equal(now(page), "error server");
    await page.clock.pass(60_000);
    assert.equal(now(page), "error server");
    assert.equal(page.calls.length, 1);
  });

  test("during a picture: it goes on, and back on the server it has the camera's new id", async (t) => {
    const page = await live(t);
    page.roster.lose();
    await page.play(5_000);
    assert.equal(now(page), "live");
    page.roster.find(2);
    await page.play(5_000);
    assert.equal(page.watch.target, 2);
    assert.equal(page.calls.length, 1);
    assert.deepEqual(page.states, []);
    page.watch.stop();
    assert.deepEqual(page.roster.sent, [{ to: 2, body: "BYE" }]);
  });

  test("during a picture, which ends before the server is back", async (t) => {
    const page = await live(t);
    page.roster.lose();
    lose(page.calls[0]);
    assert.equal(now(page), "error server");
    await page.clock.pass(60_000);
    assert.equal(page.calls.length, 1);
    page.roster.find(2);
    await settled();
    assert.deepEqual(offers(page), [2]);
  });

  test("during a picture that stands still when the server is back: the camera is called anew", async (t) => {
    const page = await live(t);
    page.roster.lose();
    page.roster.find(2);
    await page.clock.pass(2_000);
    assert.deepEqual(offers(page), [2]);
    assert.equal(page.calls[0].closed, true);
  });

  test("a retry wakes it, and calls nobody", async (t) => {
    const page = await begin(t);
    page.roster.lose();
    page.watch.retry();
    await settled();
    assert.equal(page.roster.nudges, 1);
    assert.equal(page.calls.length, 1);
  });
});

describe("the camera restarts", () => {
  test("its next life is called as soon as the old one is silent", async (t) => {
    const page = await live(t);
    page.roster.come(4);
    await page.clock.pass(2_000);
    assert.deepEqual(offers(page), [4]);
    const others = page.events.filter(({ type }) => type !== "stats");
    assert.deepEqual(others, [{ type: "freeze" }, { type: "stream" }, { type: "stream" }]);
  });

  test("it has only signed in anew: its call goes on under the new id", async (t) => {
    const page = await live(t);
    page.roster.go(3);
    page.roster.come(4);
    await page.play(3_000);
    assert.equal(page.watch.target, 4);
    assert.equal(page.calls.length, 1);
    assert.equal(now(page), "live");
  });

  test("another of the same name comes, while the watched one plays on", async (t) => {
    const page = await live(t);
    page.roster.come(4);
    await page.play(5_000);
    assert.equal(page.watch.target, 3);
    assert.equal(page.calls.length, 1);
  });

  test("before it has shown anything: the call is replaced at once", async (t) => {
    const page = await begin(t);
    page.roster.come(4);
    await settled();
    assert.deepEqual(offers(page), [3, 4]);
    assert.equal(page.calls[0].closed, true);
  });

  test("it leaves before it has shown anything", async (t) => {
    const page = await begin(t);
    page.roster.go(3);
    await settled();
    assert.equal(now(page), "waiting away");
    assert.equal(page.calls[0].closed, true);
    assert.equal(page.clock.timers, 0);
  });

  test("it is not listed, but sends: the picture is worth more than the list", async (t) => {
    const page = await live(t);
    page.roster.go(3);
    await page.play(30_000);
    assert.equal(now(page), "live");
    assert.equal(page.calls.length, 1);
  });

  test("it is not listed and silent: it is away within 4 s", async (t) => {
    const page = await live(t);
    page.roster.go(3);
    await page.clock.pass(4_000);
    assert.equal(now(page), "waiting away");
    assert.equal(page.calls[0].closed, true);
  });

  test("a camera that ends the call and leaves is away", async (t) => {
    const page = await live(t);
    page.roster.go(3);
    lose(page.calls[0]);
    assert.equal(now(page), "waiting away");
  });
});

describe("a picture that stands still", () => {
  test("is told after 2.5 s, and goes on by itself", async (t) => {
    const page = await live(t);
    await page.clock.pass(2_400);
    assert.deepEqual(page.states, []);
    await page.clock.pass(1_000);
    assert.equal(now(page), "waiting still");
    await page.play(1_000);
    assert.equal(now(page), "live");
    assert.equal(page.calls.length, 1);
  });

  test("for 10 s is called anew", async (t) => {
    const page = await live(t);
    await page.clock.pass(9_900);
    assert.equal(page.calls.length, 1);
    await page.clock.pass(1_000);
    assert.equal(page.calls.length, 2);
    assert.deepEqual(page.roster.sent.map(({ body }) => body), ["BYE", "offer"]);
  });

  test("over a broken path is waited for, for as long as the camera keeps the call", async (t) => {
    const page = await live(t);
    page.calls[0].connectionState = "disconnected";
    await page.clock.pass(11_500);
    assert.equal(now(page), "waiting still");
    assert.deepEqual([page.calls.length, page.calls[0].restarts, page.roster.nudges], [1, 0, 1]);
    await page.clock.pass(1_500);
    assert.deepEqual([page.calls[0].restarts, offers(page)], [1, [3]], "another path is looked for, in the same call");
    await page.clock.pass(16_500);
    assert.deepEqual([page.calls.length, page.calls[0].restarts, page.roster.nudges], [1, 1, 1]);
    await page.clock.pass(1_500);
    assert.equal(page.calls.length, 2);
  });

  test("over a path that comes back goes on in the same call", async (t) => {
    const page = await live(t);
    page.calls[0].connectionState = "disconnected";
    await page.clock.pass(10_500);
    page.calls[0].become("connected");
    await page.clock.pass(2_000);
    assert.equal(now(page), "waiting still");
    await page.play(1_000);
    assert.equal(now(page), "live");
    assert.deepEqual([page.calls.length, page.roster.sent.length], [1, 0]);
  });

  test("over a path that comes back without a picture is called anew after 10 s", async (t) => {
    const page = await live(t);
    page.calls[0].connectionState = "disconnected";
    await page.clock.pass(11_000);
    page.calls[0].become("connected");
    await page.clock.pass(9_000);
    assert.equal(page.calls.length, 1);
    await page.clock.pass(2_000);
    assert.equal(page.calls.length, 2);
  });

  test("after a change of the network another path is looked for at once", async (t) => {
    const page = await live(t);
    page.watch.networkChanged();
    await page.play(2_000);
    assert.equal(page.calls[0].restarts, 0, "nothing is wrong");
    page.calls[0].connectionState = "disconnected";
    await page.clock.pass(3_500);
    assert.deepEqual([page.calls.length, page.calls[0].restarts], [1, 1]);
  });

  test("is called anew where the person wants it", async (t) => {
    const page = await live(t);
    page.calls[0].connectionState = "disconnected";
    await page.clock.pass(3_500);
    page.watch.retry();
    assert.equal(page.calls.length, 2);
  });

  test("without a server is left alone: no call could be made", async (t) => {
    const page = await live(t);
    page.roster.lose();
    await page.clock.pass(60_000);
    assert.equal(now(page), "waiting still");
    assert.equal(page.calls.length, 1);
  });

  test("a camera of one picture in two seconds does not", async (t) => {
    const page = await begin(t);
    await page.say(answer());
    page.calls[0].become("connected");
    await page.play(60_000, 0.5);
    assert.equal(now(page), "live");
    assert.deepEqual(page.states, ["live"]);
  });

  test("in a page that nobody sees, packets count: browsers need not decode", async (t) => {
    standIn(t, globalThis.document, "hidden", true);
    const page = await live(t);
    for (let second = 0; second < 30; second += 1) {
      page.calls[0].receive({ packets: 80, pictures: 0 });
      await page.clock.pass(1_000);
    }
    assert.equal(now(page), "live");
    assert.equal(page.calls.length, 1);
  });
});

describe("messages", () => {
  test("are for the watch only where they are from its camera", async (t) => {
    const page = await live(t);
    page.roster.come(12, "garden");
    assert.equal(await page.say("BYE", 12), false);
    assert.equal(now(page), "live");
    assert.equal(await page.say("BYE", 3), true);
    assert.equal(now(page), "waiting hung-up");
  });

  test("of a member that is gone are nobody's", async (t) => {
    const page = await live(t);
    page.roster.go(3);
    assert.equal(await page.say("BYE", 3), false);
    assert.equal(now(page), "live");
  });

  test("of another camera of the same name are not the watched one's", async (t) => {
    const page = await live(t, { ids: [3, 5], id: 3 });
    assert.equal(await page.say("BYE", 5), false);
    assert.equal(now(page), "live");
    assert.equal(await page.say("BYE", 3), true);
    assert.equal(now(page), "waiting hung-up");
  });

  test("of the camera's former life do not end the call to the present one", async (t) => {
    const page = await begin(t, { ids: [3] });
    page.roster.come(4);
    await settled();
    assert.deepEqual(offers(page), [3, 4]);
    assert.equal(await page.say("BYE", 3), false);
    assert.equal(now(page), "connecting");
  });

  test("of the camera under its new id are, before the call has moved there", async (t) => {
    const page = await live(t, { ids: [8] });
    page.roster.lose();
    page.roster.find(2);
    assert.equal(await page.say("BYE", 2), true);
    assert.equal(now(page), "waiting hung-up");
  });

  test("between two calls are taken, and mean nothing", async (t) => {
    const page = await begin(t);
    await page.clock.pass(8_000);
    assert.equal(await page.say(answer(), 3), true);
    assert.equal(now(page), "error no-answer");
  });
});

describe("the end of a watch", () => {
  test("says BYE, and leaves neither timer nor ear", async (t) => {
    const page = await live(t);
    page.watch.stop();
    assert.deepEqual(page.roster.sent, [{ to: 3, body: "BYE" }]);
    assert.equal(page.watch.stream, null);
    assert.equal(page.clock.timers, 0);
    page.roster.come(4);
    page.roster.lose();
    page.roster.find(5);
    page.watch.retry();
    await page.clock.pass(60_000);
    assert.equal(page.calls.length, 1);
    assert.deepEqual(page.states, []);
  });

  test("in a pause between two calls: no other comes", async (t) => {
    const page = await begin(t);
    await page.clock.pass(8_000);
    page.watch.stop();
    assert.equal(page.clock.timers, 0);
  });

  test("of a page that is closed: BYE goes by the way that still works", async (t) => {
    const page = await live(t);
    page.watch.stopAtOnce();
    assert.deepEqual(page.roster.last, [{ to: 3, body: "BYE" }]);
    assert.deepEqual(page.roster.sent, []);
    assert.equal(page.calls[0].closed, true);
    assert.equal(page.clock.timers, 0);
  });

  test("of a page that is closed: an id that is gone is told nothing", async (t) => {
    const page = await live(t);
    page.roster.go(3);
    page.watch.stopAtOnce();
    assert.deepEqual(page.roster.last, []);
  });
});

describe("what a watch tells", () => {
  test("figures, twice a second while it is live", async (t) => {
    const page = await live(t);
    await page.play(2_000);
    const figures = page.events.filter(({ type }) => type === "stats");
    assert.equal(figures.length, 4);
    assert.ok(figures[1].packets > figures[0].packets);
  });

  test("streams, as they come and go", async (t) => {
    const page = await live(t);
    const { stream } = page.watch;
    assert.notEqual(stream, null);
    assert.notEqual(page.watch.control, null);
    await page.say("BYE");
    assert.equal(page.watch.stream, null);
    assert.equal(page.watch.control, null);
    assert.deepEqual(page.events.map(({ type }) => type), ["freeze", "stream"]);
    await page.clock.pass(2_000);
    assert.notEqual(page.watch.stream, null);
    assert.notEqual(page.watch.stream, stream);
  });

  test("a call that showed nothing leaves nothing to freeze", async (t) => {
    const page = await begin(t);
    await page.say("BYE");
    assert.ok(page.events.every(({ type }) => type !== "freeze"));
  });

  test("a retry gives up the call that is under way", async (t) => {
    const page = await begin(t);
    page.watch.retry();
    await settled();
    assert.equal(page.calls[0].closed, true);
    assert.deepEqual(page.roster.sent.map(({ body }) => body), ["offer", "BYE", "offer"]);
  });

  test("a retry leaves a live picture alone", async (t) => {
    const page = await live(t);
    page.watch.retry();
    await settled();
    assert.equal(page.calls.length, 1);
    assert.equal(now(page), "live");
  });
});
