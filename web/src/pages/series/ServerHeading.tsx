/** The heading of one server's series, with the state of the server. */
import { useSource } from '@/live/useLive';
import { Icon } from '@/parts/Icon';
import { stateOf } from '@/parts/sourceState';
import { StateWord } from '@/parts/StateWord';
import { useWords } from '@/words/words';
import { focusable, type RowPlace } from './rowActs';
import classes from './SeriesTable.module.css';
import type { ServerGroup } from './tableRows';

export function ServerHeading({ group, ...place }: RowPlace & { group: ServerGroup }) {
  const { t, n } = useWords();
  const source = useSource(group.endpoint);
  const state = source ? stateOf(source.state) : null;
  return (
    <div {...focusable(place)} className={classes.server} role="row" aria-level={1} aria-expanded={group.open}>
      <span role="gridcell" className={classes.serverName}>
        <button type="button" className={classes.toggle} onClick={() => place.acts.unfoldServer(group.endpoint)} tabIndex={-1}>
          <Icon name={group.open ? 'down' : 'open'} size={16} />
          <span className={`code ${classes.cut}`}>{group.endpoint}</span>
        </button>
      </span>
      <span role="gridcell" className={classes.serverState}>
        {state ? <StateWord kind={state.kind}>{t(state.word)}</StateWord> : <StateWord kind="off">{t('source.unreported')}</StateWord>}
      </span>
      <span role="gridcell" className={`figures ${classes.serverCount}`}>
        {group.series ? n('series.count', group.series.length) : source ? n('series.items', source.items) : ''}
      </span>
    </div>
  );
}
