import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "./clock.js";
import { paced } from "../../web/pace.js";

/** The times at which `act` of a pace of 60 ms is called. */
function pace(context) {
  const clock = new Clock(context);
  const times = [];
  return { clock, times, call: paced(60, () => times.push(clock.now)) };
}

test("the first call acts at once", (t) => {
  const { times, call } = pace(t);
  call();
  assert.deepEqual(times, [0]);
});

test("many calls act once in each pause, and once after the last", async (t) => {
  const { clock, times, call } = pace(t);
  for (let at = 0; at < 10; at += 1) {
    call();
    await clock.pass(10);
  }
  await clock.pass(1_000);
  assert.deepEqual(times, [0, 60, 120]);
  assert.equal(clock.timers, 0);
});

test("a call after the pause acts at once again", async (t) => {
  const { clock, times, call } = pace(t);
  call();
  await clock.pass(100);
  call();
  assert.deepEqual(times, [0, 100]);
});
