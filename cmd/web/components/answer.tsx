// SPDX-License-Identifier: ISC
'use client';

/* What a task asks of a person, and what a person can say to one that has ended. */

import { useId, useRef, useState, type SubmitEvent } from 'react';
import { additions, CEILINGS, decisions, type SignalBody, type Ceiling } from '@/lib/answer';
import { api, Refused } from '@/lib/api';
import { brief, safeUrl } from '@/lib/format';
import { waitingFor } from '@/lib/timeline';
import { hasEnded, type Budget, type Task } from '@/lib/types';
import { Outside } from './nav';
import { Text } from './prose';
import { Data, Fold } from './timeline';
import { Connect } from './toolkits';

export interface Answering {
  busy: boolean;
  trouble: string;
  say: (answer: SignalBody | string) => void;
}

/* Sends one answer at a time; a string is a sentence that says why it cannot be
   sent. */
export function useAnswer(id: string, soon: () => void): Answering {
  const under = useRef(false);
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState('');
  const say = (answer: SignalBody | string) => {
    if (under.current) return;
    setTrouble(typeof answer === 'string' ? answer : '');
    if (typeof answer === 'string') return;
    under.current = true;
    setBusy(true);
    api.signal(id, answer).catch((failure: unknown) => {
      setTrouble(failure instanceof Refused ? failure.message : 'The server could not be reached. Try again.');
    }).finally(() => {
      under.current = false;
      setBusy(false);
      soon();
    });
  };
  return { busy, trouble, say };
}

/* Fields for what is added to the ceilings that the task has. */
function More({ task, typed, type }: {
  task: Task; typed: Partial<Record<Ceiling, string>>; type: (typed: Partial<Record<Ceiling, string>>) => void;
}) {
  const name = useId();
  return (
    <div className="ceilings">
      {CEILINGS.filter(([key]) => task.task?.budget?.[key] !== undefined).map(([key, word]) => (
        <div key={key}>
          <label htmlFor={`${name}-${key}`}>Add {word}</label>
          <input id={`${name}-${key}`} inputMode="decimal" autoComplete="off" value={typed[key] ?? ''}
            onChange={(e) => type({ ...typed, [key]: e.target.value })} />
        </div>
      ))}
    </div>
  );
}

function Raise({ task, say, busy }: { task: Task } & Omit<Answering, 'trouble'>) {
  const [typed, type] = useState({});
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    const more = additions(task, typed);
    if (typeof more === 'string') say(more);
    else say(Object.keys(more).length > 0 ? { signal: 'budget', ...more } : 'Enter what to add.');
  };
  return (
    <form onSubmit={send} noValidate>
      <More task={task} typed={typed} type={type} />
      <div className="buttons"><button type="submit" className="primary" aria-disabled={busy}>Raise and go on</button></div>
    </form>
  );
}

function Decisions({ task, say, busy }: { task: Task } & Omit<Answering, 'trouble'>) {
  const asked = decisions(task);
  return (
    <>
      <p>{asked.length > 1 ? 'Did these calls take effect? Their answers were lost.' : 'Did this call take effect? Its answer was lost.'}</p>
      <ul className="decisions">
        {asked.map(({ call, tool, input }) => (
          <li key={call} className="call">
            <Fold summary={<><span className="tool"><Text>{tool}</Text></span><bdi className="brief">{brief(input)}</bdi></>}>
              {() => <Data label="Arguments" value={input} />}
            </Fold>
            <div className="buttons">
              <button type="button" className={asked.length > 1 ? 'small' : 'primary'} aria-disabled={busy} onClick={() => say({ signal: 'approve', call })}>Run the call again</button>
              <button type="button" className={asked.length > 1 ? 'small' : undefined} aria-disabled={busy} onClick={() => say({ signal: 'deny', call })}>Let the model check first</button>
            </div>
          </li>
        ))}
      </ul>
      {asked.length > 1 && (
        <div className="buttons">
          <button type="button" aria-disabled={busy} onClick={() => say({ signal: 'approve', all: true })}>Run all {asked.length} again</button>
          <button type="button" aria-disabled={busy} onClick={() => say({ signal: 'deny', all: true })}>Let the model check all {asked.length}</button>
        </div>
      )}
    </>
  );
}

/* Says what the task waits for, below the newest event of the journal. */
export function Attention({ task, soon }: { task: Task; soon: () => void }) {
  const { busy, trouble, say } = useAnswer(task.id, soon);
  if (task.state !== 'waiting') return null;
  const { title, detail } = waitingFor(task.waiting, task.reason ?? '');
  const { for: kind, since, link } = task.waiting ?? {};
  const until = task.waiting?.until ?? task.due;
  const url = safeUrl(link ?? '');
  return (
    <section className="attention" aria-labelledby="attention-title">
      <h3 id="attention-title">{title}</h3>
      {detail && kind !== 'decision' && <p><Text>{detail}</Text></p>}
      <p className="quiet">
        {since !== undefined && `Since ${new Date(since).toLocaleString()}. `}
        {until !== undefined && `It continues by itself at ${new Date(until).toLocaleString()}.`}
      </p>
      {kind === 'connection' && <p>It continues by itself when the account is connected again.</p>}
      {kind === 'connection' && !url && task.waiting?.toolkit && <div className="buttons"><Connect toolkit={task.waiting.toolkit} url={undefined} /></div>}
      {url && <div className="buttons"><Outside href={url.href} className="button primary">Continue to {url.host}</Outside></div>}
      {kind === 'decision' && <Decisions task={task} say={say} busy={busy} />}
      {kind === 'budget' && until === undefined && <Raise task={task} say={say} busy={busy} />}
      <p className="trouble" role="status">{trouble}</p>
    </section>
  );
}

/* Opens a task that has ended again. */
export function Reopen({ task, soon }: { task: Task; soon: () => void }) {
  const { busy, trouble, say } = useAnswer(task.id, soon);
  const [message, setMessage] = useState('');
  const [typed, type] = useState({});
  const name = useId();
  if (!hasEnded(task.state)) return null;
  const send = (answer: SignalBody, missing = '') => {
    const more: Budget | string = additions(task, typed);
    say(missing || (typeof more === 'string' ? more : { ...answer, ...more }));
  };
  const proceed = (event: SubmitEvent) => {
    event.preventDefault();
    send({ signal: 'continue', message }, message.trim() === '' ? 'Write what the model is to do.' : '');
  };
  return (
    <Fold className="reopen" summary={task.state === 'completed' ? 'Continue this task' : 'Continue or try again'}>{() => (
      <form onSubmit={proceed} noValidate>
        <label htmlFor={name}>Message to the model</label>
        <textarea id={name} rows={3} maxLength={10_000} value={message} onChange={(e) => setMessage(e.target.value)} />
        <More task={task} typed={typed} type={type} />
        <div className="buttons">
          <button type="submit" className="primary" aria-disabled={busy}>Send and go on</button>
          {task.state !== 'completed' &&
            <button type="button" aria-disabled={busy} onClick={() => send({ signal: 'retry' })}>Try again</button>}
        </div>
        <p className="trouble" role="status">{trouble}</p>
      </form>
    )}</Fold>
  );
}
