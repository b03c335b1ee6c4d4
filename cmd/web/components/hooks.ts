// SPDX-License-Identifier: ISC
'use client';

import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { reach, retryAfter } from '@/lib/api';
import { Poller, type Outcome } from '@/lib/poll';
import { observable, type Observable } from '@/lib/observable';

export function useObservable<T>(of: Observable<T>): T {
  return useSyncExternalStore(of.subscribe, of.get, of.get);
}

const pollers = new Set<Poller>();

export function askAllNow(): void {
  for (const poller of pollers) poller.soon();
}

function seen(): void {
  for (const poller of pollers)
    if (document.visibilityState === 'hidden') poller.sleep();
    else poller.wake();
}

let listening = false;
function listen(): void {
  if (listening) return;
  listening = true;
  document.addEventListener('visibilitychange', seen);
  window.addEventListener('online', askAllNow);
  window.addEventListener('pageshow', askAllNow);
  reach.subscribe(() => {
    if (!reach.get().away) askAllNow();
  });
}

/* Polls while the component is mounted; a new value of CHANGING starts it anew. */
export function usePoller(
  ask: (signal: AbortSignal) => Promise<Outcome>,
  least: number,
  most: number,
  changing: string,
): () => void {
  const latest = useRef(ask);
  const soon = useRef<() => void>(() => undefined);
  useEffect(() => {
    latest.current = ask;
  });
  useEffect(() => {
    listen();
    const poller = new Poller((signal) => latest.current(signal), { least, most, retryAfter });
    pollers.add(poller);
    soon.current = poller.soon;
    if (document.visibilityState === 'hidden') poller.sleep();
    else poller.soon();
    return () => {
      pollers.delete(poller);
      poller.stop();
    };
  }, [least, most, changing]);
  return () => soon.current();
}

/* The time, in steps of five seconds, to show ages. All of them share one timer. */
const clock = observable(0);
let watchers = 0;
let ticking: number | undefined;

function watchClock(listener: () => void): () => void {
  const stop = clock.subscribe(listener);
  if (watchers++ === 0) {
    clock.set(Date.now());
    ticking = window.setInterval(() => clock.set(Date.now()), 5000);
  }
  return () => {
    stop();
    if (--watchers === 0) window.clearInterval(ticking);
  };
}

export function useNow(): number {
  return useSyncExternalStore(watchClock, clock.get, () => 0);
}

export function useDebounced<T>(value: T, ms: number): T {
  const [settled, settle] = useState(value);
  useEffect(() => {
    const timer = window.setTimeout(() => settle(value), ms);
    return () => window.clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
