/** JSON whose integers stay exact: what does not fit a double without loss becomes a bigint. */
import type { PlainValue } from './types';

/** A whole number of so many digits. The digits of a fraction are as many in nearly every double, and lose nothing. */
const LONG_DIGITS = /(?<![\d.])\d{16,}(?![\d.eE])/;
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const INTEGER = /^-?\d{16,}$/;
/** A private-use character that JSON text of ours never starts a string with; collisions are refused, not guessed. */
const MARK = '\uE0F1int:';

/**
 * Parses like JSON.parse. Short of a whole number of 16 digits nothing can lose precision, so the fast path is the usual parser.
 * Errors: SyntaxError, as JSON.parse.
 */
export function parseExact<T>(text: string): T {
  if (!LONG_DIGITS.test(text)) return JSON.parse(text) as T;
  if (text.includes(MARK)) return JSON.parse(text) as T;
  const marked = text.replace(TOKEN, (token) =>
    INTEGER.test(token) && !Number.isSafeInteger(Number(token)) ? `"${MARK}${token}"` : token,
  );
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  ) as T;
}

/** The text of a value as JSON would show it, with exact integers; for export and copy. */
export function exactText(value: PlainValue): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'string') return value;
  return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner)) ?? '';
}
