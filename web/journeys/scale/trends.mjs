// Live series on the page of trends, for as long as is asked.
import { millisOfChildren, millisOfThread } from './processes.mjs';

const SPAN = '1h';
/** Parts of the time, each with its own figures: what grows shows from one to the next. */
const partsOf = (minutes) => (minutes > 10 ? Math.round(minutes / 5) : 4);

/** `told` hears of each part when it is over. */
export async function liveTrends(page, devtools, base, ids, minutes, told) {
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(`${base}/trends?s=${ids.join(',')}&range=${SPAN}`);
  await page.locator('.u-over').nth(ids.length - 1).waitFor();
  await page.waitForFunction(() => !document.querySelector('[aria-busy=true]'));
  const { thread } = await devtools.framesOf(() => page.evaluate(someFrames));
  const begin = await devtools.memory();
  const count = partsOf(minutes);
  const parts = [];
  for (let part = 1; part <= count; part += 1) {
    const used = await usedWhile(thread, () => page.evaluate((ms) => new Promise((done) => setTimeout(done, ms)), (minutes * 60_000) / count));
    parts.push({ ...used, ...(await devtools.memory()) });
    told(part, parts.at(-1));
  }
  const clock = parts.reduce((sum, part) => sum + part.minutes, 0);
  const mean = (name) => parts.reduce((sum, part) => sum + part[name] * part.minutes, 0) / clock;
  return { series: ids.length, span: SPAN, minutes: clock, mainThreadPercent: mean('mainThreadPercent'), browserPercent: mean('browserPercent'), begin, end: parts.at(-1), parts, errors };
}

/** Percent of a core: the thread that runs and draws the page, and all processes of the browser. */
async function usedWhile(thread, act) {
  const now = () => ({ at: performance.now(), main: millisOfThread(thread), browser: millisOfChildren(process.pid) });
  const before = now();
  await act();
  const after = now();
  const clock = after.at - before.at;
  const percent = (name) => (100 * (after[name] - before[name])) / clock;
  return { minutes: clock / 60_000, mainThreadPercent: percent('main'), browserPercent: percent('browser') };
}

/** Runs in the page. */
function someFrames() {
  return new Promise((done) => {
    let left = 5;
    const next = () => (left-- > 0 ? window.requestAnimationFrame(next) : done());
    next();
  });
}
