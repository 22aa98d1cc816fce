/** One stage: rates, queue, lag, losses, the last hour, and a sentence that says how it fares. */
import type { StageName } from '@/api/types';
import { Bone } from '@/parts/Bone';
import { Sparkline } from '@/parts/Sparkline';
import { delayText } from '@/reading/age';
import { bytesText, numberText, rateText, THIN } from '@/reading/number';
import { useWords, type Key } from '@/words/words';
import classes from './FlowStage.module.css';
import { StageSentence } from './StageSentence';
import { verdictOf, type StageSummary } from './stageSummary';

interface Props {
  stage: StageName;
  summary: StageSummary | null;
  /** No stage reports at all: a platform that just began is not broken. */
  beginning: boolean;
}

export function FlowStage({ stage, summary, beginning }: Props) {
  const { t } = useWords();
  const verdict = summary ? verdictOf(summary) : null;
  const broken = verdict !== null && !beginning && !['flowing', 'idle'].includes(verdict.kind);
  return (
    <section className={classes.stage} data-broken={broken || undefined} aria-label={t(`stage.${stage}` as Key)}>
      <header className={classes.head}>
        <h2>{t(`stage.${stage}` as Key)}</h2>
        <span className={classes.what}>{t(`stage.${stage}.what` as Key)}</span>
      </header>
      <Rates summary={summary} />
      <Hour summary={summary} />
      <Facts summary={summary} />
      <div className={classes.sentence}>{summary && verdict ? <StageSentence summary={summary} verdict={verdict} /> : <Bone width="70%" />}</div>
    </section>
  );
}

function Rates({ summary }: { summary: StageSummary | null }) {
  const { t, language } = useWords();
  const show = (value: number | undefined) => (value === undefined ? t('flow.noFigure') : rateText(value, language));
  return (
    <div className={classes.rates}>
      <dl>
      <div>
        <dt>{t('flow.in')}</dt>
        <dd className="figures">
          {summary ? show(summary.rate?.valuesIn) : <Bone width={64} height={24} />}
        </dd>
      </div>
      <div>
        <dt>{t('flow.out')}</dt>
        <dd className="figures">
          {summary ? show(summary.rate?.valuesOut) : <Bone width={64} height={24} />}
        </dd>
      </div>
      </dl>
      <span className={classes.perSecond}>{t('flow.perSecond')}</span>
    </div>
  );
}

function Hour({ summary }: { summary: StageSummary | null }) {
  const { t, n, language } = useWords();
  const values = summary?.history ?? [];
  const known = values.filter((value): value is number => value !== null);
  // The steps of the hour are means over a minute; what flows now is part of the hour, too.
  const peak = known.length > 0 ? Math.max(...known, summary?.rate?.valuesIn ?? 0) : null;
  const only = summary?.messagesOnly ?? null;
  const nothing = only === null ? t('flow.hourNone') : n('flow.messagesOnly', only);
  const label = peak === null ? nothing : t('flow.hourPeak', { peak: `${rateText(peak, language)}${THIN}/${THIN}s` });
  return (
    <div className={classes.hour}>
      <Sparkline values={values} bottom={0} label={label} />
      <span className={`figures ${classes.peak}`}>{summary ? label : ''}</span>
    </div>
  );
}

function Facts({ summary }: { summary: StageSummary | null }) {
  const { t, n, language } = useWords();
  const share = summary && summary.queueBytesMax > 0 ? Math.min(1, summary.queueBytes / summary.queueBytesMax) : null;
  const known = summary !== null && summary.instances > 0;
  const bytes = known ? bytesText(summary.queueBytes, language) : '';
  const held = known && summary.queueBytesMax > 0 ? t('flow.heldOf', { bytes, max: bytesText(summary.queueBytesMax, language) }) : bytes;
  return (
    <dl className={classes.facts}>
      <dt>{t('flow.queue')}</dt>
      <dd className="figures">{known ? n('flow.messages', summary.queueMessages) : ''}</dd>
      <dt className={classes.held}>{t('flow.held')}</dt>
      <dd className={`figures ${classes.held}`}>{held}</dd>
      <dd className={classes.fill} aria-hidden="true">
        <span style={{ width: `${(share ?? 0) * 100}%` }} data-high={(share ?? 0) >= 0.7 || undefined} />
      </dd>
      <dt>{t('flow.lag')}</dt>
      <dd className="figures">{known ? delayText(summary.lagMs, language) : ''}</dd>
      <dt>{t('flow.lost')}</dt>
      <dd className={`figures ${known && summary.valuesLost > 0 ? classes.loss : ''}`}>{known ? numberText(summary.valuesLost, language) : ''}</dd>
    </dl>
  );
}
