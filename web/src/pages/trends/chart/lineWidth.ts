/** How wide a line is drawn. One that goes up and down within its own width is a band: more width adds nothing to see. */
export const LINE = 1.6;
/**
 * The width for which a browser without a graphics card has a quick way. Wider strokes of a band of thousands of strokes
 * cost it twenty times as much.
 */
export const THIN_LINE = 1;
/** Ups and downs that are so many times as long as the plot is wide, one beside the other, fill it. */
const BAND = 8;

interface Plot {
  /** In the same unit, whichever it is. */
  width: number;
  height: number;
  /** The values at the bottom and at the top. */
  low: number;
  high: number;
}

/** The width for the points [from, to] of a line. */
export function lineWidth(y: readonly (number | null | undefined)[], from: number, to: number, plot: Plot): number {
  let ups = 0;
  let last: number | null = null;
  for (let index = from; index <= to; index += 1) {
    const value = y[index];
    if (value === undefined) continue;
    if (value !== null && last !== null) ups += Math.abs(value - last);
    last = value;
  }
  const span = plot.high - plot.low;
  return span > 0 && (ups / span) * plot.height > BAND * plot.width ? THIN_LINE : LINE;
}
