/** One clock for all ages on the page. */
import { useSyncExternalStore } from 'react';
import { serverNow } from '@/reading/clock';

const TICK_MS = 1000;
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | null = null;
let now = serverNow();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  now = serverNow();
  timer ??= setInterval(() => {
    now = serverNow();
    listeners.forEach((each) => each());
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0 && timer !== null) {
      clearInterval(timer);
      timer = null;
    }
  };
}

/** The server's time in milliseconds, renewed each second, or on a coarser grid. */
export function useNow(gridMs = TICK_MS): number {
  return useSyncExternalStore(subscribe, () => (gridMs <= TICK_MS ? now : Math.floor(now / gridMs) * gridMs));
}
