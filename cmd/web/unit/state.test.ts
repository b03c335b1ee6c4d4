// SPDX-License-Identifier: ISC
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attempt, blank, checkedPart, cronLine, fieldOf, problems, taskOf } from '../lib/draft.ts';
import { Poller, type Outcome } from '../lib/poll.ts';
import { merge, nothing } from '../lib/tasks.ts';
import type { Row, State } from '../lib/types.ts';

function row(n: number, state: State = 'queued', seq = 1): Row {
  return {
    id: String(n).padStart(4, '0'), state, seq, user: 'ana', queue: 'default', priority: 5, title: `task ${n}`,
    created_at: '', updated_at: '', turns: 0, calls: 0, calls_unknown: 0, input_tokens: 0, output_tokens: 0,
    cache_read_tokens: 0, cache_write_tokens: 0, cost_usd: 0,
  };
}

function range(from: number, to: number): Row[] {
  return Array.from({ length: from - to + 1 }, (_, i) => row(from - i));
}

const ids = (rows: Row[]) => rows.map((r) => Number(r.id));

test('pages make one list', () => {
  let list = merge(nothing, { tasks: range(10, 6), next: '0006' }, null);
  list = merge(list, { tasks: range(5, 1), next: null }, '0006');
  assert.deepEqual(ids(list.rows), [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  assert.equal(list.next, null);
});

test('new ones at the head push nothing out', () => {
  let list = merge(nothing, { tasks: range(10, 6), next: '0006' }, null);
  list = merge(list, { tasks: range(5, 1), next: null }, '0006');
  list = merge(list, { tasks: range(13, 9), next: '0009' }, null);
  assert.deepEqual(ids(list.rows), [13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  assert.equal(list.next, null);
});

test('what is gone from a page is gone, and only there', () => {
  let list = merge(nothing, { tasks: range(10, 6), next: '0006' }, null);
  list = merge(list, { tasks: range(5, 1), next: null }, '0006');
  list = merge(list, { tasks: [row(10), row(8), row(6)], next: '0006' }, null);
  assert.deepEqual(ids(list.rows), [10, 8, 6, 5, 4, 3, 2, 1]);
  assert.deepEqual(ids(merge(list, { tasks: [], next: null }, null).rows), []);
});

test('more new ones than a page: the list begins anew', () => {
  const list = merge(nothing, { tasks: range(10, 6), next: '0006' }, null);
  assert.deepEqual(merge(list, { tasks: range(30, 26), next: '0026' }, null).next, '0026');
});

test('rows that have not changed are the same objects', () => {
  const list = merge(nothing, { tasks: range(3, 1), next: null }, null);
  assert.equal(merge(list, { tasks: range(3, 1), next: null }, null), list);
  const after = merge(list, { tasks: [row(3, 'running', 2), row(2), row(1)], next: null }, null);
  assert.equal(after.rows[1], list.rows[1]);
  assert.notEqual(after.rows[0], list.rows[0]);
});

test('a key lasts as long as the task is the same', () => {
  let n = 0;
  const key = () => `k${++n}`;
  const first = attempt({ ...blank, goal: 'Go.' }, key);
  assert.equal(attempt(first, key).attempt.key, 'k1');
  assert.equal(attempt({ ...first, goal: 'Go!' }, key).attempt.key, 'k2');
});

test('a task from the form', () => {
  assert.deepEqual(taskOf({ ...blank, goal: ' Go. ', toolkits: ['gmail'], usd: '2.5', turns: '40', model: ' m ' }),
    { goal: 'Go.', toolkits: ['gmail'], model: 'm', budget: { usd: 2.5, turns: 40 } });
  assert.deepEqual(Object.keys(problems({ ...blank, usd: '-1', model: 'a b', when: 'later' })), ['model', 'budget', 'when']);
  assert.equal(checkedPart({ goal: 'a' }), checkedPart({ goal: 'b' }));
  assert.equal(fieldOf({ type: 'connection_missing', message: '', toolkit: 'gmail' }), 'toolkits');
  assert.equal(fieldOf({ type: 'budget', message: '' }), 'budget');
});

test('a line for cron: its signs are escaped, the task is quoted', () => {
  const line = cronLine({ ...blank, goal: "100% of Ana's mail" }, 'https://a.example');
  assert.ok(line.includes("100\\% of Ana'\\''s mail"));
  assert.ok(!/[^\\]%/.test(line));
});

/* A poller on a clock of its own: step() lets the next wait pass. */
function poller(answers: (Outcome | Error)[], least = 100, most = 1000) {
  const waits: number[] = [];
  let pending: (() => void) | undefined;
  let asked = 0;
  const it = new Poller(() => {
    const answer = answers[asked++] ?? 'same';
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  }, {
    least, most, chance: () => 0.5,
    later: (fn, ms) => {
      waits.push(ms);
      pending = fn;
      return fn;
    },
    forget: () => {
      pending = undefined;
    },
  });
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const step = async () => {
    const fn = pending;
    pending = undefined;
    fn?.();
    await settle();
  };
  return { it, waits, step, settle, count: () => asked, waiting: () => pending !== undefined };
}

test('asks more slowly while nothing changes, quickly again when it does', async () => {
  const p = poller(['same', 'same', 'same', 'changed', 'same']);
  p.it.soon();
  await p.settle();
  for (let i = 0; i < 4; i++) await p.step();
  assert.deepEqual(p.waits, [100, 150, 225, 100, 150]);
});

test('after failures the waits double, up to an end', async () => {
  const p = poller(Array.from({ length: 8 }, () => new Error('away')));
  p.it.soon();
  await p.settle();
  for (let i = 0; i < 6; i++) await p.step();
  assert.deepEqual(p.waits, [1000, 2000, 4000, 8000, 15000, 15000, 15000]);
});

test('nobody looks: nothing is asked; somebody comes back: at once', async () => {
  const p = poller([]);
  p.it.soon();
  await p.settle();
  p.it.sleep();
  assert.equal(p.waiting(), false);
  p.it.wake();
  await p.settle();
  assert.equal(p.count(), 2);
  assert.equal(p.waits.at(-1), 100);
});

test('what is done is not asked again, unless somebody says so', async () => {
  const p = poller(['done', 'done']);
  p.it.soon();
  await p.settle();
  assert.equal(p.waiting(), false);
  p.it.soon();
  await p.settle();
  assert.equal(p.count(), 2);
  p.it.stop();
  p.it.soon();
  await p.settle();
  assert.equal(p.count(), 2);
});
