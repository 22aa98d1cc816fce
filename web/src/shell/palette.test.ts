/** Facts about the palette. */
import { expect, it } from 'vitest';
import { closePalette, openPalette, paletteOpen } from './palette';
import { matches } from './paletteEntries';

it('finds every word anywhere, case ignored', () => {
  expect([matches('Motor current 01 opc.tcp://press-1', 'press MOTOR'), matches('Motor current', 'motor x'), matches('Flow', '')]).toEqual([true, false, true]);
});

it('opens and closes', () => {
  openPalette('add');
  expect(paletteOpen()).toBe(true);
  closePalette();
  expect(paletteOpen()).toBe(false);
});
