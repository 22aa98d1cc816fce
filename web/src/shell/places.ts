/** The places of the console, in the order of the rail. A place appears when it works. */
import type { IconName } from '@/parts/Icon';
import type { Key } from '@/words/words';

export const PLACES = [
  { to: '/flow', word: 'place.flow', icon: 'flow' },
  { to: '/series', word: 'place.series', icon: 'series' },
  { to: '/trends', word: 'place.trends', icon: 'trends' },
] as const satisfies readonly { to: string; word: Key; icon: IconName }[];
