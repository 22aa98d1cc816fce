// Samples, buckets and gaps of a range.
import { gapsOf, sampleAt, stamp } from './plant.mjs';

export function* samples(series, from, to, descending = false) {
  const first = Math.ceil(from / 1000);
  const last = Math.ceil(Math.min(to, Date.now()) / 1000) - 1;
  for (let k = 0; k <= last - first; k += 1) {
    const sample = sampleAt(series, descending ? last - k : first + k);
    if (sample) yield sample;
  }
}

/** Buckets; of wide ones only so many seconds are looked at, which is enough to look right. */
const LOOKED_MAX = 24;

export function buckets(series, from, to, count) {
  const width = (to - from) / count;
  return Array.from({ length: count }, (_, index) => bucket(series, from + index * width, from + (index + 1) * width));
}

function bucket(series, start, end) {
  const now = Date.now();
  const first = Math.ceil(start / 1000);
  const last = Math.ceil(Math.min(end, now) / 1000) - 1;
  const out = { start: stamp(Math.round(start)), min: null, max: null, avg: null, count: 0, bad: 0, first: null, last: null };
  const step = Math.max(1, Math.floor((last - first + 1) / LOOKED_MAX));
  let sum = 0;
  let good = 0;
  for (let second = first; second <= last; second += series.kind.kind === 'constant' ? 1 : step) {
    const sample = sampleAt(series, second);
    if (!sample) continue;
    const weight = series.kind.kind === 'constant' ? 1 : step;
    out.count += weight;
    if (sample.status >= 0x80000000) out.bad += weight;
    const value = typeof sample.value === 'boolean' ? Number(sample.value) : Number(sample.value);
    if (sample.value === null || typeof sample.value === 'string' || Number.isNaN(value)) continue;
    out.min = out.min === null ? value : Math.min(out.min, value);
    out.max = out.max === null ? value : Math.max(out.max, value);
    out.first ??= { time: sample.sourceTimestamp, value };
    out.last = { time: sample.sourceTimestamp, value };
    sum += value;
    good += 1;
  }
  if (good > 0) out.avg = sum / good;
  return out;
}

export function gapsIn(series, from, to) {
  return gapsOf(series)
    .filter((gap) => (gap.to ?? Infinity) > from && gap.from < to)
    .map((gap) => ({ series: series.id, ...gap, from: stamp(gap.from), to: gap.to === null ? null : stamp(gap.to) }))
    .reverse();
}
