/** Age of a reading in words; a stale one says since when nothing vouches for it. */
import { useAtNow } from '@/live/useNow';
import { ageText, durationText } from '@/reading/age';
import { clockText, fullClockText } from '@/reading/clock';
import { STALE_AFTER_MS, type Trust } from '@/reading/trust';
import { useWords, type Words } from '@/words/words';
import classes from './Reading.module.css';
import type { TrustedReading } from './useTrustedReading';

/** A server that is live would have sent a newer value: an old one is unchanged. */
const isUnchanged = (trust: Trust, now: number) => trust.kind === 'fresh' && trust.vouched && trust.at !== null && now - trust.at > STALE_AFTER_MS;

function textOf(trust: Trust, now: number, words: Words): string {
  if (trust.kind === 'none') return '';
  if (trust.kind === 'stale' && trust.since !== null) return words.t('reading.noDataSince', { time: clockText(trust.since, now, words, false) });
  if (trust.at === null) return words.t('reading.noTime');
  return isUnchanged(trust, now) ? words.t('reading.unchanged', { duration: durationText(now - trust.at, words.language) }) : ageText(trust.at, now, words);
}

export function ReadingAge({ trusted: { trust } }: { trusted: TrustedReading }) {
  const words = useWords();
  const text = useAtNow((now) => textOf(trust, now, words));
  const unchanged = useAtNow((now) => isUnchanged(trust, now));
  if (trust.kind === 'none') return null;
  if (trust.kind === 'stale' && trust.since !== null) {
    return (
      <span className={`figures ${classes.stale}`} title={fullClockText(trust.since, words)}>
        {text}
      </span>
    );
  }
  if (trust.at === null) return <span className={classes.nothing}>{text}</span>;
  return (
    <time className={`figures ${classes.age}`} dateTime={new Date(trust.at).toISOString()} title={`${fullClockText(trust.at, words)}${unchanged ? `. ${words.t('reading.vouched')}` : ''}`}>
      {text}
    </time>
  );
}
