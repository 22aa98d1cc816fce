/** An empty place that says what it is for, and what fills it. */
import classes from './Teach.module.css';

export function Teach({ title, children, action }: { title: string; children: React.ReactNode; action?: React.ReactNode }) {
  return (
    <section className={classes.teach}>
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
