// The console as a person goes through it, in real Chromium.
//   node journeys/run.mjs --base http://127.0.0.1:8080 --first-start URL | --user NAME --password WORD [--shots DIR]
// Environment instead of arguments: GEMBA_BASE, GEMBA_FIRST_START, GEMBA_USER, GEMBA_PASSWORD, GEMBA_SHOTS, GEMBA_CHROMIUM.
// The last line is `N passed, N failed`; exit code 1 when something failed.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openBrowser } from './browser.mjs';
import { atRest, axe, Journal, noSidewaysScroll, targets, watchComplaints } from './checks.mjs';
import { argument } from './entering.mjs';
import { visitByKeyboard } from './keyboard.mjs';
import { visitFlow, visitSeries, visitTrends } from './places.mjs';

const firstStart = argument('first-start', process.env.GEMBA_FIRST_START);
const base = argument('base', process.env.GEMBA_BASE) ?? (firstStart ? new URL(firstStart).origin : undefined);
const user = argument('user', process.env.GEMBA_USER ?? 'anna');
const password = argument('password', process.env.GEMBA_PASSWORD ?? 'a plant of many machines');
const shots = argument('shots', process.env.GEMBA_SHOTS);
if (!base) {
  console.error('say --base URL, or --first-start URL');
  process.exit(64);
}
if (shots) mkdirSync(shots, { recursive: true });

const journal = new Journal();
const { context, close } = await openBrowser();
const page = context.pages()[0] ?? (await context.newPage());
// A slow machine is slow, not broken.
page.setDefaultTimeout(120_000);
const complaints = watchComplaints(page);

const WIDTHS = [['desk', { width: 1440, height: 900 }], ['phone', { width: 390, height: 844 }]];

/** The page in both widths and schemes: pictures, axe, targets. */
async function look(name, settle = async () => undefined) {
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    for (const [width, size] of WIDTHS) {
      await page.setViewportSize(size);
      await settle();
      await atRest(page);
      if (shots) await page.screenshot({ path: join(shots, `${name}-${width}-${scheme}.png`) });
      await axe(page, journal, `${name} ${width} ${scheme}`);
      await noSidewaysScroll(page, journal, `${name} ${width}`);
      await targets(page, journal, `${name} ${width}`);
    }
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await page.setViewportSize(WIDTHS[0][1]);
}

async function enter() {
  if (firstStart) {
    await page.goto(firstStart);
    await look('first-start');
    await page.getByLabel('User name').fill(user);
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByRole('button', { name: 'Create the administrator' }).click();
    await page.waitForURL('**/flow');
    await page.getByRole('button', { name: 'You and this page' }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.waitForURL('**/sign-in*');
  } else {
    await page.goto(`${base}/series?q=temp`);
    await page.waitForURL('**/sign-in?next=*');
  }
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await look('sign-in');
  await page.getByLabel('User name').fill(user);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(/\/(flow|series|trends)/);
  journal.check('signing in leads to a place', true);
}

try {
  await enter();
  await visitFlow({ page, base, journal, look });
  await visitSeries({ page, base, journal, look });
  await visitTrends({ page, base, journal, look });
  await visitByKeyboard({ page, base, journal, user, password });
  journal.check('nobody complains on the console', complaints.length === 0, complaints.slice(0, 8).join('\n    '));
} catch (error) {
  journal.check('the journey reaches its end', false, String(error.stack ?? error));
  if (shots) await page.screenshot({ path: join(shots, 'failed.png') }).catch(() => undefined);
  if (complaints.length > 0) console.error(complaints.slice(0, 8).join('\n'));
} finally {
  await close();
}
console.log(`${journal.passed} passed, ${journal.failures.length} failed`);
process.exit(journal.failures.length === 0 ? 0 : 1);
