// SPDX-License-Identifier: ISC
/* A task that is being written, and its submission. Pure.

   An attempt to submit has a key of its own, which is stored until the outcome is
   known: sending the same task again then makes no second one. A task that was
   changed meanwhile is another task and gets another key. */

import { bytes } from './format.ts';
import type { Budget, Reason, TaskFile } from './types.ts';

export interface Draft {
  goal: string;
  toolkits: string[];
  model: string;
  usd: string;
  turns: string;
  when: 'now' | 'later' | 'often';
  /* of an <input type=datetime-local>, in local time */
  at: string;
  cron: string;
  attempt?: { key: string; body: string };
}

export const blank: Draft = {
  goal: '', toolkits: [], model: '', usd: '', turns: '', when: 'now', at: '', cron: '0 7 * * *',
};

export type Field = 'goal' | 'toolkits' | 'model' | 'budget' | 'when';

const TOOLKIT = /^[a-z0-9_-]{1,64}$/;
const MODEL = /^[A-Za-z0-9._:@/-]{1,128}$/;

export function toolkitName(text: string): string | null {
  const name = text.trim().toLowerCase();
  return TOOLKIT.test(name) ? name : null;
}

export function taskOf(draft: Draft): TaskFile {
  const task: TaskFile = { goal: draft.goal.trim() };
  if (draft.toolkits.length > 0) task.toolkits = draft.toolkits;
  if (draft.model.trim() !== '') task.model = draft.model.trim();
  const budget: Budget = {};
  if (draft.usd.trim() !== '') budget.usd = Number(draft.usd);
  if (draft.turns.trim() !== '') budget.turns = Number(draft.turns);
  if (Object.keys(budget).length > 0) task.budget = budget;
  if (draft.when === 'later' && draft.at !== '') task.not_before = new Date(draft.at).toISOString();
  return task;
}

/* The mistakes that are found without asking the gateway. */
export function problems(draft: Draft): Partial<Record<Field, string>> {
  const found: Partial<Record<Field, string>> = {};
  const usd = Number(draft.usd);
  const turns = Number(draft.turns);
  if (bytes(draft.goal) > 100_000) found.goal = 'The goal is longer than 100,000 bytes.';
  if (draft.toolkits.length > 32) found.toolkits = 'A task can have at most 32 toolkits.';
  if (draft.model.trim() !== '' && !MODEL.test(draft.model.trim()))
    found.model = 'This cannot be the name of a model.';
  if (draft.usd.trim() !== '' && !(usd > 0 && usd <= 1_000_000))
    found.budget = 'Enter more than 0 and at most 1,000,000 dollars.';
  else if (draft.turns.trim() !== '' && !(Number.isInteger(turns) && turns >= 1 && turns <= 100_000))
    found.budget = 'Enter a whole number of turns from 1 to 100,000.';
  if (draft.when === 'later' && Number.isNaN(Date.parse(draft.at)))
    found.when = 'Choose a day and a time.';
  return found;
}

/* The part of a task that a check depends on: of the goal, only that there is one. */
export function checkedPart(task: TaskFile): string {
  return JSON.stringify({ ...task, goal: task.goal === '' ? '' : 'x' });
}

/* The form's field that a reason of agent-preflight(1) is about. */
export function fieldOf(reason: Reason): Field | null {
  if (reason.toolkit !== undefined) return 'toolkits';
  const member = reason.member ?? reason.type;
  if (/goal/.test(member)) return 'goal';
  if (/model|price/.test(member)) return 'model';
  if (/budget|usd|turns/.test(member)) return 'budget';
  if (/not_before|deadline/.test(member)) return 'when';
  return reason.tool === undefined ? null : 'toolkits';
}

export function attempt(draft: Draft, newKey: () => string): Required<Draft> {
  const body = JSON.stringify(taskOf(draft));
  if (draft.attempt?.body === body) return { ...draft, attempt: draft.attempt };
  return { ...draft, attempt: { key: newKey(), body } };
}

/* TEXT quoted for a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/* The line of crontab(5) that runs the task on a schedule. The key contains the
   minute, so each time makes one task, however often it is tried. Percent signs
   are special to cron. */
export function cronLine(draft: Draft, origin: string): string {
  const task = JSON.stringify(taskOf({ ...draft, when: 'now' }));
  const command = `curl -sS --retry 5 -H "Authorization: Bearer $(cat ~/.agent-token)" ` +
    `-H "Content-Type: application/json" -H "Idempotency-Key: web-$(date +%FT%H:%M)" ` +
    `-d ${quoted(task)} ${origin}/v1/tasks`;
  return `${draft.cron.trim() || '0 7 * * *'}  ${command.replaceAll('%', '\\%')}`;
}
