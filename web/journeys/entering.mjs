// How a journey comes in: with the link of a first start, or as somebody who is known.

export function argument(name, fallback) {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? process.argv[at + 1] : fallback;
}

const firstStart = argument('first-start', process.env.GEMBA_FIRST_START);
const user = argument('user', process.env.GEMBA_USER ?? 'anna');
const password = argument('password', process.env.GEMBA_PASSWORD ?? 'a plant of many machines');

/** Signs in, or makes the administrator. Returns the console's address. */
export async function enter(page) {
  const base = argument('base', process.env.GEMBA_BASE) ?? new URL(firstStart).origin;
  await page.goto(firstStart ?? `${base}/sign-in`);
  await page.getByLabel('User name').fill(user);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: firstStart ? 'Create the administrator' : 'Sign in' }).click();
  await page.waitForURL('**/flow');
  return base;
}
