// What is heard, in figures: which tone, how pure, and where it is missing. Shared by the viewers.

/** Samples of the transform, at most and at least: at 48 kHz 1.5 Hz a line, and a hundredth of that after interpolation. */
const [MOST, LEAST] = [32_768, 4_096];
const SPELL = 0.01; // s: the grid on which gaps are looked for

/**
 * `samples` (numbers between -1 and 1) at `rate`: `hertz` of the strongest line, `purity` (its share of all power, 0..1), `level` (RMS),
 * `gaps` (ms that are quieter than a quarter of the usual), `longestGap` (ms), `seconds`; null where there is not enough.
 * `tones`: the shares of these frequencies (±3 Hz) in all power.
 */
export function analyse(samples, rate, tones = []) {
  const length = Math.round(rate * SPELL);
  const spells = [];
  for (let at = 0; at + length <= samples.length; at += length) {
    let squares = 0;
    for (let each = at; each < at + length; each += 1) squares += samples[each] ** 2;
    spells.push(Math.sqrt(squares / length));
  }
  const usual = [...spells].sort((one, other) => one - other)[spells.length >> 1] ?? 0;
  let gaps = 0, run = 0, longest = 0;
  for (const spell of spells) {
    run = spell < usual / 4 ? run + 1 : 0;
    if (run > 0) gaps += 1;
    longest = Math.max(longest, run);
  }
  const facts = {
    seconds: samples.length / rate, level: usual, gaps: gaps * SPELL * 1000, longestGap: longest * SPELL * 1000,
    hertz: null, purity: null, tones: tones.map(() => null),
  };
  let window = MOST;
  while (window > samples.length) window /= 2;
  if (window < LEAST) return facts;
  const power = spectrum(samples.slice(samples.length - window));
  const total = power.reduce((sum, each) => sum + each, 0);
  const line = rate / window;
  const share = (bin, width) => power.slice(Math.max(1, bin - width), bin + width + 1).reduce((sum, each) => sum + each, 0) / (total || 1);
  let peak = 2;
  for (let bin = 2; bin < power.length - 2; bin += 1) if (power[bin] > power[peak]) peak = bin;
  // A parabola through the logarithms of three lines.
  const [left, middle, right] = [peak - 1, peak, peak + 1].map((bin) => Math.log(power[bin] || 1e-30));
  const shift = (0.5 * (left - right)) / (left - 2 * middle + right || 1);
  return {
    ...facts, hertz: (peak + shift) * line, purity: share(peak, 4), tones: tones.map((hertz) => share(Math.round(hertz / line), Math.ceil(3 / line))),
  };
}

/** The power of each line, under Hann's window. */
function spectrum(samples) {
  const { length } = samples;
  const re = new Float64Array(length), im = new Float64Array(length);
  const bits = Math.log2(length);
  for (let at = 0; at < length; at += 1) {
    let mirrored = 0;
    for (let bit = 0; bit < bits; bit += 1) mirrored |= ((at >> bit) & 1) << (bits - 1 - bit);
    re[mirrored] = samples[at] * (0.5 - 0.5 * Math.cos((2 * Math.PI * at) / length));
  }
  for (let half = 1; half < length; half *= 2) {
    for (let step = 0; step < half; step += 1) {
      const [cos, sin] = [Math.cos((-Math.PI * step) / half), Math.sin((-Math.PI * step) / half)];
      for (let at = step; at < length; at += 2 * half) {
        const other = at + half;
        const [r, i] = [re[other] * cos - im[other] * sin, re[other] * sin + im[other] * cos];
        [re[other], im[other]] = [re[at] - r, im[at] - i];
        re[at] += r;
        im[at] += i;
      }
    }
  }
  return Array.from({ length: length / 2 }, (_, bin) => re[bin] ** 2 + im[bin] ** 2);
}
