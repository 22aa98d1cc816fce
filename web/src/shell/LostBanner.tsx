/** Says when the page no longer hears the server, and what that means for what it shows. */
import { useLiveSince, useLiveStatus } from '@/live/useLive';
import { useNow } from '@/live/useNow';
import { Mark } from '@/parts/Mark';
import { clockText } from '@/reading/clock';
import { useWords } from '@/words/words';
import classes from './LostBanner.module.css';

const GRACE_MS = 4_000;

export function LostBanner() {
  const words = useWords();
  const status = useLiveStatus();
  const since = useLiveSince();
  const now = useNow();
  const lost = status === 'lost' && now - since > GRACE_MS;
  return (
    <div role="status" className={lost ? classes.banner : 'only-read'}>
      {lost && (
        <>
          <Mark kind="warn" />
          <span>{words.t('shell.lost', { time: clockText(since, now, words) })}</span>
        </>
      )}
    </div>
  );
}
