import assert from "node:assert/strict";
import { test } from "node:test";
import { chance } from "./browser.js";
import { Backoff } from "../../web/backoff.js";

test("waits double up to the longest", (t) => {
  chance(t, 0.5);
  const backoff = new Backoff(300, 3_000);
  const waits = Array.from({ length: 6 }, () => backoff.next());
  assert.deepEqual(waits, [300, 600, 1_200, 2_400, 3_000, 3_000]);
});

test("chance shortens a wait by a quarter at most", (t) => {
  chance(t, 0);
  assert.equal(new Backoff(1_000, 8_000).next(), 750);
});

test("chance lengthens a wait by a quarter at most", (t) => {
  chance(t, 1 - Number.EPSILON);
  const most = new Backoff(1_000, 8_000).next();
  assert.ok(most > 1_249.9 && most <= 1_250, `${most}`);
});

test("chance does not add up: the next wait doubles the nominal one", (t) => {
  chance(t, 0);
  const backoff = new Backoff(1_000, 8_000);
  backoff.next();
  assert.equal(backoff.next(), 1_500);
});

test("pages that lost the same server come back at different times", () => {
  const waits = new Set(Array.from({ length: 20 }, () => new Backoff(1_000, 8_000).next()));
  assert.ok(waits.size > 1);
});

test("after news it begins with the shortest wait again", (t) => {
  chance(t, 0.5);
  const backoff = new Backoff(300, 3_000);
  backoff.next();
  backoff.next();
  backoff.reset();
  assert.equal(backoff.next(), 300);
});

test("a first wait that is the longest stays so", (t) => {
  chance(t, 0.5);
  const backoff = new Backoff(500, 500);
  assert.deepEqual([backoff.next(), backoff.next()], [500, 500]);
});
