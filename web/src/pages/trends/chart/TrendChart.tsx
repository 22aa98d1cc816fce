/** All lanes over one time axis, with brush, wheel, pinch and keys. */
import 'uplot/dist/uPlot.min.css';
import { useCallback, useLayoutEffect, useRef, useState } from 'react';
import type uPlot from 'uplot';
import type { Gap } from '@/api/types';
import { serverNow } from '@/reading/clock';
import { pan, zoomAt, type View } from '@/trace/range';
import { useWords } from '@/words/words';
import type { Look } from '../gesture';
import { inkOf } from '../traceInk';
import { cursorAt, moveCursor } from './cursorStore';
import { EventStrip } from './EventStrip';
import { RIGHT_AIR, TIME_AXIS, type LaneSpec, type LaneTrace } from './laneOptions';
import { Lane } from './Lane';
import { chartPicture } from './picture';
import classes from './TrendChart.module.css';

interface Props {
  traces: LaneTrace[];
  shared: boolean;
  view: View;
  /** Some of what the view asks for is still on its way. */
  waiting: boolean;
  look: (to: Look) => void;
  reset: () => void;
  showGap: (gap: Gap) => void;
  /** Is handed how to make a picture of the chart. */
  keepPicture: (make: () => Promise<Blob | null>) => void;
}

const LANE_MIN = 116;
const RIGHT_AXIS = 64;
const SYNC = 'trends';

function lanesOf(traces: LaneTrace[], shared: boolean): LaneSpec[] {
  if (shared) return traces.length > 0 ? [{ key: 'shared', traces }] : [];
  const ids = [...new Set(traces.map((each) => each.id))];
  return ids.map((id) => ({ key: `lane-${id}`, traces: traces.filter((each) => each.id === id) }));
}

function useWidth(): [React.RefObject<HTMLDivElement | null>, number] {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    if (!box.current) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    observer.observe(box.current);
    setWidth(Math.floor(box.current.clientWidth));
    return () => observer.disconnect();
  }, []);
  return [box, width];
}

export function TrendChart({ traces, shared, view, waiting, look, reset, showGap, keepPicture }: Props) {
  const { t } = useWords();
  const [box, width] = useWidth();
  const charts = useRef(new Map<string, uPlot>());
  const lanes = lanesOf(traces, shared);
  const total = Math.max(300, Math.min(600, window.innerHeight * 0.5));
  const laneHeight = Math.max(LANE_MIN, Math.floor((total - TIME_AXIS) / Math.max(1, lanes.length)));
  const units = new Set(traces.map((each) => each.unit));
  const rightAxis = shared && units.size > 1 ? RIGHT_AXIS : 0;

  const keep = useCallback((key: string, chart: uPlot | null) => {
    if (chart) charts.current.set(key, chart);
    else charts.current.delete(key);
  }, []);

  useLayoutEffect(() => {
    keepPicture(() => chartPicture(lanes.map((lane) => ({ titles: lane.traces, chart: charts.current.get(lane.key) }))));
  });

  const onKey = (event: React.KeyboardEvent) => {
    const middle = cursorAt() ?? (view.from + view.to) / 2;
    const step = (view.to - view.from) / 100;
    const acts: Record<string, () => void> = {
      ArrowLeft: () => (event.shiftKey ? look((shown) => pan(shown, -0.2, serverNow())) : point(Math.max(view.from, middle - step))),
      ArrowRight: () => (event.shiftKey ? look((shown) => pan(shown, 0.2, serverNow())) : point(Math.min(view.to, middle + step))),
      '+': () => look((shown) => zoomAt(shown, middle, 0.5)),
      '-': () => look((shown) => zoomAt(shown, middle, 2)),
      Home: reset,
      Escape: () => moveCursor(null),
    };
    const act = acts[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };

  const point = (at: number) => {
    for (const chart of charts.current.values()) chart.setCursor({ left: chart.valToPos(at, 'x'), top: 0 });
    moveCursor(at);
  };

  return (
    <div className={classes.chart}>
      <div ref={box} className={classes.lanes} tabIndex={0} role="group" aria-roledescription={t('chart.role')} aria-label={t('chart.label')} aria-busy={waiting} onKeyDown={onKey} style={{ minHeight: laneHeight * lanes.length + TIME_AXIS }}>
        {width > 0 &&
          lanes.map((lane, index) => {
            const last = index === lanes.length - 1;
            return (
              <div key={lane.key} className={classes.lane}>
                {!shared && <LaneTitle trace={lane.traces[0]} empty={lane.traces.every((each) => each.empty)} />}
                <Lane spec={lane} view={view} width={width} height={laneHeight + (last ? TIME_AXIS : 0)} timeAxis={last} rightAxis={rightAxis} titleSpace={shared ? 10 : 28} units={shared} sync={SYNC} look={look} reset={reset} showGap={showGap} keep={keep} />
              </div>
            );
          })}
      </div>
      {width > 0 && <EventStrip traces={traces} view={view} width={width} right={rightAxis > 0 ? rightAxis : RIGHT_AIR} showGap={showGap} />}
    </div>
  );
}

function LaneTitle({ trace, empty }: { trace: LaneTrace | undefined; empty: boolean }) {
  const { t } = useWords();
  if (!trace) return null;
  return (
    <p className={classes.title}>
      <span style={{ color: `var(${inkOf(trace.place).token})` }} aria-hidden="true">
        ■
      </span>{' '}
      {trace.name} <span className={classes.unit}>{trace.unit}</span>
      {empty && <span className={classes.empty}>{t('chart.nothing')}</span>}
    </p>
  );
}
