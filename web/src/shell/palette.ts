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

export function openPalette(mode: PaletteMode): void {
  early = { text: '', entered: false };
  set({ open: true, mode });
}
export const closePalette = (): void => set({ ...state, open: false });

/** What was typed after the palette was asked for and before its field was there: letters, and perhaps Enter; null from then on. */
let early: { text: string; entered: boolean } | null = null;

/** A letter or Enter; whether it was taken, which it is only while the field is not there. */
export function typeEarly(key: string): boolean {
  if (early === null) return false;
  if (key === 'Enter') early = { ...early, entered: true };
  else if (key.length === 1) early = { ...early, text: early.text + key };
  else return false;
  return true;
}

/** The field is there and has the focus: what came before, once. */
export function takeEarly(): { text: string; entered: boolean } {
  const typed = early ?? { text: '', entered: false };
  early = null;
  return typed;
}

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
