/** All series: find, read, choose. */
import { getRouteApi } from '@tanstack/react-router';
import { useMemo } from 'react';
import { Command, Teach } from '@/parts/Teach';
import { Trouble } from '@/parts/Trouble';
import { idList, toggled } from '@/shell/idList';
import { useWords } from '@/words/words';
import { columnsOf, unfolded, type SeriesAddress } from './address';
import { ChosenBar } from './ChosenBar';
import { SeriesBar } from './SeriesBar';
import classes from './SeriesPage.module.css';
import { SeriesTable } from './SeriesTable';
import { useSeriesRows } from './useSeriesRows';

type Part = { [Name in keyof SeriesAddress]?: SeriesAddress[Name] | undefined };

const route = getRouteApi('/shell/series');

export function SeriesPage() {
  const { t } = useWords();
  const address = route.useSearch();
  const navigate = route.useNavigate();
  const found = useSeriesRows(address.q ?? '', address.by === 'server', address.open);
  const { cols } = address;
  const columns = useMemo(() => columnsOf(cols === undefined ? {} : { cols }), [cols]);
  const chosen = idList(address.s);
  // What was drawn may be older than the address: a change is always made from the address as it is now.
  const changeFrom = (part: (before: SeriesAddress) => Part) =>
    void navigate({ search: (before) => ({ ...before, ...part(before) }) as SeriesAddress, replace: true });
  const change = (part: Part) => changeFrom(() => part);
  const choose = (id: number) => changeFrom((before) => ({ s: toggled(idList(before.s), id).join(',') || undefined }));
  const unfold = (id: number, wish?: boolean) => changeFrom((before) => ({ open: unfolded(before.open, id, wish) }));
  const empty = !found.pending && found.rows.length === 0;

  return (
    <div className={classes.page}>
      <SeriesBar address={address} change={change} found={found} />
      {found.error && <Trouble error={found.error} />}
      {empty && !found.error && (address.q ? <NothingFound search={address.q} clear={() => change({ q: undefined })} /> : <NoSeries />)}
      {!empty && (
        <SeriesTable found={found} columns={columns} chosen={chosen} open={address.open} choose={choose} unfold={unfold} />
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
