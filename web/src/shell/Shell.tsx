/** The frame of all pages: rail, top line, content, pulse. */
import { Outlet } from '@tanstack/react-router';
import { lazy, Suspense, useEffect } from 'react';
import { live } from '@/live/stream';
import { useWords } from '@/words/words';
import { LostBanner } from './LostBanner';
import { usePalette } from './palette';
import { Pulse } from './Pulse';
import { signedOut } from './queryClient';
import { Rail } from './Rail';
import classes from './Shell.module.css';
import { TopLine } from './TopLine';
import { useKeys } from './useKeys';

const CommandPalette = lazy(() => import('./CommandPalette').then((module) => ({ default: module.CommandPalette })));

export function Shell() {
  const { t } = useWords();
  const palette = usePalette();
  useKeys();

  useEffect(() => {
    live.onSessionEnd = signedOut;
    live.start();
    return () => live.stop();
  }, []);

  return (
    <div className={classes.shell}>
      <a className={classes.skip} href="#content">
        {t('shell.skip')}
      </a>
      <Rail />
      <TopLine />
      <main id="content" className={classes.content} tabIndex={-1}>
        <LostBanner />
        <Outlet />
      </main>
      <Pulse />
      {palette.open && (
        <Suspense fallback={null}>
          <CommandPalette />
        </Suspense>
      )}
    </div>
  );
}
