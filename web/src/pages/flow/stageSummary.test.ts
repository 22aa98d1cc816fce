/** Facts about the stages of the flow. */
import { expect, it } from 'vitest';
import { at, flow, problem, source, stage } from '@/testing/examples';
import { settledOrder } from './settledOrder';
import { byUrgency, edgeWidth, flowBetween, summarise, verdictOf } from './stageSummary';

const rates = { field: { valuesIn: 10, valuesOut: 10 } };
const verdict = (...stages: ReturnType<typeof stage>[]) => verdictOf(summarise(flow({ stages, rates }), 'field')).kind;

it('adds up the processes of a stage; the longest lag counts', () => {
  const summary = summarise(flow({ stages: [stage({ valuesLost: 2, lagMs: 5 }), stage({ instance: 'edge-2', valuesLost: 3, lagMs: 9 }), stage({ stage: 'hub', valuesLost: 100 })] }), 'field');
  expect([summary.instances, summary.valuesLost, summary.lagMs]).toEqual([2, 5, 9]);
});

it.each([
  ['silent', []],
  ['flowing', [stage({ sources: [source()] })]],
  ['sources', [stage({ sources: [source(), source({ state: 'silent' })] })]],
  ['problem', [stage({ sources: [source({ state: 'silent' })], problems: [problem({ urgency: 4 })] })]],
  ['flowing', [stage({ problems: [problem({ urgency: 2 })] })]],
  ['filling', [stage({ queueBytes: 80, queueBytesMax: 100 })]],
  ['holding', [stage({ lagMs: 60_000, queueMessages: 12 })]],
])('a stage is %s', (kind, stages) => {
  expect(verdict(...stages)).toBe(kind);
});

it('tells a stage that passes nothing on from one that gets nothing', () => {
  const stuck = flow({ stages: [stage()], rates: { field: { valuesIn: 5, valuesOut: 0 } } });
  expect(verdictOf(summarise(stuck, 'field')).kind).toBe('stuck');
  expect(verdictOf(summarise(flow({ stages: [stage()] }), 'field')).kind).toBe('idle');
});

it('widens edges with the rate, and gives nothing no width', () => {
  const widths = [0, 1, 75, 84_375].map(edgeWidth);
  expect(widths[0]).toBe(0);
  expect([...widths].sort((a, b) => a - b)).toEqual(widths);
  expect(edgeWidth(1e12)).toBeLessThanOrEqual(26);
});

it('puts the most urgent first, then the longest standing', () => {
  const problems = [problem({ urgency: 2, text: 'c' }), problem({ urgency: 3, text: 'b', since: at(9) }), problem({ urgency: 3, text: 'a', since: at(1) })];
  expect(byUrgency(problems).map((each) => each.text)).toEqual(['a', 'b', 'c']);
});

it('keeps servers where they were first seen, whatever becomes of their state', () => {
  const seen = new Map<string, number>();
  const [a, b, c] = ['a', 'b', 'c'].map((group) => source({ group })) as [ReturnType<typeof source>, ReturnType<typeof source>, ReturnType<typeof source>];
  expect(settledOrder([a, { ...b, state: 'stopped' }], seen).map((each) => each.group)).toEqual(['b', 'a']);
  expect(settledOrder([{ ...a, state: 'stopped' }, b, { ...c, state: 'stopped' }], seen).map((each) => each.group)).toEqual(['b', 'a', 'c']);
});

it('takes no zero from a stage that counts messages only, and asks the next one what flows', () => {
  const through = flow({
    stages: [stage({ stage: 'hub', messagesIn: 40 }), stage({ stage: 'store', valuesIn: 900, valuesOut: 900 })],
    rates: { hub: { valuesIn: 0, valuesOut: 0 }, store: { valuesIn: 139, valuesOut: 139 } },
  });
  const hub = summarise(through, 'hub');
  expect([hub.rate, hub.messagesOnly, verdictOf(hub).kind, flowBetween(through, 'hub', 'store')]).toEqual([null, 40, 'flowing', 139]);
});

it('says that nothing flows only when the stage before counts values', () => {
  const stopped = flow({ stages: [stage({ valuesIn: 5, valuesOut: 5 })], rates: { field: { valuesIn: 0, valuesOut: 0 } } });
  expect([flowBetween(stopped, 'field', 'edge'), flowBetween(stopped, 'edge', 'hub')]).toEqual([0, null]);
});
