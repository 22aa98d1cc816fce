/** SVG paths of a trace: one a run, cut at every break. */
import type { View } from '@/trace/range';
import type { Trace } from '@/trace/trace';

export function tracePaths(trace: Trace, view: View, width: number, height: number): { lines: string[]; low: number | null; high: number | null } {
  let low = Infinity;
  let high = -Infinity;
  for (const value of trace.y) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return { lines: [], low: null, high: null };
  const flat = high === low;
  const x = (at: number) => (((at - view.from) / (view.to - view.from)) * width).toFixed(1);
  const y = (value: number) => (flat ? height / 2 : height - ((value - low) / (high - low)) * height).toFixed(1);
  const lines: string[] = [];
  let line = '';
  trace.x.forEach((at, index) => {
    const value = trace.y[index];
    if (value === null || value === undefined) {
      if (line) lines.push(line);
      line = '';
    } else if (line === '') {
      line = `M${x(at)} ${y(value)}h0.01`;
    } else {
      line += trace.step ? `H${x(at)}V${y(value)}` : `L${x(at)} ${y(value)}`;
    }
  });
  if (line) lines.push(line);
  return { lines, low, high };
}
