/** Readings, sources and flows for tests; each takes what matters and fills in the rest. */
import type { Bucket, Flow, FlowProblem, Gap, Reading, Series, Source, Stage } from '@/api/types';

export const NOON = Date.parse('2026-03-01T12:00:00.0000000Z');
export const at = (seconds: number): string => new Date(NOON + seconds * 1000).toISOString().replace('Z', '0000Z');

export const reading = (part: Partial<Reading> = {}): Reading => ({ value: 21.5, status: 0, statusName: 'Good', sourceTimestamp: at(0), serverTimestamp: at(0), ...part });

export const sample = (seconds: number, value: Reading['value'], status = 0): Reading & { at: number } => ({
  ...reading({ value, status, statusName: status === 0 ? 'Good' : 'BadNoCommunication', sourceTimestamp: at(seconds) }),
  at: NOON + seconds * 1000,
});

export const gap = (from: number | null, to: number | null, part: Partial<Gap> = {}): Gap => ({
  series: 1, from: from === null ? null : at(from), to: to === null ? null : at(to), reason: 'disconnection', hop: 'field', count: null, closed: to !== null, ...part,
});

export const bucket = (start: number, values: number[], part: Partial<Bucket> = {}): Bucket => ({
  start: at(start),
  min: values.length > 0 ? Math.min(...values) : null,
  max: values.length > 0 ? Math.max(...values) : null,
  avg: values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null,
  count: values.length,
  bad: 0,
  first: values.length > 0 ? { time: at(start), value: values[0] ?? 0 } : null,
  last: values.length > 0 ? { time: at(start + 9), value: values.at(-1) ?? 0 } : null,
  ...part,
});

export const problem = (part: Partial<FlowProblem> = {}): FlowProblem => ({
  code: 'GMB-UA-001', text: 'No answer from the server.', place: 'opc.tcp://press:4840', remedy: 'Check its power.', since: at(-60), urgency: 3, ...part,
});

export const source = (part: Partial<Source> = {}): Source => ({
  endpoint: 'opc.tcp://press:4840', group: 'press', state: 'live', since: at(-3600), lastData: at(0), items: 10, itemsBad: 0, problem: null, ...part,
});

export const stage = (part: Partial<Stage> = {}): Stage => ({
  stage: 'field', instance: 'edge-1', at: at(0), valuesIn: 0, valuesOut: 0, messagesIn: 0, messagesOut: 0, bytesOut: 0, valuesLost: 0,
  queueMessages: 0, queueBytes: 0, queueBytesMax: 0, lagMs: 0, sources: [], problems: [], ...part,
});

export const flow = (part: Partial<Flow> = {}): Flow => ({ at: at(0), version: '0.1.0', stages: [], rates: {}, history: {}, openGaps: 0, problems: [], problemsTotal: 0, ...part });

export const series = (id: number, part: Partial<Series> = {}): Series => ({
  id, name: `Value ${id}`, nodeId: `nsu=urn:plant;s=V${id}`, attributeId: 13, source: 'opc.tcp://press:4840', applicationUri: '', unit: '°C', device: 'edge-1', writerGroup: 'press', writer: 'press-1', last: null, ...part,
});
