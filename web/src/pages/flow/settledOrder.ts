/** Keeps rows where they were first seen: nothing moves under a hand because a state changed. */
import type { Source } from '@/api/types';
import { STATE_ORDER } from '@/parts/sourceState';
import { sourceKey } from './address';

const places = new Map<string, number>();

/** New servers come after those already shown, the worst of them first. */
export function settledOrder(sources: readonly Source[], seen: Map<string, number> = places): Source[] {
  const fresh = sources.filter((source) => !seen.has(sourceKey(source)));
  fresh
    .sort((a, b) => STATE_ORDER.indexOf(a.state) - STATE_ORDER.indexOf(b.state))
    .forEach((source) => seen.set(sourceKey(source), seen.size));
  return [...sources].sort((a, b) => (seen.get(sourceKey(a)) ?? 0) - (seen.get(sourceKey(b)) ?? 0));
}
