// SPDX-License-Identifier: ISC
'use client';

import { useEffect, useRef, useState } from 'react';
import { api, Refused, type Watched } from '@/lib/api';
import { blank } from '@/lib/draft';
import { age, count, money, titleOf, tokens, visible } from '@/lib/format';
import { remember } from '@/lib/session';
import { add, empty, waitingFor, type Timeline } from '@/lib/timeline';
import { hasEnded, type Signal, type Task } from '@/lib/types';
import { CostChart } from './cost-chart';
import { useNow, usePoller } from './hooks';
import { DRAFT } from './new-task';
import { Link, go } from './nav';
import { Prose, Text } from './prose';
import { StateMark } from './state';
import { TimelineView } from './timeline';

interface Seen {
  task: Task;
  line: Timeline;
}

/* The task when it has changed, then the events that are new. The task is
   asked for with its tag, so that nothing new costs next to nothing. */
function useTask(id: string) {
  const [seen, setSeen] = useState<Seen | null>(null);
  const [gone, setGone] = useState(false);
  const source = useRef<{ task: Task | null; line: Timeline; watched: Watched<Task> } | null>(null);
  const soon = usePoller(async (signal) => {
    source.current ??= { task: null, line: empty, watched: api.task(id) };
    const from = source.current;
    try {
      const task = await from.watched.get(signal);
      const moved = task !== null;
      from.task = task ?? from.task;
      if (!from.task) return 'same';
      while (from.line.seq < from.task.seq) {
        const page = await api.events(id, from.line.seq, signal);
        const line = add(from.line, page.events);
        if (line === from.line) break;
        from.line = line;
        setSeen({ task: from.task, line });
      }
      if (moved) setSeen({ task: from.task, line: from.line });
      if (hasEnded(from.task.state) && from.line.seq >= from.task.seq) return 'done';
      return moved || from.task.state === 'running' ? 'changed' : 'same';
    } catch (failure) {
      if (failure instanceof Refused && failure.status === 404) {
        setGone(true);
        return 'done';
      }
      throw failure;
    }
  }, 800, 8000, id);
  return { seen, gone, soon };
}

function Actions({ task, soon }: { task: Task; soon: () => void }) {
  const [busy, setBusy] = useState<Signal | null>(null);
  const [trouble, setTrouble] = useState('');
  const dialog = useRef<HTMLDialogElement>(null);
  const paused = task.state === 'waiting' && task.reason === 'paused';
  const send = (signal: Signal) => {
    dialog.current?.close();
    setBusy(signal);
    setTrouble('');
    api.signal(task.id, signal).then(soon, (failure: unknown) => {
      setTrouble(failure instanceof Refused ? failure.message : 'It did not reach the gateway. Try again.');
      soon();
    }).finally(() => setBusy(null));
  };
  const again = () => {
    const file = task.task;
    remember(DRAFT, {
      ...blank, goal: file?.goal ?? task.title, toolkits: file?.toolkits ?? [],
      model: file?.model ?? '', usd: file?.budget?.usd?.toString() ?? '', turns: file?.budget?.turns?.toString() ?? '',
    });
    go('/new/');
  };
  return (
    <div className="actions">
      {hasEnded(task.state) ? <button type="button" onClick={again}>Use for a new task</button> : (
        <>
          {task.state === 'waiting'
            ? <button type="button" aria-disabled={busy !== null} onClick={() => send('resume')}>{paused ? 'Resume' : 'Go on now'}</button>
            : <button type="button" aria-disabled={busy !== null} onClick={() => send('pause')}>Pause</button>}
          <button type="button" className="danger" aria-disabled={busy !== null} onClick={() => dialog.current?.showModal()}>Cancel</button>
        </>
      )}
      <p className="trouble" role="status">{trouble}</p>
      <dialog ref={dialog} aria-labelledby="cancel-title">
        <h2 id="cancel-title">Cancel this task?</h2>
        <p>It ends for good. A tool call under way is waited for, because it cannot be taken back.</p>
        <div className="buttons">
          <button type="button" className="danger" onClick={() => send('cancel')}>Cancel the task</button>
          <button type="button" onClick={() => dialog.current?.close()}>Let it go on</button>
        </div>
      </dialog>
    </div>
  );
}

/* Where a person answers: the place for approvals and questions, at the end of
   the journal, where the newest is. */
function Attention({ task, soon }: { task: Task; soon: () => void }) {
  const [trouble, setTrouble] = useState('');
  if (task.state !== 'waiting') return null;
  const { title, detail } = waitingFor(task.reason ?? '');
  const call = /^did call (\S+) /.exec(detail)?.[1];
  const answer = (signal: Signal) => {
    setTrouble('');
    api.signal(task.id, signal, call).then(soon, (failure: unknown) => setTrouble((failure as Error).message));
  };
  return (
    <section className="attention" aria-labelledby="attention-title">
      <h3 id="attention-title">{title}</h3>
      {detail && <p><Text>{detail}</Text></p>}
      {task.due !== undefined && <p className="quiet">It goes on by itself at {new Date(task.due).toLocaleString()}.</p>}
      {title === 'Waits for a connection' && <p>Mend the connection, then let it go on. It holds no worker meanwhile.</p>}
      {call !== undefined && (
        <div className="buttons">
          <button type="button" className="primary" onClick={() => answer('approve')}>Run it again</button>
          <button type="button" onClick={() => answer('deny')}>Tell the model to look</button>
        </div>
      )}
      <p className="trouble" role="status">{trouble}</p>
    </section>
  );
}

function Facts({ task, line }: { task: Task; line: Timeline }) {
  const file = task.task;
  const rows: [string, string][] = [
    ['Model', file?.model ?? ''],
    ['Toolkits', file?.toolkits?.join(', ') ?? ''],
    ['Budget', [
      file?.budget?.usd === undefined ? '' : money(file.budget.usd),
      file?.budget?.turns === undefined ? '' : count(file.budget.turns, 'turn'),
    ].filter(Boolean).join(', ')],
    ['Tokens', `${tokens(task.input_tokens + task.cache_read_tokens + task.cache_write_tokens)} in, ${tokens(task.output_tokens)} out`],
    ['From the cache', tokens(task.cache_read_tokens)],
    ['Queue', task.queue],
    ['Submitted', new Date(task.created_at).toLocaleString()],
    ['Id', task.id],
  ];
  return (
    <aside className="facts" aria-label="About this task">
      <h2>Cost over time</h2>
      <CostChart costs={line.costs} budget={file?.budget?.usd} />
      <dl>
        {rows.filter(([, value]) => value !== '').map(([name, value]) => (
          <div key={name}><dt>{name}</dt><dd className={name === 'Id' ? 'mono' : undefined}>{visible(value)}</dd></div>
        ))}
      </dl>
    </aside>
  );
}

function Age({ task }: { task: Task }) {
  const now = useNow();
  return now === 0 ? '' : age(task.created_at, now);
}

function Numbers({ task }: { task: Task }) {
  return (
    <dl className="numbers">
      <div><dt>State</dt><dd aria-live="polite"><StateMark state={task.state} /></dd></div>
      <div><dt>Turns</dt><dd>{task.turns}</dd></div>
      <div><dt>Calls</dt><dd>{task.calls}</dd></div>
      <div><dt>In doubt</dt><dd>{task.calls_unknown}</dd></div>
      <div><dt>Cost</dt><dd>{money(task.cost_usd)}</dd></div>
      <div><dt>Age</dt><dd><Age task={task} /></dd></div>
    </dl>
  );
}

function Result({ task }: { task: Task }) {
  const text = task.result ?? task.error?.message ?? task.reason ?? '';
  if (text === '' || !hasEnded(task.state)) return null;
  const title = task.state === 'completed' ? 'Result' : `Why it is ${task.state}`;
  return (
    <section className={`result ${task.state}`} aria-labelledby="result-title">
      <h2 id="result-title">{title}</h2>
      <Prose text={text} />
    </section>
  );
}

/* Keeps the newest in sight for who reads at the end, and only for them. */
function useFollow(changing: unknown) {
  const atEnd = useRef(false);
  useEffect(() => {
    const look = () => {
      const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
      atEnd.current = scrollTop > 0 && scrollHeight - clientHeight - scrollTop < 80;
    };
    window.addEventListener('scroll', look, { passive: true });
    return () => window.removeEventListener('scroll', look);
  }, []);
  useEffect(() => {
    if (atEnd.current) window.scrollTo(0, document.documentElement.scrollHeight);
  }, [changing]);
}

export function TaskScreen({ id }: { id: string }) {
  const { seen, gone, soon } = useTask(id);
  /* Above the journal for who comes to an ended task; below it for who watched
     it end, so that nothing moves under their eyes. */
  const [first, setFirst] = useState<boolean | null>(null);
  if (seen && first === null) setFirst(hasEnded(seen.task.state));
  useFollow(seen);
  const title = seen ? titleOf(seen.task) : undefined;
  useEffect(() => {
    document.title = title === undefined ? 'Task · agent-utils' : `${title.slice(0, 60)} · agent-utils`;
  }, [title]);

  if (gone)
    return (
      <section className="task">
        <h1 tabIndex={-1}>There is no such task</h1>
        <p>Not under this address, or not yours. <Link href="/">All tasks</Link></p>
      </section>
    );
  if (!seen)
    return (
      <section className="task">
        <p className="crumb"><Link href="/">Tasks</Link></p>
        <h1 tabIndex={-1} className="loading">Reading the task…</h1>
      </section>
    );
  const { task, line } = seen;
  return (
    <section className="task">
      <p className="crumb"><Link href="/">Tasks</Link></p>
      <div className="head">
        <h1 tabIndex={-1}><bdi>{titleOf(task)}</bdi></h1>
        <Actions task={task} soon={soon} />
      </div>
      <Numbers task={task} />
      <div className="columns">
        <div className="story">
          {first && <Result task={task} />}
          <h2 id="journal">Journal</h2>
          <TimelineView entries={line.entries} progress={task.progress} />
          {task.state === 'queued' && <p className="quiet pending">In line for a worker. It begins, or goes on, as soon as one is there.</p>}
          <Attention task={task} soon={soon} />
          {first === false && <Result task={task} />}
        </div>
        <Facts task={task} line={line} />
      </div>
    </section>
  );
}
