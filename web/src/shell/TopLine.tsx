/** Place, range and search. */
import { useMatches } from '@tanstack/react-router';
import { lazy, Suspense, useEffect } from 'react';
import { Icon } from '@/parts/Icon';
import { useWords } from '@/words/words';
import { openPalette } from './palette';
import { PersonButton } from './PersonButton';
import { PLACES } from './places';
import classes from './TopLine.module.css';

const RangePicker = lazy(() => import('@/pages/trends/RangePicker').then((module) => ({ default: module.RangePicker })));

export function TopLine() {
  const { t } = useWords();
  const path = useMatches({ select: (matches) => matches.at(-1)?.fullPath ?? '' });
  const place = PLACES.find(({ to }) => to === path);
  const title = place ? t(place.word) : '';

  useEffect(() => {
    document.title = title ? `${title} · Gemba` : 'Gemba';
  }, [title]);

  return (
    <header className={classes.top}>
      <h1 className={classes.title}>{title}</h1>
      <div className={classes.range}>
        {path === '/trends' && (
          <Suspense fallback={null}>
            <RangePicker />
          </Suspense>
        )}
      </div>
      <button type="button" className={classes.search} onClick={() => openPalette('all')} aria-keyshortcuts="Control+K">
        <Icon name="search" size={18} />
        <span>{t('palette.open')}</span>
        <kbd>{t('palette.key')}</kbd>
      </button>
      <span className={classes.person}>
        <PersonButton />
      </span>
    </header>
  );
}
