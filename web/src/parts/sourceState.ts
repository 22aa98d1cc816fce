/** The state of a server as shape and word. */
import type { SourceState } from '@/api/types';
import type { Key } from '@/words/words';
import type { MarkKind } from './Mark';

const STATES: Record<SourceState, { kind: MarkKind; word: Key }> = {
  live: { kind: 'calm', word: 'source.live' },
  connecting: { kind: 'pending', word: 'source.connecting' },
  silent: { kind: 'warn', word: 'source.silent' },
  reconnecting: { kind: 'warn', word: 'source.reconnecting' },
  stopped: { kind: 'grave', word: 'source.stopped' },
};

export function stateOf(state: SourceState): { kind: MarkKind; word: Key } {
  return STATES[state];
}

/** Worst first; then as the server listed them. */
export const STATE_ORDER: readonly SourceState[] = ['stopped', 'reconnecting', 'silent', 'connecting', 'live'];
