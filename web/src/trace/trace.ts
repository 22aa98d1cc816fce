/** A series as a chart draws it: points, with null where the line must break, and spans of bad quality. */
import type { Bucket, Reading } from '@/api/types';
import { instant } from '@/reading/clock';
import { qualityOf } from '@/reading/quality';
import { readingTime } from '@/reading/trust';
import { plottable } from '@/reading/value';
import { holeBetween, type Hole } from './holes';

export interface Interval {
  from: number;
  to: number;
}

export interface Trace {
  x: number[];
  /** null breaks the line. */
  y: (number | null)[];
  /** Each point is one sample; otherwise points stand for buckets. */
  raw: boolean;
  /** The value holds until the next sample (states, counters); otherwise neighbours are joined. */
  step: boolean;
  bad: Interval[];
  /** Texts of a text series, by their place on the y axis; for switches `false` and `true`. */
  categories: string[];
  /** The last point is no sample: the value is only known to hold until then. */
  held: number | null;
}

/** The samples next to a range on either side: a line reaches to them, as nothing lies between. */
export interface Bounds {
  before: TimedReading | null;
  after: TimedReading | null;
}

export const UNBOUNDED: Bounds = { before: null, after: null };
export const SWITCH: readonly string[] = ['false', 'true'];

export const NO_TRACE: Trace = { x: [], y: [], raw: true, step: false, bad: [], categories: [], held: null };

/** More different texts than this do not fit an axis. */
const CATEGORIES_MAX = 24;
const STATES_MAX = 8;

/** What a line needs of a reading. Tens of thousands are kept, so the rest of it is let go. */
export interface TimedReading extends Pick<Reading, 'value' | 'status'> {
  at: number;
}

/** Readings with a usable time, in time order. */
export function timed(readings: readonly Reading[]): TimedReading[] {
  const out: TimedReading[] = [];
  for (const reading of readings) {
    const at = readingTime(reading);
    if (at !== null) out.push({ at, value: reading.value, status: reading.status });
  }
  return out.sort((a, b) => a.at - b.at);
}

class TraceBuilder {
  readonly trace: Trace;
  readonly #holes: readonly Hole[];

  constructor(raw: boolean, holes: readonly Hole[]) {
    this.trace = { x: [], y: [], raw, step: false, bad: [], categories: [], held: null };
    this.#holes = holes;
  }

  break(at: number): void {
    if (this.trace.y.length > 0 && this.trace.y.at(-1) !== null) this.#push(at, null);
  }

  point(at: number, value: number): void {
    const before = this.trace.x.at(-1);
    if (before !== undefined && this.trace.y.at(-1) !== null && holeBetween(this.#holes, before, at)) {
      this.#push(before + (at - before) / 2, null);
    }
    this.#push(at, value);
  }

  #push(at: number, value: number | null): void {
    this.trace.x.push(at);
    this.trace.y.push(value);
  }
}

/** States and switches: few whole numbers, which hold until they change. */
function looksLikeStates(values: Iterable<number | null>): boolean {
  const seen = new Set<number>();
  for (const value of values) {
    if (value === null) continue;
    if (!Number.isInteger(value)) return false;
    seen.add(value);
    if (seen.size > STATES_MAX) return false;
  }
  return seen.size > 0;
}

/** One point a sample. Bad ones break the line and are hatched until the next sample. */
export function traceOfSamples(inside: readonly TimedReading[], holes: readonly Hole[], until: number, bounds: Bounds = UNBOUNDED): Trace {
  const builder = new TraceBuilder(true, holes);
  const { trace } = builder;
  const samples = [bounds.before, ...inside, bounds.after].filter((sample) => sample !== null);
  if (samples.some((sample) => typeof sample.value === 'boolean')) trace.categories.push(...SWITCH);
  samples.forEach((sample, index) => {
    const next = samples[index + 1]?.at ?? until;
    if (qualityOf(sample.status) === 'bad') {
      builder.break(sample.at);
      if (next > sample.at) extend(trace.bad, { from: sample.at, to: next });
      return;
    }
    const value = typeof sample.value === 'string' ? category(trace, sample.value) : plottable(sample.value);
    if (value === null) builder.break(sample.at);
    else builder.point(sample.at, value);
  });
  trace.step = trace.categories.length > 0 || looksLikeStates(trace.y);
  return trace;
}

function category(trace: Trace, text: string): number | null {
  const known = trace.categories.indexOf(text);
  if (known >= 0) return known;
  if (trace.categories.length >= CATEGORIES_MAX) return null;
  trace.categories.push(text);
  return trace.categories.length - 1;
}

function extend(intervals: Interval[], next: Interval): void {
  const last = intervals.at(-1);
  if (last && last.to >= next.from) last.to = Math.max(last.to, next.to);
  else intervals.push({ ...next });
}

/**
 * Up to four points a bucket (first, least, greatest, last): the line looks as the samples would, at a fraction of
 * their number. Least and greatest stand inside the bucket, whose width is about a pixel.
 */
export function traceOfBuckets(buckets: readonly Bucket[], width: number, holes: readonly Hole[], until: number, bounds: Bounds = UNBOUNDED): Trace {
  const builder = new TraceBuilder(false, holes);
  placeBound(builder, bounds.before);
  const filled = buckets.filter((bucket) => bucket.count > 0);
  filled.forEach((bucket, index) => {
    const start = instant(bucket.start) ?? 0;
    const first = bucket.first ? (instant(bucket.first.time) ?? start) : start;
    const last = bucket.last ? (instant(bucket.last.time) ?? first) : first;
    if (bucket.bad > 0) {
      const nextBucket = filled[index + 1];
      const next = nextBucket ? (instant(nextBucket.first?.time ?? nextBucket.start) ?? until) : until;
      const allBad = bucket.bad === bucket.count;
      if (allBad) builder.break(start);
      extend(builder.trace.bad, { from: start, to: allBad ? next : Math.min(next, start + width) });
      if (allBad) return;
    }
    pointsOf(bucket, first, last).forEach(([at, value]) => builder.point(at, value));
  });
  placeBound(builder, bounds.after);
  builder.trace.step = looksLikeStates(filled.flatMap((bucket) => [bucket.min, bucket.max, bucket.first ? Number(bucket.first.value) : null]));
  return builder.trace;
}

function placeBound(builder: TraceBuilder, bound: TimedReading | null): void {
  if (bound === null) return;
  const value = qualityOf(bound.status) === 'bad' ? null : plottable(bound.value);
  if (value === null) builder.break(bound.at);
  else builder.point(bound.at, value);
}

function pointsOf(bucket: Bucket, first: number, last: number): [number, number][] {
  if (bucket.min === null || bucket.max === null) return [];
  const begin = bucket.first ? Number(bucket.first.value) : bucket.min;
  const end = bucket.last ? Number(bucket.last.value) : bucket.max;
  if (last <= first) return [[first, begin]];
  const span = last - first;
  const inner: [number, number][] = [];
  // The extreme nearer to where the bucket begins is taken to come first.
  const order = Math.abs(begin - bucket.min) <= Math.abs(begin - bucket.max) ? [bucket.min, bucket.max] : [bucket.max, bucket.min];
  order.forEach((value, index) => {
    if (value !== begin && value !== end) inner.push([first + (span * (index + 1)) / 3, value]);
  });
  return [[first, begin], ...inner, [last, end]];
}

/** Appends what came live after the stored part. `tail` is in time order. */
export function withTail(base: Trace, tail: readonly TimedReading[], holes: readonly Hole[], until: number): Trace {
  const after = base.x.at(-1) ?? -Infinity;
  const fresh = tail.filter((sample) => sample.at > after);
  if (fresh.length === 0) return base;
  const builder = new TraceBuilder(base.raw, holes);
  const { trace } = builder;
  trace.x = base.x.slice();
  trace.y = base.y.slice();
  trace.bad = base.bad.map((interval) => ({ ...interval }));
  trace.categories = base.categories.slice();
  trace.step = base.step;
  trace.held = base.held;
  const firstFresh = fresh[0];
  const lastBad = trace.bad.at(-1);
  if (firstFresh && lastBad && lastBad.to > firstFresh.at && lastBad.from < firstFresh.at) lastBad.to = firstFresh.at;
  fresh.forEach((sample, index) => {
    if (qualityOf(sample.status) === 'bad') {
      builder.break(sample.at);
      extend(trace.bad, { from: sample.at, to: fresh[index + 1]?.at ?? until });
      return;
    }
    const value = typeof sample.value === 'string' ? category(trace, sample.value) : plottable(sample.value);
    if (value !== null) builder.point(sample.at, value);
  });
  return trace;
}

/** The last value drawn on until `now`, where a live server vouches that there is no newer one. */
export function heldUntil(trace: Trace, now: number, holes: readonly Hole[]): Trace {
  const last = trace.x.at(-1);
  const value = trace.y.at(-1);
  if (last === undefined || value === undefined || value === null || last >= now || holeBetween(holes, last, now)) return trace;
  return { ...trace, x: [...trace.x, now], y: [...trace.y, value], held: now };
}

/** The trace moved in time, for comparison with another range. */
export function shifted(trace: Trace, by: number): Trace {
  return {
    ...trace,
    x: trace.x.map((at) => at + by),
    bad: trace.bad.map((interval) => ({ from: interval.from + by, to: interval.to + by })),
  };
}
