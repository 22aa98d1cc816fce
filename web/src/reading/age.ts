/** Ages and durations in words. */
import type { Words } from '@/words/words';
import { THIN, numberText } from './number';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "12 s", "3 min", "2 h 5 min", "4 d 3 h": the two largest parts, nothing below a second. */
export function durationText(ms: number, language: string): string {
  const size = Math.max(0, ms);
  const part = (count: number, unit: string) => `${numberText(count, language)}${THIN}${unit}`;
  if (size < MINUTE) return part(Math.floor(size / SECOND), 's');
  if (size < HOUR) return part(Math.floor(size / MINUTE), 'min');
  const [large, small, units] =
    size < DAY
      ? [Math.floor(size / HOUR), Math.floor((size % HOUR) / MINUTE), ['h', 'min'] as const]
      : [Math.floor(size / DAY), Math.floor((size % DAY) / HOUR), ['d', 'h'] as const];
  return small === 0 ? part(large, units[0]) : `${part(large, units[0])} ${part(small, units[1])}`;
}

/** The age of something that happened at `then`. A time ahead of the clock is said, not hidden. */
export function ageText(then: number, now: number, words: Pick<Words, 't' | 'language'>): string {
  const age = now - then;
  if (age < -2 * SECOND) return words.t('age.ahead', { duration: durationText(-age, words.language) });
  if (age < 2 * SECOND) return words.t('age.now');
  return words.t('age.ago', { duration: durationText(age, words.language) });
}

/** Milliseconds of a delay: "0.4 s" below ten seconds, then as a duration. */
export function delayText(ms: number, language: string): string {
  return ms < 10 * SECOND ? `${numberText(ms / SECOND, language, 1, true)}${THIN}s` : durationText(ms, language);
}
