/** Readings of all series at the cursor (or now), and figures of the range in sight. */
import type { Series } from '@/api/types';
import type { View } from '@/trace/range';
import { useWords } from '@/words/words';
import { useCursorAt } from './chart/cursorStore';
import { fullClockText } from '@/reading/clock';
import { TrendRow } from './TrendRow';
import classes from './TrendTable.module.css';
import type { SeriesTrace } from './useTraces';

interface Props {
  series: (Series | null)[];
  traces: SeriesTrace[];
  view: View;
  moving: boolean;
  remove: (id: number) => void;
}

export function TrendTable({ series, traces, view, moving, remove }: Props) {
  const words = useWords();
  const { t } = words;
  const cursor = useCursorAt();
  return (
    <div className={classes.scroll}>
      <table className={classes.table}>
        <caption className={`figures ${classes.caption}`}>{cursor === null ? t(moving ? 'readout.now' : 'readout.noCursor') : t('readout.at', { time: fullClockText(Math.round(cursor), words) })}</caption>
        <colgroup>
          {['name', 'value', 'quality', 'figure', 'figure', 'figure', 'samples', 'count', 'count', 'remove'].map((column, index) => (
            <col key={index} className={classes[`${column}Column`]} />
          ))}
        </colgroup>
        <thead>
          <tr>
            <th scope="col">{t('column.name')}</th>
            <th scope="col" className={classes.right}>
              {t('column.value')}
            </th>
            <th scope="col" className={classes.quality}>
              {t('column.quality')}
            </th>
            {(['min', 'avg', 'max', 'samples', 'bad', 'gaps'] as const).map((figure) => (
              <th key={figure} scope="col" className={classes.right}>
                {t(`figure.${figure}`)}
              </th>
            ))}
            <th>
              <span className="only-read">{t('trends.remove')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {traces.map((trace, place) => (
            <TrendRow key={trace.id} place={place} series={series[place] ?? null} trace={trace} view={view} moving={moving} cursor={cursor} remove={() => remove(trace.id)} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
