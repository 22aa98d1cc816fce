/** The four stages with the edges between them, left to right; downward on a phone. */
import { Fragment } from 'react';
import type { Flow } from '@/api/types';
import classes from './FlowChain.module.css';
import { FlowEdge } from './FlowEdge';
import { FlowStage } from './FlowStage';
import { flowBetween, STAGES, summarise } from './stageSummary';

export function FlowChain({ flow }: { flow: Flow | null }) {
  return (
    <div className={classes.chain}>
      {STAGES.map((stage, index) => (
        <Fragment key={stage}>
          {index > 0 && <FlowEdge perSecond={flow ? flowBetween(flow, STAGES[index - 1] ?? stage, stage) : null} />}
          <FlowStage beginning={flow?.stages.length === 0} stage={stage} summary={flow ? summarise(flow, stage) : null} />
        </Fragment>
      ))}
    </div>
  );
}
