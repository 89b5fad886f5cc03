import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { chance, record, warnings } from "./browser.js";
import { Clock, settled } from "./clock.js";
import { Server } from "./server.js";
import { Signaling, SignalingError } from "../../web/signaling.js";

const EVENTS = ["online", "offline", "presence", "message"];

/** A page that has begun to sign in; chance is an even one, so that pauses are the nominal ones. */
async function begin(context, name = "viewer_1@web") {
  chance(context, 0.5);
  const clock = new Clock(context);
  const server = new Server(context);
  const signaling = new Signaling(name, new URL("http://server/"));
  const events = record(signaling, ...EVENTS);
  signaling.start();
  await settled();
  return { clock, server, signaling, events };
}

/** One that is signed in as 7, beside a camera that is 3. */
async function online(context) {
  const page = await begin(context);
  page.server.the("sign_in").answer("viewer_1@web,7,1\nporch,3,1\n", 7);
  await settled();
  page.events.length = 0;
  return page;
}

const kinds = (events) => events.map(({ type }) => type);
const names = ({ members }) => [...members.values()].map(({ name }) => name);

describe("signing in", () => {
  test("takes the id from Pragma, and everyone else from the list", async (t) => {
    const { server, signaling, events } = await begin(t);
    assert.equal(server.the("sign_in").query, "viewer_1%40web");
    assert.equal(signaling.id, null);
    server.the("sign_in").answer("viewer_1@web,7,1\nporch,3,1\ngarden shed,12,1\n", 7);
    await settled();
    assert.equal(signaling.id, 7);
    assert.deepEqual([...signaling.members], [[3, { id: 3, name: "porch" }], [12, { id: 12, name: "garden shed" }]]);
    assert.deepEqual(kinds(events), ["online"]);
    assert.equal(server.the("wait").query, "peer_id=7");
  });

  test("every request shows the page's key, which stays the same", async (t) => {
    const { clock, server, signaling } = await online(t);
    signaling.send(3, "hello").catch(() => {});
    signaling.sendLast(3, "BYE");
    await settled();
    server.the("wait").break();
    await clock.pass(300);
    server.the("sign_in").answer("viewer_1@web,9,1\n", 9);
    await settled();
    signaling.stop();
    const keys = new Set(server.requests.map(({ key }) => key));
    assert.ok(server.requests.length >= 6);
    assert.equal(keys.size, 1);
    assert.match([...keys][0], /^[0-9a-f]{32}$/);
  });

  test("leaves out who is gone", async (t) => {
    const { server, signaling } = await begin(t);
    server.the("sign_in").answer("viewer_1@web,7,1\nporch,3,0\ngarden,4,1\n", 7);
    await settled();
    assert.deepEqual(names(signaling), ["garden"]);
  });

  test("reports lines that make no sense, and goes on with the others", async (t) => {
    const said = warnings(t);
    const { server, signaling } = await begin(t);
    const nonsense = ["porch", "porch,3", "porch,x,1", "porch,-3,1", "porch,3,2", "porch,99999999999999999,1", "<b>,1,1,"];
    server.the("sign_in").answer(`viewer_1@web,7,1\n${nonsense.join("\n")}\ngarden,4,1\n`, 7);
    await settled();
    assert.deepEqual(names(signaling), ["garden"]);
    assert.deepEqual(said, nonsense.map((line) => `not a member's entry: ${line}`));
  });

  test("a name may look like markup or hold commas: it is text", async (t) => {
    const { server, signaling } = await begin(t);
    server.the("sign_in").answer("viewer_1@web,7,1\n<img src=x>,3,1\nporch, left,4,1\n", 7);
    await settled();
    assert.deepEqual(names(signaling), ["<img src=x>", "porch, left"]);
  });

  for (const pragma of [null, "", "abc", "-1", "7.5", "12345678901234567"]) {
    test(`is refused where the answer's Pragma is ${JSON.stringify(pragma)}`, async (t) => {
      const { server, signaling, events } = await begin(t);
      server.the("sign_in").answer("<html>", pragma);
      await settled();
      assert.equal(signaling.id, null);
      assert.equal(events[0].error.kind, "refused");
      assert.match(events[0].error.message, /not a signaling server/);
      assert.equal(server.count("wait"), 0);
    });
  }

  test("gives up after 10 s of silence, and tries again", async (t) => {
    const { clock, server, events } = await begin(t);
    await clock.pass(9_999);
    assert.deepEqual(events, []);
    await clock.pass(1);
    assert.equal(events[0].error.kind, "unreachable");
    assert.match(events[0].error.message, /does not answer/);
    await clock.pass(events[0].retryIn);
    assert.equal(server.count("sign_in"), 2);
  });

  test("is tried ever more rarely while nothing answers", async (t) => {
    const { clock, server, events } = await begin(t);
    for (let tries = 0; tries < 6; tries += 1) {
      server.the("sign_in").break();
      await clock.pass(3_000);
    }
    assert.deepEqual(events.map(({ retryIn }) => retryIn), [300, 600, 1_200, 2_400, 3_000, 3_000]);
    assert.ok(events.every(({ error }) => error.kind === "unreachable"));
  });

  test("tells what the server said, cut to what fits a page", async (t) => {
    const { server, events } = await begin(t);
    server.the("sign_in").refuse(503, ` no room ${"x".repeat(500)}\n`);
    await settled();
    assert.equal(events[0].error.kind, "refused");
    assert.match(events[0].error.message, /^the server answered 503 no room x{192}$/);
  });
});

describe("waiting", () => {
  test("one at a time, for one event each", async (t) => {
    const { server } = await online(t);
    for (let round = 0; round < 3; round += 1) {
      server.the("wait").answer(`garden,${10 + round},1\n`, 7);
      await settled();
    }
    assert.equal(server.open("wait").length, 1);
    assert.equal(server.count("wait"), 4);
  });

  test("has no patience of its own: a quiet server is a good one", async (t) => {
    const { clock, server, events } = await online(t);
    for (let minute = 0; minute < 30; minute += 1) {
      await clock.pass(20_000);
      server.the("message").answer();
    }
    await settled();
    assert.deepEqual(events, []);
    assert.equal(server.count("wait"), 1);
  });

  test("who comes and goes", async (t) => {
    const { server, signaling, events } = await online(t);
    server.the("wait").answer("garden,12,1\n", 7);
    await settled();
    assert.deepEqual(names(signaling), ["porch", "garden"]);
    server.the("wait").answer("porch,3,0\n", 7);
    await settled();
    assert.deepEqual(names(signaling), ["garden"]);
    assert.deepEqual(events, [
      { type: "presence", member: { id: 12, name: "garden" }, here: true },
      { type: "presence", member: { id: 3, name: "porch" }, here: false },
    ]);
  });

  test("our own coming is nothing new", async (t) => {
    const { server, signaling, events } = await online(t);
    server.the("wait").answer("viewer_1@web,7,1\n", 7);
    await settled();
    assert.deepEqual(events, []);
    assert.deepEqual(names(signaling), ["porch"]);
  });

  test("an entry that makes no sense is reported, and the next one counts", async (t) => {
    const said = warnings(t);
    const { server, signaling } = await online(t);
    server.the("wait").answer("what?", 7);
    await settled();
    server.the("wait").answer("garden,12,1\n", 7);
    await settled();
    assert.deepEqual(said, ["not a member's entry: what?"]);
    assert.deepEqual(names(signaling), ["porch", "garden"]);
  });

  test("a message is told by its Pragma alone, and comes verbatim", async (t) => {
    const { server, events } = await online(t);
    const bodies = ["BYE", "porch,3,0\n", "", " {\"type\":\"answer\"}\r\n"];
    for (const body of bodies) {
      server.the("wait").answer(body, 3);
      await settled();
    }
    assert.deepEqual(events, bodies.map((body) => ({ type: "message", from: 3, body })));
  });

  test("messages of members that nobody knows are passed on: who it was decides the receiver", async (t) => {
    const { server, events } = await online(t);
    server.the("wait").answer("porch,3,0\n", 7);
    await settled();
    server.the("wait").answer("BYE", 3);
    await settled();
    assert.deepEqual(events.at(-1), { type: "message", from: 3, body: "BYE" });
  });
});

describe("an end of the sign-in", () => {
  test("after a 500 the page signs in again, under the same name and with another id", async (t) => {
    const { clock, server, signaling, events } = await online(t);
    server.the("wait").refuse(500);
    await settled();
    assert.equal(events[0].type, "offline");
    assert.equal(events[0].error.kind, "gone");
    assert.equal(signaling.error.kind, "gone");
    assert.equal(signaling.id, null);
    assert.equal(signaling.members.size, 0);
    await clock.pass(300);
    assert.equal(server.the("sign_in").query, "viewer_1%40web");
    server.the("sign_in").answer("viewer_1@web,1,1\nporch,2,1\n", 1);
    await settled();
    assert.equal(signaling.id, 1);
    assert.equal(signaling.error, null);
    assert.deepEqual([...signaling.members.keys()], [2]);
    assert.equal(server.the("wait").query, "peer_id=1");
    assert.deepEqual(kinds(events), ["offline", "online"]);
  });

  test("a stock server that shuts down answers without a Pragma", async (t) => {
    const { server, events } = await online(t);
    server.the("wait").answer("");
    await settled();
    assert.equal(events[0].error.kind, "unreachable");
    assert.match(events[0].error.message, /shutting down/);
  });

  test("a connection that breaks", async (t) => {
    const { server, events } = await online(t);
    server.the("wait").break();
    await settled();
    assert.equal(events[0].error.kind, "unreachable");
  });

  test("any other status", async (t) => {
    const { server, events } = await online(t);
    server.the("wait").refuse(403, "token?");
    await settled();
    assert.equal(events[0].error.kind, "refused");
    assert.equal(events[0].error.message, "the server answered 403 token?");
  });

  test("sign-ins that each fail at their first wait come ever more rarely", async (t) => {
    const { clock, server, events } = await begin(t);
    for (let tries = 0; tries < 4; tries += 1) {
      server.the("sign_in").answer("viewer_1@web,7,1\n", 7);
      await settled();
      server.the("wait").refuse(502, "bad gateway");
      await clock.pass(3_000);
    }
    const pauses = events.filter(({ type }) => type === "offline").map(({ retryIn }) => retryIn);
    assert.deepEqual(pauses, [300, 600, 1_200, 2_400]);
  });

  test("one that has brought something begins with the shortest pause again", async (t) => {
    const { clock, server, events } = await begin(t);
    server.the("sign_in").break();
    await clock.pass(300);
    server.the("sign_in").break();
    await clock.pass(600);
    server.the("sign_in").answer("viewer_1@web,7,1\n", 7);
    await settled();
    server.the("wait").answer("garden,12,1\n", 7);
    await settled();
    server.the("wait").break();
    await settled();
    assert.equal(events.at(-1).retryIn, 300);
  });

  test("one that has been quiet for long does so too: proxies cut long polls", async (t) => {
    const { clock, server, events } = await begin(t);
    server.the("sign_in").break();
    await clock.pass(300);
    server.the("sign_in").answer("viewer_1@web,7,1\n", 7);
    await clock.pass(15_000);
    server.the("wait").refuse(504);
    await settled();
    assert.equal(events.at(-1).retryIn, 300);
  });
});

describe("sending", () => {
  test("is a POST of text, from our id to theirs", async (t) => {
    const { server, signaling } = await online(t);
    const sent = signaling.send(3, "hello");
    await settled();
    const request = server.the("message");
    assert.equal(request.query, "peer_id=7&to=3");
    assert.equal(request.body, "hello");
    assert.equal(request.options.method, "POST");
    assert.equal(request.options.headers["Content-Type"], "text/plain");
    request.answer();
    await sent;
  });

  test("keeps the order: the next leaves when the one before has been taken", async (t) => {
    const { server, signaling } = await online(t);
    const sent = ["offer", "candidate", "BYE"].map((body) => signaling.send(3, body));
    const bodies = [];
    for (let at = 0; at < 3; at += 1) {
      await settled();
      bodies.push(server.the("message").body);
      server.the("message").answer();
    }
    await Promise.all(sent);
    assert.deepEqual(bodies, ["offer", "candidate", "BYE"]);
  });

  test("one that fails does not hold up those behind it", async (t) => {
    const { server, signaling } = await online(t);
    const first = signaling.send(3, "first");
    const second = signaling.send(3, "second");
    await settled();
    server.the("message").refuse(413, "too large");
    await assert.rejects(first, { name: "SignalingError", kind: "refused", message: "the server answered 413 too large" });
    await settled();
    assert.equal(server.the("message").body, "second");
    server.the("message").answer();
    await second;
  });

  test("is given up after 10 s", async (t) => {
    const { clock, server, signaling } = await online(t);
    const sent = assert.rejects(signaling.send(3, "hello"), { kind: "unreachable" });
    await clock.pass(10_000);
    await sent;
    assert.equal(server.open("message").length, 0);
  });

  test("fails at once while we are not signed in", async (t) => {
    const { server, signaling } = await begin(t);
    await assert.rejects(signaling.send(3, "hello"), (error) => error instanceof SignalingError && error.kind === "unreachable");
    assert.equal(server.count("message"), 0);
  });

  test("what waits for its turn when the sign-in ends is not sent in the next: the id means somebody else there", async (t) => {
    const { clock, server, signaling } = await online(t);
    const slow = signaling.send(3, "slow");
    const failures = [];
    signaling.send(3, "BYE").catch(({ kind }) => failures.push(kind));
    await settled();
    server.the("wait").refuse(500);
    await clock.pass(300);
    server.the("sign_in").answer("viewer_1@web,7,1\nsomebody else,3,1\n", 7);
    await settled();
    assert.equal(signaling.id, 7);
    server.the("message").answer();
    await slow;
    await settled();
    assert.equal(server.count("message"), 1);
    assert.deepEqual(failures, ["unreachable"]);
  });

  test("a last message goes at once, past those that wait, and outlives the page", async (t) => {
    const { server, signaling } = await online(t);
    signaling.send(3, "slow").catch(() => {});
    await settled();
    signaling.sendLast(3, "BYE");
    const last = server.open("message").at(-1);
    assert.equal(last.body, "BYE");
    assert.equal(last.options.keepalive, true);
    last.break();
    await settled();
  });

  test("a last message is not sent while we are not signed in", async (t) => {
    const { server, signaling } = await begin(t);
    signaling.sendLast(3, "BYE");
    assert.equal(server.count("message"), 0);
  });
});

describe("a message whose member is gone", () => {
  test("is told to the sender, and the page asks whether it is itself that is unknown", async (t) => {
    const { server, signaling, events } = await online(t);
    const sent = assert.rejects(signaling.send(3, "hello"), { kind: "gone" });
    await settled();
    server.the("message").refuse(500);
    await sent;
    const echo = server.the("message");
    assert.equal(echo.query, "peer_id=7&to=7");
    echo.answer(echo.body);
    await settled();
    assert.deepEqual(events, []);
    assert.equal(signaling.id, 7);
  });

  test("where it is, the sign-in is over, although its wait still hangs", async (t) => {
    const { clock, server, signaling, events } = await online(t);
    const sent = assert.rejects(signaling.send(3, "hello"), { kind: "gone" });
    const wait = server.the("wait");
    await settled();
    server.the("message").refuse(500);
    await sent;
    server.the("message").refuse(500);
    await settled();
    assert.equal(wait.aborted, true);
    assert.equal(events[0].error.kind, "gone");
    await clock.pass(300);
    assert.equal(server.open("sign_in").length, 1);
    assert.equal(signaling.id, null);
  });
});

describe("a doubtful connection", () => {
  test("is tried by an echo every 20 s", async (t) => {
    const { clock, server } = await online(t);
    await clock.pass(19_999);
    assert.equal(server.count("message"), 0);
    await clock.pass(1);
    assert.equal(server.the("message").query, "peer_id=7&to=7");
  });

  test("is given up when the echo does not come within 5 s", async (t) => {
    const { clock, server, events } = await online(t);
    const wait = server.the("wait");
    await clock.pass(24_999);
    assert.deepEqual(events, []);
    await clock.pass(1);
    assert.equal(events[0].error.kind, "unreachable");
    assert.equal(wait.aborted, true);
    await clock.pass(300);
    assert.equal(server.open("sign_in").length, 1);
  });

  test("is kept where the echo is refused for another reason", async (t) => {
    const { clock, server, events } = await online(t);
    await clock.pass(20_000);
    server.the("message").refuse(429, "slowly");
    await settled();
    assert.deepEqual(events, []);
  });

  test("a nudge tries it at once, and opens the wait anew: an echo tells nothing of that", async (t) => {
    const { server, signaling, events } = await online(t);
    const wait = server.the("wait");
    signaling.nudge();
    await settled();
    assert.equal(server.the("message").query, "peer_id=7&to=7");
    assert.equal(wait.aborted, true);
    assert.equal(server.the("wait").query, "peer_id=7");
    assert.deepEqual(events, []);
  });

  test("a wait that is opened anew brings what the last one did not", async (t) => {
    const { server, signaling, events } = await online(t);
    for (let times = 0; times < 3; times += 1) {
      signaling.renew();
      await settled();
    }
    assert.equal(server.count("wait"), 4);
    server.the("wait").answer("answer", 3);
    await settled();
    assert.deepEqual(events, [{ type: "message", from: 3, body: "answer" }]);
    assert.equal(server.open("wait").length, 1);
  });

  test("is not renewed where there is none", async (t) => {
    const { server, signaling } = await begin(t);
    signaling.renew();
    server.the("sign_in").answer("viewer_1@web,7,1\n", 7);
    await settled();
    assert.equal(server.count("wait"), 1);
    signaling.stop();
    signaling.renew();
    await settled();
    assert.equal(server.open("wait").length, 0);
  });

  test("the answer to an old echo does not end a new sign-in", async (t) => {
    const { clock, server, signaling, events } = await online(t);
    signaling.nudge();
    signaling.nudge();
    const [first, second] = server.open("message");
    first.refuse(500);
    await clock.pass(300);
    server.the("sign_in").answer("viewer_1@web,8,1\n", 8);
    await settled();
    assert.ok(second.aborted);
    assert.deepEqual(kinds(events), ["offline", "online"]);
    assert.equal(signaling.id, 8);
  });

  test("echoes end with the sign-in", async (t) => {
    const { clock, server } = await online(t);
    server.the("wait").break();
    await settled();
    await clock.pass(60_000);
    assert.equal(server.count("message"), 0);
  });

  test("a nudge cuts the pause before the next sign-in short", async (t) => {
    const { clock, server, signaling } = await begin(t);
    server.the("sign_in").break();
    await settled();
    signaling.nudge();
    await settled();
    assert.equal(server.open("sign_in").length, 1);
    await clock.pass(5_000);
    assert.equal(server.count("sign_in"), 2);
  });

  test("a nudge while we sign in changes nothing", async (t) => {
    const { server, signaling } = await begin(t);
    signaling.nudge();
    await settled();
    assert.deepEqual(server.requests.map(({ path }) => path), ["sign_in"]);
  });
});

describe("stopping", () => {
  test("signs out, lets go of the wait and keeps no timer", async (t) => {
    const { clock, server, signaling, events } = await online(t);
    const wait = server.the("wait");
    signaling.stop();
    const farewell = server.the("sign_out");
    assert.equal(farewell.query, "peer_id=7");
    assert.equal(farewell.options.keepalive, true);
    farewell.break();
    await settled();
    assert.equal(wait.aborted, true);
    assert.equal(signaling.id, null);
    assert.equal(signaling.members.size, 0);
    assert.equal(clock.timers, 0);
    await clock.pass(60_000);
    assert.deepEqual(events, []);
  });

  test("in the pause between two tries", async (t) => {
    const { clock, server, signaling } = await begin(t);
    server.the("sign_in").break();
    await settled();
    signaling.stop();
    await settled();
    assert.equal(clock.timers, 0);
    assert.equal(server.count("sign_out"), 0);
    await clock.pass(60_000);
    assert.equal(server.count("sign_in"), 1);
  });

  test("while it signs in", async (t) => {
    const { server, signaling, events } = await begin(t);
    const request = server.the("sign_in");
    signaling.stop();
    await settled();
    assert.equal(request.aborted, true);
    assert.deepEqual(events, []);
  });

  test("can be followed by a new start, from the browser's page cache", async (t) => {
    const { server, signaling, events } = await online(t);
    signaling.stop();
    signaling.start();
    await settled();
    server.the("sign_in").answer("viewer_1@web,9,1\nporch,3,1\n", 9);
    await settled();
    assert.equal(signaling.id, 9);
    assert.deepEqual(kinds(events), ["online"]);
    assert.equal(server.the("wait").query, "peer_id=9");
  });

  test("starting twice is starting once", async (t) => {
    const { server, signaling } = await begin(t);
    signaling.start();
    await settled();
    assert.equal(server.count("sign_in"), 1);
  });
});
