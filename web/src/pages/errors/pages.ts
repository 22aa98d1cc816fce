/** The pages of docs/errors, as they were when this console was built. */

const found = import.meta.glob<string>('../../../../docs/errors/*.md', { query: '?raw', import: 'default', eager: true });
const pages = new Map(Object.entries(found).map(([path, text]) => [/([^/]+)\.md$/.exec(path)?.[1] ?? path, text]));

export function errorPage(code: string): string | null {
  return pages.get(code) ?? null;
}
