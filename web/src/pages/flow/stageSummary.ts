/** One stage of the chain, its instances added up, and the sentence that says how it fares. */
import type { Flow, FlowProblem, Rate, Source, Stage, StageName } from '@/api/types';

export const STAGES: readonly StageName[] = ['field', 'edge', 'hub', 'store'];

export interface StageSummary {
  stage: StageName;
  /** How many processes report; 0 for a stage nobody reports of. */
  instances: number;
  /** null when nothing is known, or when the stage counts messages only. */
  rate: Rate | null;
  /** Messages since the start, of a stage that does not count the values inside; else null. */
  messagesOnly: number | null;
  valuesLost: number;
  queueMessages: number;
  queueBytes: number;
  queueBytesMax: number;
  lagMs: number;
  sources: Source[];
  problems: FlowProblem[];
  /** Values per second of each minute of the last hour. */
  history: (number | null)[];
}

export function summarise(flow: Flow, stage: StageName): StageSummary {
  const reports = flow.stages.filter((report) => report.stage === stage);
  const sum = (of: (report: Stage) => number) => reports.reduce((total, report) => total + of(report), 0);
  const messagesOnly = countsMessagesOnly(flow, stage);
  return {
    stage,
    instances: reports.length,
    rate: messagesOnly ? null : (flow.rates[stage] ?? null),
    messagesOnly: messagesOnly ? sum((report) => report.messagesIn) : null,
    valuesLost: sum((report) => report.valuesLost),
    queueMessages: sum((report) => report.queueMessages),
    queueBytes: sum((report) => report.queueBytes),
    queueBytesMax: sum((report) => report.queueBytesMax),
    lagMs: reports.reduce((longest, report) => Math.max(longest, report.lagMs), 0),
    sources: reports.flatMap((report) => report.sources),
    problems: reports.flatMap((report) => report.problems),
    history: messagesOnly ? [] : (flow.history[stage]?.valuesIn ?? []),
  };
}

/** A hub may pass messages on without looking inside: its zero values are no statement about the flow. */
function countsMessagesOnly(flow: Flow, stage: StageName): boolean {
  const reports = flow.stages.filter((report) => report.stage === stage);
  return reports.some((report) => report.messagesIn > 0) && reports.every((report) => report.valuesIn === 0 && report.valuesOut === 0);
}

/** Values per second between two stages: what the one passed on, else what the other took in; null when neither says. */
export function flowBetween(flow: Flow, from: StageName, to: StageName): number | null {
  if (!countsMessagesOnly(flow, from)) return flow.rates[from]?.valuesOut ?? null;
  return countsMessagesOnly(flow, to) ? null : (flow.rates[to]?.valuesIn ?? null);
}

export type StageVerdict =
  | { kind: 'silent' }
  | { kind: 'problem'; problem: FlowProblem }
  | { kind: 'sources'; down: number; of: number }
  | { kind: 'holding'; lagMs: number; messages: number }
  | { kind: 'filling'; share: number }
  | { kind: 'stuck' }
  | { kind: 'idle' }
  | { kind: 'flowing' };

const LAG_HOLDING_MS = 10_000;
const QUEUE_FILLING = 0.7;

/** What a person should be told of a stage: the gravest first. */
export function verdictOf(summary: StageSummary): StageVerdict {
  if (summary.instances === 0) return { kind: 'silent' };
  const grave = summary.problems.filter((problem) => problem.urgency >= 3).sort((a, b) => b.urgency - a.urgency)[0];
  if (grave) return { kind: 'problem', problem: grave };
  const down = summary.sources.filter((source) => source.state !== 'live').length;
  if (down > 0) return { kind: 'sources', down, of: summary.sources.length };
  const share = summary.queueBytesMax > 0 ? summary.queueBytes / summary.queueBytesMax : 0;
  if (share >= QUEUE_FILLING) return { kind: 'filling', share };
  if (summary.rate && summary.rate.valuesIn > 0 && summary.rate.valuesOut === 0) return { kind: 'stuck' };
  if (summary.lagMs > LAG_HOLDING_MS) return { kind: 'holding', lagMs: summary.lagMs, messages: summary.queueMessages };
  if (summary.messagesOnly === null && (!summary.rate || summary.rate.valuesIn === 0)) return { kind: 'idle' };
  return { kind: 'flowing' };
}

/** Pixels of an edge that carries `perSecond` values: logarithmic, so that 10 and 100,000 both fit. */
export function edgeWidth(perSecond: number): number {
  return perSecond <= 0 ? 0 : Math.min(26, 3 + Math.log10(1 + perSecond) * 4.6);
}

/** Most urgent first, then the longest standing. */
export function byUrgency(problems: readonly FlowProblem[]): FlowProblem[] {
  return [...problems].sort((a, b) => b.urgency - a.urgency || a.since.localeCompare(b.since));
}
