/** The chain from the network to the source, with the link that broke and what to do about it. */
import type { Reading, Source } from '@/api/types';
import { instant } from '@/reading/clock';
import { qualityOf, reasonKey, statusText } from '@/reading/quality';
import { useWords, type Key } from '@/words/words';
import { At } from './Age';
import { causeChain, type LinkState } from './causeChain';
import classes from './CauseChainView.module.css';
import { ErrorCode } from './ErrorCode';
import { Mark, type MarkKind } from './Mark';

const MARKS: Record<LinkState, MarkKind> = { whole: 'calm', pending: 'pending', weak: 'note', broken: 'grave', unknown: 'off' };

export function CauseChainView({ source, reading }: { source: Source | null; reading?: Reading | null }) {
  const { t } = useWords();
  const chain = causeChain(source, reading);
  return (
    <div className={classes.chain}>
      <ol className={classes.links} aria-label={t('chain.title')}>
        {chain.links.map(({ link, state }) => (
          <li key={link} className={classes.link} data-state={state}>
            <span className={classes.name}>
              <Mark kind={MARKS[state]} />
              {t(`chain.${link}` as Key)}
            </span>
            <span className={classes.state}>{t(`chain.state.${state}` as Key)}</span>
          </li>
        ))}
      </ol>
      <Explanation source={source} reading={reading} chain={chain} />
    </div>
  );
}

function Explanation({ source, reading, chain }: { source: Source | null; reading: Reading | null | undefined; chain: ReturnType<typeof causeChain> }) {
  const { t, n } = useWords();
  const since = instant(chain.since);
  const bad = reading && qualityOf(reading.status) !== 'good' ? reading : null;
  const reason = bad ? reasonKey(bad.statusName) : null;
  if (source === null && !bad) return <p className={classes.plain}>{t('chain.noReport')}</p>;
  if (chain.culprit === null) {
    return (
      <p className={classes.plain}>
        {t('chain.whole')} {since !== null && <>{t('chain.liveSince')} <At at={since} />.</>}
      </p>
    );
  }
  return (
    <div className={classes.text}>
      {bad && (
        <p>
          <strong>{statusText(bad.status, bad.statusName)}</strong>
          {reason ? `: ${t(reason)}` : ''}
        </p>
      )}
      {chain.problem ? (
        <>
          <p>
            <strong>{chain.problem.text}</strong> <ErrorCode code={chain.problem.code} />
          </p>
          <p>{chain.problem.remedy}</p>
        </>
      ) : (
        !bad && source && source.itemsBad > 0 && <p>{n('chain.itemsBad', source.itemsBad)}</p>
      )}
      {!chain.problem && !bad && source && source.state !== 'live' && <p>{t(`chain.meanwhile.${source.state}` as Key)}</p>}
      {since !== null && (
        <p className={classes.since}>
          {t('chain.since')} <At at={since} />
        </p>
      )}
    </div>
  );
}
