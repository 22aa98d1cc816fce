/** The ledger entries of the range in sight: what is missing, where it was lost, and why. */
import { useEffect, useRef } from 'react';
import type { Gap, Series } from '@/api/types';
import { At } from '@/parts/Age';
import { StateWord } from '@/parts/StateWord';
import { durationText } from '@/reading/age';
import { instant } from '@/reading/clock';
import { gapKey, type Hole } from '@/trace/holes';
import { useWords, type Key } from '@/words/words';
import classes from './GapList.module.css';

interface Props {
  holes: { series: Series | null; hole: Hole }[];
  chosen: string | undefined;
  show: (gap: Gap) => void;
}

const LISTED_MAX = 100;

export function GapList({ holes, chosen, show }: Props) {
  const { t, n } = useWords();
  return (
    <section aria-labelledby="gaps">
      <h2 id="gaps" className={classes.title}>
        {t('gap.title')}
      </h2>
      {holes.length === 0 && <p className={classes.none}>{t('gap.none')}</p>}
      <ul className={classes.list}>
        {holes.slice(0, LISTED_MAX).map(({ series, hole }) => (
          <GapRow key={`${gapKey(hole.gap)}/${hole.gap.reason}`} series={series} hole={hole} chosen={gapKey(hole.gap) === chosen} show={() => show(hole.gap)} />
        ))}
      </ul>
      {holes.length > LISTED_MAX && <p className={classes.none}>{n('gap.more', holes.length - LISTED_MAX)}</p>}
    </section>
  );
}

function GapRow({ series, hole, chosen, show }: { series: Series | null; hole: Hole; chosen: boolean; show: () => void }) {
  const { t, n, language } = useWords();
  const row = useRef<HTMLLIElement>(null);
  const { gap } = hole;
  const from = instant(gap.from);
  const to = gap.closed ? instant(gap.to) : null;
  useEffect(() => {
    if (chosen) row.current?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);
  const missing = gap.count === null ? t('gap.unknownCount') : gap.count === 0 ? t('gap.recovered') : n('gap.count', gap.count);
  return (
    <li ref={row} className={classes.row} data-chosen={chosen || undefined}>
      <span className={classes.state}>
        <StateWord kind={hole.breaks ? (gap.closed ? 'note' : 'warn') : 'calm'}>{t(hole.breaks ? (gap.closed ? 'gap.closed' : 'gap.open') : 'gap.filled')}</StateWord>
      </span>
      <span className={classes.what}>
        <strong>{series?.name ?? `#${gap.series}`}:</strong> {t(`gap.reason.${gap.reason}` as Key)}. {t(`gap.hop.${gap.hop}` as Key)} {missing}
      </span>
      <span className={`figures ${classes.when}`}>
        {from === null ? t('gap.fromStart') : <At at={from} />} – {to === null ? t('gap.toNow') : <At at={to} />}
        {from !== null && to !== null && <> ({durationText(to - from, language)})</>}
      </span>
      <button type="button" className={classes.show} onClick={show}>
        {t('gap.show')}
      </button>
    </li>
  );
}
