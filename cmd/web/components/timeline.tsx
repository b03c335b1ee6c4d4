// SPDX-License-Identifier: ISC
'use client';

import { memo, useState, type ReactNode } from 'react';
import { brief, money, pretty, span, tokens, visible } from '@/lib/format';
import type { Call, Entry, Note, Part, Turn } from '@/lib/timeline';
import { Prose, Text } from './prose';

const SHOWN = 20_000;

function Clock({ at }: { at: string }) {
  const date = new Date(at);
  return (
    <time dateTime={at} title={date.toLocaleString()}>
      {Number.isNaN(date.getTime()) ? '' : date.toLocaleTimeString([], { hour12: false })}
    </time>
  );
}

/* Renders what is folded only when it is opened, because results can be long. */
export function Fold({ summary, className, children }: { summary: ReactNode; className?: string; children: () => ReactNode }) {
  const [open, setOpen] = useState(false);
  return (
    <details className={className} onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>{summary}</summary>
      {open && children()}
    </details>
  );
}

export function Data({ label, value }: { label: string; value: unknown }) {
  const [all, setAll] = useState(false);
  const text = visible(pretty(value));
  const cut = !all && text.length > SHOWN;
  return (
    <div className="data">
      <h4>{label}</h4>
      <pre tabIndex={0} role="group" aria-label={label}>{cut ? text.slice(0, SHOWN) : text}</pre>
      {cut && (
        <button type="button" className="small" onClick={() => setAll(true)}>
          Show all {text.length.toLocaleString('en-US')} characters
        </button>
      )}
    </div>
  );
}

const statusWord: Record<Call['status'], string> = {
  asked: 'requested', running: 'running', done: 'done', failed: 'failed',
  retrying: 'will be tried again', unknown: 'in doubt',
};

function took(call: Call): string {
  if (call.startedAt === undefined || call.endedAt === undefined) return '';
  return span(Date.parse(call.endedAt) - Date.parse(call.startedAt));
}

const CallCard = memo(function CallCard({ call }: { call: Call }) {
  const tone = call.status === 'unknown' ? 'warn' : call.status === 'failed' ? 'bad' : '';
  return (
    <div className={`call ${tone}`}>
      <Fold summary={
        <>
          <span className="tool"><Text>{call.tool}</Text></span>
          <span className={`call-status ${call.status}`}>{statusWord[call.status]}</span>
          {call.attempts > 1 && <span className="quiet">attempt {call.attempts}</span>}
          <bdi className="brief">{brief(call.input)}</bdi>
          <span className="quiet took">{took(call)}</span>
        </>
      }>{() => (
        <>
          <Data label="Arguments" value={call.input} />
          {call.error !== undefined && <Data label="Error" value={call.error} />}
          {call.result !== undefined && <Data label={call.status === 'unknown' ? 'What the model was told' : 'Result'} value={call.result} />}
        </>
      )}</Fold>
      {call.doubted && (
        <p className="in-doubt">
          In doubt: the worker was lost while this call was under way, and nobody knows whether it took effect.
          {call.status !== 'unknown' ? ' It was run again.'
            : call.result === undefined ? ' It has not been repeated.' : ' It was not repeated; the model was told to check first.'}
        </p>
      )}
    </div>
  );
});

function PartView({ part }: { part: Part }) {
  switch (part.kind) {
    case 'text': return <Prose text={part.text} />;
    case 'call': return <CallCard call={part.call} />;
    case 'thinking':
      if (part.text === '') return null;
      return (
        <details className="thinking" open>
          <summary>Thinking</summary>
          <Prose text={part.text} />
        </details>
      );
    case 'other': return <p className="quiet">[{visible(part.type)}]</p>;
  }
}

function TurnView({ turn, progress }: { turn: Turn; progress: string | undefined }) {
  const open = turn.endedAt === undefined;
  return (
    <li className="turn">
      <div className="turn-head">
        <h3>Turn {turn.turn}</h3>
        {turn.attempts > 1 && <span className="quiet">attempt {turn.attempts}</span>}
        {!open && <span className="quiet figures">{tokens(turn.tokensIn)} in, {tokens(turn.tokensOut)} out, {money(turn.usd)}</span>}
        <Clock at={turn.endedAt ?? turn.startedAt} />
      </div>
      {turn.failure !== undefined && open && <p className="trouble"><Text>{turn.failure}</Text></p>}
      {turn.parts.map((part, i) => <PartView key={part.kind === 'call' ? part.call.id : i} part={part} />)}
      {open && progress !== undefined && <div className="writing" data-testid="progress"><Prose text={progress} /></div>}
    </li>
  );
}

function NoteView({ note }: { note: Note }) {
  const line = (
    <>
      <strong>{visible(note.title)}</strong>
      {note.detail !== undefined && <span className="note-detail"><Text>{note.detail}</Text></span>}
    </>
  );
  return (
    <li className={`note ${note.tone}`}>
      {note.more === undefined ? <div className="note-line">{line}</div>
        : <Fold className="note-line" summary={line}>{() => <pre tabIndex={0} role="group" aria-label={note.title}>{visible(note.more ?? '')}</pre>}</Fold>}
      <Clock at={note.at} />
    </li>
  );
}

const EntryView = memo(function EntryView({ entry, progress }: { entry: Entry; progress: string | undefined }) {
  return entry.kind === 'turn' ? <TurnView turn={entry} progress={progress} /> : <NoteView note={entry} />;
});

export function TimelineView({ entries, progress }: { entries: Entry[]; progress: string | undefined }) {
  const writing = entries.findLast((entry) => entry.kind === 'turn')?.key;
  return (
    <ol className="timeline" aria-label="Journal">
      {entries.map((entry) => (
        <EntryView key={entry.key} entry={entry} progress={entry.key === writing ? progress : undefined} />
      ))}
    </ol>
  );
}
