/** One series below the chart: its line, its reading, its figures. */
import { useMemo } from 'react';
import type { Series } from '@/api/types';
import { IconButton } from '@/parts/IconButton';
import { ReadingAge } from '@/parts/ReadingAge';
import { ReadingQuality } from '@/parts/ReadingQuality';
import { ReadingValue } from '@/parts/ReadingValue';
import { StateWord } from '@/parts/StateWord';
import { useTrustedReading } from '@/parts/useTrustedReading';
import { useDecimals } from '@/live/useLive';
import { numberText } from '@/reading/number';
import { decimalsOf, valueText } from '@/reading/value';
import type { View } from '@/trace/range';
import { traceReadingAt, type TraceReading } from '@/trace/readingAt';
import { statisticsOf } from '@/trace/statistics';
import { useWords, type Key } from '@/words/words';
import { inkOf } from './traceInk';
import classes from './TrendTable.module.css';
import type { SeriesTrace } from './useTraces';

interface Props {
  place: number;
  series: Series | null;
  trace: SeriesTrace;
  view: View;
  moving: boolean;
  cursor: number | null;
  remove: () => void;
}

/** One digit more than the source gives is what a mean may claim. */
const MEAN_DECIMALS_MORE = 1;

export function TrendRow({ place, series, trace, view, moving, cursor, remove }: Props) {
  const { t, language } = useWords();
  const ink = inkOf(place);
  const known = useDecimals(trace.id);
  const figures = useMemo(() => statisticsOf(trace.buckets, view.from, view.to), [trace.buckets, view.from, view.to]);
  const holes = trace.holes.filter((hole) => hole.breaks && hole.to > view.from && hole.from < view.to).length;
  const decimals = known ?? Math.max(0, ...[figures.min, figures.max].map((value) => (value === null ? 0 : decimalsOf(value))));
  const name = series?.name ?? `#${trace.id}`;
  const figure = (value: number | null, more = 0) => (value === null ? t('flow.noFigure') : valueText(value, language, Math.min(6, decimals + more)));
  return (
    <tr>
      <th scope="row" className={classes.name}>
        <svg width="22" height="10" aria-hidden="true" className={classes.ink}>
          <path d="M0 5h22" stroke={`var(${ink.token})`} strokeWidth="3" strokeDasharray={ink.dash.join(' ') || undefined} />
        </svg>
        <span className={classes.texts}>
          <span title={name}>{name}</span>
          <span className={classes.under}>{series ? series.writerGroup || series.source : ''}</span>
        </span>
      </th>
      {cursor === null && series && moving ? <NowCells series={series} /> : <CursorCells reading={cursor === null ? { kind: 'nothing' } : traceReadingAt(trace.trace, trace.holes, cursor)} decimals={decimals} unit={series?.unit ?? ''} none={cursor === null} />}
      <td className={`figures ${classes.right}`}>{figure(figures.min)}</td>
      <td className={`figures ${classes.right}`}>{figure(figures.avg, MEAN_DECIMALS_MORE)}</td>
      <td className={`figures ${classes.right}`}>{figure(figures.max)}</td>
      <td className={`figures ${classes.right}`}>{numberText(figures.samples, language)}</td>
      <td className={`figures ${classes.right} ${figures.bad > 0 ? classes.bad : ''}`}>{numberText(figures.bad, language)}</td>
      <td className={`figures ${classes.right} ${holes > 0 ? classes.gap : ''}`}>{numberText(holes, language)}</td>
      <td className={classes.remove}>
        <IconButton icon="close" name={t('trends.removeOne', { name })} onClick={remove} />
      </td>
    </tr>
  );
}

function NowCells({ series }: { series: Series }) {
  const trusted = useTrustedReading(series);
  return (
    <>
      <td className={classes.right}>
        <ReadingValue trusted={trusted} unit={series.unit} />
      </td>
      <td className={classes.quality}>
        <ReadingQuality trusted={trusted} />
        <br />
        <ReadingAge trusted={trusted} />
      </td>
    </>
  );
}

function CursorCells({ reading, decimals, unit, none }: { reading: TraceReading; decimals: number; unit: string; none: boolean }) {
  const { t, language } = useWords();
  if (reading.kind === 'value') {
    return (
      <>
        <td className={`figures ${classes.right}`}>
          <strong>{reading.text ?? valueText(reading.value, language, decimals)}</strong> <span className={classes.unit}>{unit}</span>
        </td>
        <td className={classes.quality}>
          <StateWord kind="calm">{t('readout.usable')}</StateWord>
        </td>
      </>
    );
  }
  return (
    <>
      <td className={`${classes.right} ${classes.under}`}>{none ? t('flow.noFigure') : t('reading.noValue')}</td>
      <td className={classes.quality}>
        {reading.kind === 'gap' && (
          <StateWord kind="note">{t('gap.because', { reason: t(`gap.reason.${reading.hole.gap.reason}` as Key) })}</StateWord>
        )}
        {reading.kind === 'bad' && <StateWord kind="grave">{t('quality.bad')}</StateWord>}
      </td>
    </>
  );
}
