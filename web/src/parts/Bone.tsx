/** The place of something that is still to come, in its size. */
import classes from './Bone.module.css';

export function Bone({ width = '100%', height = 14 }: { width?: number | string; height?: number }) {
  return <span className={classes.bone} style={{ width, height }} aria-hidden="true" data-waiting />;
}
