// SPDX-License-Identifier: ISC
/* Values as text. Pure: the clock is an argument. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const TITLE_BYTES = 80;

/* "12 s", "3 min", "2 h 5 min", "4 d": rounded, to be read quickly. */
export function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (ms < HOUR) return `${Math.floor(s / 60)} min`;
  if (ms < DAY) {
    const minutes = Math.floor((ms % HOUR) / MINUTE);
    return `${Math.floor(ms / HOUR)} h${minutes ? ` ${minutes} min` : ''}`;
  }
  return `${Math.floor(ms / DAY)} d`;
}

export function age(at: string, now: number): string {
  const then = Date.parse(at);
  return Number.isNaN(then) ? '' : duration(now - then);
}

/* The same, with parts of a second. */
export function span(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms);
}

/* Dollars with the digits that matter: $0.0514, $1.20, $1,240. */
export function money(usd: number): string {
  if (!Number.isFinite(usd) || usd <= 0) return '$0';
  if (usd < 0.0001) return '< $0.0001';
  const digits = usd < 0.1 ? 4 : usd < 100 ? 2 : 0;
  return `$${usd.toLocaleString('en-US', {
    minimumFractionDigits: digits, maximumFractionDigits: digits,
  })}`;
}

export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;
}

export function tokens(n: number): string {
  if (n < 1000) return String(n);
  if (n < 1_000_000) return `${(n / 1000).toFixed(n < 10_000 ? 1 : 0)}k`;
  return `${(n / 1_000_000).toFixed(1)}M`;
}

/* Text from a model or a tool may have characters that reorder or hide the text
   around them. They are shown by their number. Line ends and tabs stay. */
// eslint-disable-next-line no-control-regex
const tricky = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g;

export function visible(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(tricky, (c) =>
    `\u27e8U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}\u27e9`);
}

/* The first line of the goal when the whole task is known, else the shortened
   title of lists. */
export function titleOf(task: { title: string; task?: { goal: string } }): string {
  const goal = task.task?.goal.trim().split('\n', 1)[0];
  if (goal !== undefined && goal.length > 0)
    return visible(goal.length > 240 ? `${goal.slice(0, 240)}…` : goal);
  return visible(bytes(task.title) >= TITLE_BYTES ? `${task.title}…` : task.title);
}

/* A short form of a call's arguments: the plain values on a line, without ids. */
export function brief(value: unknown): string {
  if (typeof value !== 'object' || value === null) return '';
  const plain = Object.values(value).filter((v) =>
    typeof v === 'number' || (typeof v === 'string' && !/^[0-9a-f-]{16,}$/i.test(v)));
  const line = plain.map((v) => String(v).slice(0, 200).split('\n', 1)[0]).join(', ');
  return visible(line.slice(0, 200));
}

export function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

/* The address of a link that may be followed, or null: http and https only, and
   without a user name, which can make it look like another host. */
export function safeUrl(text: string): URL | null {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  const web = url.protocol === 'https:' || url.protocol === 'http:';
  return web && url.username === '' && url.password === '' ? url : null;
}

export function pretty(value: unknown): string {
  if (typeof value === 'string') {
    const first = value.trimStart()[0];
    if (first === '{' || first === '[') {
      try {
        return JSON.stringify(JSON.parse(value), null, 2);
      } catch {
        return value;
      }
    }
    return value;
  }
  return value === undefined ? '' : JSON.stringify(value, null, 2);
}
