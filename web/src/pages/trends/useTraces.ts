/** Stored and live data of the chosen series, as traces with their holes and figures. */
import { useQueries } from '@tanstack/react-query';
import { boundsQuery, bucketsQuery, gapsQuery, samplesQuery } from '@/api/queries';
import type { Bucket, Gap, Page, Reading } from '@/api/types';
import { holesOf, type Hole } from '@/trace/holes';
import { stepOf, type View } from '@/trace/range';
import { NO_TRACE, timed, traceOfBuckets, traceOfSamples, type Bounds, type Trace } from '@/trace/trace';

export interface SeriesTrace {
  id: number;
  trace: Trace;
  holes: Hole[];
  buckets: readonly Bucket[];
  pending: boolean;
  error: Error | null;
  /** More samples lie in the range than a series of texts shows. */
  cut: boolean;
}

/** Up to so many samples are shown one by one. */
const RAW_MAX = 1_500;
/** Of texts there are no buckets; so many of the newest are shown. */
const TEXTS_MAX = 5_000;
const GAPS_EVERY_MS = 10_000;
const STEP_MAX_MS = 300_000;

/** The window that is asked for: the view itself, or for a moving one the grid cell around it. */
export function windowOf(view: View, moving: boolean): View {
  if (!moving) return view;
  const width = view.to - view.from;
  const step = Math.min(STEP_MAX_MS, stepOf(width));
  const to = Math.ceil(view.to / step) * step;
  return { from: to - Math.ceil(width / step) * step - step, to };
}

/** Buckets give no numbers: a series of texts, or of types that only samples show. */
function needsSamples(buckets: readonly Bucket[]): boolean {
  const filled = buckets.filter((bucket) => bucket.count > 0);
  const total = filled.reduce((sum, bucket) => sum + bucket.count, 0);
  if (total === 0) return false;
  return total <= RAW_MAX || filled.every((bucket) => bucket.min === null && bucket.bad < bucket.count);
}

/** The last answer for the same series, while the one for the next window is on its way. */
function sameSeries<T>(before: T | undefined, query: { queryKey: readonly unknown[] } | undefined, id: number): T | undefined {
  return query?.queryKey[1] === id ? before : undefined;
}

export function useTraces(ids: readonly number[], window: View, count: number, moving: boolean): SeriesTrace[] {
  const { from, to } = window;
  const buckets = useQueries({
    queries: ids.map((id) => ({
      ...bucketsQuery(id, from, to, count),
      placeholderData: (before: { items: Bucket[] } | undefined, query: { queryKey: readonly unknown[] } | undefined) => sameSeries(before, query, id),
    })),
  });
  const gaps = useQueries({
    queries: ids.map((id) => ({
      ...gapsQuery(id, from, to),
      refetchInterval: GAPS_EVERY_MS,
      placeholderData: (before: Page<Gap> | undefined, query: { queryKey: readonly unknown[] } | undefined) => sameSeries(before, query, id),
    })),
  });
  const samples = useQueries({
    queries: ids.map((id, index) => ({
      ...samplesQuery(id, from, to, TEXTS_MAX, 'desc'),
      enabled: needsSamples(buckets[index]?.data?.items ?? []),
      placeholderData: (before: Page<Reading> | undefined, query: { queryKey: readonly unknown[] } | undefined) => sameSeries(before, query, id),
    })),
  });
  const bounds = useQueries({
    queries: ids.map((id) => ({
      ...boundsQuery(id, from, to, !moving),
      placeholderData: (before: AskedBounds | undefined, query: { queryKey: readonly unknown[] } | undefined) => sameSeries(before, query, id),
    })),
  });
  const stored = buckets.map((answer, index) => ({
    buckets: answer.data?.items,
    gaps: gaps[index]?.data?.items,
    samples: samples[index]?.data,
    bounds: bounds[index]?.data,
    pending: answer.isPending,
    error: answer.error ?? gaps[index]?.error ?? samples[index]?.error ?? bounds[index]?.error ?? null,
  }));
  return ids.map((id, index) => traced(id, stored[index], window, count));
}

interface AskedBounds {
  before: Reading | null;
  after: Reading | null;
}

interface Stored {
  buckets: Bucket[] | undefined;
  gaps: Gap[] | undefined;
  samples: Page<Reading> | undefined;
  bounds: AskedBounds | undefined;
  pending: boolean;
  error: Error | null;
}

/** Made traces by the answers that they were made of: a page that renders each second must not make them anew. */
const made = new WeakMap<Bucket[], Pick<Stored, 'gaps' | 'samples' | 'bounds'> & { trace: Trace; holes: Hole[] }>();

function traced(id: number, stored: Stored | undefined, window: View, count: number): SeriesTrace {
  const { buckets, gaps, samples, bounds } = stored ?? {};
  const common = { id, pending: stored?.pending ?? true, error: stored?.error ?? null };
  if (!buckets) return { ...common, trace: NO_TRACE, holes: [], buckets: [], cut: false };
  const raw = samples && needsSamples(buckets) ? samples : undefined;
  let known = made.get(buckets);
  if (!known || known.gaps !== gaps || known.samples !== raw || known.bounds !== bounds) {
    const holes = holesOf(gaps ?? []);
    const near: Bounds = { before: outer(bounds?.before), after: outer(bounds?.after) };
    const trace = raw
      ? traceOfSamples(timed(raw.items), holes, window.to, near)
      : traceOfBuckets(buckets, (window.to - window.from) / count, holes, window.to, near);
    known = { gaps, samples: raw, bounds, trace, holes };
    made.set(buckets, known);
  }
  return { ...common, trace: known.trace, holes: known.holes, buckets, cut: typeof raw?.continuationToken === 'string' };
}

function outer(reading: Reading | null | undefined): Bounds['before'] {
  return reading ? (timed([reading])[0] ?? null) : null;
}
