// SPDX-License-Identifier: ISC
/* Who is signed in. A token is kept in memory, and, when its owner says so, in
   the tab's session storage: gone with the tab, never on disk for longer. */

import { observable } from './observable.ts';

export interface Session {
  /* unknown: not looked yet; out: nobody; in: with a token, or, without one,
     known to the gateway by a proxy in front of it */
  state: 'unknown' | 'out' | 'in';
  token: string | null;
  /* why somebody who was in is out */
  why?: string;
}

const NAME = 'agent-utils.token';
export const session = observable<Session>({ state: 'unknown', token: null });

function storage(): Storage | null {
  try {
    return globalThis.sessionStorage;
  } catch {
    return null; /* forbidden by the browser's settings */
  }
}

/* The token that this tab kept, if any. */
export function kept(): string | null {
  return storage()?.getItem(NAME) ?? null;
}

export function signIn(token: string | null, keep: boolean): void {
  if (keep && token !== null) storage()?.setItem(NAME, token);
  session.set({ state: 'in', token });
}

/* Somebody who leaves takes all with them; somebody whose token has ended
   finds what they were writing. */
export function signOut(why?: string): void {
  storage()?.removeItem(NAME);
  if (why === undefined) storage()?.clear();
  session.set({ state: 'out', token: null, ...(why === undefined ? {} : { why }) });
}

/* Things of one person that a reload must not lose. */
export function remember(name: string, value: unknown): void {
  try {
    if (value === undefined) storage()?.removeItem(name);
    else storage()?.setItem(name, JSON.stringify(value));
  } catch {
    /* full or forbidden: then a reload does lose it */
  }
}

export function recall(name: string): unknown {
  try {
    return JSON.parse(storage()?.getItem(name) ?? 'null');
  } catch {
    return null;
  }
}
