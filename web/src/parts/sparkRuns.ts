/** Geometry of small trends: runs of known points, cut where nothing is known. */

export interface SparkPoint {
  x: number;
  y: number;
}

/**
 * Cuts a row of values (null: nothing known) into runs of points in a box of `width` × `height`, y growing downward
 * from `top`. Every run has at least one point; a lone point stays a run of its own.
 */
export function sparkRuns(values: readonly (number | null)[], bottom: number, top: number, width: number, height: number): SparkPoint[][] {
  const span = top - bottom || 1;
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  const runs: SparkPoint[][] = [];
  let run: SparkPoint[] = [];
  values.forEach((value, index) => {
    if (value === null) {
      if (run.length > 0) runs.push(run);
      run = [];
    } else {
      run.push({ x: round(index * step), y: round(height - ((value - bottom) / span) * height) });
    }
  });
  if (run.length > 0) runs.push(run);
  return runs;
}

const round = (value: number) => Math.round(value * 100) / 100;

export function linePath(run: readonly SparkPoint[]): string {
  if (run.length === 1 && run[0]) return `M${run[0].x} ${run[0].y}h0.01`;
  return run.map((point, index) => `${index === 0 ? 'M' : 'L'}${point.x} ${point.y}`).join('');
}

export function areaPath(run: readonly SparkPoint[], height: number): string {
  const first = run[0];
  const last = run.at(-1);
  return first && last ? `${linePath(run)}L${last.x} ${height}L${first.x} ${height}Z` : '';
}
