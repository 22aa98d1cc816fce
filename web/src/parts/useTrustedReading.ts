/** A series' newest reading with the verdict whether it may be taken for the present. */
import type { Reading, Series } from '@/api/types';
import { useDecimals, useLiveSince, useLiveStatus, useReading, useStanding } from '@/live/useLive';
import { useAtNow } from '@/live/useNow';
import { qualityOf, type Quality } from '@/reading/quality';
import { isOld, trustOf, type Trust } from '@/reading/trust';
import { decimalsOf, isNumeric, valueText } from '@/reading/value';
import { useWords } from '@/words/words';

/** A short cut of the stream is mended before anybody needs to know. */
const LOST_GRACE_MS = 5_000;

export interface TrustedReading {
  reading: Reading | null;
  trust: Trust;
  quality: Quality;
  /** The value's text; empty for no value. */
  text: string;
  numeric: boolean;
}

export function useTrustedReading(series: Pick<Series, 'id' | 'source' | 'writerGroup' | 'last'>): TrustedReading {
  const { language } = useWords();
  const reading = useReading(series.id, series.last);
  const decimals = useDecimals(series.id);
  const source = useStanding(series.source, series.writerGroup);
  const status = useLiveStatus();
  const since = useLiveSince();
  // A row is not drawn anew each second, only when what the time makes of its reading is another.
  const lost = useAtNow((now) => (status === 'lost' && now - since > LOST_GRACE_MS ? since : null));
  const old = useAtNow((now) => isOld(reading, now));
  const value = reading?.value ?? null;
  return {
    reading,
    trust: trustOf(reading, source, old, lost),
    quality: reading ? qualityOf(reading.status) : 'good',
    text: value === null ? '' : valueText(value, language, Math.max(decimals ?? 0, decimalsOf(value))),
    numeric: isNumeric(value),
  };
}
