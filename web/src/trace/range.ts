/** Ranges of time: spans that move with the clock, and fixed ones. */

const UNITS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const SPAN = /^([1-9]\d{0,2})([mhdw])$/;

/** "15m", "8h", "7d", "2w". */
export type Span = `${number}${'m' | 'h' | 'd' | 'w'}`;

export function isSpan(text: string): text is Span {
  return SPAN.test(text);
}

export function spanMs(span: Span): number {
  const [, count, unit] = SPAN.exec(span) ?? [];
  return Number(count) * (UNITS[unit ?? ''] ?? 0);
}

export interface View {
  from: number;
  to: number;
}

/** No closer than this, or the browser's millisecond clock has nothing left to show. */
const NARROWEST_MS = 200;
const WIDEST_MS = 5 * 366 * 86_400_000;

function sized(middleShare: number, at: number, width: number): View {
  const size = Math.min(WIDEST_MS, Math.max(NARROWEST_MS, width));
  return { from: Math.round(at - size * middleShare), to: Math.round(at + size * (1 - middleShare)) };
}

/** Zooms by `factor` (below 1: closer) so that the instant `at` stays where it is. */
export function zoomAt(view: View, at: number, factor: number): View {
  const width = view.to - view.from;
  const share = width === 0 ? 0.5 : (at - view.from) / width;
  return sized(share, at, width * factor);
}

/** Moves by a share of the width; never beyond `latest`. */
export function pan(view: View, share: number, latest: number): View {
  const width = view.to - view.from;
  const by = Math.min(width * share, latest - view.to);
  return { from: Math.round(view.from + by), to: Math.round(view.to + by) };
}

/**
 * The grid on which a moving range is asked for: answers are kept and reused while the window moves inside a step, and
 * what is newer comes from the live stream.
 */
export function stepOf(width: number): number {
  return Math.max(15_000, Math.ceil(width / 60 / 1000) * 1000);
}
