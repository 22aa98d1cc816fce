/** What needs a person, most urgent first; or that nothing does. */
import { Link } from '@tanstack/react-router';
import type { Flow, FlowProblem } from '@/api/types';
import { Age } from '@/parts/Age';
import { Bone } from '@/parts/Bone';
import { ErrorCode } from '@/parts/ErrorCode';
import { Mark, markOfUrgency } from '@/parts/Mark';
import { instant } from '@/reading/clock';
import { useWords, type Key } from '@/words/words';
import { sourceKey } from './address';
import classes from './NeedsPerson.module.css';
import { byUrgency } from './stageSummary';

export function NeedsPerson({ flow }: { flow: Flow | null }) {
  const { t, n } = useWords();
  const problems = byUrgency(flow?.problems ?? []);
  const more = (flow?.problemsTotal ?? 0) - problems.length;
  return (
    <section aria-labelledby="needs-person">
      <h2 id="needs-person" className={classes.title}>
        {t('needs.title')}
      </h2>
      {flow === null && <Bone height={72} />}
      {flow !== null && problems.length === 0 && (
        <p className={classes.nothing}>
          <Mark kind="calm" size={16} /> {t(flow.stages.length === 0 ? 'needs.noReport' : 'needs.nothing')}
        </p>
      )}
      <ul className={classes.list}>
        {problems.map((problem) => (
          <NeedsRow key={`${problem.code}|${problem.place}|${problem.since}`} problem={problem} flow={flow} />
        ))}
      </ul>
      {more > 0 && <p className={classes.more}>{n('needs.more', more)}</p>}
    </section>
  );
}

function NeedsRow({ problem, flow }: { problem: FlowProblem; flow: Flow | null }) {
  const { t } = useWords();
  const since = instant(problem.since);
  const urgency = Math.min(4, Math.max(1, problem.urgency));
  const source = flow?.stages.flatMap((stage) => stage.sources).find((each) => each.endpoint === problem.place && each.problem !== null);
  return (
    <li className={classes.row} data-urgency={urgency}>
      <Mark kind={markOfUrgency(urgency)} size={18} />
      <div className={classes.body}>
        <p className={classes.text}>{problem.text}</p>
        <p className={classes.remedy}>{problem.remedy}</p>
        <p className={classes.foot}>
          <span className={classes.urgency}>{t(`urgency.${urgency}` as Key)}</span>
          <span className="code">{problem.place}</span>
          {since !== null && <Age at={since} />}
          <ErrorCode code={problem.code} />
          {source && (
            <Link to="/flow" search={{ source: sourceKey(source) }} resetScroll={false} className={classes.chain}>
              {t('needs.chain')}
            </Link>
          )}
        </p>
      </div>
    </li>
  );
}
