/** Facts about the places that rows take over. */
import { expect, test } from 'vitest';
import { Slots } from './slots';

const items = (...keys: string[]) => keys.map((key) => ({ key }));
const kind = () => 'series';
const shown = (slots: Slots, keys: string[], moving: boolean) => slots.place(items(...keys), kind, moving).map(({ slot, item }) => `${item.key}${slot}`);

test('a row that comes takes the place of one that left, and the others keep theirs', () => {
  const slots = new Slots();
  expect(shown(slots, ['a', 'b', 'c'], true)).toEqual(['a0', 'b1', 'c2']);
  expect(shown(slots, ['b', 'c', 'd'], true)).toEqual(['d0', 'b1', 'c2']);
  expect(shown(slots, ['b', 'c', 'd'], false)).toEqual(['b1', 'c2', 'd0']);
  expect(shown(slots, ['b', 'c', 'd', 'e'], false)).toEqual(['b1', 'c2', 'd0', 'e3']);
  expect(shown(slots, ['x', 'y'], true)).toEqual(['x1', 'y2']);
});

test('a detail never takes the place of a row', () => {
  const slots = new Slots();
  const of = (item: { key: string }) => (item.key === 'open' ? 'detail' : 'series');
  slots.place(items('a', 'b'), of, true);
  expect(slots.place(items('b', 'open'), of, true).map(({ slot }) => slot)).toEqual([1, 2]);
});
