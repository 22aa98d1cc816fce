/** What happened on the time axis: entries of the ledger, one for all series that it befell, close ones together. */
import type { Gap } from '@/api/types';
import type { Hole } from './holes';
import type { View } from './range';

export interface LedgerEvent {
  gap: Gap;
  from: number;
  to: number;
  /** Something is missing still. */
  breaks: boolean;
  open: boolean;
  /** Names of the series that it befell. */
  series: string[];
}

/** One mark: an event, or several that stand too close to be hit apart. */
export interface EventMark {
  /** Pixels from the left end of the axis. */
  left: number;
  events: LedgerEvent[];
}

/** The same outage is in the ledger once for each series; the marks show it once. */
export function eventsOf(all: readonly { name: string; holes: readonly Hole[] }[], view: View): LedgerEvent[] {
  const found = new Map<string, LedgerEvent>();
  for (const { name, holes } of all) {
    for (const { gap, from, to, breaks } of holes) {
      if (to < view.from || from > view.to) continue;
      const key = [gap.reason, gap.hop, gap.from, gap.to, gap.closed, breaks].join(' ');
      const known = found.get(key);
      if (known) known.series.push(name);
      else found.set(key, { gap, from, to, breaks, open: !gap.closed, series: [name] });
    }
  }
  return [...found.values()].sort((a, b) => a.from - b.from);
}

/** Marks at the beginnings of events, from left to right; `width` pixels are the view, `apart` is between two at least. */
export function marksOf(events: readonly LedgerEvent[], view: View, width: number, apart: number): EventMark[] {
  const marks: EventMark[] = [];
  for (const event of events) {
    const left = Math.max(0, Math.min(width, ((event.from - view.from) / (view.to - view.from)) * width));
    const last = marks.at(-1);
    if (last && left - last.left < apart) last.events.push(event);
    else marks.push({ left, events: [event] });
  }
  return marks;
}
