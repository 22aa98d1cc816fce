/** Figures of a range, from its buckets. */
import type { Bucket } from '@/api/types';
import { instant } from '@/reading/clock';

export interface Statistics {
  min: number | null;
  max: number | null;
  /** Mean of the samples that are not Bad. */
  avg: number | null;
  samples: number;
  bad: number;
}

/** Buckets that begin inside [from, to); the ones at the edges count whole. */
export function statisticsOf(buckets: readonly Bucket[], from: number, to: number): Statistics {
  const out: Statistics = { min: null, max: null, avg: null, samples: 0, bad: 0 };
  let sum = 0;
  let weight = 0;
  for (const bucket of buckets) {
    const start = instant(bucket.start) ?? 0;
    if (bucket.count === 0 || start < from || start >= to) continue;
    out.samples += bucket.count;
    out.bad += bucket.bad;
    if (bucket.min !== null) out.min = out.min === null ? bucket.min : Math.min(out.min, bucket.min);
    if (bucket.max !== null) out.max = out.max === null ? bucket.max : Math.max(out.max, bucket.max);
    if (bucket.avg !== null) {
      sum += bucket.avg * (bucket.count - bucket.bad);
      weight += bucket.count - bucket.bad;
    }
  }
  out.avg = weight > 0 ? sum / weight : null;
  return out;
}
