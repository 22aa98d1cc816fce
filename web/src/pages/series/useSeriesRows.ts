/** Asks for what the table shows: page by page when flat, server by server when grouped. */
import { keepPreviousData, useInfiniteQuery, useQueries } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { seriesFindQuery, seriesListQuery } from '@/api/queries';
import { useReportedEndpoints } from '@/live/useLive';
import { endpointsOf, flatRows, groupedRows, type ServerGroup, type TableRow } from './tableRows';

/** Of one server so many are listed; beyond, the search must be narrower. */
export const SERVER_MAX = 1000;

export interface SeriesRows {
  rows: TableRow[];
  /** Series found so far, and whether there are more. */
  count: number;
  more: boolean;
  servers: number;
  pending: boolean;
  /** The rows answer an earlier search; the answer to this one is on its way. */
  behind: boolean;
  error: Error | null;
  loadMore: () => void;
  unfoldServer: (endpoint: string, wish?: boolean) => void;
}

export function useSeriesRows(search: string, byServer: boolean, open: number | undefined): SeriesRows {
  const [openServers, setOpenServers] = useState<readonly string[]>([]);
  const list = useInfiniteQuery({ ...seriesListQuery(search), placeholderData: keepPreviousData });
  const pages = useMemo(() => list.data?.pages.map((page) => page.items) ?? [], [list.data]);
  const reportedText = useReportedEndpoints();
  // Looking through tens of thousands of rows is for those alone who see them by server.
  const endpoints = useMemo(
    () => (byServer ? endpointsOf(search === '' && reportedText !== '' ? reportedText.split('\n') : [], pages.flat()) : []),
    [byServer, pages, reportedText, search],
  );
  const wanted = byServer ? endpoints.filter((endpoint) => openServers.includes(endpoint)) : [];
  const answers = useQueries({ queries: wanted.map((endpoint) => seriesFindQuery(`${search} ${endpoint}`.trim(), SERVER_MAX)) });

  const groups = endpoints.map((endpoint): ServerGroup => {
    const at = wanted.indexOf(endpoint);
    const answer = at < 0 ? undefined : answers[at]?.data;
    return {
      endpoint,
      open: at >= 0,
      // The search finds parts of texts; a server's address may be part of another's.
      series: answer?.items.filter((series) => series.source === endpoint) ?? null,
      cut: typeof answer?.continuationToken === 'string',
    };
  });

  const more = list.hasNextPage;
  // Tens of thousands of rows must not be made anew because one was chosen.
  const flat = useMemo(() => (byServer ? [] : flatRows(pages, open, more)), [byServer, pages, open, more]);
  return {
    rows: byServer ? groupedRows(groups, open) : flat,
    count: pages.reduce((sum, page) => sum + page.length, 0),
    more,
    servers: endpoints.length,
    pending: list.isPending,
    behind: list.isPlaceholderData,
    error: list.error ?? answers.find((answer) => answer.error)?.error ?? null,
    loadMore: () => {
      if (more && !list.isFetchingNextPage) void list.fetchNextPage();
    },
    unfoldServer: (endpoint, wish) =>
      setOpenServers((before) => {
        const others = before.filter((each) => each !== endpoint);
        return (wish ?? others.length === before.length) ? [...others, endpoint] : others;
      }),
  };
}
