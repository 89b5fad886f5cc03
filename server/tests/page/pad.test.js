import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Pad } from "../../web/pad.js";

/** A pad of 200 by 200 px at the page's corner: its middle is at 100, 100. */
function pad() {
  const element = Object.assign(new EventTarget(), {
    firstElementChild: { style: { setProperty: () => {} } },
    getBoundingClientRect: () => ({ left: 0, top: 0, width: 200, height: 200 }),
    setPointerCapture: () => {},
    focus: () => {},
  });
  const told = [];
  const it = new Pad(element, ([x, y]) => told.push([Number(x.toFixed(2)), Number(y.toFixed(2))]));
  /** Raises an event; gives whether its default was prevented. */
  const act = (type, properties = {}) => {
    const event = Object.assign(new Event(type, { cancelable: true }), { button: 0, pointerId: 1 }, properties);
    element.dispatchEvent(event);
    return event.defaultPrevented;
  };
  const at = (x, y) => ({ clientX: x, clientY: y });
  return { it, told, act, at };
}

describe("dragging", () => {
  test("tells how far from the middle, up being positive", () => {
    const { told, act, at } = pad();
    act("pointerdown", at(200, 100));
    act("pointermove", at(100, 0));
    act("pointermove", at(0, 200));
    assert.deepEqual(told, [[1, 0], [0, 1], [-1, -1]]);
  });

  test("beyond the edge is at the edge", () => {
    const { told, act, at } = pad();
    act("pointerdown", at(900, -900));
    assert.deepEqual(told, [[1, 1]]);
  });

  test("a finger that rests in the middle is no wish", () => {
    const { told, act, at } = pad();
    act("pointerdown", at(111, 89));
    assert.deepEqual(told, []);
  });

  test("less than a step is nothing new", () => {
    const { told, act, at } = pad();
    act("pointerdown", at(150, 100));
    act("pointermove", at(150.4, 100));
    assert.equal(told.length, 1);
  });

  for (const end of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) {
    test(`${end} is a stop, told once`, () => {
      const { told, act, at } = pad();
      act("pointerdown", at(200, 100));
      act(end);
      act(end);
      assert.deepEqual(told, [[1, 0], [0, 0]]);
      act("pointermove", at(0, 0));
      assert.equal(told.length, 2);
    });
  }

  test("other buttons and other fingers do nothing", () => {
    const { told, act, at } = pad();
    act("pointerdown", { ...at(200, 100), button: 2 });
    act("pointermove", at(200, 100));
    assert.deepEqual(told, []);
    act("pointerdown", at(200, 100));
    act("pointermove", { ...at(0, 0), pointerId: 2 });
    assert.deepEqual(told, [[1, 0]]);
  });
});

describe("arrow keys", () => {
  test("turn while they are held, and the page does not scroll", () => {
    const { told, act } = pad();
    assert.equal(act("keydown", { key: "ArrowLeft" }), true);
    act("keydown", { key: "ArrowUp" });
    act("keyup", { key: "ArrowLeft" });
    act("keyup", { key: "ArrowUp" });
    assert.deepEqual(told, [[-1, 0], [-1, 1], [0, 1], [0, 0]]);
  });

  test("that repeat say nothing new, and opposite ones cancel out", () => {
    const { told, act } = pad();
    act("keydown", { key: "ArrowLeft" });
    act("keydown", { key: "ArrowLeft" });
    act("keydown", { key: "ArrowRight" });
    assert.deepEqual(told, [[-1, 0], [0, 0]]);
  });

  test("of shortcuts, and other keys, are left to the browser", () => {
    const { told, act } = pad();
    assert.equal(act("keydown", { key: "ArrowLeft", altKey: true }), false);
    assert.equal(act("keydown", { key: "ArrowLeft", ctrlKey: true }), false);
    assert.equal(act("keydown", { key: "a" }), false);
    assert.deepEqual(told, []);
  });

  test("count as let go when the pad is stopped", () => {
    const { it, told, act } = pad();
    act("keydown", { key: "ArrowLeft" });
    it.stop();
    act("keydown", { key: "ArrowUp" });
    assert.deepEqual(told, [[-1, 0], [0, 0], [0, 1]]);
  });
});
