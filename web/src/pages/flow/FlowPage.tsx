/** Home: is everything flowing, what is wrong, what needs a person. */
import { useFlow } from '@/live/useLive';
import { Trouble } from '@/parts/Trouble';
import { useWords } from '@/words/words';
import { FlowChain } from './FlowChain';
import classes from './FlowPage.module.css';
import { NeedsPerson } from './NeedsPerson';
import { Servers } from './Servers';

export function FlowPage() {
  const { t } = useWords();
  const { flow, error } = useFlow();
  if (error) return <Trouble error={error} />;
  return (
    <div className={classes.page}>
      <section aria-label={t('flow.chain')}>
        <FlowChain flow={flow} />
      </section>
      <div className={classes.below}>
        <NeedsPerson flow={flow} />
        <Servers flow={flow} />
      </div>
    </div>
  );
}
