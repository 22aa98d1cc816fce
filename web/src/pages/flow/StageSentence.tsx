/** How a stage fares, in one sentence. */
import { StateWord } from '@/parts/StateWord';
import { markOfUrgency, type MarkKind } from '@/parts/Mark';
import { durationText } from '@/reading/age';
import { numberText } from '@/reading/number';
import { useWords, type Words } from '@/words/words';
import type { StageSummary, StageVerdict } from './stageSummary';

function say(verdict: StageVerdict, summary: StageSummary, { t, n, language }: Words): { kind: MarkKind; text: string } {
  switch (verdict.kind) {
    case 'silent':
      return { kind: 'off', text: t('verdict.silent') };
    case 'problem':
      return { kind: markOfUrgency(verdict.problem.urgency), text: verdict.problem.text };
    case 'sources':
      return { kind: 'warn', text: n('verdict.sources', verdict.down, { of: numberText(verdict.of, language) }) };
    case 'filling':
      return { kind: 'warn', text: t('verdict.filling', { share: numberText(verdict.share * 100, language) }) };
    case 'stuck':
      return { kind: 'grave', text: t('verdict.stuck') };
    case 'holding':
      return { kind: 'warn', text: t('verdict.holding', { lag: durationText(verdict.lagMs, language), messages: numberText(verdict.messages, language) }) };
    case 'idle':
      return { kind: 'off', text: t('verdict.idle') };
    case 'flowing':
      return {
        kind: 'calm',
        text: summary.stage === 'field' ? n('verdict.serversLive', summary.sources.length) : n('verdict.flowing', summary.instances),
      };
  }
}

export function StageSentence({ verdict, summary }: { verdict: StageVerdict; summary: StageSummary }) {
  const words = useWords();
  const { kind, text } = say(verdict, summary, words);
  return (
    <StateWord kind={kind} title={text}>
      {text}
    </StateWord>
  );
}
