import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "./clock.js";
import { Reserve } from "../../web/reserve.js";

const CLEAN = { loss: 0, repaired: 0, roundTrip: 40 };

test("where nothing gets lost pictures are shown at once, however long the way is", (t) => {
  new Clock(t);
  const reserve = new Reserve();
  assert.equal(reserve.look({ loss: null, repaired: null, roundTrip: null }), 0);
  assert.equal(reserve.look({ ...CLEAN, roundTrip: 300 }), 0);
  assert.equal(reserve.look({ ...CLEAN, loss: 0.004 }), 0, "that is a packet now and then");
});

test("where packets get lost, or are sent again, they are held back for as long as that takes", (t) => {
  new Clock(t);
  assert.equal(new Reserve().look({ ...CLEAN, loss: 0.03 }), 80);
  assert.equal(new Reserve().look({ ...CLEAN, repaired: 0.03 }), 80);
  assert.equal(new Reserve().look({ loss: 0.03, repaired: null, roundTrip: 200 }), 240);
  assert.equal(new Reserve().look({ ...CLEAN, loss: 0.03, roundTrip: 2_000 }), 400, "but no longer than that");
  assert.equal(new Reserve().look({ ...CLEAN, loss: 0.03, roundTrip: null }), 0, "nobody knows how long it takes");
});

test("they are shown at once again when nothing has got lost for a while", async (t) => {
  const clock = new Clock(t);
  const reserve = new Reserve();
  reserve.look({ ...CLEAN, loss: 0.03 });
  await clock.pass(9_999);
  assert.equal(reserve.look(CLEAN), 80);
  await clock.pass(1);
  assert.equal(reserve.look(CLEAN), 0);
});

test("a round trip that varies a little changes nothing", (t) => {
  new Clock(t);
  const reserve = new Reserve();
  const lossy = (roundTrip) => reserve.look({ ...CLEAN, loss: 0.03, roundTrip });
  assert.deepEqual([40, 55, 25, 60, 61, 80, 41, 40].map(lossy), [80, 80, 80, 80, 101, 101, 101, 80]);
});
