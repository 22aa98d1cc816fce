/** What a person chose for this browser: scheme, language, zone, single-key shortcuts. */
import { useSyncExternalStore } from 'react';
import { LANGUAGES, preferredLanguage, type Language } from '@/words/words';

export type Scheme = 'auto' | 'light' | 'dark';

export interface Preferences {
  scheme: Scheme;
  language: Language;
  utc: boolean;
  singleKeys: boolean;
}

const PLACE = 'gemba-preferences';

function stored(): Preferences {
  const found: Preferences = { scheme: 'auto', language: preferredLanguage(navigator.languages), utc: false, singleKeys: true };
  try {
    const kept = JSON.parse(localStorage.getItem(PLACE) ?? '{}') as Partial<Preferences>;
    if (kept.scheme === 'light' || kept.scheme === 'dark') found.scheme = kept.scheme;
    if (kept.language && LANGUAGES.includes(kept.language)) found.language = kept.language;
    if (typeof kept.utc === 'boolean') found.utc = kept.utc;
    if (typeof kept.singleKeys === 'boolean') found.singleKeys = kept.singleKeys;
  } catch {
    // Storage may be forbidden or damaged; the defaults serve.
  }
  return found;
}

let current: Preferences | null = null;
const listeners = new Set<() => void>();

export function preferences(): Preferences {
  current ??= stored();
  return current;
}

export function prefer(change: Partial<Preferences>): void {
  current = { ...preferences(), ...change };
  try {
    localStorage.setItem(PLACE, JSON.stringify(current));
  } catch {
    // Kept for this page only.
  }
  listeners.forEach((listener) => listener());
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(subscribe, preferences);
}

const DARK = '(prefers-color-scheme: dark)';

function watchSystem(listener: () => void): () => void {
  const query = window.matchMedia(DARK);
  query.addEventListener('change', listener);
  return () => query.removeEventListener('change', listener);
}

/** The scheme in force. */
export function useScheme(): 'light' | 'dark' {
  const { scheme } = usePreferences();
  const dark = useSyncExternalStore(watchSystem, () => window.matchMedia(DARK).matches);
  return scheme === 'auto' ? (dark ? 'dark' : 'light') : scheme;
}

/** The browser's zone stands for the plant's until the server names one. */
export function zoneOf(utc: boolean, plantZone: string | undefined): string {
  if (utc) return 'UTC';
  return plantZone ?? (Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC');
}
