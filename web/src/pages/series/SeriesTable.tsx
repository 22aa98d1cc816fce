/** The table of series: only rows in sight exist, live values change in place, everything by keyboard. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, useState } from 'react';
import { useWanted } from '@/live/useLive';
import { Bone } from '@/parts/Bone';
import { useStable } from '@/parts/useStable';
import { useWords, type Key } from '@/words/words';
import type { RowActs } from './rowActs';
import type { Column } from './address';
import { SeriesDetail } from './SeriesDetail';
import { SeriesRow } from './SeriesRow';
import { ServerHeading } from './ServerHeading';
import classes from './SeriesTable.module.css';
import { nextFocus, type TableRow } from './tableRows';
import { useNarrow } from './useNarrow';
import { SERVER_MAX, type SeriesRows } from './useSeriesRows';

interface Props {
  found: SeriesRows;
  columns: readonly Column[];
  chosen: readonly number[];
  open: number | undefined;
  choose: (id: number) => void;
  toggle: (id: number) => void;
}

const ROW = 48;
const ROW_NARROW = 64;
const DETAIL = 300;
const PAGE_STEP = 10;
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

export function SeriesTable({ found, columns, chosen, open, choose, toggle }: Props) {
  const { t } = useWords();
  const { rows } = found;
  const narrow = useNarrow();
  const scroll = useRef<HTMLDivElement>(null);
  const [focused, setFocused] = useState<string | null>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: (index) => (rows[index]?.kind === 'detail' ? DETAIL : narrow ? ROW_NARROW : ROW),
    getItemKey: (index) => rows[index]?.key ?? index,
    overscan: 8,
  });
  const acts: RowActs = useStable({ choose, toggle, toggleServer: found.toggleServer, focus: setFocused });
  const inSight = virtual.getVirtualItems();
  useWanted(inSight.flatMap(({ index }) => (rows[index]?.kind === 'series' ? [rows[index].series.id] : [])));

  const atEnd = rows[inSight.at(-1)?.index ?? -1]?.kind === 'waiting';
  const { loadMore } = found;
  useEffect(() => {
    if (atEnd) loadMore();
    // `loadMore` guards itself; being at the end, with so many rows, is what asks for more.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [atEnd, rows.length]);

  const focusRow = (index: number) => {
    const row = rows[index];
    if (!row) return;
    setFocused(row.key);
    virtual.scrollToIndex(index, { align: 'auto' });
    requestAnimationFrame(() => scroll.current?.querySelector<HTMLElement>(`[data-row="${CSS.escape(row.key)}"]`)?.focus());
  };

  const onKey = (event: React.KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (target.dataset['row'] === undefined) return;
    const at = rows.findIndex((row) => row.key === target.dataset['row']);
    const row = rows[at];
    if (!row) return;
    const act = actionOf(event.key, row, open, acts);
    const step = STEPS[event.key];
    if (act) act();
    else if (step !== undefined) focusRow(nextFocus(rows, at, step));
    else return;
    event.preventDefault();
  };

  const firstFocusable = rows.find((row) => row.kind === 'series' || row.kind === 'server')?.key ?? null;
  const tabStop = rows.some((row) => row.key === focused) ? focused : firstFocusable;
  const grid = { '--grid': gridOf(columns) } as React.CSSProperties;

  return (
    <div className={classes.table} role="treegrid" aria-label={t('place.series')} aria-rowcount={found.more ? -1 : rows.length + 1} aria-multiselectable="true" style={grid} onKeyDown={onKey}>
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
          {inSight.map(({ index, key, start }) => {
            const row = rows[index];
            return row ? (
              <div key={key} role="presentation" data-index={index} ref={row.kind === 'detail' ? virtual.measureElement : undefined} className={classes.place} style={{ transform: `translateY(${start}px)` }}>
                <Row row={row} index={index} columns={columns} chosen={chosen} open={open} acts={acts} tabStop={tabStop} />
              </div>
            ) : null;
          })}
        </div>
      </div>
    </div>
  );
}

const STEPS: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE_STEP, PageUp: -PAGE_STEP, Home: -Infinity, End: Infinity };

function actionOf(key: string, row: TableRow, open: number | undefined, acts: RowActs): (() => void) | null {
  if (row.kind === 'server') {
    const wantsOpen = key === 'ArrowRight';
    if (key === 'Enter' || (wantsOpen && !row.group.open) || (key === 'ArrowLeft' && row.group.open)) return () => acts.toggleServer(row.group.endpoint);
    return null;
  }
  if (row.kind !== 'series') return null;
  const { id } = row.series;
  const isOpen = open === id;
  if (key === ' ') return () => acts.choose(id);
  if (key === 'Enter' || (key === 'ArrowRight' && !isOpen) || (key === 'ArrowLeft' && isOpen)) return () => acts.toggle(id);
  return null;
}

interface RowProps {
  row: TableRow;
  index: number;
  columns: readonly Column[];
  chosen: readonly number[];
  open: number | undefined;
  acts: RowActs;
  tabStop: string | null;
}

function Row({ row, index, columns, chosen, open, acts, tabStop }: RowProps) {
  const { t } = useWords();
  const place = { rowKey: row.key, rowIndex: index + 2, tabStop: row.key === tabStop, acts };
  switch (row.kind) {
    case 'series':
      return <SeriesRow {...place} series={row.series} level={row.level} columns={columns} chosen={chosen.includes(row.series.id)} open={open === row.series.id} />;
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
