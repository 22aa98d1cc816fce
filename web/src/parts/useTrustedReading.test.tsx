/** Facts about when a reading is drawn anew: tables have many of them on the page. */
import { act } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { NOTHING_LIVE, type LiveState } from '@/live/reduce';
import { live } from '@/live/stream';
import { renderDressed } from '@/testing/dressed';
import { at, flow, NOON, reading, series, source, stage } from '@/testing/examples';
import { useTrustedReading, type TrustedReading } from './useTrustedReading';

let told: () => void = () => undefined;
let state: LiveState;

const withSource = (part: Parameters<typeof source>[0]): LiveState => ({ ...NOTHING_LIVE, status: 'open', flow: flow({ stages: [stage({ sources: [source(part)] })] }) });

beforeEach(() => {
  vi.useFakeTimers({ now: NOON });
  state = withSource({});
  vi.spyOn(live, 'state').mockImplementation(() => state);
  vi.spyOn(live, 'subscribe').mockImplementation((listener) => {
    const before = told;
    told = () => {
      before();
      listener();
    };
    return () => undefined;
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  told = () => undefined;
});

function drawn(part: Parameters<typeof series>[1]): TrustedReading[] {
  const all: TrustedReading[] = [];
  const one = series(1, part);
  function Probe() {
    all.push(useTrustedReading(one));
    return null;
  }
  renderDressed(<Probe />);
  return all;
}

const become = (next: LiveState) =>
  act(() => {
    state = next;
    told();
  });

it('is not drawn anew by reports that say the same, nor by the clock', () => {
  const all = drawn({ last: reading() });
  for (let second = 1; second < 10; second += 1) become(withSource({ lastData: at(second), items: second }));
  act(() => void vi.advanceTimersByTime(10_000));
  expect(all).toHaveLength(1);
  become(withSource({ state: 'silent', lastData: at(9) }));
  expect(all.at(-1)?.trust).toEqual({ kind: 'stale', at: NOON, since: NOON + 9_000 });
});

it('goes stale by the clock where nobody reports its server', () => {
  const all = drawn({ last: reading(), source: 'opc.tcp://elsewhere:4840' });
  expect(all.at(-1)?.trust.kind).toBe('fresh');
  act(() => void vi.advanceTimersByTime(62_000));
  expect(all.map(({ trust }) => trust.kind)).toEqual(['fresh', 'stale']);
});
