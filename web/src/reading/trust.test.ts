/** Facts about quality, and about what may be taken for the present. */
import { expect, it } from 'vitest';
import { at, NOON, reading, source } from '@/testing/examples';
import { overflowed, qualityOf, reasonKey, statusText } from './quality';
import { isOld, trustOf } from './trust';

it.each([[0, 'good'], [0x00960000, 'good'], [0x40900000, 'uncertain'], [0x80310000, 'bad'], [0xc0000000, 'bad']] as const)('status %i is %s', (status, quality) => {
  expect(qualityOf(status)).toBe(quality);
});

it('finds the overflow bit only in a DataValue’s info bits', () => {
  expect([overflowed(0x480), overflowed(0x80), overflowed(0x400)]).toEqual([true, false, false]);
});

it('names statuses, and writes unnamed ones as the standard does', () => {
  expect(statusText(0x80310000, 'BadNoCommunication')).toBe('BadNoCommunication');
  expect(statusText(0x80ff0001, null)).toBe('0x80FF0001');
  expect(reasonKey('BadNoCommunication')).toBe('status.BadNoCommunication');
  expect(reasonKey('BadSomethingNew')).toBeNull();
});

const HOUR = 3_600_000;

it('trusts an old value while its server is live, because the server sends changes', () => {
  expect(isOld(reading(), NOON + HOUR)).toBe(true);
  expect(trustOf(reading(), source(), true)).toEqual({ kind: 'fresh', at: NOON, vouched: true });
});

it('calls a value stale since the last data when its server is not live', () => {
  expect(trustOf(reading(), source({ state: 'reconnecting', lastData: at(5) }), false)).toEqual({ kind: 'stale', at: NOON, since: NOON + 5000 });
});

it('gives a value a minute when nobody reports its server', () => {
  const later = (ms: number) => trustOf(reading(), null, isOld(reading(), NOON + ms));
  expect(later(30_000).kind).toBe('fresh');
  expect(later(61_000)).toEqual({ kind: 'stale', at: NOON, since: NOON });
});

it('trusts nothing once the stream is lost', () => {
  expect(trustOf(reading(), source(), false, NOON)).toEqual({ kind: 'stale', at: NOON, since: NOON });
});

it('never makes a number from no data', () => {
  expect(trustOf(null, source(), false)).toEqual({ kind: 'none' });
});
