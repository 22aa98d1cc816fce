/** What flows from one stage to the next: the wider, the more. */
import { rateText, THIN } from '@/reading/number';
import { useWords } from '@/words/words';
import classes from './FlowEdge.module.css';
import { edgeWidth } from './stageSummary';

export function FlowEdge({ perSecond }: { perSecond: number | null }) {
  const { t, language } = useWords();
  const stopped = perSecond === 0;
  return (
    <div className={classes.edge} data-stopped={stopped || undefined}>
      <span className={`figures ${classes.rate}`}>
        {perSecond === null ? '' : stopped ? t('flow.nothingFlows') : `${rateText(perSecond, language)}${THIN}/${THIN}s`}
      </span>
      <span className={classes.pipe} aria-hidden="true">
        <span className={classes.body} style={{ '--width': `${edgeWidth(perSecond ?? 0)}px` } as React.CSSProperties} />
      </span>
    </div>
  );
}
