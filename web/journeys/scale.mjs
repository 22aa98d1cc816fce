// What the page costs at scale: many series, and live series for long. Says figures; it checks nothing.
//   node journeys/scale.mjs --first-start URL [--seconds N]
// Times on the clock are those of a machine that does other things too; main-thread milliseconds are processor time.
import { openBrowser } from './browser.mjs';
import { argument, enter } from './entering.mjs';

const seconds = Number(argument('seconds', '60'));
const { context, close } = await openBrowser();
const page = context.pages()[0] ?? (await context.newPage());
page.setDefaultTimeout(120_000);
const devtools = await context.newCDPSession(page);
await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });

async function metrics() {
  const { metrics: all } = await devtools.send('Performance.getMetrics');
  const of = (name) => all.find((each) => each.name === name)?.value ?? 0;
  return { task: of('TaskDuration') * 1000, script: of('ScriptDuration') * 1000, layout: (of('LayoutDuration') + of('RecalcStyleDuration')) * 1000, heap: of('JSHeapUsedSize') / 1e6, nodes: of('Nodes') };
}

/** Main-thread milliseconds of what is done meanwhile. */
async function costOf(act) {
  const before = await metrics();
  const result = await act();
  const after = await metrics();
  return { task: after.task - before.task, script: after.script - before.script, layout: after.layout - before.layout, result };
}

async function heap() {
  await devtools.send('HeapProfiler.collectGarbage');
  return (await metrics()).heap;
}

const say = (name, figures) => console.log(`${name}: ${Object.entries(figures).map(([key, value]) => `${key} ${typeof value === 'number' ? value.toFixed(1) : value}`).join(', ')}`);

const base = await enter(page);

// From the address to the first row.
const opening = await costOf(async () => {
  const begin = Date.now();
  await page.goto(`${base}/series`);
  await page.locator('[role=row][data-row]').first().waitFor();
  return Date.now() - begin;
});
say('series page', { 'first row ms': opening.result, 'main thread ms': opening.task });

// Typing: main thread for each key, and until the rows are those of the search.
await page.getByRole('searchbox').focus();
const typing = await costOf(async () => {
  const begin = Date.now();
  await page.keyboard.type('vibration 17 oven');
  await page.waitForURL(/q=vibration(\+|%20)17(\+|%20)oven/);
  await page.locator('[role=treegrid][aria-busy=true]').waitFor({ state: 'detached' });
  return Date.now() - begin;
});
say('search', { keys: 17, 'until found ms': typing.result, 'main thread ms a key': typing.task / 17 });
await page.getByRole('searchbox').fill('');
await page.waitForURL((address) => !address.searchParams.has('q'));
await page.locator('[role=treegrid][aria-busy=true]').waitFor({ state: 'detached' });

// Scrolling on and on, as fast as a flung wheel and faster; pages are fetched on the way.
async function scroll(pixels) {
  const cost = await costOf(() =>
    page.evaluate(async (step) => {
      const box = document.querySelector('[role=treegrid] > [role=rowgroup]');
      const frame = () => new Promise((done) => window.requestAnimationFrame(done));
      let frames = 0;
      let skeletons = 0;
      let slow = 0;
      let last = performance.now();
      const end = last + 15_000;
      while (last < end && frames < 600) {
        box.scrollTop += step;
        await frame();
        const now = performance.now();
        if (now - last > 34) slow += 1;
        last = now;
        frames += 1;
        if (document.querySelector('[role=treegrid] [data-waiting]')) skeletons += 1;
      }
      return { frames, skeletons, slow, rows: Math.round(box.scrollHeight / 48), elements: document.querySelectorAll('[role=treegrid] [data-row]').length };
    }, pixels),
  );
  const { frames, skeletons, slow, rows, elements } = cost.result;
  say(`scrolling by ${pixels} px a frame`, { frames, 'frames over 34 ms': slow, 'main thread ms a frame': cost.task / frames, 'script ms a frame': cost.script / frames, 'layout ms a frame': cost.layout / frames, 'rows loaded': rows, 'rows on the page': elements, 'frames with waiting rows': skeletons, 'heap MB': await heap() });
}
await scroll(48);
await scroll(150);
await scroll(400);

// Twelve series, live.
await page.goto(`${base}/trends?s=${Array.from({ length: 12 }, (_, index) => index * 10 + 1).join(',')}&range=1h`);
await page.locator('.u-over').nth(11).waitFor();
await page.waitForFunction(() => !document.querySelector('[aria-busy=true]'));
for (let round = 0; round < 4; round += 1) {
  const begin = Date.now();
  const cost = await costOf(() => page.evaluate((ms) => new Promise((done) => setTimeout(done, ms)), (seconds * 1000) / 4));
  const passed = Date.now() - begin;
  const { nodes } = await metrics();
  say(`twelve live series, part ${round + 1}`, { seconds: passed / 1000, 'main thread % of a core': (100 * cost.task) / passed, 'heap MB': await heap(), nodes });
}
await close();
