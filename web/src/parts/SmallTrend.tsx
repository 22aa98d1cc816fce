/** The last hour of a series, small: the same rules as the large chart, without its weight. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { bucketsQuery, gapsQuery } from '@/api/queries';
import { serverNow } from '@/reading/clock';
import { numberText } from '@/reading/number';
import { decimalsOf } from '@/reading/value';
import { holesOf } from '@/trace/holes';
import { statisticsOf } from '@/trace/statistics';
import { traceOfBuckets } from '@/trace/trace';
import { useWords } from '@/words/words';
import { Bone } from './Bone';
import classes from './SmallTrend.module.css';
import { tracePaths } from './smallTrendPaths';

const HOUR = 3_600_000;
const BUCKETS = 240;
const WIDTH = 480;
const HEIGHT = 72;

export function SmallTrend({ id, unit }: { id: number; unit: string }) {
  const { t, language } = useWords();
  const [to] = useState(() => Math.ceil(serverNow() / 10_000) * 10_000);
  const from = to - HOUR;
  const buckets = useQuery(bucketsQuery(id, from, to, BUCKETS));
  const gaps = useQuery(gapsQuery(id, from, to));
  if (buckets.isPending || gaps.isPending) return <Bone height={HEIGHT + 22} />;
  if (buckets.error || !buckets.data) return <p className={classes.note}>{t('smallTrend.failed')}</p>;
  const holes = holesOf(gaps.data?.items ?? []);
  const trace = traceOfBuckets(buckets.data.items, HOUR / BUCKETS, holes, to);
  const { min, max, samples, bad } = statisticsOf(buckets.data.items, from, to);
  if (samples === 0) return <p className={classes.note}>{t('smallTrend.nothing')}</p>;
  const { lines, low, high } = tracePaths(trace, { from, to }, WIDTH, HEIGHT);
  const place = (at: number) => ((Math.min(to, Math.max(from, at)) - from) / HOUR) * WIDTH;
  const text = (value: number | null) => (value === null ? t('flow.noFigure') : `${numberText(value, language, Math.min(3, decimalsOf(value)))}${unit ? ` ${unit}` : ''}`);
  return (
    <figure className={classes.figure}>
      <svg viewBox={`0 -2 ${WIDTH} ${HEIGHT + 4}`} preserveAspectRatio="none" className={classes.chart} role="img" aria-label={t('smallTrend.label', { min: text(low), max: text(high) })}>
        {trace.bad.map((interval) => (
          <rect key={`b${interval.from}`} className={classes.bad} x={place(interval.from)} width={Math.max(2, place(interval.to) - place(interval.from))} y={-2} height={HEIGHT + 4} />
        ))}
        {holes.filter((hole) => hole.breaks).map((hole) => (
          <rect key={`h${hole.from}`} className={classes.hole} x={place(hole.from)} width={Math.max(2, place(hole.to) - place(hole.from))} y={-2} height={HEIGHT + 4} />
        ))}
        {lines.map((line, index) => (
          <path key={index} d={line} className={classes.line} />
        ))}
      </svg>
      <figcaption className={`figures ${classes.note}`}>
        {t('smallTrend.caption', { min: text(min), max: text(max), samples: numberText(samples, language), bad: numberText(bad, language) })}
      </figcaption>
    </figure>
  );
}
