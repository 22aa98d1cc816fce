/** Facts about traces: nothing is ever drawn over a hole. */
import { expect, it } from 'vitest';
import { bucket, gap, NOON, reading, sample } from '@/testing/examples';
import { holesOf } from './holes';
import { heldUntil, timed, traceOfBuckets, traceOfSamples, withTail, type Trace } from './trace';

const BAD = 0x80310000;
const UNTIL = NOON + 100_000;

/** "0=1 5=2 | 9=3": seconds=value, a bar where the line breaks. */
const drawn = (trace: Trace) => trace.x.map((at, index) => (trace.y[index] === null ? '|' : `${Math.round((at - NOON) / 1000)}=${trace.y[index]}`)).join(' ');
const bad = (trace: Trace) => trace.bad.map((interval) => `${(interval.from - NOON) / 1000}–${(interval.to - NOON) / 1000}`).join(' ');

it('joins samples where the ledger knows of no gap, however far apart', () => {
  expect(drawn(traceOfSamples([sample(0, 1.5), sample(5000, 2.5)], [], UNTIL))).toBe('0=1.5 5000=2.5');
});

it('breaks at a gap between its two neighbours only', () => {
  const samples = [sample(0, 1.5), sample(10, 2.5), sample(20, 3.5), sample(30, 4.5)];
  expect(drawn(traceOfSamples(samples, holesOf([gap(10, 20)]), UNTIL))).toBe('0=1.5 10=2.5 | 20=3.5 30=4.5');
});

it('does not break at an outage from which everything was recovered', () => {
  expect(drawn(traceOfSamples([sample(0, 1.5), sample(20, 2.5)], holesOf([gap(0, 20, { count: 0 })]), UNTIL))).toBe('0=1.5 20=2.5');
});

it('breaks at an open gap without an end, and at one without a beginning', () => {
  expect(drawn(traceOfSamples([sample(0, 1.5), sample(20, 2.5)], holesOf([gap(0, null)]), UNTIL))).toBe('0=1.5 | 20=2.5');
  expect(drawn(traceOfSamples([sample(0, 1.5), sample(20, 2.5)], holesOf([gap(null, 20)]), UNTIL))).toBe('0=1.5 | 20=2.5');
});

it('breaks at bad samples and hatches until the next one', () => {
  const trace = traceOfSamples([sample(0, 1.5), sample(5, null, BAD), sample(6, null, BAD), sample(9, 2.5), sample(12, null, BAD)], [], UNTIL);
  expect(drawn(trace)).toBe('0=1.5 | 9=2.5 |');
  expect(bad(trace)).toBe('5–9 12–100');
});

it('never joins over a value that is no number', () => {
  expect(drawn(traceOfSamples([sample(0, 1.5), sample(1, 'NaN'), sample(2, 2.5)].map((each, index) => (index === 1 ? { ...each, value: null } : each)), [], UNTIL))).toBe('0=1.5 | 2=2.5');
});

it('steps for switches, texts and few whole numbers, joins measurements', () => {
  const doors = traceOfSamples([sample(0, true), sample(1, false)], [], UNTIL);
  expect([doors.step, doors.categories, drawn(doors)]).toEqual([true, ['false', 'true'], '0=1 1=0']);
  expect(traceOfSamples([sample(0, 2), sample(1, 3)], [], UNTIL).step).toBe(true);
  expect(traceOfSamples([sample(0, 2.5), sample(1, 3)], [], UNTIL).step).toBe(false);
  const texts = traceOfSamples([sample(0, 'Run'), sample(1, 'Stop'), sample(2, 'Run')], [], UNTIL);
  expect([texts.categories, drawn(texts)]).toEqual([['Run', 'Stop'], '0=0 1=1 2=0']);
});

it('shows a bucket by its first, least, greatest and last value', () => {
  expect(drawn(traceOfBuckets([bucket(0, [5.5, 2, 9, 6.5])], 10_000, [], UNTIL))).toBe('0=5.5 3=2 6=9 9=6.5');
  expect(drawn(traceOfBuckets([bucket(0, [4.5], { last: { time: bucket(0, [1]).start, value: 4.5 } })], 10_000, [], UNTIL))).toBe('0=4.5');
});

it('joins over empty buckets, breaks over gaps and over buckets of bad samples alone', () => {
  const empty = bucket(10, []);
  expect(drawn(traceOfBuckets([bucket(0, [1.5, 2.5]), empty, bucket(20, [3.5, 4.5])], 10_000, [], UNTIL))).toBe('0=1.5 9=2.5 20=3.5 29=4.5');
  expect(drawn(traceOfBuckets([bucket(0, [1.5, 2.5]), empty, bucket(20, [3.5, 4.5])], 10_000, holesOf([gap(9, 20)]), UNTIL))).toBe('0=1.5 9=2.5 | 20=3.5 29=4.5');
  const allBad = bucket(10, [], { count: 3, bad: 3 });
  const trace = traceOfBuckets([bucket(0, [1.5, 2.5]), allBad, bucket(30, [3.5, 4.5])], 10_000, [], UNTIL);
  expect([drawn(trace), bad(trace)]).toEqual(['0=1.5 9=2.5 | 30=3.5 39=4.5', '10–30']);
});

it('takes on what came live, once, and ends a bad span with the first good value', () => {
  const base = traceOfSamples([sample(0, 1.5), sample(5, null, BAD)], [], UNTIL);
  const trace = withTail(base, [sample(0, 1.5), sample(8, 2.5), sample(9, 3.5)], [], UNTIL);
  expect([drawn(trace), bad(trace)]).toEqual(['0=1.5 | 8=2.5 9=3.5', '5–8']);
  expect(drawn(base)).toBe('0=1.5 |');
});

it('breaks the live tail at a gap, too', () => {
  const base = traceOfSamples([sample(0, 1.5)], [], UNTIL);
  expect(drawn(withTail(base, [sample(10, 2.5)], holesOf([gap(0, 10)]), UNTIL))).toBe('0=1.5 | 10=2.5');
});

it('orders readings by source time, else server time, and drops those without', () => {
  const readings = [sample(9, 1), sample(3, 2), reading({ sourceTimestamp: null, serverTimestamp: sample(5, 0).sourceTimestamp }), reading({ sourceTimestamp: null, serverTimestamp: null })];
  expect(timed(readings).map((each) => (each.at - NOON) / 1000)).toEqual([3, 5, 9]);
});

it('reaches to the samples next to the range, unless a gap or a bad one lies there', () => {
  const bounds = { before: sample(-100, 1.5), after: sample(900, 9.5) };
  expect(drawn(traceOfSamples([], [], UNTIL, bounds))).toBe('-100=1.5 900=9.5');
  expect(drawn(traceOfSamples([sample(0, 2.5)], holesOf([gap(-100, 0)]), UNTIL, bounds))).toBe('-100=1.5 | 0=2.5 900=9.5');
  expect(drawn(traceOfBuckets([bucket(0, [2.5, 3.5])], 10_000, [], UNTIL, bounds))).toBe('-100=1.5 0=2.5 9=3.5 900=9.5');
  expect(drawn(traceOfBuckets([bucket(0, [2.5, 3.5])], 10_000, [], UNTIL, { before: sample(-100, null, BAD), after: null }))).toBe('0=2.5 9=3.5');
});

it('holds the last value only until a gap, and marks that point as no sample', () => {
  const trace = traceOfSamples([sample(0, 1.5)], [], UNTIL);
  expect([drawn(heldUntil(trace, NOON + 50_000, [])), heldUntil(trace, NOON + 50_000, []).held]).toEqual(['0=1.5 50=1.5', NOON + 50_000]);
  expect(heldUntil(trace, NOON + 50_000, holesOf([gap(0, null)]))).toBe(trace);
  const ended = traceOfSamples([sample(0, 1.5), sample(5, null, BAD)], [], UNTIL);
  expect(heldUntil(ended, NOON + 50_000, [])).toBe(ended);
});
