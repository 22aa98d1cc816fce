/** The one reducer of live data: what the stream said, folded into what the pages read. */
import type { Flow, Reading } from '@/api/types';
import { decimalsOf } from '@/reading/value';

export type LiveStatus = 'idle' | 'connecting' | 'open' | 'lost' | 'ended';

export interface LiveState {
  status: LiveStatus;
  /** Since when it has this status, milliseconds of the server's clock. */
  since: number;
  /** Newest reading of each series asked for; null is a series without a value. */
  readings: ReadonlyMap<number, Reading | null>;
  /** Most decimals seen of a series, so that its numbers keep their width. */
  decimals: ReadonlyMap<number, number>;
  flow: Flow | null;
}

export interface ValuesEvent {
  series: Record<string, Reading | null>;
}

export type LiveAction =
  | { kind: 'status'; status: LiveStatus; at: number }
  | { kind: 'values'; events: ValuesEvent[] }
  | { kind: 'flow'; flow: Flow }
  | { kind: 'forget'; keep: ReadonlySet<number> };

export const NOTHING_LIVE: LiveState = { status: 'idle', since: 0, readings: new Map(), decimals: new Map(), flow: null };

function withValues(state: LiveState, events: ValuesEvent[]): LiveState {
  const readings = new Map(state.readings);
  const decimals = new Map(state.decimals);
  for (const event of events) {
    for (const [text, reading] of Object.entries(event.series)) {
      const id = Number(text);
      readings.set(id, reading);
      if (reading) decimals.set(id, Math.max(decimals.get(id) ?? 0, decimalsOf(reading.value)));
    }
  }
  return { ...state, readings, decimals };
}

function keepOnly<T>(map: ReadonlyMap<number, T>, keep: ReadonlySet<number>): ReadonlyMap<number, T> {
  return new Map([...map].filter(([id]) => keep.has(id)));
}

export function reduceLive(state: LiveState, action: LiveAction): LiveState {
  switch (action.kind) {
    case 'status':
      return state.status === action.status ? state : { ...state, status: action.status, since: action.at };
    case 'values':
      return action.events.length === 0 ? state : withValues(state, action.events);
    case 'flow':
      return { ...state, flow: action.flow };
    case 'forget':
      return { ...state, readings: keepOnly(state.readings, action.keep), decimals: keepOnly(state.decimals, action.keep) };
  }
}
