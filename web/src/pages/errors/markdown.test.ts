/** Facts about the pages of errors. */
import { expect, it } from 'vitest';
import { blocksOf, inlineOf } from './markdown';

it('reads headings, paragraphs, lists and code', () => {
  const blocks = blocksOf('# GMB-UA-005\n\nIt is not\ntrusted.\n\nCauses:\n- new `cert`\n- wrong\n  clock\n\n## Do\n1. look\n2. trust\n\n```text\ngemba cert trust X\n```\n');
  expect(blocks.map((block) => block.kind)).toEqual(['heading', 'paragraph', 'paragraph', 'list', 'heading', 'list', 'code']);
  expect(blocks[1]).toEqual({ kind: 'paragraph', inline: [{ kind: 'text', text: 'It is not trusted.' }] });
  expect(blocks[3]).toEqual({ kind: 'list', ordered: false, items: [[{ kind: 'text', text: 'new ' }, { kind: 'code', text: 'cert' }], [{ kind: 'text', text: 'wrong clock' }]] });
  expect(blocks[5]).toMatchObject({ ordered: true });
  expect(blocks[6]).toEqual({ kind: 'code', text: 'gemba cert trust X' });
});

it('reads links and strong words in a line', () => {
  expect(inlineOf('see **here**: [other](GMB-UA-006.md)')).toEqual([
    { kind: 'text', text: 'see ' }, { kind: 'strong', text: 'here' }, { kind: 'text', text: ': ' }, { kind: 'link', text: 'other', to: 'GMB-UA-006.md' },
  ]);
});

it('takes markup for text, never for markup', () => {
  expect(blocksOf('<script>x</script>')).toEqual([{ kind: 'paragraph', inline: [{ kind: 'text', text: '<script>x</script>' }] }]);
});
