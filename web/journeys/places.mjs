// The three places, each with what a person does there.
import { statSync } from 'node:fs';

/** Waits until a text differs from what it was: live values move. */
async function moves(page, locator) {
  const element = await locator.elementHandle();
  const before = await element.innerText();
  await page.waitForFunction(([shown, text]) => shown.innerText !== text, [element, before]);
}

/** Presses keys as fast as they can be sent. */
async function pressAll(page, ...keys) {
  await Promise.all(keys.map((key) => page.keyboard.press(key)));
}

const palette = (page) => page.getByRole('dialog').getByRole('combobox');

/** What the address keeps of the series page, as it is seen. */
async function stateOf(page) {
  const chosen = await page.getByRole('region', { name: 'Chosen series' }).locator('strong').innerText();
  const search = await page.getByRole('searchbox').inputValue();
  const open = await page.getByRole('list', { name: 'From the network to the source' }).count();
  return `${page.url()} ${search} ${chosen} ${open}`;
}

export async function visitFlow({ page, base, journal, look }) {
  await page.goto(`${base}/flow`);
  for (const stage of ['Field', 'Edge', 'Hub', 'Store']) await page.getByRole('region', { name: stage, exact: true }).waitFor();
  journal.check('flow shows the four stages', true);
  await page.getByRole('table', { name: 'Servers' }).waitFor();
  await moves(page, page.getByRole('contentinfo'));
  journal.check('the pulse moves', true);
  await look('flow', () => page.getByRole('table', { name: 'Servers' }).waitFor());
  await page.keyboard.press('u');
  await page.getByRole('contentinfo').getByText('UTC').waitFor();
  await page.keyboard.press('u');
  await page.getByRole('contentinfo').getByText('UTC').waitFor({ state: 'detached' });
  journal.check('U switches to UTC and back', true);
  await page.keyboard.press('Control+k');
  await page.keyboard.type('deutsch');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Was einen Menschen braucht' }).waitFor();
  await look('flow-german');
  await page.keyboard.press('Control+k');
  await page.keyboard.type('english');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'What needs a person' }).waitFor();
  journal.check('the palette changes the language', (await page.locator('html').getAttribute('lang')) === 'en');
  const row = page.getByRole('table', { name: 'Servers' }).getByRole('button').first();
  await row.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('list', { name: 'From the network to the source' }).waitFor();
  await page.waitForURL(/[?&]source=/);
  journal.check('a server opens its chain, and the address says so', true);
  await look('flow-chain');
  await page.goBack();
  await page.getByRole('list', { name: 'From the network to the source' }).waitFor({ state: 'detached' });
  await page.waitForURL((address) => !address.searchParams.has('source'));
  journal.check('going back folds the chain', true);
}

export async function visitSeries({ page, base, journal, look }) {
  await page.goto(`${base}/series`);
  const table = page.getByRole('treegrid', { name: 'Series' });
  const rows = table.locator('[role=row][data-row]');
  await rows.first().waitFor();
  await moves(page, table);
  journal.check('series move', true);
  await look('series', () => rows.first().waitFor());
  const drawn = await rows.count();
  journal.check('only rows in sight exist', drawn > 0 && drawn < 80, `${drawn} rows`);

  const name = (await rows.nth(1).locator('[role=gridcell]').nth(1).innerText()).split('\n')[0];
  await page.keyboard.press('/');
  await page.keyboard.type(name);
  await page.waitForURL((address) => address.searchParams.get('q') === name);
  await rows.first().getByText(name, { exact: true }).first().waitFor();
  await page.locator('[role=treegrid][aria-busy=true]').waitFor({ state: 'detached' });
  journal.check('the search finds the series', true);

  await rows.first().focus();
  await page.keyboard.press('Enter');
  await table.getByRole('list', { name: 'From the network to the source' }).waitFor();
  await page.waitForURL(/[?&]open=\d+/);
  journal.check('Enter opens a row, and the address says so', true);
  const others = (await rows.count()) > 1;
  await (others ? pressAll(page, ' ', 'ArrowDown', ' ') : pressAll(page, ' '));
  await page.waitForURL(others ? /[?&]s=\d+,\d+/ : /[?&]s=\d+/);
  await page.getByRole('region', { name: 'Chosen series' }).getByText(others ? '2 series' : '1 series').waitFor();
  journal.check('quick keys choose one row and the next', true);
  await look('series-open');
  const before = await stateOf(page);
  await page.reload();
  await page.getByRole('list', { name: 'From the network to the source' }).waitFor();
  const after = await stateOf(page);
  journal.check('a reload changes nothing', before === after, `${before} became ${after}`);
  await page.goto(`${base}/series?by=server`);
  await rows.first().waitFor();
  await rows.first().focus();
  await page.keyboard.press('ArrowRight');
  await page.locator('[data-row][aria-level="2"]').first().waitFor();
  journal.check('series stand under their server', true);
  await look('series-by-server');
  await page.goto(`${base}/series?q=no-such-thing-anywhere`);
  await page.getByText('No series matches').waitFor();
  await look('series-nothing');
}

export async function visitTrends({ page, base, journal, look }) {
  await page.goto(`${base}/trends`);
  await page.getByRole('heading', { name: 'Put values over time' }).waitFor();
  await look('trends-empty');
  await page.keyboard.press('Control+k');
  await palette(page).waitFor();
  await page.getByRole('option').first().waitFor();
  await look('palette');
  await page.keyboard.press('Escape');
  await palette(page).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Add series' }).click();
  await palette(page).waitFor();
  await page.getByRole('option').nth(3).waitFor();
  const wanted = Math.min(4, await page.getByRole('option').count());
  await pressAll(page, ...Array.from({ length: wanted }, () => ['Enter', 'ArrowDown']).flat());
  await page.waitForURL((address) => address.searchParams.get('s')?.split(',').length === wanted);
  await page.keyboard.press('Escape');
  await palette(page).waitFor({ state: 'detached' });
  await page.locator('.u-over').first().waitFor();
  journal.check('the palette adds series to the trend', true);
  await look('trends', () => page.locator('.u-over').first().waitFor());
  await moves(page, page.getByRole('table'));
  journal.check('readings move', true);

  // Parquet is one file a series.
  for (const [button, ending, files] of [['CSV', '.csv', 1], ['Parquet', '.parquet', wanted], ['PNG', '.png', 1]]) {
    const saved = [];
    const all = page.waitForEvent('download', { predicate: (file) => saved.push(file) === files });
    const [file] = await Promise.all([all, page.getByRole('button', { name: button, exact: true }).click()]);
    const { size } = statSync(await file.path());
    journal.check(`${button} is saved`, file.suggestedFilename().endsWith(ending) && size > 100, `${file.suggestedFilename()} ${size} bytes`);
  }

  const marks = page.getByRole('toolbar', { name: 'What happened' });
  if ((await marks.count()) > 0) {
    await marks.getByRole('button').first().focus();
    const told = await marks.locator('xpath=following-sibling::p').innerText();
    journal.check('a mark on the time axis tells its reason to who has the focus on it', told === (await marks.getByRole('button').first().getAttribute('aria-label')), told);
    await look('trends-mark', () => marks.getByRole('button').first().focus());
  }

  const over = page.locator('.u-over').first();
  const box = await over.boundingBox();
  await page.mouse.move(box.x + box.width * 0.3, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 40, { steps: 5 });
  await page.mouse.up();
  await page.waitForURL(/[?&]from=.*[?&]to=/);
  journal.check('the brush zooms, and the address says so', true);
  const zoomed = page.url();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 40);
  await page.mouse.wheel(0, -400);
  await page.waitForFunction((before) => window.location.href !== before, zoomed);
  journal.check('the wheel zooms', true);
  await look('trends-zoomed', () => page.locator('.u-over').first().waitFor());
  await page.getByRole('group', { name: /^Trend/ }).focus();
  await page.keyboard.press('Home');
  await page.waitForURL((address) => !address.searchParams.has('from'));
  journal.check('Home goes live', true);
  await page.getByRole('button', { name: 'Shared axes' }).click();
  await page.waitForURL(/axes=shared/);
  await look('trends-shared', () => page.locator('.u-over').first().waitFor());
}
