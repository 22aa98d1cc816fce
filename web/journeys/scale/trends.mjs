// Twelve live series on the page of trends, for as long as is asked.

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
  const begin = await devtools.memory();
  const count = partsOf(minutes);
  const parts = [];
  for (let part = 0; part < count; part += 1) {
    const cost = await devtools.costOf(() => page.evaluate((ms) => new Promise((done) => setTimeout(done, ms)), (minutes * 60_000) / count));
    parts.push({ minutes: cost.clock / 60_000, mainThreadPercent: (100 * cost.task) / cost.clock, ...(await devtools.memory()) });
    told(part + 1, parts.at(-1));
  }
  const clock = parts.reduce((sum, part) => sum + part.minutes, 0);
  const mainThreadPercent = parts.reduce((sum, part) => sum + part.mainThreadPercent * part.minutes, 0) / clock;
  return { series: ids.length, span: SPAN, minutes: clock, mainThreadPercent, begin, end: parts.at(-1), parts, errors };
}
