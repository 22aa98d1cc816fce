/** What stands behind the lines: holes as bands, bad quality hatched. */
import type uPlot from 'uplot';
import type { Hole } from '@/trace/holes';
import type { Interval } from '@/trace/trace';

export interface PaintColours {
  hole: string;
  holeText: string;
  bad: string;
  badSurface: string;
  mark: string;
}

const HATCH_PX = 7;
const LABEL_FROM_PX = 46;
/** Narrower holes are still drawn so wide, or nobody would see them. */
const NARROWEST_PX = 2;

function span(u: uPlot, from: number, to: number): { left: number; width: number } | null {
  const { min, max } = u.scales['x'] ?? {};
  if (min == null || max == null || to < min || from > max) return null;
  const left = u.valToPos(Math.max(from, min), 'x', true);
  const right = u.valToPos(Math.min(to, max), 'x', true);
  const narrowest = NARROWEST_PX * devicePixelRatio;
  return { left, width: Math.max(narrowest, right - left) };
}

export function paintHoles(u: uPlot, holes: readonly Hole[], colours: PaintColours, word: string): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.font = `${11 * ratio}px Inter, sans-serif`;
  ctx.textBaseline = 'top';
  ctx.textAlign = 'left';
  for (const hole of holes) {
    const place = span(u, hole.from, hole.to);
    if (!place) continue;
    if (!hole.breaks) {
      // All values of this outage were fetched later: a mark on the axis, no hole in the line.
      ctx.fillStyle = colours.mark;
      ctx.fillRect(place.left, bbox.top + bbox.height - 3 * ratio, place.width, 3 * ratio);
      continue;
    }
    ctx.fillStyle = colours.hole;
    ctx.fillRect(place.left, bbox.top, place.width, bbox.height);
    ctx.fillStyle = colours.holeText;
    ctx.fillRect(place.left, bbox.top, place.width, 2 * ratio);
    if (place.width > LABEL_FROM_PX * ratio) ctx.fillText(word, place.left + 6 * ratio, bbox.top + 6 * ratio);
  }
  ctx.restore();
}

export function paintBad(u: uPlot, intervals: readonly Interval[], colours: PaintColours): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  const step = HATCH_PX * ratio;
  ctx.save();
  ctx.lineWidth = ratio;
  ctx.strokeStyle = colours.bad;
  for (const interval of intervals) {
    const place = span(u, interval.from, interval.to);
    if (!place) continue;
    ctx.save();
    ctx.beginPath();
    ctx.rect(place.left, bbox.top, place.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = colours.badSurface;
    ctx.fillRect(place.left, bbox.top, place.width, bbox.height);
    ctx.globalAlpha = 0.55;
    ctx.beginPath();
    // Lines start on a grid of the whole chart, so that the hatch does not crawl while the window moves.
    const first = Math.floor((place.left - bbox.height) / step) * step;
    for (let x = first; x < place.left + place.width; x += step) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
    }
    ctx.stroke();
    ctx.restore();
  }
  ctx.restore();
}
