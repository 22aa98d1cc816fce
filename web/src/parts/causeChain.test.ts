/** Facts about where a chain breaks. */
import { expect, it } from 'vitest';
import { problem, reading, source } from '@/testing/examples';
import type { Reading, Source } from '@/api/types';
import { causeChain } from './causeChain';

/** "N=whole S=broken …" in five letters: w, p, ~ (weak), x (broken), ?. */
const LETTERS = { whole: 'w', pending: 'p', weak: '~', broken: 'x', unknown: '?' };
const chain = (of: Source | null, value?: Reading | null) => causeChain(of, value).links.map(({ state }) => LETTERS[state]).join('');

const bad = (statusName: string, status = 0x80310000) => reading({ status, statusName, value: null });

it.each([
  ['a live server', source(), undefined, 'wwwww'],
  ['a first connection', source({ state: 'connecting' }), undefined, 'p????'],
  ['a connection that cannot be made', source({ state: 'connecting', problem: problem() }), undefined, 'x????'],
  ['a lost connection', source({ state: 'reconnecting', problem: problem({ code: 'GMB-UA-008' }) }), undefined, 'x????'],
  ['a certificate that is not trusted', source({ state: 'stopped', problem: problem({ code: 'GMB-UA-005' }) }), undefined, 'wx???'],
  ['a stop without a known code', source({ state: 'stopped', problem: problem({ code: 'GMB-XX-001' }) }), undefined, 'wx???'],
  ['a silent server', source({ state: 'silent' }), undefined, 'wwx??'],
  ['items that the server refuses', source({ itemsBad: 3 }), undefined, 'www~w'],
  ['a good value', source({ itemsBad: 3 }), reading(), 'wwwww'],
  ['a NodeId that nobody knows', source(), bad('BadNodeIdUnknown'), 'wwwx?'],
  ['a device behind the server that is away', source(), bad('BadNoCommunication'), 'wwwwx'],
  ['an uncertain value', source(), bad('UncertainLastUsableValue', 0x40900000), 'wwww~'],
  ['a bad value of a server that is lost: the server comes first', source({ state: 'reconnecting' }), bad('BadNoCommunication'), 'x????'],
  ['a server that nobody reports', null, reading(), '?????'],
] as const)('%s', (_name, of, value, letters) => {
  expect(chain(of, value)).toBe(letters);
});
