/** Facts about the rows of the series table and its address. */
import { expect, it } from 'vitest';
import { series } from '@/testing/examples';
import { columnsOf, columnsText, readSeriesAddress } from './address';
import { endpointsOf, flatRows, groupedRows, nextFocus } from './tableRows';

const items = [series(1), series(2, { source: 'opc.tcp://oven:4840' })];
const group = { endpoint: 'opc.tcp://press:4840', series: [series(1)], open: true, cut: true };

it('puts the detail below the opened row, and the wait for more at the end', () => {
  expect(flatRows([items], 1, true).map((row) => row.key)).toEqual(['s1', 'd1', 's2', 'more']);
  expect(flatRows([items], undefined, false).map((row) => row.key)).toEqual(['s1', 's2']);
});

it('makes the rows of a page once, however many pages follow', () => {
  const [before] = flatRows([items], undefined, true);
  const after = flatRows([items, [series(3)]], 2, false);
  expect(after.map((row) => row.key)).toEqual(['s1', 's2', 'd2', 's3']);
  expect(after[0]).toBe(before);
});

it('lists series under their server when it is open', () => {
  expect(groupedRows([group, { ...group, endpoint: 'x', open: false }, { ...group, endpoint: 'y', series: null }], 1).map((row) => row.kind)).toEqual(['server', 'series', 'detail', 'cut', 'server', 'server', 'waiting']);
});

it('knows servers that report and servers of the past', () => {
  expect(endpointsOf(['b', 'a', 'b'], items)).toEqual(['a', 'b', 'opc.tcp://oven:4840', 'opc.tcp://press:4840']);
});

it('moves the focus over rows that can hold it', () => {
  const rows = flatRows([items], 1, true);
  expect([nextFocus(rows, 0, 1), nextFocus(rows, 2, 1), nextFocus(rows, 2, -1), nextFocus(rows, 0, Infinity), nextFocus(rows, 2, -Infinity)]).toEqual([2, 2, 0, 2, 0]);
});

it('reads the address, and leaves out what makes no sense', () => {
  expect(readSeriesAddress({ q: 'press', by: 'server', s: '3,x,3,1', open: '7', cols: 'age' })).toEqual({ q: 'press', by: 'server', s: '3,1', open: 7, cols: 'age' });
  expect(readSeriesAddress({ q: '', by: 'moon', s: '-1', open: 'x' })).toEqual({});
});

it('writes columns to the address only when they are not the usual ones', () => {
  expect(columnsText(columnsOf({}))).toBeUndefined();
  expect(columnsText([])).toBe('none');
  expect(columnsOf({ cols: 'none' })).toEqual([]);
  expect(columnsText(['node', 'age'])).toBe('age,node');
});
