/** Facts about ranges, readings at the cursor, figures and zones. */
import { expect, it } from 'vitest';
import { bucket, gap, NOON, sample } from '@/testing/examples';
import { holesOf } from './holes';
import { isSpan, pan, spanMs, stepOf, zoomAt } from './range';
import { drawsBetween, lastBefore, traceReadingAt } from './readingAt';
import { statisticsOf } from './statistics';
import { traceOfSamples } from './trace';
import { zonedInstant, zonedText } from './zone';

it('reads spans, and nothing else', () => {
  expect([isSpan('15m'), isSpan('0h'), isSpan('1y'), isSpan('1h2')]).toEqual([true, false, false, false]);
  expect([spanMs('15m'), spanMs('2w')]).toEqual([900_000, 1_209_600_000]);
});

it('zooms around an instant, which stays where it is', () => {
  expect(zoomAt({ from: 0, to: 1000 * 60 }, 15_000, 0.5)).toEqual({ from: 7500, to: 37_500 });
  const close = zoomAt({ from: 0, to: 1000 }, 500, 0.000001);
  expect(close.to - close.from).toBe(200);
});

it('pans, but not into the future', () => {
  expect(pan({ from: 0, to: 100 }, -0.5, 120)).toEqual({ from: -50, to: 50 });
  expect(pan({ from: 0, to: 100 }, 0.5, 120)).toEqual({ from: 20, to: 120 });
});

it('asks for moving ranges on a grid', () => {
  expect([stepOf(60_000), stepOf(3_600_000), stepOf(86_400_000)]).toEqual([15_000, 60_000, 1_440_000]);
});

it('finds the last point at or before an instant', () => {
  expect([0, 1, 2, 5, 9].map((at) => lastBefore([1, 2, 5], at))).toEqual([-1, 0, 1, 2, 2]);
  expect(lastBefore([], 1)).toBe(-1);
});

it('reads the value before the cursor, or says why there is none', () => {
  const holes = holesOf([gap(10, 20)]);
  const trace = traceOfSamples([sample(0, 1.5), sample(10, 2.5), sample(20, 3.5), sample(30, null, 0x80310000)], holes, NOON + 40_000);
  const at = (seconds: number) => {
    const reading = traceReadingAt(trace, holes, NOON + seconds * 1000);
    return reading.kind === 'value' ? reading.value : reading.kind;
  };
  expect([-1, 0, 4, 10, 15, 20, 29, 35].map(at)).toEqual(['nothing', 1.5, 1.5, 2.5, 'gap', 3.5, 3.5, 'bad']);
});

it('adds up the range in sight: the mean weighs samples, bad ones count but do not weigh', () => {
  const buckets = [bucket(0, [100]), bucket(10, [1, 2, 3]), bucket(20, [10], { count: 3, bad: 2 }), bucket(30, [100])];
  expect(statisticsOf(buckets, NOON + 10_000, NOON + 30_000)).toEqual({ min: 1, max: 10, avg: 4, samples: 6, bad: 2 });
  expect(statisticsOf([], 0, 1)).toEqual({ min: null, max: null, avg: null, samples: 0, bad: 0 });
});

it.each([
  ['2026-01-15T14:02:00', 'Europe/Berlin', '2026-01-15T13:02:00Z'],
  ['2026-07-15T14:02:00', 'Europe/Berlin', '2026-07-15T12:02:00Z'],
  ['2026-10-25T02:30:00', 'Europe/Berlin', '2026-10-25T00:30:00Z'],
  ['2026-03-29T02:30:00', 'Europe/Berlin', '2026-03-29T01:30:00Z'],
  ['2026-01-15T14:02:00', 'Asia/Kolkata', '2026-01-15T08:32:00Z'],
  ['2026-01-15T14:02', 'UTC', '2026-01-15T14:02:00Z'],
])('%s in %s is %s', (text, zone, instant) => {
  expect(new Date(zonedInstant(text, zone) ?? 0).toISOString()).toBe(new Date(instant).toISOString());
});

it('writes an instant as a field of the zone wants it, and refuses what is no time', () => {
  expect(zonedText(Date.parse('2026-07-15T12:02:03Z'), 'Europe/Berlin')).toBe('2026-07-15T14:02:03');
  expect(zonedInstant('soon', 'UTC')).toBeNull();
});

it('knows whether anything is drawn in a range', () => {
  const trace = traceOfSamples([sample(0, 1.5), sample(10, 2.5), sample(20, null, 0x80310000), sample(30, 3.5)], [], NOON + 40_000);
  const draws = (from: number, to: number) => drawsBetween(trace, NOON + from * 1000, NOON + to * 1000);
  expect([draws(-9, -1), draws(-9, 0), draws(3, 4), draws(12, 19), draws(21, 29), draws(25, 35), draws(31, 39)]).toEqual([false, true, true, false, false, true, false]);
});
