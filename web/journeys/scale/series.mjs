// The series page at scale: opening it, searching, scrolling.
import { spread } from './devtools.mjs';

const GRID = '[role=treegrid]';
const settled = (page) => page.locator(`${GRID}[aria-busy=true]`).waitFor({ state: 'detached' });

/** From the address to the first row, in a new page. */
export async function opening(page, devtools, base) {
  const cost = await devtools.costOf(async () => {
    await page.goto(`${base}/series`);
    await page.locator('[role=row][data-row]').first().waitFor();
  });
  // As it came over the wire, or would have, had it not been kept.
  const scripts = await page.evaluate(() => performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.js')).reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0));
  return { firstRowMillis: cost.clock, mainThreadMillis: cost.task, scriptsKB: scripts / 1024 };
}

/** Main thread for each key, and until the rows are those of the search. */
export async function searching(page, devtools, text) {
  await page.getByRole('searchbox').focus();
  const cost = await devtools.costOf(async () => {
    await page.keyboard.type(text);
    await page.waitForURL((address) => address.searchParams.get('q') === text);
    await settled(page);
  });
  await page.getByRole('searchbox').fill('');
  await page.waitForURL((address) => !address.searchParams.has('q'));
  await settled(page);
  return { keys: text.length, untilFoundMillis: cost.clock, mainThreadMillisPerKey: cost.task / text.length };
}

/** On and on, as by a flung wheel and faster; more rows are fetched on the way. */
export async function scrolling(page, devtools, pixels, from = 'where it is') {
  const cost = await devtools.costOf(() => devtools.framesOf(() => page.evaluate(scrollOn, { step: pixels, frames: 600, millis: 20_000 })));
  const { result, frames } = cost.result;
  const { heap } = await devtools.memory();
  const perFrame = (millis) => millis / Math.max(1, result.frames);
  return {
    pixelsPerFrame: pixels,
    from,
    frames: result.frames,
    over17Millis: result.over17,
    over34Millis: result.over34,
    mainThreadMillis: spread(frames),
    scriptMillis: perFrame(cost.script),
    layoutMillis: perFrame(cost.layout),
    rowsLoaded: result.rows,
    rowsOnThePage: result.elements,
    framesWithWaitingRows: result.waiting,
    heapMB: heap,
  };
}

/** Runs in the page. */
async function scrollOn({ step, frames: most, millis }) {
  const box = document.querySelector('[role=treegrid] > [role=rowgroup]');
  const frame = () => new Promise((done) => window.requestAnimationFrame(done));
  const seen = { frames: 0, over17: 0, over34: 0, waiting: 0 };
  // The screen's own beat: a frame that comes on the next one is in time, even when its callback is called late.
  let last = await frame();
  const end = last + millis;
  while (last < end && seen.frames < most) {
    box.scrollTop += step;
    const now = await frame();
    if (now - last > 17) seen.over17 += 1;
    if (now - last > 34) seen.over34 += 1;
    last = now;
    seen.frames += 1;
    if (document.querySelector('[role=treegrid] [data-waiting]')) seen.waiting += 1;
  }
  return { ...seen, rows: Math.round(box.scrollHeight / 48), elements: document.querySelectorAll('[role=treegrid] [data-row]').length };
}

/** To the last row, page by page, as whoever holds the End key. */
export async function loadingAll(page, devtools) {
  const cost = await devtools.costOf(() => devtools.framesOf(() => page.evaluate(loadAll, { millis: 300_000 })));
  const { result, frames } = cost.result;
  const { heap } = await devtools.memory();
  // The rows that come last meet all those before them.
  const last = frames.slice(-Math.ceil(frames.length / 4));
  return { ...result, seconds: cost.clock / 1000, mainThreadSeconds: cost.task / 1000, mainThreadMillis: spread(frames), mainThreadMillisOfLastQuarter: spread(last), heapMB: heap };
}

/** Runs in the page. */
async function loadAll({ millis }) {
  const grid = document.querySelector('[role=treegrid]');
  const box = grid.querySelector(':scope > [role=rowgroup]');
  const frame = () => new Promise((done) => window.requestAnimationFrame(done));
  const end = performance.now() + millis;
  const complete = () => grid.getAttribute('aria-rowcount') !== '-1';
  while (!complete() && performance.now() < end) {
    box.scrollTop = box.scrollHeight;
    await frame();
  }
  const rows = Math.round(box.scrollHeight / 48);
  // Into the middle, so that there is way in both directions.
  box.scrollTop = box.scrollHeight / 2;
  await frame();
  return { rows, complete: complete() };
}
