/** Holes of a series on the time axis, from the ledger's gaps. */
import type { Gap } from '@/api/types';
import { instant } from '@/reading/clock';

export interface Hole {
  from: number;
  to: number;
  gap: Gap;
  /** Values are missing here, so nothing may be drawn across. An outage that was filled again is only marked. */
  breaks: boolean;
}

/** A bound that the ledger leaves open reaches to the end of time on that side. */
export function holesOf(gaps: readonly Gap[]): Hole[] {
  return gaps
    .map((gap) => ({
      from: instant(gap.from) ?? -Infinity,
      to: gap.closed ? (instant(gap.to) ?? Infinity) : Infinity,
      gap,
      breaks: !(gap.closed && gap.count === 0),
    }))
    .sort((a, b) => a.from - b.from);
}

/** Whether a hole lies between two neighbouring points. A gap runs from the last value before to the first one after. */
export function holeBetween(holes: readonly Hole[], before: number, after: number): boolean {
  return holes.some((hole) => hole.breaks && hole.from < after && hole.to > before);
}

/** The hole at an instant, the breaking one first. */
export function holeAt(holes: readonly Hole[], at: number): Hole | null {
  const here = holes.filter((hole) => hole.from <= at && at <= hole.to);
  return here.find((hole) => hole.breaks) ?? here[0] ?? null;
}

/** Names a ledger entry in an address. */
export const gapKey = (gap: Gap): string => `${gap.series}@${gap.from ?? gap.to ?? ''}`;
