/** Facts about a reading on the page: it is never naked. */
import { screen } from '@testing-library/react';
import { afterEach, expect, it, vi } from 'vitest';
import type { TrustedReading } from './useTrustedReading';
import { renderDressed } from '@/testing/dressed';
import { NOON, problem, reading, source } from '@/testing/examples';
import { CauseChainView } from './CauseChainView';
import { ReadingAge } from './ReadingAge';
import { ReadingQuality } from './ReadingQuality';
import { ReadingValue } from './ReadingValue';

const trusted = (part: Partial<TrustedReading> = {}): TrustedReading => ({
  reading: reading(), trust: { kind: 'fresh', at: NOON, vouched: true }, quality: 'good', text: '21.5', numeric: true, ...part,
});

afterEach(() => {
  vi.useRealTimers();
});

function shown(of: TrustedReading, now = NOON + 5000): string {
  vi.useFakeTimers({ now, toFake: ['Date'] });
  const { container } = renderDressed(
    <>
      <ReadingValue trusted={of} unit="°C" /> <ReadingQuality trusted={of} /> <ReadingAge trusted={of} />
    </>,
  );
  return (container.textContent ?? '').replaceAll('\u202F', ' ');
}

it('shows value, unit, quality and age', () => {
  expect(shown(trusted())).toBe('21.5°C Good 5 s ago');
});

it('says that a value is unchanged while its server is live, instead of calling it old', () => {
  expect(shown(trusted(), NOON + 1_980_000)).toBe('21.5°C Good unchanged for 33 min');
});

it('says since when there is no data', () => {
  expect(shown(trusted({ trust: { kind: 'stale', at: NOON, since: NOON } }), NOON + 600_000)).toBe('21.5°C Stale no data since 12:00');
});

it('gives no number where there is no data', () => {
  expect(shown(trusted({ reading: null, text: '', trust: { kind: 'none' } }))).toBe('no value yet No data ');
});

it('names the reason of a bad value', () => {
  const bad = trusted({ reading: reading({ status: 0x80310000, statusName: 'BadNoCommunication', value: null }), quality: 'bad', text: '' });
  expect(shown(bad)).toContain('no value Bad BadNoCommunication: the server has no connection to the device behind it.');
});

it('leads from a fault to the broken link, the remedy and the page of the code', () => {
  renderDressed(<CauseChainView source={source({ state: 'stopped', problem: problem({ code: 'GMB-UA-005', text: 'The certificate is not trusted.', remedy: 'Trust it.' }) })} />);
  expect(screen.getByText('broken here').closest('li')?.textContent).toBe('Sessionbroken here');
  expect(screen.getByText('Trust it.')).toBeTruthy();
  expect(screen.getByRole('link', { name: 'GMB-UA-005' }).getAttribute('href')).toBe('/docs/errors/GMB-UA-005');
});
