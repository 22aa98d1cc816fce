/** What the address of Series says: search, grouping, columns, the open row, the chosen series. */
import { textOf } from '@/shell/address';
import { idList } from '@/shell/idList';

export const COLUMNS = ['quality', 'age', 'source', 'group', 'device', 'node'] as const;
export type Column = (typeof COLUMNS)[number];
const USUAL: readonly Column[] = ['quality', 'age', 'source', 'group'];

export interface SeriesAddress {
  q?: string;
  by?: 'server';
  /** Shown columns beside name and value, comma separated; absent for the usual ones, `none` for none. */
  cols?: string;
  /** The expanded series. */
  open?: number;
  /** Chosen series, comma separated. */
  s?: string;
}

export function readSeriesAddress(search: Record<string, unknown>): SeriesAddress {
  const address: SeriesAddress = {};
  const q = textOf(search, 'q');
  const cols = textOf(search, 'cols');
  const open = Number(textOf(search, 'open'));
  const chosen = idList(textOf(search, 's'));
  if (q) address.q = q;
  if (textOf(search, 'by') === 'server') address.by = 'server';
  if (cols) address.cols = cols;
  if (Number.isSafeInteger(open) && open >= 0 && textOf(search, 'open')) address.open = open;
  if (chosen.length > 0) address.s = chosen.join(',');
  return address;
}

/** The open row after a wish about one: open, folded, or the other of the two. */
export function unfolded(open: number | undefined, id: number, wish: boolean = open !== id): number | undefined {
  if (wish) return id;
  return open === id ? undefined : open;
}

export function columnsOf(address: SeriesAddress): readonly Column[] {
  if (address.cols === undefined) return USUAL;
  const named = address.cols.split(',');
  return COLUMNS.filter((column) => named.includes(column));
}

/** The address's text for a choice of columns; undefined for the usual ones. */
export function columnsText(columns: readonly Column[]): string | undefined {
  const shown = COLUMNS.filter((column) => columns.includes(column));
  if (shown.length === USUAL.length && USUAL.every((column) => shown.includes(column))) return undefined;
  return shown.length === 0 ? 'none' : shown.join(',');
}
