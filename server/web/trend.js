// A line of the last minute's values, drawn without axes: it shows whether something changed, the figures say to what.

const SPAN = 120; // values: a minute at one each half second

export class Trend {
  #canvas;
  #values = [];

  constructor(canvas) {
    this.#canvas = canvas;
  }

  clear() {
    this.#values = [];
    this.draw();
  }

  add(value) {
    this.#values.push(value);
    if (this.#values.length > SPAN) this.#values.shift();
    this.draw();
  }

  draw() {
    const { width, height } = this.#canvas;
    const pen = this.#canvas.getContext("2d");
    pen.clearRect(0, 0, width, height);
    pen.globalAlpha = 1;
    if (this.#values.length < 2 || this.#canvas.offsetParent === null) return;
    const color = getComputedStyle(this.#canvas).color;
    const top = Math.max(...this.#values, 1) * 1.15;
    const x = (at) => width - ((this.#values.length - 1 - at) / (SPAN - 1)) * width;
    const y = (value) => height - 2 - (value / top) * (height - 4);
    pen.beginPath();
    this.#values.forEach((value, at) => pen.lineTo(x(at), y(value)));
    pen.lineWidth = 3;
    pen.lineJoin = "round";
    pen.strokeStyle = color;
    pen.stroke();
    pen.lineTo(width, height);
    pen.lineTo(x(0), height);
    pen.globalAlpha = 0.15;
    pen.fillStyle = color;
    pen.fill();
  }
}
