/** Up to twelve series over time. */
import { Button } from '@mantine/core';
import { useQueries } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { lazy, Suspense, useCallback, useMemo, useRef } from 'react';
import { seriesQuery } from '@/api/queries';
import type { Gap } from '@/api/types';
import { useWanted } from '@/live/useLive';
import { Bone } from '@/parts/Bone';
import { Teach } from '@/parts/Teach';
import { Trouble } from '@/parts/Trouble';
import { instant, serverNow } from '@/reading/clock';
import { idList } from '@/shell/idList';
import { openPalette } from '@/shell/palette';
import { gapKey } from '@/trace/holes';
import { spanMs } from '@/trace/range';
import { drawsBetween } from '@/trace/readingAt';
import { heldUntil, shifted, SWITCH, withTail } from '@/trace/trace';
import { useWords } from '@/words/words';
import type { TrendsAddress } from './address';
import type { LaneTrace } from './chart/laneOptions';
import { GapList } from './GapList';
import { endGesture } from './gesture';
import { TrendsBar } from './TrendsBar';
import classes from './TrendsPage.module.css';
import { TrendTable } from './TrendTable';
import { useTails } from './useTail';
import { useTraces, windowOf } from './useTraces';
import { useVouched } from './useVouched';
import { fixedSearch, movingSearch, useView, USUAL_SPAN } from './useView';

const TrendChart = lazy(() => import('./chart/TrendChart').then((module) => ({ default: module.TrendChart })));
const route = getRouteApi('/shell/trends');
const NO_IDS: readonly number[] = [];
const CHART_SPACE = 460;

/** About two pixels a bucket; in hundreds, so that a resized window does not ask anew. */
function bucketCount(): number {
  return Math.max(200, Math.min(800, Math.round((window.innerWidth * 0.42) / 100) * 100));
}

export function TrendsPage() {
  const { t } = useWords();
  const address = route.useSearch();
  if (!address.s) {
    return (
      <Teach title={t('trends.empty')} action={<Button onClick={() => openPalette('add')}>{t('trends.add')}</Button>}>
        <p>{t('trends.emptyText')}</p>
        <p>{t('trends.emptyKeys')}</p>
      </Teach>
    );
  }
  return <Trends address={address} />;
}

function Trends({ address }: { address: TrendsAddress }) {
  const { t, n } = useWords();
  const navigate = route.useNavigate();
  const ids = useMemo(() => idList(address.s), [address.s]);
  const { view, settled, span, look } = useView();
  const moving = span !== null;
  const picture = useRef<(() => Promise<Blob | null>) | null>(null);
  const keepPicture = useCallback((make: () => Promise<Blob | null>) => {
    picture.current = make;
  }, []);
  const count = useMemo(() => bucketCount(), []);
  const asked = windowOf(settled, moving);
  const infos = useQueries({ queries: ids.map((id) => seriesQuery(id)) });
  const stored = useTraces(ids, asked, count, moving);
  const tails = useTails(moving ? ids : NO_IDS);
  useWanted(ids);

  const compareMs = address.compare ? spanMs(address.compare) : 0;
  const past = useTraces(compareMs > 0 ? ids : NO_IDS, { from: asked.from - compareMs, to: asked.to - compareMs }, count, false);
  const series = infos.map((info) => info.data ?? null);
  const vouched = useVouched(series);
  const now = settled.to;
  const current = stored.map((each, place) => {
    if (!moving) return each;
    const trace = withTail(each.trace, tails.of(each.id), each.holes, now);
    return { ...each, trace: vouched[place] ? heldUntil(trace, now, each.holes) : trace };
  });
  const laneTraces = current.flatMap((each, place): LaneTrace[] => {
    const of = { id: each.id, name: series[place]?.name ?? `#${each.id}`, unit: series[place]?.unit ?? '', place };
    const before = past[place];
    const isSwitch = typeof series[place]?.last?.value === 'boolean' && each.trace.categories.length === 0;
    const lane = { ...of, past: false, trace: isSwitch ? { ...each.trace, categories: [...SWITCH], step: true } : each.trace, holes: each.holes, empty: !each.pending && !drawsBetween(each.trace, view.from, view.to) };
    const earlier = before ? shifted(before.trace, compareMs) : null;
    return earlier ? [{ ...of, past: true, trace: earlier, holes: [], empty: !drawsBetween(earlier, view.from, view.to) }, lane] : [lane];
  });
  const holes = current
    .flatMap((each, place) => each.holes.map((hole) => ({ series: series[place] ?? null, hole })))
    .filter(({ hole }) => hole.to > view.from && hole.from < view.to);

  const change = (part: { [Name in keyof TrendsAddress]?: TrendsAddress[Name] | undefined }, replace = true) =>
    void navigate({ search: (before) => ({ ...before, ...part }) as TrendsAddress, replace });
  const remove = (id: number) =>
    void navigate({ search: (before) => ({ ...before, s: idList(before.s).filter((each) => each !== id).join(',') || undefined }) as TrendsAddress, replace: true });
  const showGap = (gap: Gap) => change({ gap: gapKey(gap) });
  const zoomToGap = (gap: Gap) => {
    const from = instant(gap.from) ?? view.from;
    const to = (gap.closed ? instant(gap.to) : null) ?? serverNow();
    endGesture();
    const air = Math.max(30_000, (to - from) * 0.75);
    void navigate({ search: (before) => ({ ...fixedSearch(before, { from: from - air, to: Math.min(serverNow(), to + air) }), gap: gapKey(gap) }) });
  };
  const goLive = () => {
    endGesture();
    void navigate({ search: (before) => movingSearch(before, span ?? USUAL_SPAN) });
  };
  const units = new Set(series.flatMap((each) => (each ? [each.unit] : [])));
  const failed = stored.find((each) => each.error)?.error ?? infos.find((info) => info.error)?.error;

  return (
    <div className={classes.page}>
      <TrendsBar address={address} series={series} view={view} change={change} picture={picture} />
      {failed && <Trouble error={failed} />}
      <Suspense fallback={<Bone height={CHART_SPACE} />}>
        <TrendChart traces={laneTraces} shared={address.axes === 'shared'} view={view} waiting={stored.some((each) => each.pending)} look={look} reset={goLive} showGap={showGap} keepPicture={keepPicture} />
      </Suspense>
      <p className={classes.hint}>
        {t('chart.hint')}
        {address.axes === 'shared' && units.size > 2 ? ` ${t('trends.moreUnits', { units: [...units].slice(2).join(', ') || '–' })}` : ''}
        {address.compare ? ` ${t('trends.compareHint')}` : ''}
        {current.some((each) => each.cut) ? ` ${n('trends.cut', 5000)}` : ''}
      </p>
      <TrendTable series={series} traces={current} view={view} moving={moving} remove={remove} />
      <GapList holes={holes} chosen={address.gap} show={zoomToGap} />
    </div>
  );
}
