/** A gesture on the chart that is on its way to the address. */
import { useSyncExternalStore } from 'react';
import type { View } from '@/trace/range';

/** A range, or how to come to one from what is in sight now; of several in one frame each goes on from the one before. */
export type Look = View | ((shown: View) => View);

let gesture: View | null = null;
const listeners = new Set<() => void>();

function set(next: View | null): void {
  gesture = next;
  listeners.forEach((listener) => listener());
}

/** `shown` is in sight when no gesture is under way. */
export function moveGesture(to: Look, shown: View): void {
  set(typeof to === 'function' ? to(gesture ?? shown) : to);
}

/** Whoever sets a range by other means ends what is under way; a gesture that has arrived ends only itself. */
export function endGesture(arrived?: View): void {
  if (gesture !== null && (arrived === undefined || arrived === gesture)) set(null);
}

export function useGesture(): View | null {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => gesture,
  );
}
