/** Facts about aggregates of values that are not finite. */
import { expect, it } from 'vitest';
import { bucket, NOON } from '@/testing/examples';
import { traceOfBuckets } from '@/trace/trace';
import { drawable } from './drawable';

it('draws no infinity: the line goes on with what is finite', () => {
  const sent = [bucket(0, [1, 2]), { ...bucket(10, [3, 4]), max: 'Infinity', last: { time: bucket(10, [4]).start, value: 'Infinity' } }, bucket(20, [5])];
  const buckets = sent.map(drawable);
  expect(buckets[1]).toMatchObject({ min: 3, max: null, last: null, count: 2 });
  const { y } = traceOfBuckets(buckets, 10_000, [], NOON + 60_000);
  expect(y.every((value) => value === null || Number.isFinite(value))).toBe(true);
  expect(y.at(-1)).toBe(5);
});
