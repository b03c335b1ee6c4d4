// SPDX-License-Identifier: ISC
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { add, empty, type Call, type Turn } from '../lib/timeline.ts';
import type { Event } from '../lib/types.ts';

function journal(...members: (Record<string, unknown> & { type: string })[]): Event[] {
  return members.map((m, i) => ({ v: 1, seq: i + 1, at: `2026-11-24T10:00:0${i % 10}.000Z`, ...m }));
}

const reply = {
  type: 'model.replied', turn: 1, nano_usd: 2_000_000,
  content: [
    { type: 'thinking', thinking: 'hm' },
    { type: 'text', text: 'I will.' },
    { type: 'tool_use', id: 'c1', name: 'MAKE', input: { a: 1 } },
    { type: 'server_thing' },
  ],
  stop_reason: 'tool_use', usage: { input: 3, output: 4, cache_read: 5, cache_write: 6 },
};

const whole = journal(
  { type: 'submitted', task: { goal: 'Go.' } },
  { type: 'started', worker: 'w', fence: 1 },
  { type: 'model.started', turn: 1, attempt: 1 },
  reply,
  { type: 'tool.started', call: 'c1', tool: 'MAKE', attempt: 1 },
  { type: 'released', worker: 'w', reason: 'worker lost' },
  { type: 'started', worker: 'v', fence: 2 },
  { type: 'tool.unknown', call: 'c1', attempt: 1, error: { type: 'worker_lost', message: 'lost' } },
  { type: 'tool.finished', call: 'c1', block: { content: 'may have taken effect' }, is_error: true },
  { type: 'completed', result: 'Done.' },
);

function turnOf(line: ReturnType<typeof add>): Turn {
  const turn = line.entries.find((e) => e.kind === 'turn');
  assert.ok(turn?.kind === 'turn');
  return turn;
}

function callOf(turn: Turn): Call {
  const part = turn.parts.find((p) => p.kind === 'call');
  assert.ok(part?.kind === 'call');
  return part.call;
}

test('a turn has its thinking, its text and its calls', () => {
  const line = add(empty, whole);
  const turn = turnOf(line);
  assert.deepEqual(turn.parts.map((p) => p.kind), ['thinking', 'text', 'call', 'other']);
  assert.equal(turn.tokensIn, 14);
  assert.equal(line.costs.at(-1)?.usd, 0.002);
  assert.equal(line.ended, true);
});

test('a call in doubt stays in doubt', () => {
  const call = callOf(turnOf(add(empty, whole)));
  assert.equal(call.status, 'unknown');
  assert.equal(call.doubted, true);
  assert.equal(call.result, 'may have taken effect');
});

test('the same, event by event and with repeats', () => {
  let line = empty;
  for (const event of whole) line = add(line, [event]);
  assert.deepEqual(line, add(empty, whole));
  assert.equal(add(line, whole), line);
  assert.deepEqual(add(add(empty, whole.slice(0, 6)), whole.slice(3)), line);
});

test('a gap is not jumped over', () => {
  assert.equal(add(add(empty, whole.slice(0, 2)), whole.slice(3)).seq, 2);
});

test('what has not changed stays the same object', () => {
  const before = add(empty, whole.slice(0, 5));
  const after = add(before, whole.slice(5, 6));
  assert.equal(after.entries[0], before.entries[0]);
  assert.equal(turnOf(after), turnOf(before));
  assert.notEqual(turnOf(add(after, whole.slice(6, 8))), turnOf(before));
  assert.equal(callOf(turnOf(before)).status, 'running');
});

test('a turn that begins again stands after what broke it off', () => {
  const line = add(empty, journal(
    { type: 'submitted', task: { goal: 'Go.' } },
    { type: 'model.started', turn: 1, attempt: 1 },
    { type: 'released', reason: 'worker lost' },
    { type: 'model.started', turn: 1, attempt: 2 },
  ));
  assert.deepEqual(line.entries.map((e) => e.key), ['e1', 'e3', 't1']);
});

test('nothing about an event is taken for granted', () => {
  const odd = journal(
    { type: 'submitted', task: null },
    { type: 'no.such.type', x: 1 },
    { type: 'model.replied', turn: 'x', content: 'y', usage: 7 },
    { type: 'model.started' },
    { type: 'model.replied', turn: 0, content: [null, 3, { type: 4 }], nano_usd: 'much' },
    { type: 'tool.finished', call: { a: 1 }, block: [] },
    { type: 'signal', signal: 9 },
    { type: 'waiting' },
    { type: 'failed', error: 'x' },
  );
  assert.equal(add(empty, odd).seq, odd.length);
});
