/** Facts about exact integers. */
import { expect, it, vi } from 'vitest';
import { exactText, parseExact } from './exactJson';

it.each([
  ['18446744073709551615', 18446744073709551615n],
  ['-9223372036854775808', -9223372036854775808n],
  ['9007199254740993', 9007199254740993n],
  ['9007199254740991', 9007199254740991],
  ['{"v":[1,9223372036854775807]}', { v: [1, 9223372036854775807n] }],
  ['1234567890123456.5', Number('1234567890123456.5')],
  ['1e300', 1e300],
  ['"9223372036854775807"', '9223372036854775807'],
  ['{"9223372036854775807":"a \\" 9223372036854775807"}', { '9223372036854775807': 'a " 9223372036854775807' }],
  ['0.12345678901234567', Number('0.12345678901234567')],
])('%s keeps its value', (text, value) => {
  expect(parseExact(text)).toEqual(value);
});

it.each(['{"v":0.5877852522924731,"w":[-12.345678901234567,1e16]}', '{"t":"2026-03-01T12:00:00.1234567Z"}'])('leaves %s to the usual parser, as nothing of it can be lost', (text) => {
  const usual = vi.spyOn(JSON, 'parse');
  parseExact(text);
  expect(usual.mock.calls).toEqual([[text]]);
  usual.mockRestore();
});

it('is no more forgiving than JSON', () => {
  expect(() => parseExact('{"v":9223372036854775807,}')).toThrow(SyntaxError);
});

it('exports integers digit by digit', () => {
  expect(exactText([9223372036854775807n, 1])).toBe('["9223372036854775807",1]');
  expect(exactText(9223372036854775807n)).toBe('9223372036854775807');
});
