/** Facts about the palette under quick fingers. */
import { act, screen, waitFor } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { seriesFindQuery } from '@/api/queries';
import { readTrendsAddress } from '@/pages/trends/address';
import { series } from '@/testing/examples';
import { pressAll, renderPlace } from '@/testing/placed';
import { CommandPalette } from './CommandPalette';
import { closePalette, openPalette, paletteOpen, typeEarly } from './palette';

beforeEach(() => {
  globalThis.ResizeObserver ??= class {
    observe() {}
    unobserve() {}
    disconnect() {}
  };
  Element.prototype.scrollIntoView = () => undefined;
});
afterEach(closePalette);

async function open(address: string, found: string) {
  return renderPlace({
    path: '/trends',
    others: ['/elsewhere'],
    validateSearch: readTrendsAddress,
    page: CommandPalette,
    address,
    fill: (client) => client.setQueryData(seriesFindQuery(found, 12).queryKey, { items: [series(1), series(2), series(3)], continuationToken: null }),
  });
}

it('has the focus as soon as it is there, with the letters that came before it', async () => {
  openPalette('add');
  ['v', 'a', 'l'].forEach((key) => typeEarly(key));
  await open('/trends', 'val');
  const field = screen.getByRole<HTMLInputElement>('combobox');
  expect([document.activeElement === field, field.value]).toEqual([true, 'val']);
});

it('does at once what was asked for before it was there', async () => {
  openPalette('all');
  for (const key of [...'trends', 'Enter']) typeEarly(key);
  const { router } = await open('/elsewhere', 'trends');
  await waitFor(() => expect(router.state.location.pathname).toBe('/trends'));
  expect(paletteOpen()).toBe(false);
});

it('adds one series a line with Enter, down, Enter in one tick', async () => {
  openPalette('add');
  const { router } = await open('/trends?s=9', '');
  await waitFor(() => expect(screen.getAllByRole('option')).toHaveLength(3));
  await pressAll('Enter', 'ArrowDown', 'Enter', 'ArrowDown', 'Enter');
  await waitFor(() => expect(router.state.location.search).toEqual({ s: '9,1,2,3' }));
});

it('takes Enter before the answer as a wish for its first line', async () => {
  vi.stubGlobal('fetch', () => new Promise(() => undefined));
  openPalette('add');
  typeEarly('v');
  const { router, client } = await open('/trends', 'elsewhere');
  await pressAll('Enter');
  expect(router.state.location.search).toEqual({});
  await act(async () => client.setQueryData(seriesFindQuery('v', 12).queryKey, { items: [series(4), series(5)], continuationToken: null }));
  await waitFor(() => expect(router.state.location.search).toEqual({ s: '4' }));
  vi.unstubAllGlobals();
});
