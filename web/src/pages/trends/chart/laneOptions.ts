/** One lane of the chart: what it shows, and uPlot made to show it. */
import uPlot from 'uplot';
import { numberText } from '@/reading/number';
import type { Hole } from '@/trace/holes';
import type { Trace } from '@/trace/trace';
import { inkOf } from '../traceInk';
import { LINE, lineWidth, THIN_LINE } from './lineWidth';
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
  /** Nothing of it lies in the range in sight. */
  empty: boolean;
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
  /** Axes say their unit; lanes of one series say it in their title. */
  units: boolean;
  /** Pixels kept free above the plot for the lane's title. */
  titleSpace: number;
  sync: string;
}

export const LEFT_AXIS = 76;
export const TIME_AXIS = 44;
/** Kept free right of the plot where no axis stands, for half of the last label. */
export const RIGHT_AIR = 30;
const POINT_SPACE = 8;
/** uPlot's modes of joining: keep nulls as they are (time), spread them over times that a trace has not (values). */
const NULL_RETAIN = 1;
const NULL_EXPAND = 2;
const FONT = '12px Inter, sans-serif';

/** Values of one unit share a scale; texts have their own. */
export const scaleOf = (lane: LaneTrace): string => (lane.trace.categories.length > 0 ? `text-${lane.id}` : `unit-${lane.unit}`);

/** What must be the same for a lane to be redrawn instead of made anew. */
export function laneShape(spec: LaneSpec, look: LaneLook, scheme: string): string {
  const traces = spec.traces.map((each) => [each.id, each.place, each.past, each.unit, each.trace.step, each.trace.categories.length > 0, scaleOf(each)].join(':'));
  return [spec.key, ...traces, look.language, look.zone, look.timeAxis, look.rightAxis, scheme].join('|');
}

/** Several traces on one time axis: null stays a break, undefined is only a time that others have. */
export function laneData(traces: readonly LaneTrace[]): uPlot.AlignedData {
  const tables = traces.map(({ trace }) => [trace.x, trace.y] as uPlot.AlignedData);
  const first = tables[0];
  if (!first) return [[]];
  if (tables.length === 1) return first;
  // A break must reach to the neighbours of its own trace, over all times that only others have; else the line is joined.
  return uPlot.join(tables, tables.map(() => [NULL_RETAIN, NULL_EXPAND]));
}

function axisText(values: readonly number[], increment: number, language: string, lane: LaneTrace): string[] {
  const { categories } = lane.trace;
  if (categories.length > 0) return values.map((value) => (Number.isInteger(value) ? (categories[value] ?? '').slice(0, 10) : ''));
  const [scale, suffix] = LARGE.find(([from]) => values.some((value) => Math.abs(value) >= from * 100)) ?? [1, ''];
  const decimals = decimalsFor(increment / scale);
  return values.map((value) => `${numberText(value / scale, language, decimals, true)}${suffix}`);
}

/** Prefixes of SI for figures that would not fit beside the axis. */
const LARGE: readonly [number, string][] = [[1e12, '\u202FT'], [1e9, '\u202FG'], [1e6, '\u202FM']];
const AXIS_DECIMALS_MAX = 8;

/** Decimals that write every multiple of `increment` exactly: 2.5 needs one, 0.05 two. */
export function decimalsFor(increment: number): number {
  for (let decimals = 0; decimals < AXIS_DECIMALS_MAX; decimals += 1) {
    const scaled = increment * 10 ** decimals;
    if (Math.abs(scaled - Math.round(scaled)) < 1e-6 * Math.max(1, scaled) && Math.round(scaled) > 0) return decimals;
  }
  return AXIS_DECIMALS_MAX;
}

/** Places in [from, to] of single points between breaks, which no line shows. Neighbours outside count as neighbours. */
export function lonePoints(y: readonly (number | null | undefined)[], from: number, to: number): number[] {
  const lone: number[] = [];
  let run = 0;
  let last = -1;
  const close = () => {
    if (run === 1 && last >= from && last <= to) lone.push(last);
    run = 0;
  };
  for (let index = Math.max(0, from - 1); index <= Math.min(y.length - 1, to + 1); index += 1) {
    const value = y[index];
    if (value === undefined) continue;
    if (value === null) close();
    else {
      run += 1;
      last = index;
    }
  }
  close();
  return lone;
}

/** Places of all points but the one that stands for no sample. */
function samplesOnly(x: ArrayLike<number>, y: ArrayLike<number | null | undefined>, held: number): number[] {
  const places: number[] = [];
  for (let index = 0; index < y.length; index += 1) if (y[index] != null && x[index] !== held) places.push(index);
  return places;
}

function seriesOf(lane: LaneTrace, look: LaneLook, traces: () => readonly LaneTrace[], index: number): uPlot.Series {
  const ink = inkOf(lane.place);
  const stroke = look.colour(ink.token);
  const options: uPlot.Series = {
    label: lane.name,
    scale: scaleOf(lane),
    stroke,
    width: lane.past ? THIN_LINE : LINE,
    alpha: lane.past ? 0.55 : 1,
    points: {
      size: 5,
      fill: stroke,
      show: (u, series, first, last) => {
        const raw = traces()[index]?.trace.raw ?? false;
        const wide = u.valToPos(u.data[0][last] ?? 0, 'x') - u.valToPos(u.data[0][first] ?? 0, 'x');
        return raw && u.data[series] !== undefined && last - first < wide / POINT_SPACE;
      },
      filter: (u, series, show) => {
        const held = traces()[index]?.trace.held ?? null;
        if (show) return held === null ? null : samplesOnly(u.data[0], u.data[series] ?? [], held);
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

/** Before each drawing: lines that have become bands, or are lines again. */
export function setLineWidths(u: uPlot, traces: readonly LaneTrace[]): void {
  const [from, to] = u.series[0]?.idxs ?? [0, -1];
  traces.forEach((lane, index) => {
    const series = u.series[index + 1];
    const { min, max } = u.scales[series?.scale ?? ''] ?? {};
    if (!series || lane.past || min == null || max == null) return;
    series.width = lineWidth((u.data[index + 1] ?? []) as (number | null | undefined)[], from, to, { width: u.bbox.width, height: u.bbox.height, low: min, high: max });
  });
}

export function laneOptions(spec: LaneSpec, look: LaneLook, size: { width: number; height: number }, traces: () => readonly LaneTrace[]): uPlot.Options {
  const text = look.colour('--text-3');
  const grid = { stroke: look.colour('--line'), width: 1 };
  const scales = [...new Set(spec.traces.map(scaleOf))];
  const laneOf = (scale: string) => {
    const fitting = traces().filter((each) => scaleOf(each) === scale);
    return fitting.find((each) => !each.empty) ?? fitting[0] ?? spec.traces[0];
  };
  const valueAxis = (scale: string, side: 1 | 3, size: number): uPlot.Axis => ({
    scale,
    side,
    size,
    gap: 6,
    ...(look.units ? { label: laneOf(scale)?.unit ?? '', labelSize: 20, labelGap: 0, labelFont: FONT } : {}),
    font: FONT,
    stroke: text,
    grid: side === 3 ? grid : { show: false },
    ticks: { show: false },
    space: 26,
    ...(laneOf(scale)?.trace.categories.length ? { splits: () => (laneOf(scale)?.trace.categories ?? []).map((_text, place) => place) } : {}),
    values: (_u, values, _axis, _space, increment) => {
      const lane = laneOf(scale);
      return lane && !lane.empty ? axisText(values, increment, look.language, lane) : [];
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
    padding: [look.titleSpace, look.rightAxis > 0 ? 0 : RIGHT_AIR, 0, 0],
    legend: { show: false },
    scales: { x: { time: true, auto: false }, ...Object.fromEntries(scales.map((scale) => [scale, scaleRange(() => laneOf(scale)?.trace)])) },
    axes,
    series: [{}, ...spec.traces.map((lane, index) => seriesOf(lane, look, traces, index))],
    cursor: {
      y: false,
      points: { size: 8 },
      // The earlier range is for the eye; readings are of the present one.
      dataIdx: (_u, series, closest) => (spec.traces[series - 1]?.past ? null : closest) as number,
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
      if (trace()?.step && low >= 0 && high <= 1) return [-0.15, 1.15];
      const air = high > low ? (high - low) * 0.1 : Math.max(Math.abs(high) * 0.02, 0.5);
      return [low - air, high + air];
    },
  };
}
