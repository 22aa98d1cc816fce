/** The chain's pulse, always in sight: in, stored, lag, open gaps. */
import type { Flow } from '@/api/types';
import { useFlow, useLiveStatus } from '@/live/useLive';
import { prefer, usePreferences } from '@/parts/preferences';
import { delayText } from '@/reading/age';
import { numberText, rateText, THIN } from '@/reading/number';
import { useWords, type Key, type Words } from '@/words/words';
import classes from './Pulse.module.css';

interface Beat {
  word: Key;
  text: string | null;
  abnormal: boolean;
}

/** A queue that holds values back this long is seen from everywhere. */
const LAG_ABNORMAL_MS = 10_000;

function beats(flow: Flow | null, { language }: Words): Beat[] {
  const field = flow?.rates.field;
  const store = flow?.rates.store;
  const lags = flow?.stages.map((stage) => stage.lagMs) ?? [];
  const lag = lags.length > 0 ? Math.max(...lags) : null;
  const rate = (value: number | undefined) => (value === undefined ? null : `${rateText(value, language)}${THIN}/${THIN}s`);
  return [
    { word: 'pulse.in', text: rate(field?.valuesIn), abnormal: field?.valuesIn === 0 },
    { word: 'pulse.stored', text: rate(store?.valuesOut), abnormal: store?.valuesOut === 0 && (field?.valuesIn ?? 0) > 0 },
    { word: 'pulse.lag', text: lag === null ? null : delayText(lag, language), abnormal: (lag ?? 0) > LAG_ABNORMAL_MS },
    { word: 'pulse.gaps', text: flow ? numberText(flow.openGaps, language) : null, abnormal: (flow?.openGaps ?? 0) > 0 },
  ];
}

export function Pulse() {
  const words = useWords();
  const { flow } = useFlow();
  const status = useLiveStatus();
  const { utc } = usePreferences();
  const { t } = words;
  return (
    <footer className={classes.pulse} aria-label={t('pulse.title')}>
      <dl className={classes.beats}>
        {beats(flow, words).map(({ word, text, abnormal }) => (
          <div key={word} className={classes.beat} data-abnormal={abnormal || undefined}>
            <dt>{t(word)}</dt>
            <dd className="figures">{text ?? t('pulse.none')}</dd>
          </div>
        ))}
      </dl>
      <span className={classes.live}>{t(status === 'open' ? 'pulse.live' : status === 'lost' ? 'pulse.lost' : 'pulse.joining')}</span>
      <button type="button" className={classes.zone} onClick={() => prefer({ utc: !utc })} title={t('pulse.zoneToggle')}>
        {words.zone}
      </button>
    </footer>
  );
}
