/** The places at the left, icon with word; a bar at the bottom of a phone. */
import { Link } from '@tanstack/react-router';
import { Icon } from '@/parts/Icon';
import { useWords } from '@/words/words';
import { PLACES } from './places';
import classes from './Rail.module.css';

export function Rail() {
  const { t } = useWords();
  return (
    <nav className={classes.rail} aria-label={t('shell.places')}>
      <span className={classes.name} aria-hidden="true">
        Gemba
      </span>
      {PLACES.map(({ to, word, icon }) => (
        <Link key={to} to={to} className={classes.place} activeOptions={{ includeSearch: false }}>
          <Icon name={icon} size={22} />
          <span>{t(word)}</span>
        </Link>
      ))}
    </nav>
  );
}
