/** Aggregates that a chart can draw. */
import type { Bucket, Point, SentBucket } from './types';

const finite = (value: number | string | null): number | null => (typeof value === 'string' ? null : value);

function point(sent: SentBucket['first']): Point | null {
  return sent === null || typeof sent.value === 'string' ? null : { time: sent.time, value: sent.value };
}

/** A bucket with infinities has no extremes to draw, so it breaks the line; its counts stay. */
export function drawable(sent: SentBucket): Bucket {
  return { ...sent, min: finite(sent.min), max: finite(sent.max), avg: finite(sent.avg), first: point(sent.first), last: point(sent.last) };
}
