/** What the palette offers for a text: series from the server, places and actions from here. */
import { useNavigate, useSearch } from '@tanstack/react-router';
import type { Series } from '@/api/types';
import type { IconName } from '@/parts/Icon';
import { prefer, usePreferences } from '@/parts/preferences';
import { TRENDS_MAX } from '@/pages/trends/address';
import { useWords, type Key } from '@/words/words';
import { idList, toggled } from './idList';
import type { PaletteMode } from './palette';
import { PLACES } from './places';

export interface PaletteEntry {
  key: string;
  group: 'series' | 'places' | 'actions';
  groupText: string;
  icon: IconName;
  text: string;
  detail: string;
  act: () => void;
  /** The palette stays open, so that several can be picked. */
  stays?: boolean;
}

/** Every word of the search stands somewhere in the text. */
export function matches(text: string, search: string): boolean {
  const lower = text.toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => lower.includes(word));
}

const startsWith = (text: string, search: string): boolean => text.toLowerCase().startsWith(search.toLowerCase());

/** The address with a series more or less; made from the address as it is now, which may be newer than what is drawn. */
function withToggled(before: { s?: string }, id: number): object {
  const ids = toggled(idList(before.s), id);
  return ids.length > TRENDS_MAX ? before : { ...before, s: ids.join(',') || undefined };
}

export function usePaletteEntries(search: string, mode: PaletteMode, found: readonly Series[]): PaletteEntry[] {
  const { t } = useWords();
  const navigate = useNavigate();
  const address = useSearch({ strict: false });
  const { utc, scheme } = usePreferences();
  const shown = mode === 'add' ? idList(address.s) : [];

  // While an answer is under way, what is shown belongs to the text before; only what fits the new one may stay.
  const fittingSeries = found.filter((each) => search === '' || matches(`${each.name} ${each.nodeId} ${each.source}`, search));
  const series = fittingSeries.map((each): PaletteEntry => {
    const on = shown.includes(each.id);
    const full = shown.length >= TRENDS_MAX && !on;
    return {
      key: `series-${each.id}`,
      group: 'series',
      groupText: t('palette.series'),
      icon: on ? 'check' : mode === 'add' ? 'plus' : 'trends',
      text: each.name,
      detail: full ? t('trends.full', { max: TRENDS_MAX }) : `${each.writerGroup} · ${each.source}`,
      stays: mode === 'add',
      act: () => {
        if (mode === 'all') return void navigate({ to: '/trends', search: { s: String(each.id) } });
        if (full) return;
        void navigate({ to: '/trends', search: (before) => withToggled(before, each.id) as never, replace: true });
      },
    };
  });
  if (mode === 'add') return series;

  const places = PLACES.map(({ to, word, icon }): PaletteEntry => ({
    key: to, group: 'places', groupText: t('palette.places'), icon, text: t(word), detail: t(`${word}.what` as Key), act: () => void navigate({ to }),
  }));
  const action = (key: string, icon: IconName, text: string, act: () => void, detail = ''): PaletteEntry => ({
    key, group: 'actions', groupText: t('palette.actions'), icon, text, detail, act,
  });
  const actions = [
    action('utc', 'clock', t(utc ? 'action.plantTime' : 'action.utc'), () => prefer({ utc: !utc }), 'U'),
    action('scheme', 'sun', t(scheme === 'dark' ? 'action.light' : 'action.dark'), () => prefer({ scheme: scheme === 'dark' ? 'light' : 'dark' })),
    action('english', 'person', 'English', () => prefer({ language: 'en' })),
    action('german', 'person', 'Deutsch', () => prefer({ language: 'de' })),
    action('signOut', 'leave', t('person.signOut'), () => void import('./PersonMenu').then(({ signOut }) => signOut())),
  ];
  const fitting = [...places, ...actions].filter((entry) => search === '' || matches(`${entry.text} ${entry.detail}`, search));
  const named = fitting.filter((entry) => startsWith(entry.text, search));
  return search === '' ? [...fitting, ...series] : [...named, ...series, ...fitting.filter((entry) => !named.includes(entry))];
}
