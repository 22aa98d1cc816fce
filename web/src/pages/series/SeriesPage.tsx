/** All series: find, read, choose. */
import { getRouteApi } from '@tanstack/react-router';
import { useMemo } from 'react';
import { Command, Teach } from '@/parts/Teach';
import { Trouble } from '@/parts/Trouble';
import { idList } from '@/shell/idList';
import { useWords } from '@/words/words';
import { columnsOf, type SeriesAddress } from './address';
import { ChosenBar } from './ChosenBar';
import { SeriesBar } from './SeriesBar';
import classes from './SeriesPage.module.css';
import { SeriesTable } from './SeriesTable';
import { useSeriesRows } from './useSeriesRows';

const route = getRouteApi('/shell/series');

export function SeriesPage() {
  const { t } = useWords();
  const address = route.useSearch();
  const navigate = route.useNavigate();
  const found = useSeriesRows(address.q ?? '', address.by === 'server', address.open);
  const { cols } = address;
  const columns = useMemo(() => columnsOf(cols === undefined ? {} : { cols }), [cols]);
  const chosen = idList(address.s);
  const change = (part: { [Name in keyof SeriesAddress]?: SeriesAddress[Name] | undefined }) =>
    void navigate({ search: (before) => ({ ...before, ...part }) as SeriesAddress, replace: true });
  const choose = (id: number) => {
    const ids = chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id];
    change({ s: ids.join(',') || undefined });
  };
  const empty = !found.pending && found.rows.length === 0;

  return (
    <div className={classes.page}>
      <SeriesBar address={address} change={change} found={found} />
      {found.error && <Trouble error={found.error} />}
      {empty && !found.error && (address.q ? <NothingFound search={address.q} clear={() => change({ q: undefined })} /> : <NoSeries />)}
      {!empty && (
        <SeriesTable found={found} columns={columns} chosen={chosen} open={address.open} choose={choose} toggle={(id) => change({ open: address.open === id ? undefined : id })} />
      )}
      {chosen.length > 0 && <ChosenBar ids={chosen} clear={() => change({ s: undefined })} said={t('chosen.title')} />}
    </div>
  );
}

function NoSeries() {
  const { t } = useWords();
  return (
    <Teach title={t('series.none')}>
      <p>{t('series.noneText')}</p>
      <Command>gemba run --role platform,edge --data DIR --published-nodes FILE</Command>
    </Teach>
  );
}

function NothingFound({ search, clear }: { search: string; clear: () => void }) {
  const { t } = useWords();
  return (
    <Teach
      title={t('series.notFound', { search })}
      action={
        <button type="button" className={classes.plain} onClick={clear}>
          {t('series.clearSearch')}
        </button>
      }
    >
      <p>{t('series.notFoundText')}</p>
    </Teach>
  );
}
