// SPDX-License-Identifier: ISC
'use client';

import { useEffect, useRef, useState } from 'react';
import { raised, type Signal } from '@/lib/answer';
import { api, Refused, type Watched } from '@/lib/api';
import { blank } from '@/lib/draft';
import { age, count, duration, money, titleOf, tokens, visible } from '@/lib/format';
import { remember } from '@/lib/session';
import { add, empty, type Timeline } from '@/lib/timeline';
import { hasEnded, type State, type Task } from '@/lib/types';
import { Attention, Reopen, useAnswer } from './answer';
import { CostChart } from './cost-chart';
import { useNow, usePoller } from './hooks';
import { DRAFT } from './new-task';
import { Link, go } from './nav';
import { Prose } from './prose';
import { StateMark } from './state';
import { TimelineView } from './timeline';

interface Seen {
  task: Task;
  line: Timeline;
}

/* Reads the task when it has changed, then its new events. The task is asked for
   with its ETag, so that an unchanged one costs next to nothing. */
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
  const { busy, trouble, say } = useAnswer(task.id, soon);
  const dialog = useRef<HTMLDialogElement>(null);
  const paused = task.waiting?.for === 'paused';
  const send = (signal: Signal) => {
    dialog.current?.close();
    say({ signal });
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
      {hasEnded(task.state) ? <button type="button" onClick={again}>Run again</button> : (
        <>
          {task.state === 'waiting'
            ? <button type="button" aria-disabled={busy} onClick={() => send('resume')}>{paused ? 'Resume' : 'Continue now'}</button>
            : <button type="button" aria-disabled={busy} onClick={() => send('pause')}>Pause</button>}
          <button type="button" className="danger" aria-disabled={busy} onClick={() => dialog.current?.showModal()}>Cancel</button>
        </>
      )}
      <p className="trouble" role="status">{trouble}</p>
      <dialog ref={dialog} aria-labelledby="cancel-title">
        <h2 id="cancel-title">Cancel this task?</h2>
        <p>The task ends. A tool call that has been sent finishes first, because it cannot be undone.</p>
        <div className="buttons">
          <button type="button" className="danger" onClick={() => send('cancel')}>Cancel the task</button>
          <button type="button" onClick={() => dialog.current?.close()}>Keep it running</button>
        </div>
      </dialog>
    </div>
  );
}

function Facts({ task, line }: { task: Task; line: Timeline }) {
  const file = task.task;
  const budget = raised(file?.budget ?? {}, line.raised);
  const rows: [string, string][] = [
    ['Model', file?.model ?? ''],
    ['Toolkits', file?.toolkits?.join(', ') ?? ''],
    ['Budget', [
      budget.usd === undefined ? '' : money(budget.usd),
      budget.turns === undefined ? '' : count(budget.turns, 'turn'),
      budget.tokens === undefined ? '' : `${tokens(budget.tokens)} tokens`,
      budget.seconds === undefined ? '' : duration(budget.seconds * 1000),
    ].filter(Boolean).join(', ')],
    ['Tokens', `${tokens(task.input_tokens + task.cache_read_tokens + task.cache_write_tokens)} in, ${tokens(task.output_tokens)} out`],
    ['Cached tokens', tokens(task.cache_read_tokens)],
    ['Queue', task.queue],
    ['Submitted', new Date(task.created_at).toLocaleString()],
    ['Id', task.id],
  ];
  return (
    <aside className="facts" aria-label="About this task">
      <h2>Cost over time</h2>
      <CostChart costs={line.costs} budget={budget.usd} />
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

const resultTitle: Partial<Record<State, string>> = {
  completed: 'Result', blocked: 'Why it is blocked', failed: 'Why it failed', cancelled: 'Why it was cancelled',
};

function Result({ task }: { task: Task }) {
  const text = task.result ?? task.error?.message ?? task.reason ?? '';
  if (text === '' || !hasEnded(task.state)) return null;
  return (
    <section className={`result ${task.state}`} aria-labelledby="result-title">
      <h2 id="result-title">{resultTitle[task.state]}</h2>
      <Prose text={text} />
    </section>
  );
}

/* Scrolls to the newest event when the user was at the end of the page. */
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
  /* The result stands above the journal of a task that had ended when the page was
     opened, and below it when it ended since, so that nothing on the page moves. */
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
        <h1 tabIndex={-1}>Task not found</h1>
        <p>It does not exist, or it is not yours. <Link href="/">All tasks</Link></p>
      </section>
    );
  if (!seen)
    return (
      <section className="task">
        <p className="crumb"><Link href="/">Tasks</Link></p>
        <h1 tabIndex={-1} className="loading">Loading…</h1>
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
          {first && <><Result task={task} /><Reopen task={task} soon={soon} /></>}
          <h2 id="journal">Journal</h2>
          <TimelineView entries={line.entries} progress={task.progress} />
          {task.state === 'queued' && <p className="quiet pending">Waiting for a worker. The task starts or continues as soon as one is free.</p>}
          <Attention task={task} soon={soon} />
          {first === false && <><Result task={task} /><Reopen task={task} soon={soon} /></>}
        </div>
        <Facts task={task} line={line} />
      </div>
    </section>
  );
}
