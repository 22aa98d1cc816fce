/** Whether a reading may be taken for the present. */
import type { Reading, Source } from '@/api/types';
import { instant } from './clock';

/** Without a report of its server, a reading older than this is no longer the present. */
export const STALE_AFTER_MS = 60_000;

export type Trust =
  | { kind: 'none' }
  /** vouched: its server is live, and would have sent a newer value if there were one. */
  | { kind: 'fresh'; at: number | null; vouched: boolean }
  | { kind: 'stale'; at: number | null; since: number | null };

/** How a server stands, as far as trust needs it. */
export type Standing = Pick<Source, 'state' | 'since' | 'lastData'>;

/** Whether a reading is older than the budget; one without a time is of no age. */
export function isOld(reading: Reading | null, now: number): boolean {
  const at = reading === null ? null : readingTime(reading);
  return at !== null && now - at > STALE_AFTER_MS;
}

/** The time to sort and age by: source, else server, else receive time. */
export function readingTime(reading: Reading): number | null {
  return instant(reading.sourceTimestamp) ?? instant(reading.serverTimestamp) ?? instant(reading.receivedTimestamp);
}

/**
 * A server sends a value when it changes, so an old timestamp alone says nothing while its server is live: the live
 * subscription vouches for it. It is stale when the server is not live, or when no report of the server is known and
 * the reading is `old`.
 */
export function trustOf(reading: Reading | null, source: Standing | null, old: boolean, lostSince: number | null = null): Trust {
  if (reading === null) return { kind: 'none' };
  const at = readingTime(reading);
  // Without the stream nobody vouches for anything any more.
  if (lostSince !== null) return { kind: 'stale', at, since: lostSince };
  if (source !== null) {
    if (source.state === 'live') return { kind: 'fresh', at, vouched: true };
    return { kind: 'stale', at, since: instant(source.lastData) ?? instant(source.since) };
  }
  return old ? { kind: 'stale', at, since: at } : { kind: 'fresh', at, vouched: false };
}
