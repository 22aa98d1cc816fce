/** The shape of a state. Shape and word say it; colour only makes it faster. */
import classes from './Mark.module.css';

/** calm: as it should be; pending: under way; note, warn, grave: urgency 2, 3, 4; off: stopped or no data. */
export type MarkKind = 'calm' | 'pending' | 'note' | 'warn' | 'grave' | 'off';

const SHAPES: Record<MarkKind, React.ReactNode> = {
  calm: <circle cx="8" cy="8" r="5" fill="none" strokeWidth="1.8" />,
  pending: <circle cx="8" cy="8" r="5" fill="none" strokeWidth="1.8" strokeDasharray="2.6 2.6" />,
  note: <path d="M8 1.6 14.4 8 8 14.4 1.6 8z" stroke="none" />,
  warn: <path d="M8 1.8 15 14.2H1z" stroke="none" />,
  grave: <path d="M5 1.5h6L14.5 5v6L11 14.5H5L1.5 11V5z" stroke="none" />,
  off: <path d="M3 8h10" fill="none" strokeWidth="2.6" />,
};

export function Mark({ kind, size = 14 }: { kind: MarkKind; size?: number }) {
  return (
    <svg className={classes[kind]} width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      {SHAPES[kind]}
    </svg>
  );
}

export function markOfUrgency(urgency: number): MarkKind {
  if (urgency >= 4) return 'grave';
  if (urgency === 3) return 'warn';
  return urgency === 2 ? 'note' : 'calm';
}
