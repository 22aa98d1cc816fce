/** A square button with an icon and a name for those who do not see it. */
import { Icon, type IconName } from './Icon';
import classes from './IconButton.module.css';

interface Props extends React.ComponentProps<'button'> {
  icon: IconName;
  name: string;
}

export function IconButton({ icon, name, className, ...rest }: Props) {
  return (
    <button type="button" {...rest} className={className ? `${classes.button} ${className}` : classes.button} aria-label={name} title={name}>
      <Icon name={icon} />
    </button>
  );
}
