/** One server: state, since, items, last data; opened, the chain to its cause. */
import { Link } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import type { Source } from '@/api/types';
import { Age, At } from '@/parts/Age';
import { CauseChainView } from '@/parts/CauseChainView';
import { Icon } from '@/parts/Icon';
import { stateOf } from '@/parts/sourceState';
import { StateWord } from '@/parts/StateWord';
import { instant } from '@/reading/clock';
import { numberText } from '@/reading/number';
import { useWords } from '@/words/words';
import classes from './Servers.module.css';

export function ServerRow({ source, open, toggle }: { source: Source; open: boolean; toggle: () => void }) {
  const { t, n, language } = useWords();
  const { kind, word } = stateOf(source.state);
  const since = instant(source.since);
  const last = instant(source.lastData);
  const cause = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (open) cause.current?.scrollIntoView({ block: 'nearest' });
  }, [open]);
  return (
    <>
      <div className={classes.row} role="row" data-open={open || undefined}>
        <span role="cell" className={classes.state}>
          <StateWord kind={kind}>{t(word)}</StateWord>
        </span>
        <span role="cell" className={classes.server}>
          <button type="button" className={classes.toggle} aria-expanded={open} onClick={toggle}>
            <Icon name={open ? 'down' : 'open'} size={16} />
            <span className={classes.names}>
              <span className={classes.group}>{source.group}</span>
              <span className={`code ${classes.endpoint}`}>{source.endpoint}</span>
            </span>
          </button>
        </span>
        <span role="cell" className={classes.since}>
          {since !== null && <At at={since} seconds={false} />}
        </span>
        <span role="cell" className={`figures ${classes.right} ${classes.items}`}>
          {numberText(source.items, language)}
          <span className={source.itemsBad > 0 ? classes.bad : classes.noBad}>{source.itemsBad > 0 ? n('servers.bad', source.itemsBad) : ''}</span>
        </span>
        <span role="cell" className={classes.last}>
          {last === null ? t('servers.never') : <Age at={last} />}
        </span>
      </div>
      {open && (
        <div ref={cause} role="row" className={classes.cause}>
          <div role="cell">
            <CauseChainView source={source} />
            <Link to="/series" search={{ q: source.endpoint }} className={classes.seriesLink}>
              {t('servers.showSeries')}
            </Link>
          </div>
        </div>
      )}
    </>
  );
}
