/** An opened series: the chain to its cause, its identity, the last hour. */
import { Link } from '@tanstack/react-router';
import type { Series } from '@/api/types';
import { CauseChainView } from '@/parts/CauseChainView';
import { SmallTrend } from '@/parts/SmallTrend';
import { useTrustedReading } from '@/parts/useTrustedReading';
import { useSource } from '@/live/useLive';
import { fullClockText, instant } from '@/reading/clock';
import { useWords } from '@/words/words';
import classes from './SeriesDetail.module.css';

export function SeriesDetail({ series, rowIndex }: { series: Series; rowIndex: number }) {
  const words = useWords();
  const { t } = words;
  const source = useSource(series.source, series.writerGroup);
  const { reading } = useTrustedReading(series);
  const time = (timestamp: string | null | undefined) => {
    const at = instant(timestamp);
    return at === null ? t('reading.noTime') : fullClockText(at, words);
  };
  return (
    <div role="row" aria-rowindex={rowIndex} className={classes.detail}>
      <div role="gridcell" className={classes.inside}>
        <CauseChainView source={source} reading={reading} />
        <SmallTrend id={series.id} unit={series.unit} />
        <dl className={classes.facts}>
          <dt>{t('column.node')}</dt>
          <dd className="code">{series.nodeId}</dd>
          <dt>{t('column.source')}</dt>
          <dd className="code">{series.source}</dd>
          <dt>{t('detail.writer')}</dt>
          <dd>{[series.device, series.writerGroup, series.writer].filter(Boolean).join(' › ')}</dd>
          <dt>{t('detail.sourceTime')}</dt>
          <dd className="figures">{time(reading?.sourceTimestamp)}</dd>
          <dt>{t('detail.serverTime')}</dt>
          <dd className="figures">{time(reading?.serverTimestamp)}</dd>
        </dl>
        <p className={classes.links}>
          <Link to="/trends" search={{ s: String(series.id) }}>
            {t('detail.trend')}
          </Link>
          <a href={`/api/v1/series/${series.id}`} target="_blank" rel="noreferrer">
            {t('detail.api')}
          </a>
        </p>
      </div>
    </div>
  );
}
