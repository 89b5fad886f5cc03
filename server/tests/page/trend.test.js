import assert from "node:assert/strict";
import { test } from "node:test";
import { standIn } from "./stand-in.js";
import { Trend } from "../../web/trend.js";

/** A canvas of 119 by 104 px that writes down the line that is drawn last; hidden where it has no parent. */
function canvas(context, offsetParent = {}) {
  standIn(context, globalThis, "getComputedStyle", () => ({ color: "red" }));
  const drawn = { line: null };
  let points = [];
  const pen = {
    clearRect: () => (drawn.line = null),
    beginPath: () => (points = []),
    lineTo: (x, y) => points.push([x, y]),
    stroke: () => (drawn.line = [...points]),
    fill: () => {},
  };
  return { drawn, trend: new Trend({ width: 119, height: 104, offsetParent, getContext: () => pen }) };
}

test("the newest value is at the right, each older one a step to the left", (t) => {
  const { drawn, trend } = canvas(t);
  for (const value of [1, 2, 3]) trend.add(value);
  assert.deepEqual(drawn.line.map(([x]) => x), [117, 118, 119]);
});

test("zero is at the bottom, and the highest leaves some room above", (t) => {
  const { drawn, trend } = canvas(t);
  for (const value of [0, 1_000]) trend.add(value);
  const [[, low], [, high]] = drawn.line;
  assert.equal(low, 102);
  assert.ok(high > 2 && high < 20, `${high}`);
});

test("values go after a minute, and with them their scale", (t) => {
  const { drawn, trend } = canvas(t);
  trend.add(1_000_000);
  for (let at = 0; at < 120; at += 1) trend.add(10);
  assert.equal(drawn.line.length, 120);
  assert.equal(drawn.line[0][0], 0);
  assert.ok(drawn.line.every(([, y]) => y === drawn.line[0][1]));
  assert.ok(drawn.line[0][1] < 20);
});

test("nothing but zeros is a line at the bottom", (t) => {
  const { drawn, trend } = canvas(t);
  trend.add(0);
  trend.add(0);
  assert.deepEqual(drawn.line.map(([, y]) => y), [102, 102]);
});

test("one value is no line yet", (t) => {
  const { drawn, trend } = canvas(t);
  trend.add(5);
  assert.equal(drawn.line, null);
});

test("what is hidden is not drawn", (t) => {
  const { drawn, trend } = canvas(t, null);
  trend.add(1);
  trend.add(2);
  assert.equal(drawn.line, null);
});

test("clearing takes the line away", (t) => {
  const { drawn, trend } = canvas(t);
  trend.add(1);
  trend.add(2);
  trend.clear();
  assert.equal(drawn.line, null);
});
