/** Whether the command palette is open, and for what. */
import { useSyncExternalStore } from 'react';

/** all: series, places and actions; add: a series for the trend on the page. */
export type PaletteMode = 'all' | 'add';

interface PaletteState {
  open: boolean;
  mode: PaletteMode;
}

let state: PaletteState = { open: false, mode: 'all' };
const listeners = new Set<() => void>();

function set(next: PaletteState): void {
  state = next;
  listeners.forEach((listener) => listener());
}

export const openPalette = (mode: PaletteMode): void => set({ open: true, mode });
export const closePalette = (): void => set({ ...state, open: false });

export const paletteOpen = (): boolean => state.open;

export function usePalette(): PaletteState {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state,
  );
}
