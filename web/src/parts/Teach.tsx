/** An empty place that says what it is for, and what fills it. */
import classes from './Teach.module.css';

interface Props {
  title: string;
  children: React.ReactNode;
  action?: React.ReactNode;
  /** Stands among other parts of a page, not alone on it. */
  among?: boolean;
}

export function Teach({ title, children, action, among }: Props) {
  return (
    <section className={classes.teach} data-among={among || undefined}>
      <h2>{title}</h2>
      <div className={classes.text}>{children}</div>
      {action && <div className={classes.action}>{action}</div>}
    </section>
  );
}

/** A command to type, to be read and copied. */
export function Command({ children }: { children: string }) {
  return <code className={classes.command}>{children}</code>;
}
