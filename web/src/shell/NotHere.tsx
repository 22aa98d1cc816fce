/** An address that leads nowhere. */
import { Link } from '@tanstack/react-router';
import { Teach } from '@/parts/Teach';
import { useWords } from '@/words/words';
import { PLACES } from './places';

export function NotHere() {
  const { t } = useWords();
  return (
    <Teach title={t('notHere.title')}>
      <p>{t('notHere.text')}</p>
      {PLACES.map(({ to, word }) => (
        <Link key={to} to={to}>
          {t(word)}
        </Link>
      ))}
    </Teach>
  );
}
