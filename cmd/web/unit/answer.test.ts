// SPDX-License-Identifier: ISC
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { additions, decisions, raised } from '../lib/answer.ts';
import { add, empty } from '../lib/timeline.ts';

const budget = { usd: 1, turns: 200 };
const task = { task: { goal: 'Go.', budget } };

test('what is typed is added to the ceilings that the task has', () => {
  assert.deepEqual(additions(task, { usd: ' 0.5 ', turns: '10', tokens: '7' }), { usd: 0.5, turns: 10 });
  assert.deepEqual(additions(task, { usd: '' }), {});
  assert.deepEqual(additions({}, { usd: '1' }), {});
  for (const bad of ['-1', '0', 'much', '1000001', 'Infinity'])
    assert.equal(additions(task, { usd: bad }), 'Enter more than 0 and at most 1,000,000 dollars.');
  assert.equal(additions(task, { turns: '1.5' }), 'Enter a whole number of turns.');
});

test('the budget is what it was raised to', () => {
  const at = '2026-11-24T10:00:00.000Z';
  const line = add(empty, [
    { v: 1, seq: 1, at, type: 'submitted', task: task.task },
    { v: 2, seq: 2, at, type: 'signal', signal: 'budget', usd: 0.5, turns: 3 },
    { v: 2, seq: 3, at, type: 'failed', error: { type: 'x' } },
    { v: 2, seq: 4, at, type: 'signal', signal: 'continue', message: 'On.', usd: 2, seconds: 'many' },
  ]);
  assert.deepEqual(raised(budget, line.raised), { usd: 3.5, turns: 203 });
  assert.equal(line.ended, false);
});

test('calls to decide about', () => {
  const waiting = { for: 'decision', since: '', message: '' };
  const list = [{ call: 'c1', tool: 'A', input: { a: 1 } }, { call: 'c2', tool: 'B' }];
  assert.equal(decisions({ waiting: { ...waiting, call: 'c1', decisions: list } }), list);
  assert.deepEqual(decisions({ waiting: { ...waiting, call: 'c1' } }), [{ call: 'c1', tool: 'c1' }]);
  assert.deepEqual(decisions({ waiting: { ...waiting, for: 'outage', call: 'c1' } }), []);
});
