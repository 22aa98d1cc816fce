// House rules that neither compiler nor linter knows: colours live in theme.css, files are small and begin with their
// purpose, both catalogues know the same words and every word is used.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../src', import.meta.url));
const LINES_MAX = 300;
const faults = [];
const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name))
  .filter((file) => !file.endsWith('api/generated.ts'));

for (const file of files) {
  const name = relative(root, file);
  const text = readFileSync(file, 'utf8');
  const code = /\.(ts|tsx)$/.test(name);
  const catalogue = /^words\/(en|de)/.test(name);
  if (code && !text.startsWith('/**')) faults.push(`${name}: begins without a line that says what it is`);
  if (!catalogue && text.split('\n').length > LINES_MAX) faults.push(`${name}: more than ${LINES_MAX} lines`);
  if (name !== 'theme.css') {
    const colour = /#[0-9a-f]{3,8}\b(?!['"]?\s*\))|\brgba?\(|\bhsla?\(/i.exec(text.replace(/`#\$\{|'#content'|"#content"/g, ''));
    if (colour) faults.push(`${name}: a colour outside theme.css (${colour[0]})`);
  }
}

function keysOf(file) {
  return new Set([...readFileSync(join(root, 'words', file), 'utf8').matchAll(/^\s+'([\w.-]+)':/gm)].map(([, key]) => key));
}
const english = keysOf('en.ts');
const german = keysOf('de.ts');
for (const key of english) if (!german.has(key)) faults.push(`words/de.ts: no '${key}'`);
for (const key of german) if (!english.has(key)) faults.push(`words/en.ts: no '${key}'`);

const sources = files.filter((file) => /\.tsx?$/.test(file) && !/words\/(en|de)/.test(file)).map((file) => readFileSync(file, 'utf8')).join('\n');
const built = [...sources.matchAll(/`([a-z][\w.]*\.)\$\{/gi)].map(([, start]) => start);
for (const key of english) {
  const base = key.replace(/\.(one|other)$/, '');
  const used = sources.includes(`'${key}'`) || sources.includes(`'${base}'`) || built.some((start) => key.startsWith(start)) || /\.what$/.test(key);
  if (!used) faults.push(`words/en.ts: nobody says '${key}'`);
}

faults.forEach((fault) => console.error(fault));
console.log(faults.length === 0 ? 'house rules hold' : `${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
