/** Facts about the catalogues. */
import { expect, it } from 'vitest';
import { words as german } from './de';
import { words as english } from './en';
import { preferredLanguage, wordsOf, type Key } from './words';

const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort().join();

it('fills the same places in both languages', () => {
  const keys = Object.keys(english) as Key[];
  expect(keys.filter((key) => holes(english[key]) !== holes(german[key]))).toEqual([]);
});

it('has no exclamation marks, and no empty sentence', () => {
  for (const catalogue of [english, german]) expect(Object.entries(catalogue).filter(([, text]) => text.includes('!') || text.trim() === '')).toEqual([]);
});

it('counts by the rule of the language', () => {
  const de = wordsOf('de', 'UTC', german);
  expect([de.n('verdict.sources', 1, { of: 5 }), de.n('verdict.sources', 2, { of: 5 })]).toEqual(['1 von 5 Servern liefert nicht.', '2 von 5 Servern liefern nicht.']);
});

it('begins with the language that the browser prefers', () => {
  expect([preferredLanguage(['fr', 'de-AT', 'en']), preferredLanguage(['ja'])]).toEqual(['de', 'en']);
});
