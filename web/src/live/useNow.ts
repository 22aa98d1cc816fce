/** One clock for all ages on the page. */
import { useSyncExternalStore } from 'react';
import { serverNow } from '@/reading/clock';

const TICK_MS = 1000;
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | null = null;
let now = serverNow();

/** The second that all agree on; while nobody listens it stands still, and the next who asks sets it. */
function thisSecond(): number {
  if (timer === null && Math.abs(serverNow() - now) >= TICK_MS) now = serverNow();
  return now;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
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

/** What is so at this second; whoever asks is drawn anew only when the answer is another one. */
export function useAtNow<T extends string | number | boolean | null>(answer: (now: number) => T): T {
  return useSyncExternalStore(subscribe, () => answer(thisSecond()));
}

/** The server's time in milliseconds, renewed each second, or on a coarser grid. */
export function useNow(gridMs = TICK_MS): number {
  return useAtNow((now) => (gridMs <= TICK_MS ? now : Math.floor(now / gridMs) * gridMs));
}
