// What the page costs at scale: many series, and live series for long. Says figures; it checks nothing.
//   node journeys/scale.mjs --first-start URL [--minutes N] [--series ID,ID,…] [--search TEXT] [--all] [--only NAME] [--json]
// Times on the clock are those of a machine that does other things too; main-thread milliseconds are processor time.
// --all loads every series there is and scrolls there too; --json ends with one line of JSON for programs.
import { openBrowser } from './browser.mjs';
import { argument, enter } from './entering.mjs';
import { devtoolsOf } from './scale/devtools.mjs';
import { loadingAll, opening, scrolling, searching } from './scale/series.mjs';
import { liveTrends } from './scale/trends.mjs';

const STEPS = [48, 150, 400];
const json = process.argv.includes('--json');
const only = argument('only');
const minutes = Number(argument('minutes', '1'));
const search = argument('search', 'vibration 17 oven');
const ids = argument('series', Array.from({ length: 12 }, (_, index) => index * 10 + 1).join(',')).split(',').map(Number);

const { context, close } = await openBrowser();
context.setDefaultTimeout(120_000);

const shown = (value) => (typeof value === 'number' ? Number(value.toFixed(1)) : Array.isArray(value) ? `${value.length} parts` : value !== null && typeof value === 'object' ? `(${texts(value)})` : value);
const texts = (figures) => Object.entries(figures).map(([key, value]) => `${key} ${shown(value)}`).join(', ');
// A program that reads the last line leaves these to whoever watches.
const say = (name, figures) => {
  (json ? console.error : console.log)(`${name}: ${texts(figures)}`);
  return figures;
};

const base = await enter(context.pages()[0] ?? (await context.newPage()));
// What is measured begins with a page of its own: the first one holds what it took to come in.
const page = await context.newPage();
await context.pages()[0].close();
const devtools = await devtoolsOf(context, page);
const figures = {};
if (only === undefined || only === 'series') {
  figures.opening = say('series page', await opening(page, devtools, base));
  figures.search = say('search', await searching(page, devtools, search));
  figures.scrolling = [];
  for (const step of STEPS) figures.scrolling.push(say('scrolling', await scrolling(page, devtools, step, 'the first rows')));
  if (process.argv.includes('--all')) {
    figures.all = say('all series', await loadingAll(page, devtools));
    for (const step of STEPS) figures.scrolling.push(say('scrolling', await scrolling(page, devtools, step, 'the middle of all')));
  }
}
if (only === undefined || only === 'trends') {
  figures.trends = await liveTrends(page, devtools, base, ids, minutes, (number, part) => say(`${ids.length} live series, part ${number}`, part));
  say(`${ids.length} live series`, figures.trends);
}
await close();
if (json) console.log(JSON.stringify(figures));
