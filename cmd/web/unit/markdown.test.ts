// SPDX-License-Identifier: ISC
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brief, money, safeUrl, visible } from '../lib/format.ts';
import { inline, parse, type Block, type Inline } from '../lib/markdown.ts';

function hrefs(nodes: Inline[]): string[] {
  return nodes.flatMap((n) => n.kind === 'link' ? [n.href] : n.kind === 'strong' || n.kind === 'em' ? hrefs(n.children) : []);
}

function kinds(text: string): string[] {
  return parse(text).map((b: Block) => b.kind);
}

test('blocks that models write', () => {
  assert.deepEqual(kinds('# A\n\ntext\nmore\n\n- a\n- b\n\n1. x\n2. y\n\n> said\n\n---\n\n```js\n<b>\n```'),
    ['heading', 'paragraph', 'list', 'list', 'quote', 'rule', 'code']);
  assert.deepEqual(kinds('| a | b |\n| --- | :-: |\n| 1 | 2 |'), ['table']);
  const [list] = parse('- a\n  - b\n    goes on');
  assert.ok(list?.kind === 'list');
  assert.deepEqual(list.items.map((i) => i.depth), [0, 1]);
  assert.deepEqual(parse('```\nnever closed'), [{ kind: 'code', text: 'never closed' }]);
});

test('marks within a line', () => {
  assert.deepEqual(inline('a **b** `c` *d* snake_case_name'), [
    { kind: 'text', text: 'a ' },
    { kind: 'strong', children: [{ kind: 'text', text: 'b' }] },
    { kind: 'text', text: ' ' },
    { kind: 'code', text: 'c' },
    { kind: 'text', text: ' ' },
    { kind: 'em', children: [{ kind: 'text', text: 'd' }] },
    { kind: 'text', text: ' snake_case_name' },
  ]);
});

test('links go to http and https only', () => {
  assert.deepEqual(hrefs(inline('[x](https://a.example/b) and https://c.example/d.')),
    ['https://a.example/b', 'https://c.example/d']);
  for (const bad of [
    '[x](javascript:alert(1))', '[x](JaVaScRiPt:alert%281%29)', '[x](data:text/html,<script>)',
    '[x](vbscript:x)', '[x](//evil.example)', '[x](/v1/tasks)', '[x](https://user:pw@evil.example/)',
    '[x](\u0001javascript:alert)', '[x](java\tscript:x)', '[x](blob:https://a.example/1)', '[x](file:///etc/passwd)',
  ]) assert.deepEqual(hrefs(inline(bad)), [], bad);
  assert.equal(safeUrl('http://a.example/')?.host, 'a.example');
});

test('an image is no image', () => {
  assert.deepEqual(inline('![track](https://evil.example/p.gif)').map((n) => n.kind), ['link']);
});

test('HTML is text', () => {
  const html = '<img src=x onerror=alert(1)><script>alert(1)</script>';
  assert.deepEqual(parse(html), [{ kind: 'paragraph', lines: [[{ kind: 'text', text: html }]] }]);
});

test('characters that hide or reorder are shown', () => {
  assert.equal(visible('a\u202eb\u0000c\u200bd\te\r\nf'), 'a\u27e8U+202E\u27e9b\u27e8U+0000\u27e9c\u27e8U+200B\u27e9d\te\nf');
});

/* Steps are counted by the clock only to tell linear from hopeless: what takes
   milliseconds has a minute. */
test('no text takes long', { timeout: 60_000 }, () => {
  for (const part of ['*', '**', '_', '`', '[', '](', '![', ' ', '# ', '#', '- ', '> ', '|', '|-', '\u00a0', 'https://', '.', '~~~', '1. ', '[a](', '**a', '_a ', '- -'])
    for (const tail of ['', 'x', '\nx', '|x\n--x'])
      parse(part.repeat(Math.ceil(60_000 / part.length)) + tail);
});

test('words for values', () => {
  assert.equal(money(0.05069), '$0.0507');
  assert.equal(money(1.5), '$1.50');
  assert.equal(brief({ team_id: '7f0c1f64-0000-4000-8000-0000000000e1', title: 'A\nB', n: 3 }), 'A, 3');
});
