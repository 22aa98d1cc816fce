/** Age of a reading in words; a stale one says since when nothing vouches for it. */
import { ageText, durationText } from '@/reading/age';
import { clockText, fullClockText } from '@/reading/clock';
import { STALE_AFTER_MS } from '@/reading/trust';
import { useWords } from '@/words/words';
import classes from './Reading.module.css';
import type { TrustedReading } from './useTrustedReading';

export function ReadingAge({ trusted }: { trusted: TrustedReading }) {
  const words = useWords();
  const { trust, now } = trusted;
  if (trust.kind === 'none') return null;
  if (trust.kind === 'stale' && trust.since !== null) {
    return (
      <span className={`figures ${classes.stale}`} title={fullClockText(trust.since, words)}>
        {words.t('reading.noDataSince', { time: clockText(trust.since, now, words, false) })}
      </span>
    );
  }
  if (trust.at === null) return <span className={classes.nothing}>{words.t('reading.noTime')}</span>;
  const unchanged = trust.kind === 'fresh' && trust.vouched && now - trust.at > STALE_AFTER_MS;
  return (
    <time className={`figures ${classes.age}`} dateTime={new Date(trust.at).toISOString()} title={`${fullClockText(trust.at, words)}${unchanged ? `. ${words.t('reading.vouched')}` : ''}`}>
      {unchanged ? words.t('reading.unchanged', { duration: durationText(now - trust.at, words.language) }) : ageText(trust.at, now, words)}
    </time>
  );
}
