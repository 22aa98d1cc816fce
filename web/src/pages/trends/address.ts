/** What the address of Trends says: series, range, axes, comparison, the gap in view. */
import { textOf } from '@/shell/address';
import { idList } from '@/shell/idList';
import { isSpan, type Span } from '@/trace/range';

export const TRENDS_MAX = 12;

export interface TrendsAddress {
  /** Series ids, comma separated, at most twelve. */
  s?: string;
  /** A range that moves with the clock. */
  range?: Span;
  /** A fixed range, both RFC 3339. */
  from?: string;
  to?: string;
  axes?: 'shared';
  /** How far back the comparison lies. */
  compare?: Span;
  /** The ledger entry in view, `series@from`. */
  gap?: string;
}

export function readTrendsAddress(search: Record<string, unknown>): TrendsAddress {
  const address: TrendsAddress = {};
  const ids = idList(textOf(search, 's')).slice(0, TRENDS_MAX);
  const range = textOf(search, 'range');
  const from = textOf(search, 'from');
  const to = textOf(search, 'to');
  const compare = textOf(search, 'compare');
  const gap = textOf(search, 'gap');
  if (ids.length > 0) address.s = ids.join(',');
  if (from && to && Date.parse(from) < Date.parse(to)) Object.assign(address, { from, to });
  else if (range && isSpan(range)) address.range = range;
  if (textOf(search, 'axes') === 'shared') address.axes = 'shared';
  if (compare && isSpan(compare)) address.compare = compare;
  if (gap) address.gap = gap;
  return address;
}
