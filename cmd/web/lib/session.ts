// SPDX-License-Identifier: ISC
/* The signed-in user. The token is in memory, and, if the user wants to stay
   signed in, in the tab's session storage, which ends with the tab. */

import { observable } from './observable.ts';

export interface Session {
  /* unknown: not checked yet; out: not signed in; in: with a token, or without
     one when a proxy in front of the gateway identifies the user */
  state: 'unknown' | 'out' | 'in';
  token: string | null;
  /* why the user was signed out */
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

/* The token that this tab has stored, if any. */
export function kept(): string | null {
  return storage()?.getItem(NAME) ?? null;
}

export function signIn(token: string | null, keep: boolean): void {
  if (keep && token !== null) storage()?.setItem(NAME, token);
  session.set({ state: 'in', token });
}

/* A user who signs out leaves nothing behind; one whose token became invalid (WHY)
   finds the draft again. */
export function signOut(why?: string): void {
  storage()?.removeItem(NAME);
  if (why === undefined) storage()?.clear();
  session.set({ state: 'out', token: null, ...(why === undefined ? {} : { why }) });
}

/* Stores what a reload must not lose. */
export function remember(name: string, value: unknown): void {
  try {
    if (value === undefined) storage()?.removeItem(name);
    else storage()?.setItem(name, JSON.stringify(value));
  } catch {
    /* the storage is full or forbidden: a reload loses it */
  }
}

export function recall(name: string): unknown {
  try {
    return JSON.parse(storage()?.getItem(name) ?? 'null');
  } catch {
    return null;
  }
}
