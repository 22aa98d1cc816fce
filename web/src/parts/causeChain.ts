/** Which link of network → session → subscription → item → source broke, from what is reported. */
import type { FlowProblem, Reading, Source } from '@/api/types';
import { qualityOf } from '@/reading/quality';

export const LINKS = ['network', 'session', 'subscription', 'item', 'source'] as const;
export type Link = (typeof LINKS)[number];
/** unknown: nothing can be said, because a link before it is broken or nobody reports. */
export type LinkState = 'whole' | 'pending' | 'weak' | 'broken' | 'unknown';

export interface ChainLink {
  link: Link;
  state: LinkState;
}

export interface CauseChain {
  links: ChainLink[];
  /** The first link that is not whole. */
  culprit: Link | null;
  problem: FlowProblem | null;
  since: string | null;
}

/** Where the client's errors break the chain; see docs/errors. */
const PROBLEM_LINKS: Record<string, Link> = {
  'GMB-UA-001': 'network',
  'GMB-UA-002': 'network',
  'GMB-UA-003': 'session',
  'GMB-UA-004': 'session',
  'GMB-UA-005': 'session',
  'GMB-UA-006': 'session',
  'GMB-UA-007': 'subscription',
  'GMB-UA-008': 'network',
  'GMB-UA-009': 'session',
  'GMB-UA-010': 'session',
  'GMB-UA-011': 'session',
  'GMB-UA-012': 'session',
};

/** Statuses that say: the server answers for the item, what is behind it does not deliver. */
const BEHIND_THE_SERVER = /^(Bad(NoCommunication|NotConnected|DeviceFailure|SensorFailure|OutOfService|CommunicationError|WaitingForInitialData|ConfigurationError)|Uncertain)/;

function sourceCulprit(source: Source): Link | null {
  const told = source.problem ? PROBLEM_LINKS[source.problem.code] : undefined;
  switch (source.state) {
    case 'live':
      return source.problem ? (told ?? 'item') : null;
    case 'silent':
      return told ?? 'subscription';
    case 'stopped':
      return told ?? 'session';
    case 'reconnecting':
    case 'connecting':
      return told ?? 'network';
  }
}

function readingCulprit(reading: Reading | null): Link | null {
  if (reading === null || qualityOf(reading.status) === 'good') return null;
  return BEHIND_THE_SERVER.test(reading.statusName ?? '') ? 'source' : 'item';
}

function cut(culprit: Link, state: LinkState): ChainLink[] {
  const at = LINKS.indexOf(culprit);
  return LINKS.map((link, index) => ({ link, state: index < at ? 'whole' : index === at ? state : 'unknown' }));
}

const WHOLE: ChainLink[] = LINKS.map((link) => ({ link, state: 'whole' }));

/** The chain of a server (no `reading`) or of one of its series. */
export function causeChain(source: Source | null, reading?: Reading | null): CauseChain {
  if (source === null) {
    const culprit = readingCulprit(reading ?? null);
    const links: ChainLink[] = LINKS.map((link) => ({ link, state: link === culprit ? 'broken' : 'unknown' }));
    return { links, culprit, problem: null, since: null };
  }
  const { problem } = source;
  const ofSource = sourceCulprit(source);
  if (ofSource !== null && source.state !== 'live') {
    const state = source.state === 'connecting' && problem === null ? 'pending' : 'broken';
    return { links: cut(ofSource, state), culprit: ofSource, problem, since: problem?.since ?? source.since };
  }
  if (reading !== undefined) {
    const ofReading = readingCulprit(reading);
    if (ofReading === null) return { links: WHOLE, culprit: null, problem: null, since: source.since };
    const weak = reading !== null && qualityOf(reading.status) === 'uncertain';
    return { links: cut(ofReading, weak ? 'weak' : 'broken'), culprit: ofReading, problem, since: reading?.sourceTimestamp ?? null };
  }
  if (source.itemsBad > 0 || ofSource !== null) {
    // The server delivers, but not all that is wanted from it: the chain is thin here, not cut.
    const culprit = ofSource ?? 'item';
    const at = LINKS.indexOf(culprit);
    const links = LINKS.map((link, index): ChainLink => ({ link, state: index === at ? 'weak' : 'whole' }));
    return { links, culprit, problem, since: problem?.since ?? source.since };
  }
  return { links: WHOLE, culprit: null, problem: null, since: source.since };
}
