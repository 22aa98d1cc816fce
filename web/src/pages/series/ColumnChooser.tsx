/** Which columns stand beside name and value. */
import { Popover } from '@mantine/core';
import { Icon } from '@/parts/Icon';
import { useWords, type Key } from '@/words/words';
import { COLUMNS, columnsOf, columnsText, type SeriesAddress } from './address';
import classes from './SeriesBar.module.css';

export function ColumnChooser({ address, change }: { address: SeriesAddress; change: (part: { cols?: string | undefined }) => void }) {
  const { t } = useWords();
  const shown = columnsOf(address);
  return (
    <Popover position="bottom-start" trapFocus>
      <Popover.Target>
        <button type="button" className={`${classes.toggle} ${classes.columns}`}>
          <Icon name="columns" size={18} />
          {t('series.columns')}
        </button>
      </Popover.Target>
      <Popover.Dropdown className={classes.choices} aria-label={t('series.columns')}>
        {COLUMNS.map((column) => (
          <label key={column} className={classes.choice}>
            <input
              type="checkbox"
              checked={shown.includes(column)}
              onChange={() => change({ cols: columnsText(shown.includes(column) ? shown.filter((each) => each !== column) : [...shown, column]) })}
            />
            {t(`column.${column}` as Key)}
          </label>
        ))}
      </Popover.Dropdown>
    </Popover>
  );
}
