// The three places, each with what a person does there.
import { statSync } from 'node:fs';

/** Waits until a text differs from what it was: live values move. */
async function moves(page, locator, within = 8000) {
  const before = await locator.innerText();
  const end = Date.now() + within;
  while (Date.now() < end) {
    await page.waitForTimeout(200);
    if ((await locator.innerText()) !== before) return true;
  }
  return false;
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
  journal.check('the pulse moves', await moves(page, page.getByRole('contentinfo')));
  await look('flow', () => page.getByRole('table', { name: 'Servers' }).waitFor());
  await page.keyboard.press('u');
  await page.getByRole('contentinfo').getByText('UTC').waitFor();
  await page.keyboard.press('u');
  journal.check('U switches to UTC and back', (await page.getByRole('contentinfo').getByText('UTC').count()) === 0);
  await page.keyboard.press('Control+k');
  await palette(page).waitFor();
  await page.keyboard.type('deutsch');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Was einen Menschen braucht' }).waitFor();
  await look('flow-german');
  await page.keyboard.press('Control+k');
  await palette(page).waitFor();
  await page.keyboard.type('english');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'What needs a person' }).waitFor();
  journal.check('the palette changes the language', (await page.locator('html').getAttribute('lang')) === 'en');
  const row = page.getByRole('table', { name: 'Servers' }).getByRole('button').first();
  await row.click();
  await page.getByRole('list', { name: 'From the network to the source' }).waitFor();
  journal.check('a server opens its chain, and the address says so', /[?&]source=/.test(page.url()));
  await look('flow-chain');
  await page.goBack();
  await page.getByRole('list', { name: 'From the network to the source' }).waitFor({ state: 'detached' });
  journal.check('going back folds the chain', !/[?&]source=/.test(page.url()));
}

export async function visitSeries({ page, base, journal, look }) {
  await page.goto(`${base}/series`);
  const table = page.getByRole('treegrid', { name: 'Series' });
  const rows = table.locator('[role=row][data-row]');
  await rows.first().waitFor();
  journal.check('series move', await moves(page, table));
  await look('series', () => rows.first().waitFor());
  const drawn = await rows.count();
  journal.check('only rows in sight exist', drawn > 0 && drawn < 80, `${drawn} rows`);

  const name = (await rows.nth(1).locator('[role=gridcell]').nth(1).innerText()).split('\n')[0];
  await page.keyboard.press('/');
  await page.keyboard.type(name);
  await page.waitForURL(/[?&]q=/);
  await page.waitForTimeout(600);
  journal.check('the search finds the series', (await rows.first().innerText()).includes(name.split(' ')[0]));

  await rows.first().focus();
  await page.keyboard.press('Enter');
  await table.getByRole('list', { name: 'From the network to the source' }).waitFor();
  journal.check('Enter opens a row, and the address says so', /[?&]open=\d+/.test(page.url()));
  await page.keyboard.press(' ');
  await page.waitForURL(/[?&]s=\d+/);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press(' ');
  await page.waitForTimeout(400);
  await look('series-open');
  const before = await stateOf(page);
  await page.reload();
  await rows.first().waitFor();
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
  await look('palette');
  await page.keyboard.press('Escape');
  await palette(page).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Add series' }).click();
  await palette(page).waitFor();
  await page.getByRole('option').nth(3).waitFor();
  const wanted = Math.min(4, await page.getByRole('option').count());
  for (let count = 0; count < wanted; count += 1) {
    await page.keyboard.press('Enter');
    await page.waitForTimeout(150);
    await page.keyboard.press('ArrowDown');
  }
  await page.keyboard.press('Escape');
  await page.locator('.u-over').first().waitFor();
  journal.check('the palette adds series to the trend', new URL(page.url()).searchParams.get('s')?.split(',').length === wanted, page.url());
  await page.waitForTimeout(1200);
  await look('trends', () => page.locator('.u-over').first().waitFor());
  journal.check('readings move', await moves(page, page.getByRole('table')));

  for (const [button, ending] of [['CSV', '.csv'], ['PNG', '.png']]) {
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: button, exact: true }).click()]);
    const { size } = statSync(await file.path());
    journal.check(`${button} is saved`, file.suggestedFilename().endsWith(ending) && size > 100, `${file.suggestedFilename()} ${size} bytes`);
  }

  const over = page.locator('.u-over').first();
  const box = await over.boundingBox();
  await page.mouse.move(box.x + box.width * 0.3, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 40, { steps: 5 });
  await page.mouse.up();
  await page.waitForURL(/[?&]from=/);
  journal.check('the brush zooms, and the address says so', /[?&]from=.*[?&]to=/.test(page.url()));
  const zoomed = page.url();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 40);
  await page.mouse.wheel(0, -400);
  await page.waitForFunction((before) => window.location.href !== before, zoomed);
  journal.check('the wheel zooms', true);
  await page.waitForTimeout(900);
  await look('trends-zoomed', () => page.locator('.u-over').first().waitFor());
  await page.getByRole('group', { name: /^Trend/ }).focus();
  await page.keyboard.press('Home');
  await page.waitForURL((address) => !address.searchParams.has('from'));
  journal.check('Home goes live', true);
  await page.getByRole('button', { name: 'Shared axes' }).click();
  await page.waitForURL(/axes=shared/);
  await page.waitForTimeout(600);
  await look('trends-shared', () => page.locator('.u-over').first().waitFor());
}
