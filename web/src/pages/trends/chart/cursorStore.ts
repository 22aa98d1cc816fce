/** Where the cursor stands on the time axis, shared by lanes and readings. */
import { useSyncExternalStore } from 'react';

let at: number | null = null;
const listeners = new Set<() => void>();

export function moveCursor(to: number | null): void {
  if (to === at) return;
  at = to;
  listeners.forEach((listener) => listener());
}

export const cursorAt = (): number | null => at;

export function useCursorAt(): number | null {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => at,
  );
}
