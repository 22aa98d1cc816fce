/** Puts a gzipped twin beside each file of the build that gains from it; the binary hands it to clients that take it. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

const GAINS = /\.(js|css|svg)$/;
const SMALLEST = 1024;

export function gzipTwins(): Plugin {
  let folder = 'dist';
  return {
    name: 'gzip-twins',
    apply: 'build',
    configResolved: (config) => {
      folder = config.build.outDir;
    },
    closeBundle: () => {
      for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
        const file = join(folder, name);
        if (GAINS.test(name) && statSync(file).size >= SMALLEST) writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9 }));
      }
    },
  };
}
