/** What pages ask, with how long an answer may be kept. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { askJson, queryString, rememberCsrfToken } from './client';
import { ApiProblem } from './problem';
import { drawable } from './drawable';
import type { Flow, Gap, Page, Reading, SentBucket, Series, Session } from './types';

export const SERIES_PAGE = 500;
const GAPS_MAX = 500;

/** Who is signed in; null when nobody is. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  staleTime: Infinity,
  retry: false,
  queryFn: async ({ signal }): Promise<Session | null> => {
    try {
      const session = await askJson<Session>('/session', { signal });
      rememberCsrfToken(session.csrfToken ?? '');
      return session;
    } catch (problem) {
      if (problem instanceof ApiProblem && problem.status === 401) return null;
      throw problem;
    }
  },
});

/** The flow document; the live stream replaces it each second. */
export const flowQuery = queryOptions({
  queryKey: ['flow'],
  staleTime: 30_000,
  queryFn: ({ signal }) => askJson<Flow>('/flow', { signal }),
});

export function seriesListQuery(search: string) {
  return infiniteQueryOptions({
    queryKey: ['series', 'list', search],
    staleTime: 15_000,
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      askJson<Page<Series>>(`/series${queryString({ search, limit: SERIES_PAGE, continuationToken: pageParam })}`, { signal }),
    getNextPageParam: (page: Page<Series>) => page.continuationToken ?? undefined,
  });
}

export function seriesFindQuery(search: string, limit: number) {
  return queryOptions({
    queryKey: ['series', 'find', search, limit],
    staleTime: 15_000,
    queryFn: ({ signal }) => askJson<Page<Series>>(`/series${queryString({ search, limit })}`, { signal }),
  });
}

export function seriesQuery(id: number) {
  return queryOptions({
    queryKey: ['series', id],
    staleTime: 60_000,
    queryFn: ({ signal }) => askJson<Series>(`/series/${id}`, { signal }),
  });
}

const iso = (ms: number) => new Date(ms).toISOString();

export function bucketsQuery(id: number, from: number, to: number, count: number) {
  return queryOptions({
    queryKey: ['buckets', id, from, to, count],
    staleTime: Infinity,
    gcTime: 60_000,
    queryFn: async ({ signal }) => {
      const sent = await askJson<{ items: SentBucket[] }>(`/series/${id}/buckets${queryString({ from: iso(from), to: iso(to), count })}`, { signal });
      return { items: sent.items.map(drawable) };
    },
  });
}

export function samplesQuery(id: number, from: number, to: number, limit: number, order?: 'asc' | 'desc') {
  return queryOptions({
    queryKey: ['samples', id, from, to, limit, order ?? ''],
    staleTime: Infinity,
    gcTime: 60_000,
    queryFn: ({ signal }) =>
      askJson<Page<Reading>>(`/series/${id}/samples${queryString({ from: iso(from), to: iso(to), limit, order })}`, { signal }),
  });
}

/** The nearest samples outside of a range; `after` only where the range has an end that does not move. */
export function boundsQuery(id: number, from: number, to: number, after: boolean) {
  const nearest = async (range: Record<string, string>, signal: AbortSignal): Promise<Reading | null> => {
    const page = await askJson<Page<Reading>>(`/series/${id}/samples${queryString({ ...range, limit: 1 })}`, { signal });
    return page.items[0] ?? null;
  };
  return queryOptions({
    queryKey: ['bounds', id, from, to, after],
    staleTime: Infinity,
    gcTime: 60_000,
    queryFn: async ({ signal }) => {
      const [earlier, later] = await Promise.all([
        nearest({ to: iso(from), order: 'desc' }, signal),
        after ? nearest({ from: iso(to), order: 'asc' }, signal) : null,
      ]);
      return { before: earlier, after: later };
    },
  });
}

export function gapsQuery(series: number, from: number, to: number) {
  return queryOptions({
    queryKey: ['gaps', series, from, to],
    staleTime: 20_000,
    gcTime: 60_000,
    queryFn: ({ signal }) =>
      askJson<Page<Gap>>(`/gaps${queryString({ series, from: iso(from), to: iso(to), limit: GAPS_MAX })}`, { signal }),
  });
}
