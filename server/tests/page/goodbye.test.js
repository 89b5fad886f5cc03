// A goodbye that waited at the server: the whole way of a message, from the answer to a wait to the call that it means.

import assert from "node:assert/strict";
import { test } from "node:test";
import { chance } from "./browser.js";
import { Clock, settled } from "./clock.js";
import { answer, connections } from "./peer-connection.js";
import { Server } from "./server.js";
import { Signaling } from "../../web/signaling.js";
import { Watch } from "../../web/watch.js";

const CAMERA = 3;

/** A page that watches "porch", signed in as 7, and has made its first call. */
async function begin(context) {
  chance(context, 0.5);
  const clock = new Clock(context);
  const calls = connections(context);
  const server = new Server(context);
  const signaling = new Signaling("viewer_1@web", new URL("http://server/"));
  const watch = new Watch("porch", null, signaling);
  signaling.addEventListener("message", ({ detail }) => watch.receive(detail));
  context.after(() => {
    watch.stop();
    signaling.stop();
  });
  watch.start();
  signaling.start();
  await settled();
  server.the("sign_in").answer(`viewer_1@web,7,1\nporch,${CAMERA},1\n`, 7);
  await settled();
  const page = { clock, calls, server, signaling, watch };
  /** The server takes what the page sends; the names of the calls that were offered by it. */
  page.take = async () => {
    const names = [];
    for (let sent = server.open("message"); sent.length > 0; sent = server.open("message")) {
      for (const request of sent) {
        if (request.body.includes("\"offer\"")) names.push(JSON.parse(request.body).call);
        // To oneself it is the answer to an echo.
        request.answer(request.query.endsWith("to=7") ? request.body : "");
      }
      await settled();
    }
    return names;
  };
  /** The camera's words, verbatim, by the wait that is open. */
  page.hear = async (body) => {
    server.the("wait").answer(body, CAMERA);
    await settled();
  };
  /** A second of twenty pictures. */
  page.play = async () => {
    for (let count = 0; count < 20; count += 1) {
      calls.at(-1).receive({ packets: 4, pictures: 1 });
      await clock.pass(50);
    }
  };
  return page;
}

test("a goodbye to the call before, which waited while the page's connection was dead, does not end the new call", async (t) => {
  const page = await begin(t);
  const [first] = await page.take();
  await page.hear(answer({ call: first }));
  page.calls[0].become("connected");
  await page.play();
  assert.equal(page.watch.state, "live");

  // The network goes, and with it the connection of the wait: what the camera says of the call waits at the server.
  const dead = page.server.the("wait");
  page.calls[0].become("failed");
  page.calls[0].become("failed");
  await page.clock.pass(300);
  const second = (await page.take()).at(-1);
  assert.equal(page.calls.length, 2);
  assert.notEqual(second, first);
  // The answer to the new call is late, for it waits behind the goodbye, until another connection fetches both.
  await page.clock.pass(3_000);
  assert.ok(dead.aborted);
  await page.hear(JSON.stringify({ type: "error", call: first, code: "silent", reason: "nothing came" }));
  await page.hear(JSON.stringify({ type: "bye", call: first }));
  assert.equal(page.watch.state, "connecting");
  await page.hear(answer({ call: second }));
  page.calls[1].become("connected");
  await page.play();
  assert.equal(page.watch.state, "live");
  assert.equal(page.calls.length, 2);
  assert.equal(page.calls[1].closed, false);
});
