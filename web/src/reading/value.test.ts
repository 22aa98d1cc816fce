/** Facts about values as text. */
import { expect, it } from 'vitest';
import { bytesText, numberText, rateText } from './number';
import { decimalsOf, isNumeric, plottable, valueText } from './value';

const plain = (text: string) => text.replaceAll('\u202F', ' ');

it.each([
  [21.5, 1], [21, 0], [0.1 + 0.2, 1], [21.523847561, 5], [123456.789, 1], [1234567.89, 0], [0.000123, 6], [18446744073709551615n, 0], ['x', 0], [null, 0],
])('%s has %i decimals', (value, decimals) => {
  expect(decimalsOf(value)).toBe(decimals);
});

it.each([
  [21.5, 'en', undefined, '21.5'],
  [21.5, 'de', 3, '21,500'],
  [-1234567, 'en', undefined, '−1 234 567'],
  [18446744073709551615n, 'en', undefined, '18 446 744 073 709 551 615'],
  [true, 'en', undefined, 'true'],
  ['NaN', 'en', undefined, 'NaN'],
  [null, 'en', undefined, ''],
  [[1, 2, 3, 4, 5], 'en', undefined, '[5] 1; 2; 3; 4 …'],
  [{ a: 1n }, 'en', undefined, '{"a":"1"}'],
  [1.5e-7, 'en', undefined, '1.5000 · 10^-7'],
  [2e15, 'en', undefined, '2.0000 · 10^15'],
] as const)('%s in %s reads as it should', (value, language, decimals, text) => {
  expect(plain(valueText(value as never, language, decimals))).toBe(text);
});

it('keeps its width when a decimal is zero', () => {
  expect(valueText(16, 'en', 1)).toBe('16.0');
});

it('knows what stands in figures and what a chart can place', () => {
  expect([1, 1n, 'NaN', 'text', true].map(isNumeric)).toEqual([true, true, true, false, false]);
  expect([1, 5n, true, false, 'x', Infinity, null].map(plottable)).toEqual([1, 5, 1, 0, null, null, null]);
});

it('writes numbers in the language of the page', () => {
  expect(plain(numberText(12345.6, 'de', 1))).toBe('12 345,6');
  expect(rateText(0.44, 'en')).toBe('0.4');
  expect(plain(rateText(84375.2, 'en'))).toBe('84 375');
  expect(plain(bytesText(2_000_000_000, 'en'))).toBe('2 GB');
  expect(plain(bytesText(7300, 'en'))).toBe('7.3 kB');
});
