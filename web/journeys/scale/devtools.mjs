// What the browser itself says of a page's cost: processor time of the main thread, memory, and a trace of every frame.

/** Of a trace only what tells tasks and frames apart; more of it would be part of what is measured. */
const TRACED = '-*,disabled-by-default-devtools.timeline,devtools.timeline';

export async function devtoolsOf(context, page) {
  const session = await context.newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  return new Devtools(session);
}

class Devtools {
  #session;

  constructor(session) {
    this.#session = session;
  }

  async #metrics() {
    const { metrics } = await this.#session.send('Performance.getMetrics');
    return (name) => metrics.find((each) => each.name === name)?.value ?? 0;
  }

  /** What was done, with the main-thread milliseconds and those on the clock that it took. */
  async costOf(act) {
    const before = await this.#metrics();
    const begin = performance.now();
    const result = await act();
    const clock = performance.now() - begin;
    const after = await this.#metrics();
    const spent = (...names) => names.reduce((sum, name) => sum + (after(name) - before(name)) * 1000, 0);
    return { result, clock, task: spent('TaskDuration'), script: spent('ScriptDuration'), layout: spent('LayoutDuration', 'RecalcStyleDuration') };
  }

  /** Megabytes and elements that are in use once what nobody holds is gone. */
  async memory() {
    // Once more: what the first one frees may have held something else.
    await this.#session.send('HeapProfiler.collectGarbage');
    await this.#session.send('HeapProfiler.collectGarbage');
    const of = await this.#metrics();
    return { heap: of('JSHeapUsedSize') / 1e6, nodes: of('Nodes'), listeners: of('JSEventListeners') };
  }

  /** Main-thread milliseconds of each frame that was made meanwhile. */
  async framesOf(act) {
    const events = [];
    const collect = ({ value }) => events.push(...value);
    this.#session.on('Tracing.dataCollected', collect);
    await this.#session.send('Tracing.start', { transferMode: 'ReportEvents', categories: TRACED });
    const result = await act();
    const complete = new Promise((done) => this.#session.once('Tracing.tracingComplete', done));
    await this.#session.send('Tracing.end');
    await complete;
    this.#session.off('Tracing.dataCollected', collect);
    return { result, frames: framesIn(events), thread: threadOf(events) };
  }
}

/** The thread that makes the frames. */
function threadOf(events) {
  const count = new Map();
  for (const { pid, tid } of events.filter(beginsFrame)) {
    const key = `${pid}/${tid}`;
    count.set(key, { pid, tid, frames: (count.get(key)?.frames ?? 0) + 1 });
  }
  return [...count.values()].sort((a, b) => b.frames - a.frames)[0] ?? null;
}

const beginsFrame = (event) => event.name === 'AnimationFrame::Render' && event.ph === 'b';

/** Processor time of all tasks from one frame's beginning to the next one's, in milliseconds. */
function framesIn(events) {
  const main = threadOf(events);
  const ours = events.filter(({ pid, tid }) => pid === main?.pid && tid === main.tid);
  const marks = ours.filter(beginsFrame).map((event) => event.ts).sort((a, b) => a - b);
  const spent = new Array(Math.max(0, marks.length - 1)).fill(0);
  for (const task of ours) {
    if (task.name !== 'RunTask') continue;
    // The task that begins a frame began before the mark that it sets.
    const frame = placeOf(marks, task.ts + (task.dur ?? 0));
    if (frame >= 0 && frame < spent.length) spent[frame] += (task.tdur ?? 0) / 1000;
  }
  return spent;
}

/** The last mark that is not after `at`. */
function placeOf(marks, at) {
  let [low, high] = [0, marks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (marks[middle] <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Mean, percentiles and the worst. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  const mean = sorted.length === 0 ? 0 : sorted.reduce((sum, each) => sum + each, 0) / sorted.length;
  return { mean, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: sorted.at(-1) ?? 0 };
}
