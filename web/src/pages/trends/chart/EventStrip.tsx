/** Marks of what happened, under the time axis; the reason of the one that is pointed at, or has the focus. */
import { useState } from 'react';
import type { Gap } from '@/api/types';
import { Mark, type MarkKind } from '@/parts/Mark';
import { durationText } from '@/reading/age';
import { clockText, serverNow } from '@/reading/clock';
import { eventsOf, marksOf, type EventMark, type LedgerEvent } from '@/trace/events';
import type { View } from '@/trace/range';
import { useWords, type Key, type Words } from '@/words/words';
import classes from './EventStrip.module.css';
import { LEFT_AXIS, type LaneTrace } from './laneOptions';

interface Props {
  traces: LaneTrace[];
  view: View;
  width: number;
  /** Pixels right of the plot. */
  right: number;
  showGap: (gap: Gap) => void;
}

/** A finger's width; marks are never closer. */
const APART = 40;
const TOLD_MAX = 3;

export function EventStrip({ traces, view, width, right, showGap }: Props) {
  const words = useWords();
  const { t, n } = words;
  const [told, setTold] = useState<string | null>(null);
  const [stop, setStop] = useState(0);
  const events = eventsOf(traces.filter((each) => !each.past), view);
  if (events.length === 0) return null;
  const marks = marksOf(events, view, Math.max(APART, width - LEFT_AXIS - right), APART);
  const reached = Math.min(stop, marks.length - 1);

  const onKey = (event: React.KeyboardEvent<HTMLDivElement>) => {
    const to = { ArrowRight: reached + 1, ArrowLeft: reached - 1, Home: 0, End: marks.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.currentTarget.querySelectorAll('button')[Math.max(0, Math.min(marks.length - 1, to))]?.focus();
  };

  return (
    <div className={classes.strip}>
      <div className={classes.axis} role="toolbar" aria-label={t('event.title')} onKeyDown={onKey} style={{ marginLeft: LEFT_AXIS - APART / 2, marginRight: right - APART / 2 }}>
        {marks.map((mark, index) => {
          const text = markText(mark, words);
          return (
            <button
              key={index}
              type="button"
              className={classes.mark}
              style={{ left: mark.left }}
              aria-label={text}
              tabIndex={index === reached ? 0 : -1}
              onFocus={() => {
                setStop(index);
                setTold(text);
              }}
              onBlur={() => setTold(null)}
              onMouseEnter={() => setTold(text)}
              onMouseLeave={() => setTold(null)}
              onClick={() => mark.events[0] && showGap(mark.events[0].gap)}
            >
              <Mark kind={worst(mark.events)} size={16} />
              {mark.events.length > 1 && <span className={`figures ${classes.count}`}>{mark.events.length}</span>}
            </button>
          );
        })}
      </div>
      <p className={classes.told}>{told ?? n('event.count', events.length)}</p>
    </div>
  );
}

/** Open losses before closed ones, these before what was made good. */
function worst(events: readonly LedgerEvent[]): MarkKind {
  if (events.some((event) => event.breaks && event.open)) return 'warn';
  return events.some((event) => event.breaks) ? 'note' : 'calm';
}

function markText(mark: EventMark, words: Words): string {
  const { t, n } = words;
  const texts = mark.events.slice(0, TOLD_MAX).map((event) => eventText(event, words));
  const more = mark.events.length - texts.length;
  return [...texts, ...(more > 0 ? [n('event.more', more)] : [])].join(' · ') || t('event.title');
}

function eventText({ gap, from, to, open, breaks, series }: LedgerEvent, words: Words): string {
  const { t, n, language } = words;
  const now = serverNow();
  const begin = Number.isFinite(from) ? clockText(from, now, words) : t('gap.fromStart');
  const end = open || !Number.isFinite(to) ? t('gap.toNow') : `${clockText(to, now, words)} (${durationText(to - from, language)})`;
  const reason = t(`gap.reason.${gap.reason}` as Key);
  const missing = !breaks ? t('gap.recovered') : gap.count === null ? t('gap.unknownCount') : n('gap.count', gap.count);
  const who = series.length === 1 ? (series[0] ?? '') : n('event.series', series.length);
  return `${begin} – ${end}: ${reason}. ${who}. ${missing}`;
}
