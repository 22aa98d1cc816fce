/** Facts about the trend: its address, windows, lanes and gestures. */
import { expect, it } from 'vitest';
import { parseSearch, writeSearch } from '@/shell/address';
import { NOON, sample } from '@/testing/examples';
import { traceOfSamples } from '@/trace/trace';
import { readTrendsAddress } from './address';
import { pinched } from './chart/gestures';
import { decimalsFor, laneData, lonePoints, type LaneTrace } from './chart/laneOptions';
import { timeLabels } from './chart/timeAxis';
import { inkOf } from './traceInk';
import { Tails } from './useTail';
import { windowOf } from './useTraces';
import { fixedSearch, movingSearch } from './useView';

const BAD = 0x80310000;
const lane = (id: number, ...samples: ReturnType<typeof sample>[]): LaneTrace => ({ id, name: `${id}`, unit: '', place: 0, past: false, empty: false, holes: [], trace: traceOfSamples(samples, [], NOON + 60_000) });

it('reads the address: twelve series at most, a fixed range before a moving one', () => {
  const many = Array.from({ length: 20 }, (_, index) => index).join(',');
  expect(readTrendsAddress({ s: many }).s?.split(',')).toHaveLength(12);
  expect(readTrendsAddress({ from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z', range: '1h' })).toEqual({ from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' });
  expect(readTrendsAddress({ from: '2026-03-02T00:00:00Z', to: '2026-03-01T00:00:00Z', range: '8h', compare: 'x' })).toEqual({ range: '8h' });
});

it('keeps addresses readable, both ways', () => {
  const text = writeSearch({ s: '1,2', from: '2026-03-01T00:00:00.000Z', gap: undefined, q: 'a&b=c' });
  expect(text).toBe('?s=1,2&from=2026-03-01T00:00:00.000Z&q=a%26b%3Dc');
  expect(parseSearch(text)).toEqual({ s: '1,2', from: '2026-03-01T00:00:00.000Z', q: 'a&b=c' });
});

it('goes from moving to fixed and back', () => {
  const fixed = fixedSearch({ s: '1', range: '8h' }, { from: NOON, to: NOON + 1000 });
  expect(fixed).toEqual({ s: '1', from: '2026-03-01T12:00:00.000Z', to: '2026-03-01T12:00:01.000Z' });
  expect(movingSearch(fixed, '1h')).toEqual({ s: '1', range: '1h' });
});

it('asks for the same window while the clock moves inside a step', () => {
  const view = { from: NOON - 3_600_000 + 1, to: NOON + 1 };
  const later = { from: view.from + 30_000, to: view.to + 30_000 };
  expect(windowOf(view, true)).toEqual(windowOf(later, true));
  expect(windowOf(view, true).from).toBeLessThanOrEqual(view.from);
  expect(windowOf(view, false)).toEqual(view);
});

it('breaks a line over bad samples although other series have points there', () => {
  const [, y] = laneData([lane(1, sample(0, 1.5), sample(10, null, BAD), sample(20, 2.5)), lane(2, ...Array.from({ length: 21 }, (_, second) => sample(second, second + 0.5)))]);
  const values = [...(y as Iterable<number | null>)];
  expect(values[0]).toBe(1.5);
  expect(values.slice(1, 20).every((value) => value === null)).toBe(true);
  expect(values[20]).toBe(2.5);
});

it('does not break a line where only other series have points', () => {
  const [, y] = laneData([lane(1, sample(0, 1.5), sample(2, 2.5)), lane(2, sample(1, 9.5))]);
  expect([...(y as Iterable<number | null | undefined>)]).toEqual([1.5, undefined, 2.5]);
});

it('finds points that no line shows', () => {
  expect(lonePoints([1, null, 2, undefined, 3, null, 4], 0, 6)).toEqual([0, 6]);
  expect(lonePoints([null, null], 0, 1)).toEqual([]);
  expect(lonePoints([1, 2, 3], 1, 1)).toEqual([]);
  expect(lonePoints([1, null, 3, null], 2, 2)).toEqual([2]);
});

it('keeps both fingers on the instants that they touched', () => {
  const start = { view: { from: 0, to: 1000 }, from: 100, to: 300 };
  const box = { left: 0, width: 1000 };
  expect(pinched(start, 100, 300, box)).toEqual({ from: 0, to: 1000 });
  expect(pinched(start, 100, 500, box)).toEqual({ from: 50, to: 550 });
  expect(pinched(start, 200, 205, box)).toEqual(start.view);
});

it('dates the time axis at its beginning and at each new day', () => {
  const hour = 3_600_000;
  const splits = [22, 23, 24, 25].map((count) => Date.parse('2026-03-01T00:00:00Z') + count * hour);
  expect(timeLabels(splits, hour, 'en', 'UTC')).toEqual(['22:00\n1 Mar', '23:00', '00:00\n2 Mar', '01:00']);
});

it('gives twelve series twelve inks', () => {
  const inks = Array.from({ length: 12 }, (_, index) => inkOf(index)).map(({ token, dash }) => `${token}${dash.join()}`);
  expect(new Set(inks).size).toBe(12);
});

it('keeps a bounded tail in time order', () => {
  const tails = new Tails();
  for (let tick = 0; tick < 9_000; tick += 1) tails.add(sample(tick / 20, tick), 1);
  tails.add(sample(10, 'late'), 1);
  tails.add(sample(8_999 / 20, 'again'), 1);
  expect([tails.of(1).length, tails.of(1).at(-1)?.value]).toEqual([4000, 'again']);
  for (let second = 450; second < 1_500; second += 1) tails.add(sample(second, second), 1);
  expect(tails.of(1)).toHaveLength(361);
  tails.keepOnly([2]);
  expect(tails.of(1)).toEqual([]);
});

it.each([[2.5, 1], [5, 0], [0.05, 2], [0.25, 2], [1000, 0], [1e-9, 8]])('steps of %d need %i decimals', (increment, decimals) => {
  expect(decimalsFor(increment)).toBe(decimals);
});
