/** One lane on the page: makes uPlot, feeds it, hands its gestures on. */
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import type { Gap } from '@/api/types';
import { useScheme } from '@/parts/preferences';
import { holeAt } from '@/trace/holes';
import type { View } from '@/trace/range';
import { useWords } from '@/words/words';
import type { Look } from '../gesture';
import { cssColour } from '../traceInk';
import { moveCursor } from './cursorStore';
import { listenToGestures } from './gestures';
import { laneData, laneOptions, laneShape, setLineWidths, type LaneLook, type LaneSpec } from './laneOptions';
import { paintBad, paintHoles, type PaintColours } from './paint';

interface Props {
  spec: LaneSpec;
  view: View;
  width: number;
  height: number;
  timeAxis: boolean;
  rightAxis: number;
  titleSpace: number;
  units: boolean;
  sync: string;
  look: (to: Look) => void;
  reset: () => void;
  showGap: (gap: Gap) => void;
  keep: (key: string, chart: uPlot | null) => void;
}

function paintColours(): PaintColours {
  return { hole: cssColour('--violet-surface'), holeText: cssColour('--violet'), bad: cssColour('--red'), badSurface: cssColour('--red-surface'), mark: cssColour('--text-3') };
}

export function Lane(props: Props) {
  const { spec, view, width, height, timeAxis, rightAxis, titleSpace, units, sync, keep } = props;
  const { t, language, zone } = useWords();
  const scheme = useScheme();
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(null);
  const now = useRef(props);
  const gapWord = t('gap.word');
  const laneLook: LaneLook = { language, zone, colour: cssColour, timeAxis, rightAxis, titleSpace, units, sync };
  const shape = laneShape(spec, laneLook, scheme);

  useEffect(() => {
    now.current = props;
  });

  useEffect(() => {
    if (!host.current) return;
    const colours = paintColours();
    const options = laneOptions(now.current.spec, laneLook, { width: now.current.width, height: now.current.height }, () => now.current.spec.traces);
    options.hooks = {
      drawClear: [
        (u) => {
          setLineWidths(u, now.current.spec.traces);
          const present = now.current.spec.traces.filter((each) => !each.past);
          paintHoles(u, present.flatMap((each) => each.holes), colours, gapWord);
          paintBad(u, present.flatMap((each) => each.trace.bad), colours);
        },
      ],
      setCursor: [(u) => moveCursor(u.cursor.left == null || u.cursor.left < 0 ? null : u.posToVal(u.cursor.left, 'x'))],
      setSelect: [
        (u) => {
          const { left, width: wide } = u.select;
          if (wide > 4) now.current.look({ from: Math.round(u.posToVal(left, 'x')), to: Math.round(u.posToVal(left + wide, 'x')) });
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    };
    const made = new uPlot(options, laneData(now.current.spec.traces), host.current);
    made.setScale('x', { min: now.current.view.from, max: now.current.view.to });
    chart.current = made;
    keep(spec.key, made);
    const onDouble = () => now.current.reset();
    const onClick = (event: MouseEvent) => {
      const at = made.posToVal(event.clientX - made.over.getBoundingClientRect().left, 'x');
      const hole = now.current.spec.traces.map((each) => holeAt(each.holes, at)).find((found) => found !== null);
      if (hole) now.current.showGap(hole.gap);
    };
    made.over.addEventListener('dblclick', onDouble);
    made.over.addEventListener('click', onClick);
    const unlisten = listenToGestures(made, { view: () => now.current.view, look: (next) => now.current.look(next) });
    return () => {
      unlisten();
      keep(spec.key, null);
      made.destroy();
      chart.current = null;
    };
    // The shape stands for everything that a chart is made of; data, view and size are fed below.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shape, gapWord]);

  useEffect(() => {
    const u = chart.current;
    u?.batch(() => {
      u.setData(laneData(spec.traces), false);
      u.setScale('x', { min: view.from, max: view.to });
    });
  }, [spec.traces, view.from, view.to]);

  useEffect(() => {
    chart.current?.setSize({ width, height });
  }, [width, height, shape]);

  return <div ref={host} />;
}
