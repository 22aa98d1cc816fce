/** Reading the live state from components. */
import { useEffect, useMemo, useSyncExternalStore } from 'react';
import { useQuery } from '@tanstack/react-query';
import { flowQuery } from '@/api/queries';
import type { Flow, Reading, Source } from '@/api/types';
import type { Standing } from '@/reading/trust';
import type { LiveStatus } from './reduce';
import { live } from './stream';

/** Asks the stream to carry these series while the component is on the page. */
export function useWanted(ids: readonly number[]): void {
  const key = ids.join(',');
  useEffect(() => live.want(key === '' ? [] : key.split(',').map(Number)), [key]);
}

/** The newest reading of a series, or what the page already knew. */
export function useReading(id: number, known: Reading | null): Reading | null {
  const reading = useSyncExternalStore(live.subscribe, () => live.state().readings.get(id));
  return reading ?? known;
}

export function useDecimals(id: number): number | undefined {
  return useSyncExternalStore(live.subscribe, () => live.state().decimals.get(id));
}

export function useLiveStatus(): LiveStatus {
  return useSyncExternalStore(live.subscribe, () => live.state().status);
}

export function useLiveSince(): number {
  return useSyncExternalStore(live.subscribe, () => live.state().since);
}

/** The flow document: asked for once, then as the stream tells it. */
export function useFlow(): { flow: Flow | null; error: Error | null } {
  const streamed = useSyncExternalStore(live.subscribe, () => live.state().flow);
  const { data, error } = useQuery({ ...flowQuery, enabled: streamed === null });
  return { flow: streamed ?? data ?? null, error: streamed ? null : error };
}

/** What the publisher reports of a server; of several groups on it, the one that fares worst. */
export function sourceOf(flow: Flow | null, endpoint: string, group?: string): Source | null {
  let found: Source | null = null;
  for (const stage of flow?.stages ?? []) {
    for (const source of stage.sources) {
      if (source.endpoint !== endpoint) continue;
      if (group !== undefined && source.group === group) return source;
      if (found === null || (found.state === 'live' && source.state !== 'live')) found = source;
    }
  }
  return found;
}

export function useSource(endpoint: string, group?: string): Source | null {
  return useSyncExternalStore(live.subscribe, () => sourceOf(live.state().flow, endpoint, group));
}

/**
 * How a server stands: the same object as long as it says the same. Reports come each second and differ in their counts;
 * rows must not be drawn anew for that.
 */
export function useStanding(endpoint: string, group: string): Standing | null {
  const text = useSyncExternalStore(live.subscribe, () => standingText(sourceOf(live.state().flow, endpoint, group)));
  return useMemo(() => standingIn(text), [text]);
}

/** While a server is live, when its last data came changes all the time and says nothing. */
function standingText(source: Source | null): string {
  if (source === null) return '';
  return source.state === 'live' ? source.state : `${source.state} ${source.since} ${source.lastData ?? ''}`;
}

function standingIn(text: string): Standing | null {
  if (text === '') return null;
  const [state, since = '', lastData] = text.split(' ');
  return { state: state as Source['state'], since, lastData: lastData || null };
}

/** Endpoints of the servers that report, one a line; changes only when they do. */
export function useReportedEndpoints(): string {
  return useSyncExternalStore(live.subscribe, () => (live.state().flow?.stages ?? []).flatMap((stage) => stage.sources.map((source) => source.endpoint)).join('\n'));
}
