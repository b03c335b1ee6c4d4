// SPDX-License-Identifier: ISC
/* The part of Markdown that models write, as a tree of plain values. It is
   not a Markdown implementation: unknown syntax stays text. HTML is
   text. A link is a link only when safeUrl accepts it, and never an image: nothing
   is loaded because a model wrote it.

   Repetitions in the expressions are bounded, or can match in one way only,
   so that no text takes long to parse. */

import { safeUrl } from './format.ts';

export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'strong' | 'em'; children: Inline[] }
  | { kind: 'link'; href: string; host: string; text: string };

export interface Item {
  children: Inline[];
  depth: number;
}

export type Block =
  | { kind: 'paragraph'; lines: Inline[][] }
  | { kind: 'heading'; level: number; children: Inline[] }
  | { kind: 'list'; ordered: boolean; items: Item[] }
  | { kind: 'quote'; lines: Inline[][] }
  | { kind: 'code'; text: string }
  | { kind: 'table'; head: Inline[][]; rows: Inline[][][] }
  | { kind: 'rule' };

/* The pieces of a line that are more than text, longest first. Each of them
   is bounded in length, which bounds the time to look for it. */
const piece = new RegExp([
  '`([^`\\n]{1,2000})`',
  '\\*\\*([^*\\n]{1,2000})\\*\\*',
  '(?<![\\w*])\\*([^*\\s][^*\\n]{0,2000})\\*(?!\\w)',
  '(?<!\\w)_([^_\\s][^_\\n]{0,2000})_(?!\\w)',
  '!?\\[([^\\[\\]\\n]{1,1000})\\]\\(([^()\\s]{1,2000})\\)',
  '(https?:\\/\\/[^\\s<>"\'`|\\u2028\\u2029]{1,2000})',
].join('|'), 'g');

function link(text: string, target: string, source: string): Inline {
  const url = safeUrl(target);
  if (!url) return { kind: 'text', text: source };
  return { kind: 'link', href: url.href, host: url.host, text };
}

export function inline(text: string): Inline[] {
  const out: Inline[] = [];
  let from = 0;
  for (const match of text.matchAll(piece)) {
    let [source] = match;
    if (match.index > from) out.push({ kind: 'text', text: text.slice(from, match.index) });
    const [, code, strong, star, line, label, target] = match;
    if (code !== undefined) out.push({ kind: 'code', text: code });
    else if (strong !== undefined) out.push({ kind: 'strong', children: inline(strong) });
    else if (star ?? line) out.push({ kind: 'em', children: inline(star ?? line ?? '') });
    else if (label !== undefined) out.push(link(label, target ?? '', source));
    else {
      /* a full stop after an address belongs to the sentence */
      let end = source.length;
      while ('.,;:!?)]}*_'.includes(source[end - 1] ?? '-')) end--;
      source = source.slice(0, end);
      out.push(link(source, source, source));
    }
    from = match.index + source.length;
  }
  if (from < text.length) out.push({ kind: 'text', text: text.slice(from) });
  return out;
}

const fence = /^\s{0,3}(```|~~~)/;
const heading = /^(#{1,6})\s+(\S.*)$/;
const bullet = /^(\s*)(?:[-*+•]|(\d{1,9})[.)])\s+(.*)$/;
const quote = /^\s{0,3}>\s?(.*)$/;
const rule = /^\s{0,3}([-*_])(?:\s*\1){2,}\s*$/;
const divider = /^[-|:\s]+$/;

function cells(line: string): Inline[][] {
  return line.trim().replace(/^\|/, '').replace(/\|$/, '').split('|')
    .map((cell) => inline(cell.trim()));
}

class Reader {
  private at = 0;
  constructor(private readonly lines: string[]) {}

  private get line(): string | undefined {
    return this.lines[this.at];
  }

  private code(mark: string): Block {
    const body: string[] = [];
    this.at++;
    while (this.line !== undefined && !this.line.trimStart().startsWith(mark)) {
      body.push(this.line);
      this.at++;
    }
    this.at++;
    return { kind: 'code', text: body.join('\n') };
  }

  private list(ordered: boolean): Block {
    const items: Item[] = [];
    for (; this.line !== undefined; this.at++) {
      const match = bullet.exec(this.line);
      if (match) {
        if ((match[2] !== undefined) !== ordered && (match[1] ?? '').length < 2) break;
        const depth = Math.min(4, Math.floor((match[1] ?? '').length / 2));
        items.push({ children: inline(match[3] ?? ''), depth });
        continue;
      }
      const last = items.at(-1);
      if (!last || !/^\s{2,}\S/.test(this.line)) break;
      last.children.push({ kind: 'text', text: ' ' }, ...inline(this.line.trim()));
    }
    return { kind: 'list', ordered, items };
  }

  private quoted(): Block {
    const body: Inline[][] = [];
    for (let match; (match = quote.exec(this.line ?? '')); this.at++)
      body.push(inline(match[1] ?? ''));
    return { kind: 'quote', lines: body };
  }

  private table(): Block {
    const head = cells(this.line ?? '');
    const rows: Inline[][][] = [];
    for (this.at += 2; this.line?.includes('|'); this.at++)
      rows.push(cells(this.line).slice(0, head.length));
    return { kind: 'table', head, rows };
  }

  private starts(line: string): boolean {
    return line.trim() === '' || fence.test(line) || heading.test(line) ||
      bullet.test(line) || quote.test(line) || rule.test(line);
  }

  private paragraph(): Block {
    const body: Inline[][] = [];
    do {
      body.push(inline(this.line ?? ''));
      this.at++;
    } while (this.line !== undefined && !this.starts(this.line));
    return { kind: 'paragraph', lines: body };
  }

  private block(line: string): Block {
    const opened = fence.exec(line);
    if (opened) return this.code(opened[1] ?? '```');
    const title = heading.exec(line);
    if (title) {
      this.at++;
      return { kind: 'heading', level: (title[1] ?? '').length, children: inline(title[2] ?? '') };
    }
    if (rule.test(line)) {
      this.at++;
      return { kind: 'rule' };
    }
    const item = bullet.exec(line);
    if (item) return this.list(item[2] !== undefined);
    if (quote.test(line)) return this.quoted();
    const next = this.lines[this.at + 1] ?? '';
    if (line.includes('|') && next.includes('-') && divider.test(next)) return this.table();
    return this.paragraph();
  }

  *blocks(): Generator<Block> {
    while (this.line !== undefined) {
      if (this.line.trim() === '') this.at++;
      else yield this.block(this.line);
    }
  }
}

export function parse(text: string): Block[] {
  return [...new Reader(text.replace(/\r\n?/g, '\n').split('\n')).blocks()];
}
