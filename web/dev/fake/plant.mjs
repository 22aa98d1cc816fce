// The pretended plant: every value is a function of its series and the second, so that any range can be asked for.

export const START = Date.now();
const MINUTE = 60_000;
/** Series of each of the five servers: `--series` says how many there are in all. */
export const PER_SERVER = Math.ceil((Number(process.argv[process.argv.indexOf('--series') + 1]) || 5000) / 5);

export const SERVERS = [
  { endpoint: 'opc.tcp://press-1.line-a:4840', group: 'press-1', device: 'edge-a', state: 'live' },
  { endpoint: 'opc.tcp://oven-2.line-a:4840', group: 'oven-2', device: 'edge-a', state: 'live' },
  { endpoint: 'opc.tcp://filler-3.line-b:4840', group: 'filler-3', device: 'edge-b', state: 'live' },
  { endpoint: 'opc.tcp://palletiser-4.line-b:4840', group: 'palletiser-4', device: 'edge-b', state: 'reconnecting', downSince: START - 12 * MINUTE },
  { endpoint: 'opc.tcp://boiler-5.utilities:4840', group: 'boiler-5', device: 'edge-b', state: 'stopped', downSince: START - 3 * 60 * MINUTE },
];

const KINDS = [
  { name: 'Temperature', unit: '°C', kind: 'sine', base: 71.5, swing: 6.4, decimals: 2, period: 900 },
  { name: 'Pressure', unit: 'bar', kind: 'sine', base: 5.2, swing: 0.35, decimals: 3, period: 240 },
  { name: 'Motor current', unit: 'A', kind: 'saw', base: 12, swing: 9, decimals: 1, period: 65 },
  { name: 'Spindle speed', unit: '1/min', kind: 'steps', base: 2400, swing: 1200, decimals: 0, period: 420 },
  { name: 'Parts made', unit: '', kind: 'counter' },
  { name: 'Energy', unit: 'Wh', kind: 'big' },
  { name: 'Door closed', unit: '', kind: 'bool', period: 330 },
  { name: 'State', unit: '', kind: 'state', period: 510 },
  { name: 'Setpoint', unit: '°C', kind: 'constant', base: 75 },
  { name: 'Vibration', unit: 'mm/s', kind: 'noise', base: 1.8, swing: 0.9, decimals: 3 },
];
const STATES = ['Running', 'Running', 'Running', 'Setup', 'Running', 'Blocked', 'Running', 'Cleaning'];

export const SERIES = SERVERS.flatMap((server, s) =>
  Array.from({ length: PER_SERVER }, (_, n) => {
    const kind = KINDS[n % KINDS.length];
    const unit = Math.floor(n / KINDS.length) + 1;
    return { id: s * PER_SERVER + n + 1, server: s, n, kind, name: `${kind.name} ${String(unit).padStart(2, '0')}`, nodeId: `nsu=urn:plant:${server.group};s=Unit${unit}.${kind.name.replace(/ /g, '')}` };
  }),
);

function hash(a, b) {
  let h = (a * 374761393 + b * 668265263) | 0;
  h = Math.imul(h ^ (h >>> 13), 1274126177);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

const round = (value, decimals) => Number(value.toFixed(decimals));

export function valueAt(series, second) {
  const { kind, id } = series;
  const shift = (id * 37) % 1000;
  const phase = (second + shift) / (kind.period ?? 1);
  const noise = hash(id, second) - 0.5;
  switch (kind.kind) {
    case 'sine':
      return round(kind.base + kind.swing * Math.sin(phase * 2 * Math.PI) + kind.swing * 0.08 * noise, kind.decimals);
    case 'saw':
      return round(kind.base + kind.swing * (phase % 1) + 0.4 * noise, kind.decimals);
    case 'steps':
      return kind.base + kind.swing * Math.floor(hash(id, Math.floor(phase)) * 4) / 4;
    case 'counter':
      return Math.floor((second - 1_700_000_000) / 7);
    case 'big':
      return BigInt(second) * 9_007_199_255n + BigInt(id);
    case 'bool':
      return phase % 1 < 0.86;
    case 'state':
      return STATES[Math.floor(phase) % STATES.length];
    case 'constant':
      return kind.base;
    default:
      return round(kind.base + kind.swing * (hash(id, second) + hash(id + 7, second) - 1), kind.decimals);
  }
}

/** Holes of a server, newest last: open ones of the broken servers, one real and one that was filled again. */
export function gapsOf(series) {
  const server = SERVERS[series.server];
  const gaps = [];
  if (series.server === 0) gaps.push({ from: START - 41 * MINUTE, to: START - 34 * MINUTE, reason: 'disconnection', hop: 'field', count: 420, closed: true });
  if (series.server === 0) gaps.push({ from: START - 18 * MINUTE, to: START - 16 * MINUTE, reason: 'edge-restart', hop: 'edge', count: 0, closed: true });
  if (series.server === 1 && series.n % 3 === 0) gaps.push({ from: START - 26 * MINUTE, to: START - 24 * MINUTE, reason: 'overflow', hop: 'field', count: null, closed: true });
  if (server.downSince) gaps.push({ from: server.downSince, to: null, reason: 'disconnection', hop: 'field', count: null, closed: false });
  return gaps;
}

const missing = (series, at) => gapsOf(series).some((gap) => gap.count !== 0 && at > gap.from && (gap.to === null || at < gap.to));

export const BAD = 0x80310000;
const UNCERTAIN = 0x40900000;

export function statusAt(series, second) {
  const at = second * 1000;
  if (series.n === 1 && series.server === 0 && at > START - 12 * MINUTE && at < START - 8 * MINUTE) return [BAD, 'BadNoCommunication'];
  if (series.n === 5 && series.server === 0) return [BAD, 'BadNoCommunication'];
  if (series.n === 9 && series.server === 0) return [UNCERTAIN, 'UncertainLastUsableValue'];
  if (series.n === 12 && series.server === 1) return [0x80340000, 'BadNodeIdUnknown'];
  return [0, 'Good'];
}

const stamp = (ms) => `${new Date(ms).toISOString().slice(0, -1)}0000Z`;

export function sampleAt(series, second) {
  const at = second * 1000;
  if (missing(series, at)) return null;
  if (series.kind.kind === 'constant' && second % 7200 !== series.id % 7200) return null;
  const [status, statusName] = statusAt(series, second);
  return { value: status >= 0x80000000 ? null : valueAt(series, second), status, statusName, sourceTimestamp: stamp(at), serverTimestamp: stamp(at + 1) };
}

export function lastOf(series, now) {
  const down = SERVERS[series.server].downSince;
  let second = Math.floor((down ? Math.min(down, now) : now) / 1000);
  if (series.kind.kind === 'constant') second = Math.floor((second - (series.id % 7200)) / 7200) * 7200 + (series.id % 7200);
  return series.n === 30 && series.server === 2 ? null : sampleAt(series, second);
}

export function describe(series, now) {
  const server = SERVERS[series.server];
  return {
    id: series.id, name: series.name, nodeId: series.nodeId, attributeId: 13, source: server.endpoint, applicationUri: `urn:plant:${server.group}`,
    device: server.device, writerGroup: server.group, writer: `${server.group}-1000`, unit: series.kind.unit, last: lastOf(series, now),
  };
}

export { stamp };
