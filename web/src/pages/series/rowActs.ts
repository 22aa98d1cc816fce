/** What a row of the table can ask for, and where it stands. */

export type RowActs = {
  choose: (id: number) => void;
  /** Opens or folds a series as wished, or turns it when there is no wish. */
  unfold: (id: number, wish?: boolean) => void;
  unfoldServer: (endpoint: string, wish?: boolean) => void;
  focus: (key: string) => void;
};

export interface RowPlace {
  rowKey: string;
  /** Counted from 1, the head included. */
  rowIndex: number;
  /** The one row that the Tab key reaches; arrows move on from there. */
  tabStop: boolean;
  acts: RowActs;
}

/** Attributes of a row that can hold the focus. */
export function focusable({ rowKey, rowIndex, tabStop, acts }: RowPlace) {
  return { 'data-row': rowKey, tabIndex: tabStop ? 0 : -1, onFocus: () => acts.focus(rowKey), 'aria-rowindex': rowIndex };
}
