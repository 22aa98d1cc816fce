/** Facts about gestures and keys on the chart: of several in one tick each goes on from the one before. */
import { act, render, screen } from '@testing-library/react';
import { afterEach, expect, it, vi } from 'vitest';
import { WordsContext } from '@/words/words';
import { english } from '@/testing/dressed';
import { pressAll } from '@/testing/placed';
import { NOON } from '@/testing/examples';
import { TrendChart } from './chart/TrendChart';
import { endGesture, moveGesture, useGesture } from './gesture';

const SHOWN = { from: NOON - 3_600_000, to: NOON };

function Probe() {
  const gesture = useGesture();
  return <output>{gesture ? `${gesture.from - NOON} ${gesture.to - NOON}` : 'none'}</output>;
}

afterEach(() => endGesture());

it('goes on from the gesture under way, and from what is shown when there is none', () => {
  moveGesture((shown) => ({ ...shown, from: shown.from + 1000 }), SHOWN);
  moveGesture((shown) => ({ ...shown, to: shown.to - 500 }), SHOWN);
  render(<Probe />);
  expect(screen.getByRole('status').textContent).toBe('-3599000 -500');
});

it('ends with another choice of range, but not with the arrival of an older gesture', () => {
  render(<Probe />);
  const older = { from: NOON - 10, to: NOON };
  act(() => moveGesture(older, SHOWN));
  act(() => moveGesture({ from: NOON - 5, to: NOON }, SHOWN));
  act(() => endGesture(older));
  expect(screen.getByRole('status').textContent).toBe('-5 0');
  act(() => endGesture());
  expect(screen.getByRole('status').textContent).toBe('none');
});

it('zooms twice for two keys in one tick', async () => {
  globalThis.ResizeObserver ??= class {
    observe() {}
    unobserve() {}
    disconnect() {}
  };
  const reset = vi.fn();
  render(
    <WordsContext value={english}>
      <Probe />
      <TrendChart traces={[]} shared={false} view={SHOWN} waiting={false} look={(to) => moveGesture(to, SHOWN)} reset={reset} showGap={() => undefined} keepPicture={() => undefined} />
    </WordsContext>,
  );
  screen.getByRole('group').focus();
  await pressAll('+', '+');
  expect(screen.getByRole('status').textContent).toBe('-2250000 -1350000');
  await pressAll('Home');
  expect(reset).toHaveBeenCalledOnce();
});
