/** Facts about the width of lines. */
import { expect, it } from 'vitest';
import { LINE, lineWidth, THIN_LINE } from './lineWidth';

const plot = { width: 1000, height: 100, low: 0, high: 10 };
const swinging = (count: number) => Array.from({ length: count }, (_, index) => (index % 2) * 10);

it('draws what fills the plot as thin strokes, and what can be followed as a line', () => {
  expect(lineWidth(swinging(2000), 0, 1999, plot)).toBe(THIN_LINE);
  expect(lineWidth(swinging(40), 0, 39, plot)).toBe(LINE);
  const slow = Array.from({ length: 4000 }, (_, index) => 5 + 4 * Math.sin(index / 300));
  expect(lineWidth(slow, 0, 3999, plot)).toBe(LINE);
});

it('looks at the points in sight alone, and not across breaks', () => {
  expect(lineWidth([...swinging(2000), ...new Array<number>(100).fill(5)], 2000, 2099, plot)).toBe(LINE);
  expect(lineWidth(swinging(2000).flatMap((value) => [value, null]), 0, 3999, plot)).toBe(LINE);
});

it('has nothing to say where all values are one', () => {
  expect(lineWidth([1, 1], 0, 1, { ...plot, low: 1, high: 1 })).toBe(LINE);
});
