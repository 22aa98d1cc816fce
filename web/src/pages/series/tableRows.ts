/** The rows of the series table: what the search found, flat or under its servers, with the opened one's detail. */
import type { Series } from '@/api/types';

export interface ServerGroup {
  endpoint: string;
  /** null while it is folded or its series are on the way. */
  series: Series[] | null;
  open: boolean;
  /** There are more than were asked for. */
  cut: boolean;
}

export type TableRow =
  | { kind: 'series'; key: string; series: Series; level: 1 | 2 }
  | { kind: 'detail'; key: string; series: Series }
  | { kind: 'server'; key: string; group: ServerGroup }
  | { kind: 'waiting'; key: string }
  | { kind: 'cut'; key: string };

function withDetail(series: Series, level: 1 | 2, open: number | undefined): TableRow[] {
  const row: TableRow = { kind: 'series', key: `s${series.id}`, series, level };
  return series.id === open ? [row, { kind: 'detail', key: `d${series.id}`, series }] : [row];
}

/** Made rows by the page that they were made of: one more page must not have tens of thousands of rows made anew. */
const made = new WeakMap<readonly Series[], readonly TableRow[]>();

function rowsOf(page: readonly Series[]): readonly TableRow[] {
  const known = made.get(page) ?? page.flatMap((series) => withDetail(series, 1, undefined));
  made.set(page, known);
  return known;
}

export function flatRows(pages: readonly (readonly Series[])[], open: number | undefined, more: boolean): TableRow[] {
  const rows = pages.flatMap(rowsOf);
  const at = open === undefined ? -1 : rows.findIndex((row) => row.kind === 'series' && row.series.id === open);
  const opened = rows[at];
  if (opened?.kind === 'series') rows.splice(at, 1, ...withDetail(opened.series, 1, open));
  if (more) rows.push({ kind: 'waiting', key: 'more' });
  return rows;
}

export function groupedRows(groups: readonly ServerGroup[], open: number | undefined): TableRow[] {
  return groups.flatMap((group): TableRow[] => {
    const head: TableRow = { kind: 'server', key: `g${group.endpoint}`, group };
    if (!group.open) return [head];
    if (group.series === null) return [head, { kind: 'waiting', key: `w${group.endpoint}` }];
    const rows = group.series.flatMap((series) => withDetail(series, 2, open));
    return group.cut ? [head, ...rows, { kind: 'cut', key: `c${group.endpoint}` }] : [head, ...rows];
  });
}

/** Endpoints of the servers that report and of the series at hand, each once, in alphabetical order. */
export function endpointsOf(reported: readonly string[], items: readonly Series[]): string[] {
  return [...new Set([...reported, ...items.map((series) => series.source)])].sort();
}

/** The index of the next row of a wish, which can hold the focus; the same when there is none. */
export function nextFocus(rows: readonly TableRow[], from: number, step: number): number {
  let at = from;
  let left = Math.abs(step);
  const way = Math.sign(step);
  for (let index = from + way; index >= 0 && index < rows.length && left > 0; index += way) {
    const kind = rows[index]?.kind;
    if (kind === 'series' || kind === 'server') {
      at = index;
      left -= 1;
    }
  }
  return at;
}

export type KeyAnswer =
  | { kind: 'choose'; id: number }
  | { kind: 'unfold'; id: number; wish?: boolean }
  | { kind: 'unfoldServer'; endpoint: string; wish?: boolean }
  | { kind: 'focus'; index: number };

/** What a key means on a row, as in every tree with columns: right opens and goes in, left folds and goes out. */
export function keyAnswer(key: string, rows: readonly TableRow[], at: number, open: number | undefined): KeyAnswer | null {
  const row = rows[at];
  if (row?.kind === 'server') {
    const { endpoint, open: isOpen } = row.group;
    if (key === 'Enter') return { kind: 'unfoldServer', endpoint };
    if (key === 'ArrowRight') return isOpen ? { kind: 'focus', index: nextFocus(rows, at, 1) } : { kind: 'unfoldServer', endpoint, wish: true };
    if (key === 'ArrowLeft' && isOpen) return { kind: 'unfoldServer', endpoint, wish: false };
  }
  if (row?.kind === 'series') {
    const { id } = row.series;
    if (key === ' ') return { kind: 'choose', id };
    if (key === 'Enter') return { kind: 'unfold', id };
    if (key === 'ArrowRight') return { kind: 'unfold', id, wish: true };
    if (key === 'ArrowLeft' && (open === id || row.level === 1)) return { kind: 'unfold', id, wish: false };
    if (key === 'ArrowLeft') return { kind: 'focus', index: rows.findLastIndex((each, index) => index < at && each.kind === 'server') };
  }
  return null;
}
