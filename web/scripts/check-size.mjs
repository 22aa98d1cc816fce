// The budget: what the first paint needs is at most 150 KB of gzipped JavaScript.
// Counted are the entry, what it imports statically, a catalogue, and the heaviest place with what that imports.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const SHELL_MAX = 150 * 1024;
const assets = fileURLToPath(new URL('../dist/assets', import.meta.url));
const html = readFileSync(join(assets, '../index.html'), 'utf8');
const files = readdirSync(assets).filter((file) => file.endsWith('.js'));
const text = new Map(files.map((file) => [file, readFileSync(join(assets, file), 'utf8')]));
const size = new Map(files.map((file) => [file, gzipSync(text.get(file), { level: 9 }).length]));

function withImports(file, seen = new Set()) {
  if (seen.has(file) || !text.has(file)) return seen;
  seen.add(file);
  for (const [, name] of text.get(file).matchAll(/(?:from|import)\s*["']\.\/([^"']+\.js)["']/g)) withImports(name, seen);
  return seen;
}

const sum = (set) => [...set].reduce((total, file) => total + (size.get(file) ?? 0), 0);
const kb = (bytes) => `${(bytes / 1024).toFixed(1)} KB`;
const entry = [...html.matchAll(/src="\/assets\/([^"]+\.js)"/g)].map(([, name]) => name);
const shell = new Set(entry.flatMap((file) => [...withImports(file)]));
const words = files.filter((file) => /^(en|de)-/.test(file)).map((file) => size.get(file));
const total = sum(shell) + Math.max(0, ...words);
console.log(`shell              ${kb(total)} gzip (most: ${kb(SHELL_MAX)})`);
for (const place of ['SignInPage', 'FlowPage', 'SeriesPage', 'TrendsPage', 'TrendChart', 'CommandPalette', 'PersonMenu']) {
  const file = files.find((name) => name.startsWith(`${place}-`));
  if (!file) continue;
  const more = [...withImports(file)].filter((each) => !shell.has(each));
  console.log(`${place.padEnd(18)} +${kb(sum(more))} gzip`);
}
console.log(`all JavaScript     ${kb(sum(files))} gzip`);
if (total > SHELL_MAX) {
  console.error(`the shell is ${kb(total - SHELL_MAX)} over its budget`);
  process.exit(1);
}
