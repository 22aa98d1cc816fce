/** The range in sight: moving with the clock, or fixed; and gestures on their way to the address. */
import { getRouteApi } from '@tanstack/react-router';
import { useCallback, useEffect, useRef } from 'react';
import { useNow } from '@/live/useNow';
import { spanMs, type Span, type View } from '@/trace/range';
import type { TrendsAddress } from './address';
import { endGesture, moveGesture, useGesture, type Look } from './gesture';

export const USUAL_SPAN: Span = '1h';
/** A gesture is written to the address once it rests. */
const RESTS_MS = 250;
const PIXELS = 1200;

const route = getRouteApi('/shell/trends');

export interface ViewState {
  /** What the chart shows. */
  view: View;
  /** What data is asked for: as `view`, but without a gesture that is under way. */
  settled: View;
  /** The moving span; null for a fixed range. */
  span: Span | null;
}

export function fixedView(address: TrendsAddress): View | null {
  if (!address.from || !address.to) return null;
  return { from: Date.parse(address.from), to: Date.parse(address.to) };
}

export function useView(): ViewState & { look: (to: Look) => void } {
  const address = route.useSearch();
  const navigate = route.useNavigate();
  const fixed = fixedView(address);
  const span = fixed ? null : (address.range ?? USUAL_SPAN);
  // A window that moves by less than a pixel need not be drawn anew.
  const now = useNow(spanMs(span ?? USUAL_SPAN) / PIXELS);
  const gesture = useGesture();
  const settled = fixed ?? { from: now - spanMs(span ?? USUAL_SPAN), to: now };

  useEffect(() => {
    if (!gesture) return;
    const timer = setTimeout(() => {
      void navigate({ search: (before) => fixedSearch(before, gesture), replace: false }).then(() => endGesture(gesture));
    }, RESTS_MS);
    return () => clearTimeout(timer);
  }, [gesture, navigate]);

  useEffect(() => endGesture, []);

  const shown = useRef(settled);
  useEffect(() => {
    shown.current = settled;
  });
  const look = useCallback((to: Look) => moveGesture(to, shown.current), []);

  return { view: gesture ?? settled, settled, span, look };
}

/** The address with a fixed range instead of what was there. */
export function fixedSearch(before: TrendsAddress, view: View): TrendsAddress {
  const { range: _range, ...rest } = before;
  return { ...rest, from: new Date(view.from).toISOString(), to: new Date(view.to).toISOString() };
}

/** The address with a range that moves with the clock. */
export function movingSearch(before: TrendsAddress, span: Span): TrendsAddress {
  const { from: _from, to: _to, ...rest } = before;
  return { ...rest, range: span };
}
