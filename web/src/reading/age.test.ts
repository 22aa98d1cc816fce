/** Facts about ages and times of day. */
import { expect, it } from 'vitest';
import { english } from '@/testing/dressed';
import { ageText, delayText, durationText } from './age';
import { clockText, fullClockText, instant, learnServerTime, serverNow } from './clock';

const plain = (text: string) => text.replaceAll('\u202F', ' ');

it.each([
  [500, 'now'], [-1500, 'now'], [12_000, '12 s ago'], [185_000, '3 min ago'], [7_500_000, '2 h 5 min ago'], [7_200_000, '2 h ago'], [356_400_000, '4 d 3 h ago'], [-60_000, '1 min ahead of the clock'],
])('an age of %i ms is said as "%s"', (age, text) => {
  expect(plain(ageText(1_000_000_000, 1_000_000_000 + age, english))).toBe(text);
});

it('says delays with tenths below ten seconds', () => {
  expect([40, 9400, 65_000].map((ms) => plain(delayText(ms, 'en')))).toEqual(['0.0 s', '9.4 s', '1 min']);
  expect(durationText(-5, 'en')).toContain('0');
});

it('reads timestamps of seven decimals, and takes nothing for a time that is none', () => {
  expect(instant('2026-03-01T12:00:00.1234567Z')).toBe(Date.parse('2026-03-01T12:00:00.123Z'));
  expect([instant(null), instant(''), instant('soon')]).toEqual([null, null, null]);
});

it('shows the date only when it is another day in the zone of the page', () => {
  const evening = Date.parse('2026-03-01T23:30:00Z');
  const morning = Date.parse('2026-03-02T08:00:00Z');
  expect(clockText(evening, morning, { language: 'en', zone: 'Europe/Berlin' })).toBe('00:30:00');
  expect(clockText(evening, morning, { language: 'en', zone: 'UTC' }, false)).toBe('01 Mar, 23:30');
  expect(fullClockText(evening + 7, { language: 'en', zone: 'UTC' })).toBe('01/03/2026 23:30:00.007 UTC');
});

it('takes now from the server, whatever the clock of the browser says', () => {
  const here = Date.now();
  learnServerTime(new Date(here + 3_600_000).toISOString(), here);
  expect(serverNow() - Date.now()).toBeGreaterThan(3_590_000);
  learnServerTime(new Date(here).toISOString(), here);
});
