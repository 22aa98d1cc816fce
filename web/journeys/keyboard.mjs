// Everything once more without a mouse: each thing is reached by Tab, shows that it has the focus, and does its work by key.

/** What has the focus: its name, and whether it shows. */
function focus(page) {
  return page.evaluate(() => {
    const element = document.activeElement;
    const name = element.ariaLabel || element.labels?.[0]?.textContent || element.textContent || element.tagName;
    const outlined = (each) => {
      const style = each ? window.getComputedStyle(each) : null;
      return style !== null && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
    };
    // A field without a frame of its own shows it on the label around it.
    const shown = outlined(element) || outlined(element.closest('label')) || outlined(element.parentElement);
    return { name: name.replace(/\s+/g, ' ').trim(), role: element.getAttribute('role') ?? element.tagName, shown };
  });
}

export async function visitByKeyboard({ page, base, journal, user, password }) {
  const unseen = new Set();

  /** Presses Tab until something of this name has the focus. */
  async function tabTo(name, key = 'Tab') {
    const passed = [];
    for (let count = 0; count < 120; count += 1) {
      await page.keyboard.press(key);
      const now = await focus(page);
      if (now.role !== 'BODY' && !now.shown) unseen.add(`${now.role} ${now.name.slice(0, 40)}`);
      // The body has the text of the whole page, and so every name.
      if (now.role !== 'BODY' && now.name.includes(name)) return;
      passed.push(now.name.slice(0, 24));
    }
    throw new Error(`Tab does not reach '${name}', only: ${[...new Set(passed)].join(' | ')}`);
  }
  const press = (key) => page.keyboard.press(key);
  const act = async (name, key = 'Enter') => {
    await tabTo(name);
    await press(key);
  };

  // Out, and in again.
  await page.goto(`${base}/flow`);
  await page.getByRole('table', { name: 'Servers' }).waitFor();
  await act('You and this page');
  await page.getByRole('menuitem', { name: 'Sign out' }).waitFor();
  while (!(await focus(page)).name.includes('Sign out')) await press('ArrowDown');
  await press('Enter');
  await page.waitForURL('**/sign-in*');
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.waitForFunction(() => document.activeElement?.tagName === 'INPUT');
  await page.keyboard.type(user);
  await tabTo('Password');
  await page.keyboard.type(password);
  await press('Enter');
  await page.waitForURL('**/flow');
  journal.check('by keyboard: out and in again', true);

  // The skip link, the rail, a server's chain.
  await page.getByRole('table', { name: 'Servers' }).waitFor();
  await tabTo('Skip to');
  await press('Enter');
  await page.waitForFunction(() => document.activeElement?.id === 'content');
  const chain = page.getByRole('list', { name: 'From the network to the source' });
  const server = await page.getByRole('table', { name: 'Servers' }).getByRole('button').first().innerText();
  await act(server.split('\n')[0]);
  await chain.waitFor();
  await press('Enter');
  await chain.waitFor({ state: 'detached' });
  journal.check('by keyboard: a chain opens and folds', true);

  // Series: find, move, open, choose, to the trend.
  await page.goto(`${base}/series`);
  const rows = page.locator('[role=treegrid] [data-row]');
  await rows.first().waitFor();
  await act('Columns');
  await page.getByRole('checkbox', { name: 'NodeId' }).waitFor();
  await tabTo('NodeId');
  await press(' ');
  await page.waitForURL(/cols=/);
  await press('Escape');
  await page.getByRole('checkbox', { name: 'NodeId' }).waitFor({ state: 'detached' });
  await page.waitForFunction(() => document.activeElement?.textContent?.includes('Columns'));
  await press('Tab');
  await page.waitForFunction(() => document.activeElement?.hasAttribute('data-row'));
  await press('ArrowRight');
  await page.getByRole('treegrid').getByRole('list', { name: 'From the network to the source' }).waitFor();
  await press('ArrowLeft');
  for (const key of [' ', 'ArrowDown', ' ', 'ArrowDown', ' ']) await press(key);
  await page.waitForURL(/[?&]s=\d+,\d+,\d+/);
  await act('Open in Trends');
  await page.waitForURL(/\/trends\?.*s=\d+,\d+,\d+/);
  journal.check('by keyboard: three series are found, chosen and put over time', true);

  // Trends: cursor, zoom, back to live, axes, comparison, a fixed range, export, one series less.
  await page.locator('.u-over').nth(2).waitFor();
  await page.waitForFunction(() => !document.querySelector('[aria-busy=true]'));
  await tabTo('Trend');
  while ((await focus(page)).role !== 'group') await tabTo('Trend');
  for (const key of ['ArrowLeft', 'ArrowLeft', '+', '+', 'Shift+ArrowLeft']) await press(key);
  await page.waitForURL(/[?&]from=/);
  await press('Home');
  await page.waitForURL((address) => !address.searchParams.has('from'));
  await tabTo('Shared axes', 'Shift+Tab');
  await press(' ');
  await page.waitForURL(/axes=shared/);
  await tabTo('Compare');
  await press('ArrowDown');
  await page.waitForURL(/compare=/);
  const [file] = await Promise.all([page.waitForEvent('download'), act('CSV')]);
  journal.check('by keyboard: zoomed, compared, saved', file.suggestedFilename().endsWith('.csv'), file.suggestedFilename());
  const before = new URL(page.url()).searchParams.get('s').split(',').length;
  await act('Remove');
  await page.waitForURL((address) => address.searchParams.get('s')?.split(',').length === before - 1);
  await page.goto(`${base}/trends?s=${new URL(page.url()).searchParams.get('s')}`);
  await page.locator('.u-over').first().waitFor();
  await act('From – to');
  await page.getByLabel('From', { exact: true }).waitFor();
  await act('Show this range');
  await page.waitForURL(/[?&]from=.*[?&]to=/);
  journal.check('by keyboard: a fixed range', true);
  journal.check('whatever has the focus shows it', unseen.size === 0, [...unseen].join(', '));
}
