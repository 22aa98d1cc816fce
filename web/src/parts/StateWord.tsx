/** Shape and word of a state, in one line. */
import { Mark, type MarkKind } from './Mark';
import classes from './StateWord.module.css';

export function StateWord({ kind, children, title }: { kind: MarkKind; children: React.ReactNode; title?: string | undefined }) {
  return (
    <span className={classes.state} data-kind={kind} title={title}>
      <Mark kind={kind} />
      <span>{children}</span>
    </span>
  );
}
