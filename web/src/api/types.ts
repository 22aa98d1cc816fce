/** Shapes of /api/v1, as the console's pages read them. */

/** A value as it came: integers beyond 2^53 are bigint, NaN and infinities are strings. */
export type PlainValue = number | bigint | boolean | string | null | PlainValue[] | { [field: string]: PlainValue };

export type Role = 'viewer' | 'operator' | 'engineer' | 'admin';

export interface Session {
  user: string;
  role: Role;
  csrfToken: string | null;
  /** IANA name of the plant's zone, where the server tells it. */
  timeZone?: string;
}

export interface Reading {
  value: PlainValue;
  status: number;
  statusName: string | null;
  sourceTimestamp: string | null;
  serverTimestamp: string | null;
}

export interface Series {
  id: number;
  name: string;
  nodeId: string;
  source: string;
  applicationUri: string;
  unit: string;
  device: string;
  writerGroup: string;
  writer: string;
  last: Reading | null;
}

export interface Page<T> {
  items: T[];
  continuationToken: string | null;
}

export interface Point {
  time: string;
  value: number | bigint;
}

export interface Bucket {
  start: string;
  min: number | null;
  max: number | null;
  avg: number | null;
  count: number;
  bad: number;
  first: Point | null;
  last: Point | null;
}

export type GapReason =
  | 'overflow'
  | 'sequence-gap'
  | 'disconnection'
  | 'server-restart'
  | 'edge-restart'
  | 'drop'
  | 'missing-metadata'
  | 'corruption';

export type StageName = 'field' | 'edge' | 'hub' | 'store';

export interface Gap {
  series: number;
  from: string | null;
  to: string | null;
  reason: GapReason;
  hop: StageName;
  count: number | null;
  closed: boolean;
}

/** Something that a person should know; urgency 4 is data lost, 3 data stops, 2 warning, 1 information. */
export interface FlowProblem {
  code: string;
  text: string;
  place: string;
  remedy: string;
  since: string;
  urgency: number;
}

export type SourceState = 'connecting' | 'live' | 'silent' | 'reconnecting' | 'stopped';

export interface Source {
  endpoint: string;
  group: string;
  state: SourceState;
  since: string;
  lastData: string | null;
  items: number;
  itemsBad: number;
  problem: FlowProblem | null;
}

export interface Stage {
  stage: StageName;
  instance: string;
  at: string;
  valuesIn: number;
  valuesOut: number;
  messagesIn: number;
  messagesOut: number;
  bytesOut: number;
  valuesLost: number;
  queueMessages: number;
  queueBytes: number;
  queueBytesMax: number;
  lagMs: number;
  sources: Source[];
  problems: FlowProblem[];
}

export interface Rate {
  valuesIn: number;
  valuesOut: number;
}

/** One hour of rates: 60 minutes, oldest first, the last one in progress; null is a minute nothing is known of. */
export interface RateHistory {
  from: string;
  stepSeconds: number;
  valuesIn: (number | null)[];
  valuesOut: (number | null)[];
}

export interface Flow {
  at: string;
  stages: Stage[];
  rates: Partial<Record<StageName, Rate>>;
  history: Partial<Record<StageName, RateHistory>>;
  openGaps: number;
  problems: FlowProblem[];
  /** All problems; the list above is cut at 200. */
  problemsTotal: number;
}

/** RFC 9457. */
export interface ProblemDetails {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
}
