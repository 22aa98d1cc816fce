/** What can be done with the trend: add, axes, compare, export. */
import { Button } from '@mantine/core';
import { useState } from 'react';
import type { Series } from '@/api/types';
import { ApiProblem } from '@/api/problem';
import { download, exportCsv, saveParquet } from '@/parts/exportSeries';
import { Icon } from '@/parts/Icon';
import { openPalette } from '@/shell/palette';
import type { View } from '@/trace/range';
import { useWords, type Key } from '@/words/words';
import { TRENDS_MAX, type TrendsAddress } from './address';
import classes from './TrendsBar.module.css';

interface Props {
  address: TrendsAddress;
  series: (Series | null)[];
  view: View;
  change: (part: { [Name in keyof TrendsAddress]?: TrendsAddress[Name] | undefined }) => void;
  picture: React.RefObject<(() => Promise<Blob | null>) | null>;
}

const COMPARE = ['1h', '8h', '1d', '7d'] as const;

export function TrendsBar({ address, series, view, change, picture }: Props) {
  const { t, n } = useWords();
  const [said, setSaid] = useState('');
  const [busy, setBusy] = useState(false);
  const shared = address.axes === 'shared';
  const full = series.length >= TRENDS_MAX;
  const stamp = new Date(view.from).toISOString().slice(0, 19).replaceAll(':', '');

  const known = series.filter((each) => each !== null);

  const saving = async (save: () => Promise<string>) => {
    setBusy(true);
    try {
      setSaid(await save());
    } catch (problem) {
      setSaid(problem instanceof ApiProblem && !problem.unreachable ? `${problem.message} ${problem.code}` : t('error.unreachable'));
    } finally {
      setBusy(false);
    }
  };

  const saveCsv = async () => {
    const csv = await exportCsv(known, view.from, view.to);
    download(`gemba-${stamp}.csv`, new Blob([csv], { type: 'text/csv' }));
    return n('chosen.exported', csv.split('\n').length - 2);
  };

  const saveAsParquet = async () => {
    await saveParquet(known, view.from, view.to, stamp);
    return n('trends.parquetDone', known.length);
  };

  const savePng = async () => {
    const image = await picture.current?.();
    if (image) download(`gemba-${stamp}.png`, image);
    setSaid(t(image ? 'trends.pngDone' : 'trends.pngNone'));
  };

  return (
    <div className={classes.bar}>
      <Button leftSection={<Icon name="plus" size={18} />} disabled={full} title={full ? t('trends.full', { max: TRENDS_MAX }) : undefined} onClick={() => openPalette('add')}>
        {t('trends.add')}
      </Button>
      <div className={classes.pair} role="group" aria-label={t('trends.axes')}>
        <button type="button" aria-pressed={!shared} onClick={() => change({ axes: undefined })}>
          {t('trends.stacked')}
        </button>
        <button type="button" aria-pressed={shared} onClick={() => change({ axes: 'shared' })}>
          {t('trends.shared')}
        </button>
      </div>
      <label className={classes.compare}>
        <span>{t('trends.compare')}</span>
        <select value={address.compare ?? ''} onChange={(event) => change({ compare: (event.currentTarget.value || undefined) as TrendsAddress['compare'] })}>
          <option value="">{t('trends.compareNone')}</option>
          {COMPARE.map((span) => (
            <option key={span} value={span}>
              {t(`compare.${span}` as Key)}
            </option>
          ))}
        </select>
      </label>
      <span className={classes.said} role="status">
        {said}
      </span>
      <Button className={classes.save ?? ''} variant="default" disabled={busy} leftSection={<Icon name="download" size={16} />} onClick={() => void saving(saveCsv)} title={n('trends.csvWhat', series.length)}>
        {t('trends.csv')}
      </Button>
      <Button className={classes.save ?? ''} variant="default" disabled={busy} leftSection={<Icon name="download" size={16} />} onClick={() => void saving(saveAsParquet)} title={t('trends.parquetWhat')}>
        {t('trends.parquet')}
      </Button>
      <Button className={classes.save ?? ''} variant="default" leftSection={<Icon name="download" size={16} />} onClick={() => void savePng()}>
        {t('trends.png')}
      </Button>
    </div>
  );
}
