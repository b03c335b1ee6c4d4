// SPDX-License-Identifier: ISC
/* What a person says to a task that waits or has ended. Pure. */

import type { Budget, Task } from './types.ts';

export type Signal = 'cancel' | 'pause' | 'resume' | 'approve' | 'deny' | 'budget' | 'retry' | 'continue';

/* The body of a signal. */
export interface SignalBody extends Budget {
  signal: Signal;
  call?: string;
  all?: true;
  message?: string;
}

export type Ceiling = keyof Budget;

export const CEILINGS: [Ceiling, string][] = [
  ['usd', 'dollars'], ['turns', 'turns'], ['tokens', 'tokens'], ['seconds', 'seconds'],
];

/* What is added to the ceilings that TASK has, from what was typed for each; a
   sentence when one of them cannot be. */
export function additions(task: Pick<Task, 'task'>, typed: Partial<Record<Ceiling, string>>): Budget | string {
  const more: Budget = {};
  for (const [name, word] of CEILINGS) {
    const text = typed[name]?.trim() ?? '';
    if (text === '' || task.task?.budget?.[name] === undefined) continue;
    const value = Number(text);
    if (!(value > 0 && value <= 1e12) || (name === 'usd' ? value > 1_000_000 : !Number.isInteger(value)))
      return name === 'usd' ? 'Enter more than 0 and at most 1,000,000 dollars.' : `Enter a whole number of ${word}.`;
    more[name] = value;
  }
  return more;
}

/* The calls that a person decides about. */
export function decisions(task: Pick<Task, 'waiting'>): { call: string; tool: string; input?: unknown }[] {
  const { waiting } = task;
  if (waiting?.for !== 'decision') return [];
  if (waiting.decisions && waiting.decisions.length > 0) return waiting.decisions;
  return waiting.call === undefined ? [] : [{ call: waiting.call, tool: waiting.call }];
}

/* The ceilings of BUDGET with what was added to them. */
export function raised(budget: Budget, more: Budget): Budget {
  const sum = { ...budget };
  for (const [name] of CEILINGS)
    if (sum[name] !== undefined) sum[name] += more[name] ?? 0;
  return sum;
}
