/** How long ago something was, renewed each second; the full time on hover. */
import { useNow } from '@/live/useNow';
import { ageText } from '@/reading/age';
import { clockText, fullClockText } from '@/reading/clock';
import { useWords } from '@/words/words';

export function Age({ at, className }: { at: number; className?: string | undefined }) {
  const words = useWords();
  const now = useNow();
  return (
    <time className={className ? `figures ${className}` : 'figures'} dateTime={new Date(at).toISOString()} title={fullClockText(at, words)}>
      {ageText(at, now, words)}
    </time>
  );
}

/** A point in time by the clock. */
export function At({ at, seconds = true }: { at: number; seconds?: boolean }) {
  const words = useWords();
  const now = useNow();
  return (
    <time className="figures" dateTime={new Date(at).toISOString()} title={fullClockText(at, words)}>
      {clockText(at, now, words, seconds)}
    </time>
  );
}
