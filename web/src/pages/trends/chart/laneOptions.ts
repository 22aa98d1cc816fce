/** One lane of the chart: what it shows, and uPlot made to show it. */
import uPlot from 'uplot';
import { numberText } from '@/reading/number';
import type { Hole } from '@/trace/holes';
import type { Trace } from '@/trace/trace';
import { inkOf } from '../traceInk';
import { timeLabels } from './timeAxis';

export interface LaneTrace {
  id: number;
  name: string;
  unit: string;
  /** Place among all shown series; gives the ink. */
  place: number;
  /** A range from before, laid under the present one. */
  past: boolean;
  trace: Trace;
  holes: readonly Hole[];
}

export interface LaneSpec {
  key: string;
  traces: LaneTrace[];
}

export interface LaneLook {
  language: string;
  zone: string;
  colour: (token: string) => string;
  timeAxis: boolean;
  /** Pixels of the value axis on the right; lanes without one keep the place free. */
  rightAxis: number;
  sync: string;
}

export const LEFT_AXIS = 68;
export const TIME_AXIS = 44;
const POINT_SPACE = 8;
const FONT = '12px Inter, sans-serif';

/** Values of one unit share a scale; texts have their own. */
export const scaleOf = (lane: LaneTrace): string => (lane.trace.categories.length > 0 ? `text-${lane.id}` : `unit-${lane.unit}`);

/** What must be the same for a lane to be redrawn instead of made anew. */
export function laneShape(spec: LaneSpec, look: LaneLook, scheme: string): string {
  const traces = spec.traces.map((each) => [each.id, each.place, each.past, each.unit, each.trace.step, scaleOf(each)].join(':'));
  return [spec.key, ...traces, look.language, look.zone, look.timeAxis, look.rightAxis, scheme].join('|');
}

/** Several traces on one time axis: null stays a break, undefined is only a time that others have. */
export function laneData(traces: readonly LaneTrace[]): uPlot.AlignedData {
  const tables = traces.map(({ trace }) => [trace.x, trace.y] as uPlot.AlignedData);
  const first = tables[0];
  if (!first) return [[]];
  return tables.length === 1 ? first : uPlot.join(tables);
}

function axisText(values: readonly number[], increment: number, language: string, lane: LaneTrace): string[] {
  const { categories } = lane.trace;
  if (categories.length > 0) return values.map((value) => (Number.isInteger(value) ? (categories[value] ?? '').slice(0, 10) : ''));
  const decimals = Math.max(0, Math.min(6, -Math.floor(Math.log10(increment) + 1e-9)));
  return values.map((value) => (Math.abs(value) >= 1e6 ? value.toExponential(1) : numberText(value, language, decimals, true)));
}

/** Single points between breaks, which no line shows. */
export function lonePoints(y: readonly (number | null | undefined)[], from: number, to: number): number[] {
  const lone: number[] = [];
  let before: number | null = null;
  let last = -1;
  let run = 0;
  const close = () => {
    if (run === 1) lone.push(last);
    run = 0;
  };
  for (let index = from; index <= to; index += 1) {
    const value = y[index];
    if (value === undefined) continue;
    if (value === null) close();
    else {
      run += 1;
      last = index;
    }
    before = value;
  }
  if (before !== null) close();
  return lone;
}

function seriesOf(lane: LaneTrace, look: LaneLook, traces: () => readonly LaneTrace[], index: number): uPlot.Series {
  const ink = inkOf(lane.place);
  const stroke = look.colour(ink.token);
  const options: uPlot.Series = {
    label: lane.name,
    scale: scaleOf(lane),
    stroke,
    width: lane.past ? 1 : 1.6,
    alpha: lane.past ? 0.55 : 1,
    points: {
      size: 5,
      fill: stroke,
      show: (u, series, first, last) => {
        const raw = traces()[index]?.trace.raw ?? false;
        return raw && last - first < u.over.clientWidth / POINT_SPACE && u.data[series] !== undefined;
      },
      filter: (u, series, show) => {
        if (show) return null;
        const { min, max } = u.series[0]?.idxs ? { min: u.series[0].idxs[0], max: u.series[0].idxs[1] } : { min: 0, max: u.data[0].length - 1 };
        return lonePoints((u.data[series] ?? []) as (number | null | undefined)[], min, max);
      },
    },
  };
  const dash = lane.past ? [2, 3] : ink.dash;
  if (dash.length > 0) options.dash = dash;
  if (lane.trace.step && uPlot.paths.stepped) options.paths = uPlot.paths.stepped({ align: 1 });
  return options;
}

export function laneOptions(spec: LaneSpec, look: LaneLook, size: { width: number; height: number }, traces: () => readonly LaneTrace[]): uPlot.Options {
  const text = look.colour('--text-3');
  const grid = { stroke: look.colour('--line'), width: 1 };
  const scales = [...new Set(spec.traces.map(scaleOf))];
  const laneOf = (scale: string) => traces().find((each) => scaleOf(each) === scale) ?? spec.traces[0];
  const valueAxis = (scale: string, side: 1 | 3, size: number): uPlot.Axis => ({
    scale,
    side,
    size,
    gap: 6,
    font: FONT,
    stroke: text,
    grid: side === 3 ? grid : { show: false },
    ticks: { show: false },
    space: 34,
    values: (_u, values, _axis, _space, increment) => {
      const lane = laneOf(scale);
      return lane ? axisText(values, increment, look.language, lane) : [];
    },
  });
  const time: uPlot.Axis = {
    scale: 'x',
    side: 2,
    size: look.timeAxis ? TIME_AXIS : 6,
    font: FONT,
    stroke: text,
    grid,
    ticks: { ...grid, size: look.timeAxis ? 6 : 0 },
    space: 84,
    values: (_u, splits, _axis, _space, increment) => (look.timeAxis ? timeLabels(splits, increment, look.language, look.zone) : splits.map(() => '')),
  };
  const axes = [time, valueAxis(scales[0] ?? 'y', 3, LEFT_AXIS)];
  if (look.rightAxis > 0) axes.push(scales[1] ? valueAxis(scales[1], 1, look.rightAxis) : { scale: scales[0] ?? 'y', side: 1, size: look.rightAxis, values: () => [], grid: { show: false }, ticks: { show: false } });
  return {
    ...size,
    ms: 1,
    tzDate: (at) => uPlot.tzDate(new Date(at), look.zone),
    padding: [8, look.rightAxis > 0 ? 0 : 12, 0, 0],
    legend: { show: false },
    scales: { x: { time: true, auto: false }, ...Object.fromEntries(scales.map((scale) => [scale, scaleRange(() => laneOf(scale)?.trace)])) },
    axes,
    series: [{}, ...spec.traces.map((lane, index) => seriesOf(lane, look, traces, index))],
    cursor: {
      y: false,
      points: { size: 8 },
      drag: { x: true, y: false, setScale: false },
      bind: { dblclick: () => null },
      sync: { key: look.sync, filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave' } },
    },
  };
}

/** Texts and switches keep their full set in sight; numbers get a tenth of air. */
function scaleRange(trace: () => Trace | undefined): uPlot.Scale {
  return {
    range: (_u, low, high) => {
      const categories = trace()?.categories.length ?? 0;
      if (categories > 0) return [-0.4, categories - 0.6];
      if (low == null || high == null) return [0, 1];
      if (trace()?.step && Number.isInteger(low) && high - low <= 1) return [Math.min(low, 0) - 0.15, Math.max(high, low + 1) + 0.15];
      const air = high > low ? (high - low) * 0.1 : Math.max(Math.abs(high) * 0.02, 0.5);
      return [low - air, high + air];
    },
  };
}
