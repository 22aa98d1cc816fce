/** The servers with their state; each opens its chain. */
import { getRouteApi } from '@tanstack/react-router';
import type { Flow } from '@/api/types';
import { Bone } from '@/parts/Bone';
import { Command, Teach } from '@/parts/Teach';
import { useWords } from '@/words/words';
import { sourceKey } from './address';
import { ServerRow } from './ServerRow';
import classes from './Servers.module.css';
import { settledOrder } from './settledOrder';

const route = getRouteApi('/shell/flow');

export function Servers({ flow }: { flow: Flow | null }) {
  const { t } = useWords();
  const { source: open } = route.useSearch();
  const navigate = route.useNavigate();
  const sources = settledOrder(flow?.stages.flatMap((stage) => stage.sources) ?? []);
  const toggle = (key: string) => void navigate({ search: open === key ? {} : { source: key }, resetScroll: false });

  return (
    <section aria-labelledby="servers">
      <h2 id="servers" className={classes.title}>
        {t('servers.title')}
      </h2>
      {flow === null && <Bone height={160} />}
      {flow !== null && sources.length === 0 && (
        <Teach among title={t('servers.none')}>
          <p>{t('servers.noneText')}</p>
          <Command>gemba run --role platform,edge --data DIR --published-nodes FILE</Command>
        </Teach>
      )}
      {sources.length > 0 && (
        <div className={classes.table} role="table" aria-labelledby="servers">
          <div className={classes.head} role="row">
            <span role="columnheader">{t('servers.state')}</span>
            <span role="columnheader">{t('servers.server')}</span>
            <span role="columnheader">{t('servers.since')}</span>
            <span role="columnheader" className={classes.right}>
              {t('servers.items')}
            </span>
            <span role="columnheader">{t('servers.lastData')}</span>
          </div>
          {sources.map((source) => (
            <ServerRow key={sourceKey(source)} source={source} open={open === sourceKey(source)} toggle={() => toggle(sourceKey(source))} />
          ))}
        </div>
      )}
    </section>
  );
}
