// Whether picture and sound are together, in figures. Shared by the viewers.

/** Silence (ms) before what counts as the beginning of a tone. */
const SILENCE = 500;
/** What is further apart (ms) is no pair: half of the time between two. */
const FAR = 1000;
/** A moment is told by so many pieces before and behind it. */
const AROUND = 50;

/**
 * When tones began, in ms. `pieces` is what was heard, in order and without gaps: `at` (ms at which a piece came), `length` (samples) and
 * `loud`, the first sample in it that is loud, or null. A piece may come late: each tells when the first sample of all would have come,
 * and the median of what those around a tone tell is true.
 */
export function beeps(pieces, rate) {
  const length = (samples) => (samples / rate) * 1000;
  const starts = [];
  const onsets = [];
  let position = 0;
  let last = 0; // what came before we listened may have been loud
  for (const [number, piece] of pieces.entries()) {
    starts.push(piece.at - length(position));
    if (piece.loud !== null) {
      if (length(position - last) > SILENCE) onsets.push({ number, position: position + piece.loud });
      last = position + piece.length;
    }
    position += piece.length;
  }
  return onsets.map(({ number, position: onset }) => median(starts.slice(Math.max(0, number - AROUND), number + AROUND)) + length(onset));
}

/** By how many ms each tone began after its flash; negative where it came first: `{offsets, median, least, most}`. */
export function pair(flashes, tones) {
  const nearest = (flash) => tones.map((tone) => tone - flash).sort((one, other) => Math.abs(one) - Math.abs(other))[0] ?? Infinity;
  const offsets = flashes.map(nearest).filter((offset) => Math.abs(offset) < FAR).map((offset) => Math.round(offset * 10) / 10);
  const extreme = (which) => (offsets.length > 0 ? which(...offsets) : null);
  return { offsets, median: median(offsets), least: extreme(Math.min), most: extreme(Math.max) };
}

function median(numbers) {
  return [...numbers].sort((one, other) => one - other)[numbers.length >> 1] ?? null;
}
