// A pretended console for working on the page: moving values of 5,000 series, broken servers, gaps, bad quality.
// A development tool; it is not part of the product. `--empty` shows a platform before its first value, `--port N`,
// `--series N` for another number of series, `--rate N` for so many events of values a second (default 1).
import { randomBytes } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { flow } from './fake/flow.mjs';
import { buckets, gapsIn, samples } from './fake/history.mjs';
import { json } from './fake/json.mjs';
import { describe, lastOf, sampleAt, SERIES, stamp } from './fake/plant.mjs';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const empty = process.argv.includes('--empty');
const port = process.argv.includes('--port') ? Number(process.argv[process.argv.indexOf('--port') + 1]) : 8099;
const series = empty ? [] : SERIES;
const byId = new Map(series.map((each) => [each.id, each]));
const rate = Number(process.argv[process.argv.indexOf('--rate') + 1]) || 1;
const token = process.env.GEMBA_FAKE_TOKEN ?? randomBytes(32).toString('hex');
const user = { name: null, password: null };
const sessions = new Map();
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const emptyFlow = () => ({ at: stamp(Date.now()), version: '0.1.0', stages: [], rates: {}, history: {}, openGaps: 0, problems: [], problemsTotal: 0 });
const flowNow = empty ? emptyFlow : flow;

function send(response, status, body, type = 'application/json', headers = {}) {
  response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store', ...headers });
  response.end(body);
}

function problem(response, status, code, title, detail) {
  send(response, status, json({ type: `/docs/errors/${code}`, title, status, detail, code }), 'application/problem+json');
}

async function bodyOf(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString() || '{}');
}

const sessionOf = (request) => sessions.get(/gemba=([0-9a-f]+)/.exec(request.headers.cookie ?? '')?.[1]);

function enter(response, status) {
  const id = randomBytes(16).toString('hex');
  const session = { user: user.name, role: 'admin', kind: 'session', csrfToken: randomBytes(16).toString('hex'), expiresAt: stamp(Date.now() + 604_800_000) };
  sessions.set(id, session);
  send(response, status, json(session), 'application/json', { 'Set-Cookie': `gemba=${id}; HttpOnly; SameSite=Strict; Path=/` });
}

function time(text, fallback) {
  if (!text) return fallback;
  const relative = /^(?:now)?-(\d+)([smhdw])$/.exec(text);
  if (relative) return Date.now() - Number(relative[1]) * { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 }[relative[2]];
  return text === 'now' ? Date.now() : Date.parse(text);
}

function listSeries(response, query) {
  const words = (query.get('search') ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  const limit = Math.min(1000, Number(query.get('limit') ?? 100));
  const after = Number(query.get('continuationToken') || 0);
  const now = Date.now();
  const found = series.filter((each) => each.id > after && words.every((word) => `${each.name} ${each.nodeId} ${describeSource(each)}`.toLowerCase().includes(word)));
  const items = found.slice(0, limit).map((each) => describe(each, now));
  send(response, 200, json({ items, continuationToken: found.length > limit ? String(items.at(-1).id) : null }));
}

const sources = new Map();
function describeSource(each) {
  if (!sources.has(each.server)) sources.set(each.server, describe(each, Date.now()).source);
  return sources.get(each.server);
}

function sendSamples(request, response, query, one) {
  const from = time(query.get('from'), Date.now() - 36e5);
  const to = time(query.get('to'), Date.now());
  const limit = Math.min(10_000, Number(query.get('limit') ?? 1000));
  const accept = request.headers.accept ?? '';
  const found = [...samples(one, from, to, query.get('order') === 'desc')];
  if (accept.includes('csv')) {
    const lines = found.map((each) => [each.sourceTimestamp, each.serverTimestamp, each.value ?? '', each.status, each.statusName].join(','));
    return send(response, 200, `sourceTimestamp,serverTimestamp,value,status,statusName\n${lines.join('\n')}\n`, 'text/csv');
  }
  // The page saves the bytes as they come; what is in them is the platform's affair.
  if (accept.includes('parquet')) return send(response, 200, `PAR1${'-'.repeat(200)}PAR1`, 'application/vnd.apache.parquet');
  if (accept.includes('ndjson')) return send(response, 200, found.map((each) => `${json(each)}\n`).join(''), 'application/x-ndjson');
  send(response, 200, json({ items: found.slice(0, limit), continuationToken: found.length > limit ? 'more' : null }));
}

function live(request, response, query) {
  const wanted = (query.get('series') ?? '').split(',').map(Number).map((id) => byId.get(id)).filter(Boolean);
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const event = (name, value) => response.write(`event: ${name}\ndata: ${json(value)}\n\n`);
  event('values', { series: Object.fromEntries(wanted.map((each) => [each.id, lastOf(each, Date.now())])) });
  event('flow', flowNow());
  let beats = 0;
  const timer = setInterval(() => {
    const now = Date.now();
    const second = Math.floor(now / 1000);
    const time = rate > 1 ? { sourceTimestamp: stamp(now), serverTimestamp: stamp(now + 1) } : {};
    const changed = wanted.map((each) => [each.id, sampleAt(each, second)]).filter(([, sample]) => sample);
    if (changed.length > 0) event('values', { series: Object.fromEntries(changed.map(([id, sample]) => [id, { ...sample, ...time }])) });
    if (beats % rate === 0) event('flow', flowNow());
    beats += 1;
  }, 1000 / rate);
  request.on('close', () => clearInterval(timer));
}

async function entry(request, response, path) {
  if (path === '/first-start' && request.method === 'GET') return send(response, 200, json({ open: user.name === null }));
  if (path === '/first-start') {
    const given = await bodyOf(request);
    if (given.token !== token || user.name !== null) return problem(response, 403, 'GMB-API-016', 'The link is not valid', 'This one-time link is wrong or was used already. Start Gemba again to get a new one.');
    if (given.password.length < 12) return problem(response, 400, 'GMB-API-020', 'The password is too short', 'It needs at least 12 characters.');
    Object.assign(user, { name: given.user, password: given.password });
    return enter(response, 201);
  }
  if (request.method === 'POST') {
    const given = await bodyOf(request);
    if (given.user !== user.name || given.password !== user.password) return problem(response, 401, 'GMB-API-013', 'Wrong user or password', 'Check both. After five attempts the next one must wait.');
    return enter(response, 200);
  }
  const session = sessionOf(request);
  if (!session) return problem(response, 401, 'GMB-API-003', 'Not signed in', 'Sign in first.');
  if (request.method === 'GET') return send(response, 200, json(session));
  if (request.headers['x-csrf-token'] !== session.csrfToken) return problem(response, 403, 'GMB-API-010', 'The token is missing', 'Ask for the session again.');
  for (const [id, each] of sessions) if (each === session) sessions.delete(id);
  response.writeHead(204).end();
}

async function api(request, response, url) {
  const path = url.pathname.slice('/api/v1'.length);
  const query = url.searchParams;
  if (path === '/session' || path === '/first-start') return entry(request, response, path);
  if (!sessionOf(request)) return problem(response, 401, 'GMB-API-003', 'Not signed in', 'Sign in first.');
  if (path === '/flow') return send(response, 200, json(flowNow()));
  if (path === '/live') return live(request, response, query);
  if (path === '/series') return listSeries(response, query);
  if (path === '/gaps') {
    const one = byId.get(Number(query.get('series')));
    return send(response, 200, json({ items: one ? gapsIn(one, time(query.get('from'), 0), time(query.get('to'), Infinity)) : [], continuationToken: null }));
  }
  const [, id, what] = /^\/series\/(\d+)(?:\/(\w+))?$/.exec(path) ?? [];
  const one = byId.get(Number(id));
  if (!one) return problem(response, 404, 'GMB-API-005', 'Not found', `There is no series ${id ?? path}.`);
  if (what === 'samples') return sendSamples(request, response, query, one);
  if (what === 'last') return send(response, 200, json(lastOf(one, Date.now())));
  if (what === 'buckets') {
    const [from, to] = [time(query.get('from')), time(query.get('to'))];
    return send(response, 200, json({ from: stamp(from), to: stamp(to), items: buckets(one, from, to, Number(query.get('count') ?? 500)) }));
  }
  send(response, 200, json(describe(one, Date.now())));
}

function page(response, path) {
  const file = join(dist, normalize(path));
  if (path !== '/' && file.startsWith(dist) && existsSync(file) && statSync(file).isFile()) {
    response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', 'Cache-Control': path.startsWith('/assets/') ? 'max-age=31536000, immutable' : 'no-cache' });
    return createReadStream(file).pipe(response);
  }
  if (path.startsWith('/assets/')) return send(response, 404, 'not found', 'text/plain');
  send(response, 200, readFileSync(join(dist, 'index.html')), TYPES['.html'], { 'Content-Security-Policy': CSP });
}

createServer((request, response) => {
  const url = new URL(request.url, 'http://fake');
  const answer = url.pathname.startsWith('/api/v1') ? api(request, response, url) : page(response, url.pathname);
  Promise.resolve(answer).catch((error) => problem(response, 500, 'GMB-API-001', 'The fake failed', String(error.stack)));
}).listen(port, '127.0.0.1', function listening() {
  console.log(`http://127.0.0.1:${this.address().port}/first-start#token=${token}`);
});
