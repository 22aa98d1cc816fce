/** Quality of a reading as shape and word; the reason on hover and focus. */
import { overflowed, reasonKey, statusText } from '@/reading/quality';
import { useWords } from '@/words/words';
import { StateWord } from './StateWord';
import type { TrustedReading } from './useTrustedReading';

export function ReadingQuality({ trusted }: { trusted: TrustedReading }) {
  const { t } = useWords();
  const { reading, quality, trust } = trusted;
  if (reading === null) return <StateWord kind="off">{t('quality.none')}</StateWord>;
  const name = statusText(reading.status, reading.statusName);
  const reason = reasonKey(reading.statusName);
  const why = `${name}${reason ? `: ${t(reason)}` : ''}${overflowed(reading.status) ? ` ${t('quality.overflow')}` : ''}`;
  if (quality !== 'good') {
    return (
      <StateWord kind={quality === 'bad' ? 'grave' : 'warn'} title={why}>
        {t(quality === 'bad' ? 'quality.bad' : 'quality.uncertain')}
        <span className="only-read"> {why}</span>
      </StateWord>
    );
  }
  if (trust.kind === 'stale') return <StateWord kind="note">{t('quality.stale')}</StateWord>;
  return (
    <StateWord kind="calm" title={why}>
      {t('quality.good')}
    </StateWord>
  );
}
