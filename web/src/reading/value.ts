/** Values as text, at the precision of their source. */
import type { PlainValue } from '@/api/types';
import { exactText } from '@/api/exactJson';
import { numberText } from './number';

/** A double carries digits that no sensor has; beyond this many, more of them only flicker. */
const SIGNIFICANT = 7;
const DECIMALS_MAX = 6;
const LIST_SHOWN = 4;

/** How many decimals a value shows by itself: those of its shortest text, within seven significant digits. */
export function decimalsOf(value: PlainValue): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || Number.isInteger(value)) return 0;
  const whole = Math.abs(value) < 1 ? 0 : Math.floor(Math.log10(Math.abs(value))) + 1;
  const room = Math.max(0, Math.min(DECIMALS_MAX, SIGNIFICANT - whole));
  const text = String(Number(value.toFixed(room)));
  if (text.includes('e')) return room;
  const point = text.indexOf('.');
  return point < 0 ? 0 : text.length - point - 1;
}

function scientific(value: number): boolean {
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e12 || size < 1e-5);
}

/** The text of a value; `decimals` fixes the width of a number that changes in place. */
export function valueText(value: PlainValue, language: string, decimals?: number): string {
  switch (typeof value) {
    case 'bigint':
      return numberText(value, language);
    case 'number':
      if (scientific(value)) return value.toExponential(4).replace('e', '\u202F·\u202F10^').replace('^+', '^');
      return numberText(value, language, decimals ?? decimalsOf(value), true);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'string':
      return value;
    default:
      return value === null ? '' : compoundText(value, language);
  }
}

function compoundText(value: PlainValue[] | { [field: string]: PlainValue }, language: string): string {
  if (!Array.isArray(value)) return exactText(value);
  const shown = value.slice(0, LIST_SHOWN).map((item) => valueText(item, language)).join('; ');
  return value.length > LIST_SHOWN ? `[${value.length}] ${shown} …` : `[${value.length}] ${shown}`;
}

/** Whether a value is set in figures (and so stands right). */
export function isNumeric(value: PlainValue): boolean {
  return typeof value === 'number' || typeof value === 'bigint' || value === 'NaN' || value === 'Infinity' || value === '-Infinity';
}

/** The value as a chart can place it: booleans as steps, what is no number as null. */
export function plottable(value: PlainValue): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'boolean') return value ? 1 : 0;
  return null;
}
