// SPDX-License-Identifier: ISC
'use client';

/* Goes from screen to screen without a request to the server, so that it works
   while the server is not available: each address is a static page that has all
   screens. */

import { useSyncExternalStore, type AnchorHTMLAttributes, type MouseEvent, type ReactNode } from 'react';

const listeners = new Set<() => void>();

function tell(): void {
  for (const listener of [...listeners]) listener();
}

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) window.addEventListener('popstate', tell);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) window.removeEventListener('popstate', tell);
  };
}

function here(): string {
  return window.location.pathname + window.location.search;
}

export interface Place {
  path: string;
  query: URLSearchParams;
}

export function usePlace(prerendered: string): Place {
  const address = useSyncExternalStore(subscribe, here, () => prerendered);
  const [path = '/', query = ''] = address.split('?');
  return { path, query: new URLSearchParams(query) };
}

export function go(href: string, replace = false): void {
  if (replace) window.history.replaceState(null, '', href);
  else {
    window.history.pushState(null, '', href);
    window.scrollTo(0, 0);
  }
  tell();
  if (!replace) document.querySelector<HTMLElement>('main h1')?.focus({ preventScroll: true });
}

interface Props extends AnchorHTMLAttributes<HTMLAnchorElement> {
  href: string;
  children: ReactNode;
}

export function Link({ href, children, ...rest }: Props) {
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(href);
  };
  return <a href={href} onClick={follow} {...rest}>{children}</a>;
}

/* A link to another site, which learns nothing about this page. */
export function Outside({ href, children, className }: { href: string; children: ReactNode; className?: string }) {
  return (
    <a href={href} className={className} target="_blank" rel="noopener noreferrer nofollow">{children}</a>
  );
}

export function taskAddress(id: string): string {
  return `/task/?id=${encodeURIComponent(id)}`;
}
