/** Reading the live state from components. */
import { useEffect, useSyncExternalStore } from 'react';
import { useQuery } from '@tanstack/react-query';
import { flowQuery } from '@/api/queries';
import type { Flow, Reading, Source } from '@/api/types';
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

/** Endpoints of the servers that report, one a line; changes only when they do. */
export function useReportedEndpoints(): string {
  return useSyncExternalStore(live.subscribe, () => (live.state().flow?.stages ?? []).flatMap((stage) => stage.sources.map((source) => source.endpoint)).join('\n'));
}
