// SPDX-License-Identifier: ISC
/* Requests to the gateway. All go through ask(), which adds the token, times
   out, and records whether the gateway can be reached. */

import type { SignalBody } from './answer.ts';
import { observable } from './observable.ts';
import { session, signOut } from './session.ts';
import type {
  Connection, EventPage, Passed, QueueDepth, Reason, State, Task, TaskPage,
} from './types.ts';

const TIMEOUT = 20_000;
/* No task was ever submitted: the first one makes the store. */
const NO_STORE = 'no_store';

/* The gateway answered with an error object. */
export class Refused extends Error {
  override readonly name = 'Refused';
  constructor(
    readonly status: number,
    readonly type: string,
    message: string,
    readonly retryAfter: number | undefined,
    readonly reasons: Reason[],
  ) {
    super(message);
  }
}

/* There was no answer, or one that says: not now. */
export class Away extends Error {
  override readonly name = 'Away';
  constructor(message: string, readonly retryAfter?: number) {
    super(message);
  }
}

export interface Reach {
  away: boolean;
  why: string;
}

export const reach = observable<Reach>({ away: false, why: '' });
const here: Reach = reach.get();

export function retryAfter(failure: unknown): number | undefined {
  const seconds = failure instanceof Refused || failure instanceof Away ? failure.retryAfter : undefined;
  return seconds === undefined ? undefined : seconds * 1000;
}

/* Whether the same request may be answered later. */
export function passes(failure: unknown): boolean {
  return failure instanceof Away || (failure instanceof Refused && failure.status === 429);
}

export function wasStopped(failure: unknown): boolean {
  return failure instanceof DOMException && failure.name === 'AbortError';
}

interface Answer {
  status: number;
  body: unknown;
  etag: string | null;
}

interface Question {
  method?: 'GET' | 'POST';
  body?: string;
  key?: string;
  etag?: string | null;
  signal?: AbortSignal;
  token?: string | null;
}

async function send(path: string, question: Question, token: string | null): Promise<Response> {
  const headers = new Headers({ Accept: 'application/json' });
  if (token !== null) headers.set('Authorization', `Bearer ${token}`);
  if (question.body !== undefined) headers.set('Content-Type', 'application/json');
  if (question.key !== undefined) headers.set('Idempotency-Key', question.key);
  if (question.etag) headers.set('If-None-Match', question.etag);
  const limit = AbortSignal.timeout(TIMEOUT);
  return fetch(path, {
    method: question.method ?? 'GET',
    headers,
    body: question.body ?? null,
    cache: 'no-store',
    credentials: 'same-origin',
    redirect: 'error',
    signal: question.signal ? AbortSignal.any([question.signal, limit]) : limit,
  });
}

function away(said: string, retry?: number): Away {
  const why = said.charAt(0).toUpperCase() + said.slice(1).replace(/(?<![.!?])$/, '.');
  reach.set({ away: true, why });
  return new Away(why, retry);
}

function refusal(response: Response, body: unknown): Refused | Away {
  const error = (body as { error?: Record<string, unknown> } | null)?.error;
  const message = typeof error?.message === 'string' ? error.message : `The server answered with status ${response.status}.`;
  const seconds = Number(response.headers.get('Retry-After') ?? Number.NaN);
  const retry = Number.isFinite(seconds) ? seconds : undefined;
  const type = typeof error?.type === 'string' ? error.type : 'error';
  if (response.status >= 502 && response.status <= 504 && type !== NO_STORE) return away(message, retry);
  return new Refused(response.status, type, message, retry, Array.isArray(error?.reasons) ? error.reasons as Reason[] : []);
}

async function ask(path: string, question: Question = {}): Promise<Answer> {
  const token = question.token === undefined ? session.get().token : question.token;
  let response: Response;
  let body: unknown = null;
  try {
    response = await send(path, question, token);
    if (response.status !== 304 && response.status !== 204) {
      const text = await response.text();
      try {
        body = JSON.parse(text);
      } catch {
        /* a proxy in front of the gateway answered with a page of its own */
      }
    }
  } catch (failure) {
    if (question.signal?.aborted === true) throw failure;
    throw away('It cannot be reached.');
  }
  if (!response.ok && response.status !== 304) {
    const failure = refusal(response, body);
    if (response.status === 401 && question.token === undefined && session.get().token === token)
      signOut('This token is no longer valid.');
    if (!(failure instanceof Away)) reach.set(here);
    throw failure;
  }
  if (body === null && response.status !== 304)
    throw away('Something other than the gateway answered.');
  reach.set(here);
  return { status: response.status, body, etag: response.headers.get('ETag') };
}

/* A GET that remembers the ETag of its last answer; null when nothing is new. */
export class Watched<T> {
  private etag: string | null = null;
  constructor(private readonly path: string) {}

  async get(signal?: AbortSignal): Promise<T | null> {
    const answer = await ask(this.path, { etag: this.etag, ...(signal ? { signal } : {}) });
    if (answer.status === 304) return null;
    this.etag = answer.etag;
    return answer.body as T;
  }
}

export interface Filter {
  state: State | null;
  queue: string;
}

export const PAGE = 100;

export function tasksPath(filter: Filter, before: string | null): string {
  const query = new URLSearchParams({ limit: String(PAGE) });
  if (filter.state) query.set('state', filter.state);
  if (filter.queue) query.set('queue', filter.queue);
  if (before) query.set('before', before);
  return `/v1/tasks?${query}`;
}

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await ask(path, signal ? { signal } : {})).body as T;
}

/* An answer without the list comes from something other than the gateway. */
async function getList<T>(path: string, name: keyof T, signal?: AbortSignal): Promise<T> {
  const body = await get<T | null>(path, signal);
  if (!Array.isArray(body?.[name])) throw away('Something other than the gateway answered.');
  return body;
}

async function post<T>(path: string, body: unknown, more: Question = {}): Promise<T> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return (await ask(path, { method: 'POST', body: text, ...more })).body as T;
}

/* Whether the gateway accepts this token; with null, whether it needs none. */
export async function tryToken(token: string | null): Promise<boolean> {
  try {
    await ask('/v1/tasks?limit=1', { token });
    return true;
  } catch (failure) {
    if (failure instanceof Refused && failure.status === 401) return false;
    if (failure instanceof Refused && failure.type === NO_STORE) return true;
    throw failure;
  }
}

export const api = {
  tasks: async (filter: Filter, before: string | null, signal?: AbortSignal) => {
    try {
      return await getList<TaskPage>(tasksPath(filter, before), 'tasks', signal);
    } catch (failure) {
      if (failure instanceof Refused && failure.type === NO_STORE) return { tasks: [], next: null };
      throw failure;
    }
  },
  task: (id: string) => new Watched<Task>(`/v1/tasks/${encodeURIComponent(id)}`),
  events: (id: string, after: number, signal?: AbortSignal) =>
    getList<EventPage>(`/v1/tasks/${encodeURIComponent(id)}/events?after=${after}&limit=500`, 'events', signal),
  signal: (id: string, answer: SignalBody) =>
    post<{ id: string; state: State }>(`/v1/tasks/${encodeURIComponent(id)}/signals`, answer),
  /* without links: each would begin a connection, and this is asked often */
  preflight: (task: unknown, signal: AbortSignal) => post<Passed>('/v1/preflight?links=no', task, { signal }),
  submit: (body: string, key: string) =>
    post<{ id: string; existing: boolean }>('/v1/tasks', body, { key }),
  connections: async (toolkits: string[], links: boolean, signal?: AbortSignal) => {
    const query = new URLSearchParams({ links: links ? 'yes' : 'no' });
    if (toolkits.length > 0) query.set('toolkits', toolkits.join(','));
    return (await getList<{ connections: Connection[] }>(`/v1/connections?${query}`, 'connections', signal)).connections;
  },
  /* the number of workers that run, or null */
  workers: async (signal?: AbortSignal) => {
    try {
      const { workers } = await get<QueueDepth>('/v1/queue', signal);
      return typeof workers === 'number' ? workers : null;
    } catch (failure) {
      if (failure instanceof Refused && failure.type === NO_STORE) return 0;
      throw failure;
    }
  },
};
