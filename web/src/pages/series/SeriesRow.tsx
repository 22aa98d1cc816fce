/** One series: chosen or not, name, value with quality and age, and where it comes from. */
import { memo } from 'react';
import type { Series } from '@/api/types';
import { Icon } from '@/parts/Icon';
import { ReadingAge } from '@/parts/ReadingAge';
import { ReadingQuality } from '@/parts/ReadingQuality';
import { ReadingValue } from '@/parts/ReadingValue';
import { useTrustedReading, type TrustedReading } from '@/parts/useTrustedReading';
import { useWords } from '@/words/words';
import type { Column } from './address';
import { focusable, type RowPlace } from './rowActs';
import classes from './SeriesTable.module.css';

interface Props extends RowPlace {
  series: Series;
  level: 1 | 2;
  /** On two lines, without columns. */
  narrow: boolean;
  columns: readonly Column[];
  chosen: boolean;
  open: boolean;
}

export const SeriesRow = memo(function SeriesRow({ series, level, narrow, columns, chosen, open, ...place }: Props) {
  const { t } = useWords();
  const trusted = useTrustedReading(series);
  return (
    <div {...focusable(place)} className={classes.row} role="row" aria-level={level} aria-expanded={open} aria-selected={chosen} data-level={level}>
      <span role="gridcell" className={classes.choose}>
        <label className={classes.tick}>
          <input type="checkbox" checked={chosen} onChange={() => place.acts.choose(series.id)} tabIndex={-1} aria-label={t('series.choose', { name: series.name })} />
        </label>
      </span>
      <span role="gridcell" className={classes.name}>
        <button type="button" className={classes.toggle} onClick={() => place.acts.unfold(series.id)} tabIndex={-1}>
          <Icon name={open ? 'down' : 'open'} size={16} />
          <span className={classes.texts}>
            <span className={classes.nameText}>{series.name}</span>
            {narrow && <span className={classes.under}>{series.writerGroup || series.source}</span>}
          </span>
        </button>
      </span>
      <span role="gridcell" className={classes.value}>
        <ReadingValue trusted={trusted} unit={series.unit} />
        {narrow && (
          <span className={classes.narrowOnly}>
            <ReadingQuality trusted={trusted} />
            <ReadingAge trusted={trusted} />
          </span>
        )}
      </span>
      {!narrow &&
        columns.map((column) => (
          <span key={column} role="gridcell" className={classes.more}>
            <Cell column={column} series={series} trusted={trusted} />
          </span>
        ))}
    </div>
  );
});

function Cell({ column, series, trusted }: { column: Column; series: Series; trusted: TrustedReading }) {
  switch (column) {
    case 'quality':
      return <ReadingQuality trusted={trusted} />;
    case 'age':
      return <ReadingAge trusted={trusted} />;
    case 'source':
      return (
        <span className={`code ${classes.cut}`} title={series.source}>
          {series.source}
        </span>
      );
    case 'group':
      return <span className={classes.cut}>{series.writerGroup}</span>;
    case 'device':
      return <span className={classes.cut}>{series.device}</span>;
    case 'node':
      return (
        <span className={`code ${classes.cut}`} title={series.nodeId}>
          {series.nodeId}
        </span>
      );
  }
}
