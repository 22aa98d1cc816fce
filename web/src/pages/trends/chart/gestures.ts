/** Wheel, pinch and finger on a lane. The brush is uPlot's own. */
import type uPlot from 'uplot';
import { zoomAt, type View } from '@/trace/range';
import type { Look } from '../gesture';

const WHEEL_FACTOR = 0.0016;

export interface Gestures {
  view: () => View;
  look: (to: Look) => void;
}

function timeAt(u: uPlot, clientX: number): number {
  return u.posToVal(clientX - u.over.getBoundingClientRect().left, 'x');
}

export function listenToGestures(u: uPlot, { view, look }: Gestures): () => void {
  const fingers = new Map<number, number>();
  let pinch: { view: View; from: number; to: number } | null = null;

  const onWheel = (event: WheelEvent) => {
    event.preventDefault();
    const pixels = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    const at = timeAt(u, event.clientX);
    look((shown) => zoomAt(shown, at, Math.exp(Math.max(-300, Math.min(300, pixels)) * WHEEL_FACTOR)));
  };

  const onDown = (event: PointerEvent) => {
    if (event.pointerType !== 'touch') return;
    fingers.set(event.pointerId, event.clientX);
    const [a, b] = [...fingers.values()];
    pinch = a !== undefined && b !== undefined ? { view: view(), from: a, to: b } : null;
  };

  const onMove = (event: PointerEvent) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, event.clientX);
    const [a, b] = [...fingers.values()];
    if (pinch && a !== undefined && b !== undefined) {
      look(pinched(pinch, a, b, u.over.getBoundingClientRect()));
    } else {
      u.setCursor({ left: event.clientX - u.over.getBoundingClientRect().left, top: 0 });
    }
  };

  const onUp = (event: PointerEvent) => {
    fingers.delete(event.pointerId);
    pinch = null;
  };

  u.over.addEventListener('wheel', onWheel, { passive: false });
  u.over.addEventListener('pointerdown', onDown);
  u.over.addEventListener('pointermove', onMove);
  u.over.addEventListener('pointerup', onUp);
  u.over.addEventListener('pointercancel', onUp);
  return () => {
    u.over.removeEventListener('wheel', onWheel);
    u.over.removeEventListener('pointerdown', onDown);
    u.over.removeEventListener('pointermove', onMove);
    u.over.removeEventListener('pointerup', onUp);
    u.over.removeEventListener('pointercancel', onUp);
  };
}

/** The view in which both fingers still stand on the instants that they touched first. */
export function pinched(start: { view: View; from: number; to: number }, a: number, b: number, box: { left: number; width: number }): View {
  const perPixel = (start.view.to - start.view.from) / box.width;
  const instantA = start.view.from + (start.from - box.left) * perPixel;
  const instantB = start.view.from + (start.to - box.left) * perPixel;
  const apart = b - a;
  if (Math.abs(apart) < 12 || instantA === instantB) return start.view;
  const scale = (instantB - instantA) / apart;
  if (scale <= 0) return start.view;
  const from = instantA - (a - box.left) * scale;
  return { from: Math.round(from), to: Math.round(from + box.width * scale) };
}
