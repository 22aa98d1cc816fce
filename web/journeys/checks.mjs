// What every page must hold, and how a failure is told.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export class Journal {
  passed = 0;
  failures = [];

  check(name, holds, detail = '') {
    if (holds) this.passed += 1;
    else {
      this.failures.push(`${name}${detail ? `: ${detail}` : ''}`);
      console.error(`FAILED ${name} ${detail}`);
    }
  }
}

/** Gathers what the console and the network complain about. A refused session before signing in is expected. */
export function watchComplaints(page) {
  const complaints = [];
  page.on('console', (message) => {
    const expected = /status of 401/.test(message.text()) && /\/api\/v1\/session$/.test(message.location().url);
    if (message.type() === 'error' && !expected) complaints.push(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => complaints.push(String(error.stack ?? error)));
  return complaints;
}

/**
 * Waits until the page is at rest: fonts there, nothing on its way, nothing in motion, and every box where it was for
 * some frames. Texts may change; live values do.
 */
export async function atRest(page) {
  await page.evaluate(() => document.fonts.ready);
  await page.waitForFunction(() => !document.querySelector('[data-waiting], [aria-busy=true]') && document.getAnimations().every((each) => each.playState !== 'running'));
  await page.evaluate(
    (frames) =>
      new Promise((done) => {
        let before = '';
        let same = 0;
        const boxes = () => [...document.querySelectorAll('main, main > *, canvas, [role=dialog]')].map((each) => { const { x, y, width, height } = each.getBoundingClientRect(); return [x, y, width, height].map(Math.round).join(); }).join(' ');
        const look = () => {
          const now = `${window.innerWidth} ${boxes()}`;
          same = now === before ? same + 1 : 0;
          before = now;
          if (same >= frames) done();
          else window.requestAnimationFrame(look);
        };
        look();
      }),
    5,
  );
}

export async function axe(page, journal, name) {
  await page.evaluate(axeSource);
  const result = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }));
  const found = result.violations.map((violation) => `${violation.id} (${violation.nodes.length}): ${violation.nodes.slice(0, 2).map((node) => `${node.target.join(' ')} ${node.failureSummary?.split('\n')[1] ?? ''}`).join(' | ')}`);
  journal.check(`axe finds nothing: ${name}`, found.length === 0, found.join('\n    '));
}

/** Targets that a finger can hit: 40 px in one direction at least, and not thinner than 24. */
export async function targets(page, journal, name) {
  const small = await page.evaluate(() =>
    [...document.querySelectorAll('button, select, input:not([type=checkbox]), nav a')]
      .map((element) => ({ element, box: element.getBoundingClientRect() }))
      .filter(({ box }) => box.width > 1 && box.height > 1 && (box.height < 35.5 || Math.max(box.width, box.height) < 39.5))
      .map(({ element, box }) => `${element.tagName} ${element.textContent?.slice(0, 20) || element.ariaLabel} ${Math.round(box.width)}×${Math.round(box.height)}`),
  );
  journal.check(`targets are large enough: ${name}`, small.length === 0, small.slice(0, 5).join(', '));
}

export async function noSidewaysScroll(page, journal, name) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  journal.check(`nothing scrolls sideways: ${name}`, wide <= 0, `${wide} px too wide`);
}
