/** Facts about marks on the time axis. */
import { expect, it } from 'vitest';
import { gap, NOON } from '@/testing/examples';
import { eventsOf, marksOf } from './events';
import { holesOf } from './holes';

const VIEW = { from: NOON, to: NOON + 100_000 };

it('shows an outage of several series once, and what lies outside not at all', () => {
  const press = holesOf([gap(10, 20), gap(-20, -10), gap(40, 50, { reason: 'edge-restart', count: 0 })]);
  const oven = holesOf([gap(10, 20, { series: 2 })]);
  const events = eventsOf([{ name: 'Press', holes: press }, { name: 'Oven', holes: oven }], VIEW);
  expect(events.map((event) => [event.gap.reason, event.breaks, event.series])).toEqual([
    ['disconnection', true, ['Press', 'Oven']],
    ['edge-restart', false, ['Press']],
  ]);
});

it('puts marks together that stand too close, and keeps those of earlier beginnings at the edge', () => {
  const events = eventsOf([{ name: 'Press', holes: holesOf([gap(-5, 5), gap(50, 51), gap(52, 53), gap(90, null)]) }], VIEW);
  const marks = marksOf(events, VIEW, 1000, 40);
  expect(marks.map((mark) => [mark.left, mark.events.length])).toEqual([[0, 1], [500, 2], [900, 1]]);
  expect(marks.at(-1)?.events[0]?.open).toBe(true);
});
