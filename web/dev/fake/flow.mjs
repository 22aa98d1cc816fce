// The flow document: four stages, two edges, five servers, of which two are in trouble.
import { PER_SERVER, SERVERS, START, stamp } from './plant.mjs';

const MINUTE = 60_000;

const PROBLEMS = {
  reconnecting: {
    code: 'GMB-UA-008', text: 'The connection to palletiser-4 was lost: no answer within 5 s.',
    remedy: 'Check power and network of the server. Gemba tries again every 30 s and then fetches what the server kept.', urgency: 3,
  },
  stopped: {
    code: 'GMB-UA-005', text: 'The certificate of boiler-5 is not trusted.',
    remedy: 'Compare its thumbprint with the one on the machine, then trust it: gemba cert trust 7F:3A:91:C2. Nothing is read until then.', urgency: 3,
  },
};

const EXTRA = [
  { code: 'GMB-WAL-007', text: 'The disk of edge-b is 86 % full; at this rate it is full in 3 days.', place: '/var/lib/gemba/log', remedy: 'Free space or shorten the retention. At 95 % the oldest messages go, and the ledger says so.', since: stamp(START - 95 * MINUTE), urgency: 2 },
];

function source(server, now) {
  const down = server.downSince;
  const problem = PROBLEMS[server.state];
  return {
    endpoint: server.endpoint, group: server.group, state: server.state, since: stamp(down ?? START - 9 * 60 * MINUTE),
    lastData: stamp(down ?? now - (now % 1000)), items: PER_SERVER, itemsBad: server.group === 'oven-2' ? 3 : 0,
    problem: problem ? { ...problem, place: server.endpoint, since: stamp(down) } : null,
  };
}

function rateAt(at) {
  const minute = Math.floor(at / MINUTE);
  const wave = 1 + 0.05 * Math.sin(minute / 7) + 0.02 * Math.sin(minute * 2.3);
  const gapped = at > START - 41 * MINUTE && at < START - 34 * MINUTE ? 1 : 0;
  const down = at > START - 12 * MINUTE ? 1 : 0;
  return (4 - gapped - down) * PER_SERVER * wave * 0.9;
}

function history(now, unknownMinutes) {
  const from = Math.floor(now / MINUTE) * MINUTE - 59 * MINUTE;
  const values = Array.from({ length: 60 }, (_, index) => (index < unknownMinutes ? null : rateAt(from + index * MINUTE)));
  return { from: stamp(from), stepSeconds: 60, valuesIn: values, valuesOut: values };
}

export function flow() {
  const now = Date.now();
  const rate = rateAt(now) * (1 + 0.01 * Math.sin(now / 1700));
  const total = Math.round((now - START) / 1000) * 2700 + 184_000_000;
  const report = (stage, instance, part, more = {}) => ({
    stage, instance, at: stamp(now), valuesIn: Math.round(total * part), valuesOut: Math.round(total * part), messagesIn: Math.round((total * part) / 800),
    messagesOut: Math.round((total * part) / 800), bytesOut: total * 9, valuesLost: 0, queueMessages: 0, queueBytes: 0, queueBytesMax: 0, lagMs: 3, sources: [], problems: [], ...more,
  });
  const of = (device) => SERVERS.filter((server) => server.device === device).map((server) => source(server, now));
  const wobble = Math.round(6 + 5 * Math.sin(now / 2300));
  const stages = [
    report('field', 'edge-a', 0.5, { sources: of('edge-a'), valuesLost: 840, lagMs: 180 }),
    report('field', 'edge-b', 0.5, { sources: of('edge-b'), lagMs: 210 }),
    report('edge', 'edge-a', 0.5, { queueMessages: wobble, queueBytes: wobble * 7300, queueBytesMax: 2_000_000_000, lagMs: 320 + wobble * 10 }),
    report('edge', 'edge-b', 0.5, { queueMessages: 4, queueBytes: 31_000, queueBytesMax: 2_000_000_000, lagMs: 290, problems: EXTRA }),
    report('hub', 'platform', 1, { queueMessages: 11, queueBytes: 84_000, lagMs: 40 }),
    report('store', 'platform', 1, { queueMessages: 2, queueBytes: 16_000, lagMs: 120 }),
  ];
  const problems = [...stages.flatMap((stage) => stage.problems), ...stages.flatMap((stage) => stage.sources.flatMap((each) => (each.problem ? [each.problem] : [])))].sort((a, b) => b.urgency - a.urgency);
  const each = { valuesIn: rate, valuesOut: rate };
  return {
    at: stamp(now), version: '0.1.0', stages, rates: { field: each, edge: each, hub: each, store: { valuesIn: rate * 0.999, valuesOut: rate * 0.999 } },
    history: { field: history(now, 4), edge: history(now, 4), hub: history(now, 0), store: history(now, 0) }, openGaps: 2 * PER_SERVER, problems, problemsTotal: problems.length,
  };
}
