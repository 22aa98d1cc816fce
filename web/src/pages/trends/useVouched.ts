/** Of which series the server is live now, so that it would have sent a newer value if there were one. */
import { useSyncExternalStore } from 'react';
import type { Series } from '@/api/types';
import { live } from '@/live/stream';
import { sourceOf } from '@/live/useLive';

export function useVouched(series: readonly (Series | null)[]): boolean[] {
  const text = useSyncExternalStore(live.subscribe, () => {
    const { flow, status } = live.state();
    return series.map((each) => (status === 'open' && each && sourceOf(flow, each.source, each.writerGroup)?.state === 'live' ? '1' : '0')).join('');
  });
  return [...text].map((digit) => digit === '1');
}
