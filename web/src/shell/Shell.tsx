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

const loadPalette = () => import('./CommandPalette');
const CommandPalette = lazy(() => loadPalette().then((module) => ({ default: module.CommandPalette })));
/** Once the page has settled; whoever presses Ctrl-K and types on must not lose a letter. */
const PRELOAD_MS = 1_500;

export function Shell() {
  const { t } = useWords();
  const palette = usePalette();
  useKeys();

  useEffect(() => {
    live.onSessionEnd = signedOut;
    live.start();
    const preload = setTimeout(() => void loadPalette(), PRELOAD_MS);
    return () => {
      clearTimeout(preload);
      live.stop();
    };
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
