/** The table of series: only rows in sight exist, live values change in place, everything by keyboard. */
import { defaultRangeExtractor, useVirtualizer } from '@tanstack/react-virtual';
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { flushSync } from 'react-dom';
import { useWanted } from '@/live/useLive';
import { Bone } from '@/parts/Bone';
import { useStable } from '@/parts/useStable';
import { useWords, type Key } from '@/words/words';
import type { RowActs } from './rowActs';
import type { Column } from './address';
import { SeriesDetail } from './SeriesDetail';
import { SeriesRow } from './SeriesRow';
import { ServerHeading } from './ServerHeading';
import { Slots } from './slots';
import classes from './SeriesTable.module.css';
import { keyAnswer, nextFocus, type TableRow } from './tableRows';
import { useNarrow } from './useNarrow';
import { SERVER_MAX, type SeriesRows } from './useSeriesRows';

interface Props {
  found: SeriesRows;
  columns: readonly Column[];
  chosen: readonly number[];
  open: number | undefined;
  choose: (id: number) => void;
  unfold: (id: number, wish?: boolean) => void;
}

const ROW = 48;
const ROW_NARROW = 64;
const DETAIL = 300;
const PAGE_STEP = 10;
/** So far before the last row the next ones are asked for, so that who scrolls on does not wait. */
const ROWS_AHEAD = 400;
const FIRST_ROWS = 12;

export const gridOf = (columns: readonly Column[]): string => ['40px', 'minmax(180px, 3fr)', '248px', ...columns.map((column) => WIDTHS[column])].join(' ');

const WIDTHS: Record<Column, string> = {
  quality: '118px',
  age: '168px',
  source: 'minmax(140px, 2fr)',
  group: 'minmax(90px, 1fr)',
  device: 'minmax(80px, 1fr)',
  node: 'minmax(140px, 2fr)',
};

export function SeriesTable({ found, columns, chosen, open, choose, unfold }: Props) {
  const { t } = useWords();
  const { rows } = found;
  const narrow = useNarrow();
  const scroll = useRef<HTMLDivElement>(null);
  const [focused, setFocused] = useState<string | null>(null);
  // Looked for among tens of thousands of rows when it or they change, not with each frame.
  const focusedAt = useMemo(() => (focused === null ? -1 : rows.findIndex((row) => row.key === focused)), [rows, focused]);
  // Another function would have all rows measured anew.
  const getItemKey = useCallback((index: number) => rows[index]?.key ?? index, [rows]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: (index) => (rows[index]?.kind === 'detail' ? DETAIL : narrow ? ROW_NARROW : ROW),
    getItemKey,
    overscan: 8,
    // The row with the focus stays on the page while it is scrolled away, so that the keys keep their place.
    rangeExtractor: (range) => {
      const shown = defaultRangeExtractor(range);
      return focusedAt < 0 || shown.includes(focusedAt) ? shown : [...shown, focusedAt].sort((a, b) => a - b);
    },
  });
  // A phone that is turned has rows of another height.
  useLayoutEffect(() => virtual.measure(), [virtual, narrow]);
  const acts: RowActs = useStable({ choose, unfold, unfoldServer: found.unfoldServer, focus: setFocused });
  const inSight = virtual.getVirtualItems();
  const [slots] = useState(() => new Slots());
  const placed = slots.place(inSight, ({ index }) => rows[index]?.kind ?? 'none', virtual.isScrolling);
  useWanted(inSight.flatMap(({ index }) => (rows[index]?.kind === 'series' ? [rows[index].series.id] : [])));

  const nearEnd = rows.at(-1)?.kind === 'waiting' && (inSight.at(-1)?.index ?? 0) >= rows.length - ROWS_AHEAD;
  const { loadMore } = found;
  useEffect(() => {
    if (nearEnd) loadMore();
    // `loadMore` guards itself; being near the end, with so many rows, is what asks for more.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [nearEnd, rows.length]);

  // The focus has moved before the next key comes, however fast it comes: that key means the row that has it.
  const focusRow = (index: number) => {
    const row = rows[index];
    if (!row) return;
    flushSync(() => setFocused(row.key));
    const elements = scroll.current?.querySelectorAll<HTMLElement>('[data-row]') ?? [];
    [...elements].find((element) => element.dataset['row'] === row.key)?.focus({ preventScroll: true });
    virtual.scrollToIndex(index, { align: 'auto' });
  };

  const onKey = (event: React.KeyboardEvent) => {
    const target = event.target as HTMLElement;
    const holder = target.closest<HTMLElement>('[data-row]');
    // A button or a box inside of a row has its own meaning for these two.
    if (!holder || event.ctrlKey || event.metaKey || event.altKey || (target !== holder && (event.key === ' ' || event.key === 'Enter'))) return;
    const at = rows.findIndex((row) => row.key === holder.dataset['row']);
    const row = rows[at];
    if (!row) return;
    const step = STEPS[event.key];
    if (step !== undefined) focusRow(nextFocus(rows, at, step));
    else {
      const answer = keyAnswer(event.key, rows, at, open);
      if (answer === null) return;
      if (answer.kind === 'focus') focusRow(answer.index);
      else if (answer.kind === 'choose') acts.choose(answer.id);
      else if (answer.kind === 'unfold') acts.unfold(answer.id, answer.wish);
      else acts.unfoldServer(answer.endpoint, answer.wish);
    }
    event.preventDefault();
  };

  const firstFocusable = rows.find((row) => row.kind === 'series' || row.kind === 'server')?.key ?? null;
  const tabStop = focusedAt >= 0 ? focused : firstFocusable;
  const grid = { '--grid': gridOf(columns) } as React.CSSProperties;

  return (
    <div className={classes.table} role="treegrid" aria-label={t('place.series')} aria-rowcount={found.more ? -1 : rows.length + 1} aria-multiselectable="true" aria-busy={found.pending || found.behind} style={grid} onKeyDown={onKey}>
      <div className={classes.head} role="row" aria-rowindex={1}>
        <span role="columnheader">
          <span className="only-read">{t('column.choose')}</span>
        </span>
        <span role="columnheader">{t('column.name')}</span>
        <span role="columnheader" className={classes.valueHead}>
          {t('column.value')}
        </span>
        {columns.map((column) => (
          <span key={column} role="columnheader">
            {t(`column.${column}` as Key)}
          </span>
        ))}
      </div>
      <div ref={scroll} className={classes.scroll} role="rowgroup">
        {found.pending && Array.from({ length: FIRST_ROWS }, (_, index) => <WaitingRow key={index} />)}
        <div role="presentation" className={classes.tall} style={{ height: virtual.getTotalSize() }}>
          {placed.map(({ slot, item: { index, start } }) => {
            const row = rows[index];
            return row ? (
              <div key={slot} role="presentation" data-index={index} ref={row.kind === 'detail' ? virtual.measureElement : undefined} className={classes.place} style={{ top: start }}>
                <Row row={row} index={index} narrow={narrow} columns={columns} chosen={chosen} open={open} acts={acts} tabStop={tabStop} />
              </div>
            ) : null;
          })}
        </div>
      </div>
    </div>
  );
}

const STEPS: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE_STEP, PageUp: -PAGE_STEP, Home: -Infinity, End: Infinity };

interface RowProps {
  row: TableRow;
  index: number;
  narrow: boolean;
  columns: readonly Column[];
  chosen: readonly number[];
  open: number | undefined;
  acts: RowActs;
  tabStop: string | null;
}

function Row({ row, index, narrow, columns, chosen, open, acts, tabStop }: RowProps) {
  const { t } = useWords();
  const place = { rowKey: row.key, rowIndex: index + 2, tabStop: row.key === tabStop, acts };
  switch (row.kind) {
    case 'series':
      return <SeriesRow {...place} series={row.series} level={row.level} narrow={narrow} columns={columns} chosen={chosen.includes(row.series.id)} open={open === row.series.id} />;
    case 'detail':
      return <SeriesDetail series={row.series} rowIndex={index + 2} />;
    case 'server':
      return <ServerHeading {...place} group={row.group} />;
    case 'waiting':
      return <WaitingRow />;
    case 'cut':
      return (
        <div role="row" className={classes.note}>
          <span role="gridcell">{t('series.cut', { max: SERVER_MAX })}</span>
        </div>
      );
  }
}

function WaitingRow() {
  return (
    <div role="row" className={classes.waiting}>
      <span role="gridcell">
        <Bone width="60%" />
      </span>
    </div>
  );
}
