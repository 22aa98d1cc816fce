/** What a trace says at an instant: the last value before it, or why there is none. */
import { holeAt, type Hole } from './holes';
import type { Trace } from './trace';

export type TraceReading =
  | { kind: 'value'; value: number; at: number; text: string | null }
  | { kind: 'gap'; hole: Hole }
  | { kind: 'bad' }
  | { kind: 'nothing' };

/** Index of the last point at or before `at`; -1 for none. */
export function lastBefore(x: readonly number[], at: number): number {
  let low = 0;
  let high = x.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((x[middle] ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Whether anything of the trace is drawn between two instants: a point, or a line from one side to the other. */
export function drawsBetween(trace: Trace, from: number, to: number): boolean {
  const first = lastBefore(trace.x, from);
  const last = lastBefore(trace.x, to);
  for (let index = first + 1; index <= last; index += 1) if (trace.y[index] != null) return true;
  return trace.y[first] != null && trace.y[first + 1] != null;
}

export function traceReadingAt(trace: Trace, holes: readonly Hole[], at: number): TraceReading {
  if (trace.bad.some((interval) => interval.from <= at && at < interval.to)) return { kind: 'bad' };
  const index = lastBefore(trace.x, at);
  const time = trace.x[index];
  const value = trace.y[index];
  const hole = holeAt(holes, at);
  // At the very edge of a gap there is a value: the last one before it.
  if (hole?.breaks && !(time !== undefined && time === at && value !== null)) return { kind: 'gap', hole };
  if (time === undefined || value === undefined || value === null) return { kind: 'nothing' };
  return { kind: 'value', value, at: time, text: trace.categories[value] ?? null };
}
