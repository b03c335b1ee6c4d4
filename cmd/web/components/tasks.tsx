// SPDX-License-Identifier: ISC
'use client';

import { memo, useEffect, useRef, useState, type KeyboardEvent } from 'react';
import { api, type Filter } from '@/lib/api';
import { age, count, money, titleOf, visible } from '@/lib/format';
import { session } from '@/lib/session';
import { merge, nothing, type Listing } from '@/lib/tasks';
import { waitingFor } from '@/lib/timeline';
import { STATES, hasEnded, type Row, type State } from '@/lib/types';
import { useNow, usePoller } from './hooks';
import { Link, go, taskAddress } from './nav';
import { StateMark, stateWord } from './state';

/* The list that was read last is shown while it is read again. */
const seen = new Map<string, Listing>();

session.subscribe(() => {
  if (session.get().state === 'out') seen.clear();
});

function Age({ at }: { at: string }) {
  const now = useNow();
  return <time dateTime={at} title={new Date(at).toLocaleString()}>{now ? age(at, now) : ''}</time>;
}

function why(row: Row): string {
  if (!row.reason || row.state === 'completed') return '';
  if (row.state !== 'waiting') return row.reason;
  const { title, detail } = waitingFor(row.waiting, row.reason);
  return detail ? `${title}: ${detail}` : title;
}

const TaskRow = memo(function TaskRow({ row }: { row: Row }) {
  const reason = why(row);
  return (
    <li className="row">
      <Link href={taskAddress(row.id)} className="row-link">
        <StateMark state={row.state} />
        <span className="title">
          <bdi className="name">{titleOf(row)}</bdi>
          {reason && <bdi className="reason">{visible(reason)}</bdi>}
          {row.calls_unknown > 0 && <span className="doubt">{count(row.calls_unknown, 'call')} in doubt</span>}
        </span>
        <span className="progress">
          {row.turns + row.calls > 0 && `${count(row.turns, 'turn')}, ${count(row.calls, 'call')}`}
        </span>
        <span className="cost">{money(row.cost_usd)}</span>
        <span className="age"><Age at={row.created_at} /></span>
      </Link>
    </li>
  );
});

/* The up and down keys move from row to row, Home and End to the first and last. */
function moveFocus(event: KeyboardEvent<HTMLElement>): void {
  const links = [...event.currentTarget.querySelectorAll<HTMLElement>('.row-link')];
  const at = links.indexOf(document.activeElement as HTMLElement);
  if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  links[to]?.focus();
}

function address(filter: Filter): string {
  const query = new URLSearchParams();
  if (filter.state) query.set('state', filter.state);
  if (filter.queue) query.set('queue', filter.queue);
  const text = query.toString();
  return text ? `/?${text}` : '/';
}

function Filters({ filter, queues }: { filter: Filter; queues: string[] }) {
  const choose = (state: State | null) => go(address({ ...filter, state }), true);
  return (
    <div className="filters">
      <div role="group" aria-label="State" className="states">
        {[null, ...STATES].map((state) => (
          <button
            key={state ?? 'all'} type="button" aria-pressed={filter.state === state}
            onClick={() => choose(state)}
          >{state ? stateWord(state) : 'All'}</button>
        ))}
      </div>
      {(queues.length > 1 || filter.queue !== '') && (
        <select
          aria-label="Queue" value={filter.queue}
          onChange={(e) => go(address({ ...filter, queue: e.target.value }), true)}
        >
          <option value="">All queues</option>
          {queues.map((queue) => <option key={queue} value={queue}>{queue}</option>)}
        </select>
      )}
    </div>
  );
}

/* The first visible row, when it is further down than the first page. */
function firstInSight(list: HTMLElement | null, rows: Row[]): string | null {
  if (!list) return null;
  const box = list.getBoundingClientRect();
  if (box.top > 0 || box.height === 0) return null;
  const index = Math.floor(-box.top / box.height * rows.length);
  return index < 60 ? null : rows[index - 1]?.id ?? null;
}

function useListing(filter: Filter, element: React.RefObject<HTMLElement | null>) {
  const name = address(filter);
  const [shown, show] = useState({ name, listing: seen.get(name) ?? nothing });
  const listing = shown.name === name ? shown.listing : seen.get(name) ?? nothing;
  const put = (next: Listing) => {
    seen.set(name, next);
    show({ name, listing: next });
  };
  const load = async (before: string | null, signal?: AbortSignal) => {
    const page = await api.tasks(filter, before, signal);
    const old = seen.get(name) ?? nothing;
    const next = merge(old, page, before);
    if (next !== old || !listing.loaded) put(next);
    return next !== old;
  };
  usePoller(async (signal) => {
    const head = await load(null, signal);
    const deep = firstInSight(element.current, seen.get(name)?.rows ?? []);
    const there = deep !== null && await load(deep, signal);
    return head || there ? 'changed' : 'same';
  }, 1500, 12_000, name);
  return { listing, more: () => load(listing.next) };
}

function More({ load }: { load: () => Promise<unknown> }) {
  const button = useRef<HTMLButtonElement>(null);
  const busy = useRef(false);
  const [trouble, setTrouble] = useState(false);
  const run = () => {
    if (busy.current) return;
    busy.current = true;
    load().then(() => setTrouble(false), () => setTrouble(true)).finally(() => {
      busy.current = false;
    });
  };
  const latest = useRef(run);
  useEffect(() => {
    latest.current = run;
  });
  useEffect(() => {
    const near = new IntersectionObserver((entries) => {
      if (entries.some((e) => e.isIntersecting)) latest.current();
    }, { rootMargin: '1200px' });
    if (button.current) near.observe(button.current);
    return () => near.disconnect();
  }, []);
  return (
    <button ref={button} type="button" className="more" onClick={run}>
      {trouble ? 'Older tasks could not be loaded. Try again' : 'Show older tasks'}
    </button>
  );
}

function Workers() {
  const [workers, setWorkers] = useState<number | null>(null);
  usePoller(async (signal) => {
    setWorkers(await api.workers(signal));
    return 'same';
  }, 4000, 20_000, '');
  if (workers === null) return ' ';
  return workers === 0 ? 'No worker is running. Tasks start as soon as one does.' : `${count(workers, 'worker')} running`;
}

export function Tasks({ query }: { query: URLSearchParams }) {
  const wanted = query.get('state') as State | null;
  const filter: Filter = {
    state: wanted && STATES.includes(wanted) ? wanted : null,
    queue: query.get('queue') ?? '',
  };
  const list = useRef<HTMLUListElement>(null);
  const { listing, more } = useListing(filter, list);
  const { rows, next, loaded } = listing;
  const queues = [...new Set([...rows.map((row) => row.queue), filter.queue].filter(Boolean))].sort();
  const going = rows.filter((row) => !hasEnded(row.state)).length;
  useEffect(() => {
    document.title = going > 0 ? `(${going}) Tasks · agent-utils` : 'Tasks · agent-utils';
  }, [going]);

  return (
    <section className="tasks">
      <div className="head">
        <div>
          <h1 tabIndex={-1}>Tasks</h1>
          <p className="sub"><Workers /></p>
        </div>
        <Link href="/new/" className="button primary">New task</Link>
      </div>
      <Filters filter={filter} queues={queues} />
      <div className="row-head" aria-hidden="true">
        <span>State</span><span>Task</span><span>Progress</span><span className="numeric">Cost</span><span className="numeric">Age</span>
      </div>
      <ul ref={list} className="rows" aria-label="Tasks" onKeyDown={moveFocus}>
        {rows.map((row) => <TaskRow key={row.id} row={row} />)}
      </ul>
      {loaded && rows.length === 0 && (
        <p className="none">
          {filter.state || filter.queue ? 'No tasks match this filter.' : 'There are no tasks yet.'}
        </p>
      )}
      {!loaded && <p className="none" aria-live="polite">Loading tasks…</p>}
      {next !== null && <More key={`${address(filter)} ${next}`} load={more} />}
    </section>
  );
}
