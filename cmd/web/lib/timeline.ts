// SPDX-License-Identifier: ISC
/* The journal of a task (agent-journal(5)) as a person reads it: turns of the
   model with the calls that each asked for, and between them what happened to
   the task. Pure, and meant for a journal that grows: add() takes the next
   events, and gives back only what has changed as new objects, so that a list
   of a thousand turns is not drawn again for one event.

   Events of a type that is not known here are shown by their name. */

import { CEILINGS } from './answer.ts';
import type { Budget, Event } from './types.ts';

export type CallStatus =
  | 'asked' /* by the model; not begun */
  | 'running'
  | 'done'
  | 'failed' /* the tool says so */
  | 'retrying'
  | 'unknown'; /* nobody knows whether it took effect */

export interface Call {
  id: string;
  tool: string;
  input: unknown;
  status: CallStatus;
  /* was in doubt at some time */
  doubted: boolean;
  attempts: number;
  startedAt?: string;
  endedAt?: string;
  result?: string;
  error?: string;
}

export type Part =
  | { kind: 'thinking'; text: string }
  | { kind: 'text'; text: string }
  | { kind: 'call'; call: Call }
  | { kind: 'other'; type: string };

export interface Turn {
  kind: 'turn';
  key: string;
  turn: number;
  attempts: number;
  startedAt: string;
  endedAt?: string;
  parts: Part[];
  usd: number;
  tokensIn: number;
  tokensOut: number;
  stop?: string;
  /* why the last attempt failed, while no reply has come */
  failure?: string;
}

export type Tone = 'plain' | 'good' | 'warn' | 'bad';

export interface Note {
  kind: 'note';
  key: string;
  at: string;
  tone: Tone;
  title: string;
  detail?: string;
  /* more than a line; it is shown folded */
  more?: string;
}

export type Entry = Turn | Note;

export interface Cost {
  at: number;
  usd: number;
}

export interface Timeline {
  entries: Entry[];
  costs: Cost[];
  seq: number;
  startedAt?: string;
  ended: boolean;
  /* what was added to the budget */
  raised: Budget;
}

export const empty: Timeline = { entries: [], costs: [], seq: 0, ended: false, raised: {} };

type Members = Record<string, unknown>;

function str(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function num(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function members(value: unknown): Members {
  return typeof value === 'object' && value !== null ? value as Members : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function errorText(value: unknown): string {
  const error = members(value);
  return str(error.message) || str(error.type);
}

/* The content of a tool_result block: a string, or blocks. */
function resultText(value: unknown): string {
  if (typeof value === 'string') return value;
  return list(value).map((block) => {
    const b = members(block);
    return b.type === 'text' ? str(b.text) : `[${str(b.type) || 'block'}]`;
  }).join('\n');
}

function part(value: unknown): Part {
  const block = members(value);
  switch (block.type) {
    case 'thinking':
      return { kind: 'thinking', text: str(block.thinking) };
    case 'text':
      return { kind: 'text', text: str(block.text) };
    case 'tool_use':
      return {
        kind: 'call',
        call: {
          id: str(block.id), tool: str(block.name), input: block.input,
          status: 'asked', doubted: false, attempts: 0,
        },
      };
    default:
      return { kind: 'other', type: str(block.type) || 'block' };
  }
}

const signals: Record<string, string> = {
  cancel: 'Cancel requested',
  pause: 'Pause requested',
  resume: 'Resumed',
  approve: 'Call approved',
  deny: 'Call denied',
  budget: 'Budget raised',
  retry: 'Opened again',
  continue: 'Opened again with a message',
};

const waits: Record<string, string> = {
  rate_limit: 'Waiting for a rate limit',
  outage: 'Waiting for a service that does not answer',
  key: 'Waiting for a key that is accepted',
  credit: 'Waiting for credit',
  connection: 'Waiting for a connection',
  decision: 'Waiting for your decision',
  answer: 'Waiting for your answer',
  budget: 'Waiting for a higher budget',
  child: 'Waiting for its helpers',
  paused: 'Paused',
  limit: 'Waiting for its turn',
  /* as older journals begin a reason */
  model: 'Waiting to ask the model again',
  tool: 'Waiting to run a tool again',
};

/* WAITING is of a task's object, or an event that has the same members; older
   events have only a reason. */
export function waitingFor(
  waiting: { for?: unknown; message?: unknown } | undefined, reason: string,
): { title: string; detail: string } {
  const split = reason.indexOf(': ');
  const kind = str(waiting?.for) || (split > 0 ? reason.slice(0, split) : reason);
  const detail = str(waiting?.message) || (split > 0 ? reason.slice(split + 2) : '');
  const title = waits[kind];
  return title === undefined ? { title: 'Waiting', detail: str(waiting?.message) || reason } : { title, detail };
}

/* Adds events one by one, and copies each entry before it changes it. */
class Adder {
  entries: Entry[];
  costs: Cost[];
  startedAt: string | undefined;
  ended: boolean;
  raised: Budget;
  private readonly fresh = new Set<Entry>();

  constructor(before: Timeline) {
    this.entries = before.entries.slice();
    this.costs = before.costs.slice();
    this.startedAt = before.startedAt;
    this.ended = before.ended;
    this.raised = before.raised;
  }

  private push(entry: Entry) {
    this.fresh.add(entry);
    this.entries.push(entry);
  }

  note(event: Event, tone: Tone, title: string, detail = '', more = '') {
    const note: Note = { kind: 'note', key: `e${event.seq}`, at: event.at, tone, title };
    if (detail) note.detail = detail;
    if (more) note.more = more;
    this.push(note);
  }

  /* A copy, which may be changed, of the newest turn that FITS. */
  private turn(fits: (turn: Turn) => boolean): Turn | undefined {
    const at = this.entries.findLastIndex((e) => e.kind === 'turn' && fits(e));
    const found = this.entries[at];
    if (found?.kind !== 'turn') return undefined;
    if (this.fresh.has(found)) return found;
    const copy = { ...found, parts: found.parts.slice() };
    this.fresh.add(copy);
    this.entries[at] = copy;
    return copy;
  }

  private call(event: Event, change: (call: Call) => Call) {
    const id = str(event.call);
    const has = (p: Part) => p.kind === 'call' && p.call.id === id;
    const turn = this.turn((t) => t.parts.some(has));
    const at = turn?.parts.findIndex(has) ?? -1;
    const found = turn?.parts[at];
    if (turn && found?.kind === 'call') turn.parts[at] = { kind: 'call', call: change(found.call) };
    else this.note(event, 'plain', event.type, id);
  }

  private model(event: Event) {
    const number = num(event.turn);
    const turn = this.turn((t) => t.turn === number);
    if (event.type === 'model.started') {
      /* a turn that begins again is shown where it began last */
      if (turn) this.entries.splice(this.entries.indexOf(turn), 1);
      this.push({
        kind: 'turn', key: `t${number}`, turn: number, attempts: num(event.attempt) || 1,
        startedAt: event.at, parts: [], usd: 0, tokensIn: 0, tokensOut: 0,
        ...(turn?.failure === undefined ? {} : { failure: turn.failure }),
      });
      return;
    }
    if (!turn) {
      this.note(event, 'plain', event.type);
      return;
    }
    if (event.type === 'model.failed') {
      turn.failure = errorText(event.error);
      return;
    }
    const usage = members(event.usage);
    turn.parts = list(event.content).map(part);
    turn.endedAt = event.at;
    turn.usd = num(event.nano_usd) / 1e9;
    turn.tokensIn = num(usage.input) + num(usage.cache_read) + num(usage.cache_write);
    turn.tokensOut = num(usage.output);
    turn.stop = str(event.stop_reason);
    delete turn.failure;
    const sum = this.costs.at(-1)?.usd ?? 0;
    this.costs.push({ at: Date.parse(event.at), usd: sum + turn.usd });
  }

  private tool(event: Event) {
    switch (event.type) {
      case 'tool.started':
        this.call(event, (call) => ({
          ...call, status: 'running', attempts: num(event.attempt) || call.attempts + 1,
          startedAt: call.startedAt ?? event.at,
        }));
        return;
      case 'tool.finished': {
        const text = typeof event.whole === 'string' ? event.whole
          : resultText(members(event.block).content);
        this.call(event, (call) => ({
          ...call, endedAt: event.at, result: text,
          status: call.status === 'unknown' ? 'unknown' : event.is_error === true ? 'failed' : 'done',
        }));
        return;
      }
      case 'tool.failed':
        this.call(event, (call) => ({
          ...call, status: event.delay_ms === undefined && event.connection === undefined ? 'failed' : 'retrying',
          error: errorText(event.error),
        }));
        return;
      default:
        this.call(event, (call) => ({
          ...call, status: 'unknown', doubted: true, endedAt: event.at,
          error: errorText(event.error),
        }));
    }
  }

  private signal(event: Event) {
    const name = str(event.signal);
    const by = str(event.by);
    const more = { ...this.raised };
    for (const [ceiling] of CEILINGS)
      if (event[ceiling] !== undefined) more[ceiling] = (more[ceiling] ?? 0) + num(event[ceiling]);
    this.raised = more;
    if (name === 'retry' || name === 'continue') this.ended = false;
    this.note(event, name === 'cancel' ? 'warn' : 'plain', signals[name] ?? `Signal ${name}`,
      [by && `by ${by}`, str(event.message)].filter(Boolean).join(': '));
  }

  private pinned(event: Event) {
    const tools = list(event.tools).map((tool) => str(members(tool).name));
    const model = str(members(event.request).model);
    const held = tools.length === 1 ? '1 tool' : `${tools.length} tools`;
    this.note(event, 'plain', 'Checked', [model, held].filter(Boolean).join(', '), tools.join('\n'));
  }

  add(event: Event) {
    switch (event.type) {
      case 'submitted':
        this.startedAt = event.at;
        this.costs = [{ at: Date.parse(event.at), usd: 0 }];
        this.note(event, 'plain', 'Submitted', '', str(members(event.task).goal));
        return;
      case 'pinned':
        this.pinned(event);
        return;
      case 'evidence':
        this.note(event, 'plain', 'The service was asked about the lost call', str(event.message));
        return;
      case 'account':
        this.note(event, event.account === undefined ? 'warn' : 'plain',
          event.account === undefined ? `No live account of ${str(event.toolkit)}` : `Account of ${str(event.toolkit)}`,
          str(event.account) || str(event.message));
        return;
      case 'started':
        this.note(event, 'plain', num(event.fence) > 1 ? 'Another worker took over' : 'A worker started the task');
        return;
      case 'released': {
        const lost = str(event.reason) === 'worker lost';
        this.note(event, lost ? 'warn' : 'plain',
          lost ? 'The worker was lost' : 'The worker released the task', lost ? '' : str(event.reason));
        return;
      }
      case 'user.message':
        this.note(event, 'plain', 'Message to the model', str(event.reason), resultText(event.content));
        return;
      case 'signal':
        this.signal(event);
        return;
      case 'waiting': {
        const { title, detail } = waitingFor({ for: event.for, message: event.message }, str(event.reason));
        this.note(event, 'warn', title, detail);
        return;
      }
      case 'completed':
        this.note(event, 'good', 'Completed');
        break;
      case 'blocked':
        this.note(event, 'bad', 'Blocked', str(event.reason));
        break;
      case 'failed':
        this.note(event, 'bad', 'Failed', errorText(event.error));
        break;
      case 'cancelled':
        this.note(event, 'bad', 'Cancelled', str(event.reason));
        break;
      default:
        if (event.type.startsWith('model.')) this.model(event);
        else if (event.type.startsWith('tool.')) this.tool(event);
        else this.note(event, 'plain', event.type);
        return;
    }
    this.ended = true;
  }

  result(seq: number): Timeline {
    const { entries, costs, startedAt, ended, raised } = this;
    return { entries, costs, seq, ended, raised, ...(startedAt === undefined ? {} : { startedAt }) };
  }
}

/* Skips events that were added before, and stops at one that leaves a gap, so that
   the missing ones are asked for again. */
export function add(before: Timeline, events: Event[]): Timeline {
  const adder = new Adder(before);
  let { seq } = before;
  for (const event of events) {
    if (event.seq <= seq) continue;
    if (event.seq !== seq + 1) break;
    adder.add(event);
    seq = event.seq;
  }
  return seq === before.seq ? before : adder.result(seq);
}
