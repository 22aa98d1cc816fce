/** Value and unit of a reading: figures right-aligned, dimmed when stale, never a number from no data. */
import { useWords } from '@/words/words';
import classes from './Reading.module.css';
import type { TrustedReading } from './useTrustedReading';

export function ReadingValue({ trusted, unit }: { trusted: TrustedReading; unit: string }) {
  const { t } = useWords();
  const { text, trust, quality } = trusted;
  if (trust.kind === 'none' || text === '') {
    return <span className={classes.nothing} data-value>{t(trust.kind === 'none' ? 'reading.noneYet' : 'reading.noValue')}</span>;
  }
  return (
    <span className={classes.value} data-stale={trust.kind === 'stale' || undefined} data-quality={quality} title={text}>
      <span className={`figures ${classes.number}`}>{text}</span>
      <span className={classes.unit}>{unit}</span>
    </span>
  );
}
