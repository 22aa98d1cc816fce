/** The chart as a PNG, with its titles and a background. */
import type uPlot from 'uplot';
import { cssColour, inkOf } from '../traceInk';
import type { LaneTrace } from './laneOptions';

interface Part {
  titles: LaneTrace[];
  chart: uPlot | undefined;
}

const TITLE_PX = 22;

export async function chartPicture(parts: readonly Part[]): Promise<Blob | null> {
  const ratio = devicePixelRatio;
  const canvases = parts.flatMap(({ titles, chart }) => (chart ? [{ titles: titles.filter((each) => !each.past), canvas: chart.ctx.canvas }] : []));
  const width = Math.max(0, ...canvases.map(({ canvas }) => canvas.width));
  const title = TITLE_PX * ratio;
  const height = canvases.reduce((sum, { canvas }) => sum + canvas.height + title, 0);
  if (width === 0) return null;
  const sheet = document.createElement('canvas');
  sheet.width = width;
  sheet.height = height;
  const ctx = sheet.getContext('2d');
  if (!ctx) return null;
  ctx.fillStyle = cssColour('--surface');
  ctx.fillRect(0, 0, width, height);
  ctx.font = `600 ${13 * ratio}px Inter, sans-serif`;
  ctx.textBaseline = 'middle';
  let top = 0;
  for (const { titles, canvas } of canvases) {
    let left = 12 * ratio;
    for (const trace of titles) {
      const text = `■ ${trace.name} ${trace.unit}`;
      ctx.fillStyle = cssColour(inkOf(trace.place).token);
      ctx.fillText(text, left, top + title / 2);
      left += ctx.measureText(text).width + 20 * ratio;
    }
    ctx.drawImage(canvas, 0, top + title);
    top += canvas.height + title;
  }
  return new Promise((done) => sheet.toBlob(done, 'image/png'));
}
