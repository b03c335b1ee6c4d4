// SPDX-License-Identifier: ISC
/* The gateway's answers: cmd/gateway/openapi.json is the contract. */

export const STATES = [
  'queued', 'running', 'waiting', 'completed', 'blocked', 'failed', 'cancelled',
] as const;
export type State = (typeof STATES)[number];

export interface Waiting {
  for: string;
  since: string;
  until?: string;
  message: string;
  link?: string;
  call?: string;
  toolkit?: string;
  decisions?: { call: string; tool: string; input?: unknown }[];
}

export interface Row {
  id: string;
  state: State;
  reason?: string;
  waiting?: Waiting;
  user: string;
  queue: string;
  priority: number;
  title: string;
  created_at: string;
  updated_at: string;
  due?: string;
  worker?: string;
  seq: number;
  turns: number;
  calls: number;
  calls_unknown: number;
  input_tokens: number;
  output_tokens: number;
  cache_read_tokens: number;
  cache_write_tokens: number;
  cost_usd: number;
}

export interface Budget {
  turns?: number;
  usd?: number;
  tokens?: number;
  seconds?: number;
}

export interface TaskFile {
  goal: string;
  toolkits?: string[];
  tools?: string[];
  model?: string;
  not_before?: string;
  budget?: Budget;
}

export interface Task extends Row {
  task?: TaskFile;
  progress?: string;
  result?: string;
  error?: { type: string; message?: string };
}

export interface TaskPage {
  tasks: Row[];
  next: string | null;
}

export interface Link {
  url: string;
  expires_at?: string;
}

export interface Reason {
  type: string;
  message: string;
  toolkit?: string;
  tool?: string;
  member?: string;
  status?: string;
  link?: Link;
}

export interface Passed {
  ok: true;
  accounts?: Record<string, string>;
  tools?: string[];
  warnings?: { type: string; message: string }[];
}

export interface Connection {
  toolkit: string;
  state: string;
  account?: string;
  reason?: string;
  link?: Link;
}

export interface QueueDepth {
  workers?: number;
}

/* An event of agent-journal(5). Other members depend on the type, and are not
   trusted to have the right form. */
export interface Event {
  v: number;
  seq: number;
  at: string;
  type: string;
  [member: string]: unknown;
}

export interface EventPage {
  events: Event[];
  next: number;
  ended: boolean;
}

export function hasEnded(state: State): boolean {
  return state === 'completed' || state === 'blocked' || state === 'failed' ||
    state === 'cancelled';
}
