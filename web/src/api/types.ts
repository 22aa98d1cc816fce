/** Shapes of /api/v1 as the pages read them: generated from openapi/, narrowed where the description is wider than the promise. */
import type { components } from './generated';

type Schemas = components['schemas'];

/** A value as it came: integers beyond 2^53 are bigint, NaN and infinities are strings. */
export type PlainValue = number | bigint | boolean | string | null | PlainValue[] | { [field: string]: PlainValue };

export type Role = Schemas['Role'];
export type SourceState = Schemas['SourceState'];
export type StageName = Schemas['Stage'];
export type FlowProblem = Schemas['Problem'];
export type ProblemDetails = Schemas['ProblemDetails'];
export type Rate = Schemas['Rate'];
/** One hour of rates: 60 minutes, oldest first, the last one in progress; null is a minute nothing is known of. */
export type RateHistory = Schemas['Sparkline'];

export type Session = Schemas['SessionInfo'];

export interface Page<T> {
  items: T[];
  continuationToken: string | null;
}

export type Reading = Omit<Schemas['Sample'], 'value'> & { value: PlainValue };
export type Series = Omit<Schemas['Series'], 'last'> & { last: Reading | null };

export interface Point {
  time: string;
  value: number | bigint;
}

/** Aggregates as they are drawn: what is not finite is null, because no line goes there. */
export type Bucket = Omit<Schemas['BucketItem'], 'min' | 'max' | 'avg' | 'first' | 'last'> & {
  min: number | null;
  max: number | null;
  avg: number | null;
  first: Point | null;
  last: Point | null;
};
/** Aggregates as they come: NaN and infinities are strings. */
export type SentBucket = Omit<Bucket, 'min' | 'max' | 'avg' | 'first' | 'last'> & {
  min: number | string | null;
  max: number | string | null;
  avg: number | string | null;
  first: SentPoint | null;
  last: SentPoint | null;
};
type SentPoint = Omit<Point, 'value'> & { value: number | bigint | string };

export type GapReason =
  | 'overflow'
  | 'sequence-gap'
  | 'disconnection'
  | 'server-restart'
  | 'edge-restart'
  | 'drop'
  | 'missing-metadata'
  | 'corruption'
  | 'rejected';

export type Gap = Omit<Schemas['Gap'], 'reason' | 'hop'> & { reason: GapReason; hop: StageName };

export type Source = Required<Schemas['SourceReport']>;
export type Stage = Required<Omit<Schemas['StageReport'], 'sources'>> & { sources: Source[] };

export type Flow = Omit<Schemas['Flow'], 'stages' | 'rates' | 'history'> & {
  stages: Stage[];
  rates: Partial<Record<StageName, Rate>>;
  history: Partial<Record<StageName, RateHistory>>;
};
