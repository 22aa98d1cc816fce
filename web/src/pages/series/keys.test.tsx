/** Facts about the series table under quick fingers: a key means the row that has the focus when it is pressed. */
import { screen, waitFor } from '@testing-library/react';
import { beforeEach, expect, it, vi } from 'vitest';
import { seriesListQuery } from '@/api/queries';
import { live } from '@/live/stream';
import { series } from '@/testing/examples';
import { pressAll, renderPlace } from '@/testing/placed';
import { readSeriesAddress } from './address';
import { SeriesPage } from './SeriesPage';

const COUNT = 300;

beforeEach(() => {
  vi.restoreAllMocks();
  vi.spyOn(live, 'want').mockReturnValue(() => undefined);
  // jsdom has no layout: the table is as high as a window, and so are its rows by their estimate.
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(600);
  vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(1000);
  Element.prototype.scrollTo = () => undefined;
});

async function openSeries(address = '/series') {
  const items = Array.from({ length: COUNT }, (_, index) => series(index + 1));
  const { router } = await renderPlace({
    path: '/series',
    validateSearch: readSeriesAddress,
    page: SeriesPage,
    address,
    fill: (client) => client.setQueryData(seriesListQuery('').queryKey, { pages: [{ items, continuationToken: null }], pageParams: [''] }),
  });
  await waitFor(() => expect(rowOf(1)).toBeTruthy());
  rowOf(1)?.focus();
  return router;
}

const rowOf = (id: number) => document.querySelector<HTMLElement>(`[data-row="s${id}"]`);
const focusedRow = () => (document.activeElement as HTMLElement).dataset['row'];

it('chooses two rows with space, down, space in one tick', async () => {
  const router = await openSeries();
  await pressAll(' ', 'ArrowDown', ' ');
  await waitFor(() => expect(router.state.location.search).toEqual({ s: '1,2' }));
  await waitFor(() => expect(screen.getByRole('region', { name: 'Chosen series' }).querySelector('strong')?.textContent).toBe('2 series chosen'));
});

it('moves on from the row that got the focus, key by key, also to rows far out of sight', async () => {
  await openSeries();
  await pressAll('ArrowDown', 'ArrowDown', 'PageDown', 'ArrowUp');
  expect(focusedRow()).toBe('s12');
  await pressAll('End', 'ArrowUp', ' ');
  expect(focusedRow()).toBe(`s${COUNT - 1}`);
  await pressAll('Home');
  expect(focusedRow()).toBe('s1');
});

it('chooses and unchooses with two spaces in one tick', async () => {
  const router = await openSeries('/series?s=7');
  await pressAll(' ', ' ', 'ArrowDown', ' ');
  await waitFor(() => expect(router.state.location.search).toEqual({ s: '7,2' }));
});

it('opens by the right key however often it is pressed, and folds by the left', async () => {
  const router = await openSeries();
  await pressAll('ArrowRight', 'ArrowRight', 'ArrowDown', 'ArrowRight');
  await waitFor(() => expect(router.state.location.href).toBe('/series?open=2'));
  await pressAll('ArrowLeft', 'ArrowUp', 'ArrowRight', 'ArrowLeft', 'Enter', 'Enter');
  await waitFor(() => expect(router.state.location.href).toBe('/series'));
});

it('leaves space and Enter to a button inside of a row, and moves on from there by arrows', async () => {
  const router = await openSeries();
  rowOf(3)?.querySelector('button')?.focus();
  await pressAll(' ', 'Enter');
  expect(router.state.location.search).toEqual({});
  await pressAll('ArrowDown');
  expect(focusedRow()).toBe('s4');
});
