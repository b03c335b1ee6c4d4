// SPDX-License-Identifier: ISC
/* Text of models, tools and services. All of it is untrusted: it is parsed into
   plain values (lib/markdown.ts) and becomes text of React elements, nothing
   else. Characters that would reorder or hide text are shown by their number. */

import { memo, type ReactNode } from 'react';
import { safeUrl, visible } from '@/lib/format';
import { parse, type Block, type Inline } from '@/lib/markdown';
import { Outside } from './nav';

const LONG = 60_000;

export function Text({ children }: { children: string }) {
  return <bdi>{visible(children)}</bdi>;
}

/* The host is named when the words of the link do not begin with it. */
function hides(text: string, host: string): boolean {
  const words = safeUrl(text);
  return words ? words.host !== host : true;
}

function inlines(nodes: Inline[]): ReactNode {
  return nodes.map((node, i) => {
    switch (node.kind) {
      case 'text': return visible(node.text);
      case 'code': return <code key={i}>{visible(node.text)}</code>;
      case 'strong': return <strong key={i}>{inlines(node.children)}</strong>;
      case 'em': return <em key={i}>{inlines(node.children)}</em>;
      case 'link': return (
        <span key={i}>
          <Outside href={node.href}>{visible(node.text)}</Outside>
          {hides(node.text, node.host) && <span className="host"> ({node.host})</span>}
        </span>
      );
    }
  });
}

function lines(of: Inline[][]): ReactNode {
  return of.map((line, i) => (
    <span key={i}>
      {i > 0 && <br />}
      {inlines(line)}
    </span>
  ));
}

function block(node: Block, key: number): ReactNode {
  switch (node.kind) {
    case 'paragraph': return <p key={key} dir="auto">{lines(node.lines)}</p>;
    case 'quote': return <blockquote key={key} dir="auto">{lines(node.lines)}</blockquote>;
    case 'heading': return (
      <p key={key} className={`heading h${Math.min(3, node.level)}`} dir="auto">{inlines(node.children)}</p>
    );
    case 'rule': return <hr key={key} />;
    case 'code': return <pre key={key} tabIndex={0} role="group" aria-label="Code">{visible(node.text)}</pre>;
    case 'list': {
      const List = node.ordered ? 'ol' : 'ul';
      return (
        <List key={key}>
          {node.items.map((item, i) => (
            <li key={i} className={`deep${item.depth}`} dir="auto">{inlines(item.children)}</li>
          ))}
        </List>
      );
    }
    case 'table': return (
      <div key={key} className="table" tabIndex={0} role="group" aria-label="Table">
        <table>
          <thead>
            <tr>{node.head.map((cell, i) => <th key={i} scope="col">{inlines(cell)}</th>)}</tr>
          </thead>
          <tbody>
            {node.rows.map((row, i) => (
              <tr key={i}>{row.map((cell, j) => <td key={j}>{inlines(cell)}</td>)}</tr>
            ))}
          </tbody>
        </table>
      </div>
    );
  }
}

/* Very long text is cut, because it would make the tab slow. */
export const Prose = memo(function Prose({ text }: { text: string }) {
  const cut = text.length > LONG;
  return (
    <div className="prose">
      {parse(cut ? text.slice(0, LONG) : text).map(block)}
      {cut && <p className="quiet">… {(text.length - LONG).toLocaleString('en-US')} more characters</p>}
    </div>
  );
});
