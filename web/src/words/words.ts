/** Catalogues: one language loaded at a time, English and German from the first day. */
import { createContext, useContext } from 'react';

export type Catalogue = typeof import('./en').words;
export type Key = keyof Catalogue;
/** Keys that come as a pair `x.one` and `x.other`. */
export type CountKey = Key extends infer K ? (K extends `${infer Base}.one` ? Base : never) : never;
export type Params = Record<string, string | number>;
export type Language = 'en' | 'de';
export const LANGUAGES: readonly Language[] = ['en', 'de'];

export interface Words {
  language: Language;
  /** IANA zone in which times are shown. */
  zone: string;
  t: (key: Key, params?: Params) => string;
  /** The sentence for a count, by the language's plural rule; `{count}` is filled in. */
  n: (key: CountKey, count: number, params?: Params) => string;
}

function fill(text: string, params: Params | undefined): string {
  if (!params) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole));
}

export function wordsOf(language: Language, zone: string, catalogue: Catalogue, countText = (count: number) => String(count)): Words {
  const plural = new Intl.PluralRules(language);
  const t = (key: Key, params?: Params) => fill(catalogue[key], params);
  return {
    language,
    zone,
    t,
    n: (key, count, params) => {
      const form = plural.select(count) === 'one' ? 'one' : 'other';
      return t(`${key}.${form}` as Key, { count: countText(count), ...params });
    },
  };
}

export async function loadCatalogue(language: Language): Promise<Catalogue> {
  if (language === 'de') return (await import('./de')).words;
  return (await import('./en')).words;
}

/** The language to begin with, from what the browser prefers. */
export function preferredLanguage(preferences: readonly string[]): Language {
  const first = preferences.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => LANGUAGES.includes(tag as Language));
  return (first as Language | undefined) ?? 'en';
}

export const WordsContext = createContext<Words | null>(null);

export function useWords(): Words {
  const words = useContext(WordsContext);
  if (!words) throw new Error('no catalogue around this component');
  return words;
}
