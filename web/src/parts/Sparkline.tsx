/** A small trend without axes; holes stay holes. */
import classes from './Sparkline.module.css';
import { areaPath, linePath, sparkRuns } from './sparkRuns';

interface Props {
  values: readonly (number | null)[];
  label: string;
  /** Lowest value shown; 0 for rates. Left out: the smallest value. */
  bottom?: number;
  height?: number;
}

const WIDTH = 240;

export function Sparkline({ values, label, bottom, height = 40 }: Props) {
  const known = values.filter((value): value is number => value !== null);
  const low = bottom ?? Math.min(...known);
  const high = Math.max(...known, low + 1e-9);
  const runs = known.length === 0 ? [] : sparkRuns(values, low, high, WIDTH, height - 4);
  return (
    <svg className={classes.spark} viewBox={`0 -2 ${WIDTH} ${height}`} height={height} preserveAspectRatio="none" role="img" aria-label={label}>
      {runs.map((run, index) => (
        <path key={`area${index}`} className={classes.area} d={areaPath(run, height - 4)} />
      ))}
      {runs.map((run, index) => (
        <path key={`line${index}`} className={classes.line} d={linePath(run)} />
      ))}
    </svg>
  );
}
