/** What came over the live stream since the page opened, kept until the stored part catches up. */
import { useEffect, useState } from 'react';
import { live } from '@/live/stream';
import { serverNow } from '@/reading/clock';
import { timed, type TimedReading } from '@/trace/trace';

/** Stored data lags behind by five minutes at most; what is older than this is in it. */
const TAIL_MS = 360_000;
/** Ten a second for as long; beyond it the oldest go. */
const TAIL_MAX = 4_000;

export class Tails {
  readonly #byId = new Map<number, TimedReading[]>();

  add(reading: TimedReading, id: number): void {
    const tail = this.#byId.get(id) ?? [];
    const last = tail.at(-1);
    if (last && last.at === reading.at) tail[tail.length - 1] = reading;
    else if (!last || last.at < reading.at) tail.push(reading);
    const old = tail.findIndex((each) => each.at >= (tail.at(-1)?.at ?? 0) - TAIL_MS);
    const surplus = Math.max(old, tail.length - TAIL_MAX);
    if (surplus > 0) tail.splice(0, surplus);
    this.#byId.set(id, tail);
  }

  of(id: number): readonly TimedReading[] {
    return this.#byId.get(id) ?? [];
  }

  keepOnly(ids: readonly number[]): void {
    for (const id of this.#byId.keys()) if (!ids.includes(id)) this.#byId.delete(id);
  }
}

export function useTails(ids: readonly number[]): Tails {
  const [kept] = useState(() => new Tails());
  const key = ids.join(',');
  useEffect(() => {
    const wanted = key === '' ? [] : key.split(',').map(Number);
    kept.keepOnly(wanted);
    return live.follow((id, reading) => {
      if (!wanted.includes(id)) return;
      const [withTime] = timed([reading]);
      // A first event repeats the newest value, however old; a clock far ahead would stop the tail.
      if (withTime && withTime.at <= serverNow() + 60_000) kept.add(withTime, id);
    });
  }, [key, kept]);
  return kept;
}
