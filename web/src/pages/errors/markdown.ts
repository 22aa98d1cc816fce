/** The little Markdown that the pages of docs/errors use: headings, paragraphs, lists, code. */

export type Inline = { kind: 'text' | 'code' | 'strong'; text: string } | { kind: 'link'; text: string; to: string };

export type Block =
  | { kind: 'heading'; level: number; inline: Inline[] }
  | { kind: 'paragraph'; inline: Inline[] }
  | { kind: 'list'; ordered: boolean; items: Inline[][] }
  | { kind: 'code'; text: string };

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)\s]+)\)/g;
const ITEM = /^(?:[-*]|(\d+)\.)\s+(.*)$/;

export function inlineOf(text: string): Inline[] {
  const out: Inline[] = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > from) out.push({ kind: 'text', text: text.slice(from, match.index) });
    const [whole, code, strong, label, to] = match;
    if (code !== undefined) out.push({ kind: 'code', text: code });
    else if (strong !== undefined) out.push({ kind: 'strong', text: strong });
    else out.push({ kind: 'link', text: label ?? '', to: to ?? '' });
    from = match.index + whole.length;
  }
  if (from < text.length) out.push({ kind: 'text', text: text.slice(from) });
  return out;
}

export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split(/\r?\n/);
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? '';
    const heading = /^(#{1,4})\s+(.*)$/.exec(line);
    if (line.startsWith('```')) {
      const end = lines.findIndex((each, index) => index > at && each.startsWith('```'));
      const stop = end < 0 ? lines.length : end;
      blocks.push({ kind: 'code', text: lines.slice(at + 1, stop).join('\n') });
      at = stop + 1;
    } else if (heading) {
      blocks.push({ kind: 'heading', level: heading[1]?.length ?? 1, inline: inlineOf(heading[2] ?? '') });
      at += 1;
    } else if (line.trim() === '') {
      at += 1;
    } else {
      const rest = lines.slice(at).findIndex((each, index) => index > 0 && (each.trim() === '' || /^(#|```)/.test(each)));
      const stop = rest < 0 ? lines.length : at + rest;
      blocks.push(...proseOf(lines.slice(at, stop)));
      at = stop;
    }
  }
  return blocks;
}

/** A run of lines without a blank one: a paragraph, a list, or the one after the other. */
function proseOf(lines: readonly string[]): Block[] {
  const first = lines.findIndex((line) => ITEM.test(line));
  const before = first < 0 ? lines : lines.slice(0, first);
  const blocks: Block[] = before.length > 0 ? [{ kind: 'paragraph', inline: inlineOf(before.map((line) => line.trim()).join(' ')) }] : [];
  if (first < 0) return blocks;
  const items: string[] = [];
  for (const line of lines.slice(first)) {
    const item = ITEM.exec(line);
    if (item) items.push(item[2] ?? '');
    else items[items.length - 1] = `${items.at(-1)} ${line.trim()}`;
  }
  return [...blocks, { kind: 'list', ordered: ITEM.exec(lines[first] ?? '')?.[1] !== undefined, items: items.map(inlineOf) }];
}
