/** Facts about live data. */
import { expect, it } from 'vitest';
import { flow, reading } from '@/testing/examples';
import { NOTHING_LIVE, reduceLive, type LiveState } from './reduce';
import { Wanted, WANTED_MAX } from './wanted';

const values = (state: LiveState, ...events: Record<string, ReturnType<typeof reading> | null>[]) =>
  reduceLive(state, { kind: 'values', events: events.map((series) => ({ series })) });

it('keeps the newest reading of each series, and null for one without', () => {
  const state = values(NOTHING_LIVE, { 1: reading({ value: 1 }), 2: null }, { 1: reading({ value: 2 }) });
  expect([state.readings.get(1)?.value, state.readings.get(2), state.readings.get(3)]).toEqual([2, null, undefined]);
});

it('remembers the most decimals, so that numbers keep their width', () => {
  const state = values(NOTHING_LIVE, { 1: reading({ value: 1.25 }) }, { 1: reading({ value: 2 }) });
  expect(state.decimals.get(1)).toBe(2);
});

it('leaves the state as it is when nothing came', () => {
  expect(values(NOTHING_LIVE)).toBe(NOTHING_LIVE);
  const open = reduceLive(NOTHING_LIVE, { kind: 'status', status: 'open', at: 5 });
  expect(reduceLive(open, { kind: 'status', status: 'open', at: 9 })).toBe(open);
  expect(open.since).toBe(5);
});

it('never changes a state in place', () => {
  const before = values(NOTHING_LIVE, { 1: reading() });
  values(before, { 1: reading({ value: 99 }), 2: reading() });
  expect([before.readings.size, before.readings.get(1)?.value]).toEqual([1, 21.5]);
});

it('forgets series that are no longer carried, so that memory stays bounded', () => {
  const state = values(NOTHING_LIVE, { 1: reading(), 2: reading() });
  const kept = reduceLive(state, { kind: 'forget', keep: new Set([2]) });
  expect([[...kept.readings.keys()], [...kept.decimals.keys()]]).toEqual([[2], [2]]);
});

it('takes the flow document whole', () => {
  expect(reduceLive(NOTHING_LIVE, { kind: 'flow', flow: flow({ openGaps: 3 }) }).flow?.openGaps).toBe(3);
});

it('counts wishes, and asks for no more than the server takes', () => {
  const wanted = new Wanted();
  wanted.add([1, 2]);
  wanted.add([2]);
  wanted.remove([2]);
  expect(wanted.ids()).toEqual([1, 2]);
  wanted.remove([1, 2]);
  expect(wanted.ids()).toEqual([]);
  wanted.add(Array.from({ length: 900 }, (_, index) => index));
  expect(wanted.ids()).toHaveLength(WANTED_MAX);
});

it('reopens for what is missing, not for each row that scrolls away', () => {
  const wanted = new Wanted();
  wanted.add([1, 2, 3]);
  expect(wanted.outgrew(new Set([1, 2]))).toBe(true);
  expect(wanted.outgrew(new Set([1, 2, 3, 4, 5]))).toBe(false);
  expect(wanted.outgrew(new Set(Array.from({ length: 200 }, (_, index) => index)))).toBe(true);
});
