// SPDX-License-Identifier: ISC
'use client';

import { useEffect } from 'react';
import { reach, tryToken } from '@/lib/api';
import { kept, session, signIn, signOut, type Session } from '@/lib/session';
import { askAllNow, useObservable } from './hooks';
import { Link, usePlace } from './nav';
import { NewTask } from './new-task';
import { SignIn } from './sign-in';
import { TaskScreen } from './task';
import { Tasks } from './tasks';

/* Signs in with the token that the tab has stored, or without one when a proxy
   in front of the gateway identifies the user; else shows the sign-in. */
async function begin(): Promise<void> {
  const token = kept();
  if (token !== null) {
    signIn(token, false);
    return;
  }
  const out: Session = { state: 'out', token: null };
  session.set(out);
  const known = await tryToken(null).catch(() => false);
  if (known && session.get() === out) signIn(null, false);
}

function Presence() {
  const { away, why } = useObservable(reach);
  return (
    <div className={away ? 'presence away' : 'presence'} role="status">
      {away && (
        <>
          <strong>The server is not available.</strong>
          <span>{why} Nothing is lost: this page tries again by itself.</span>
          <button type="button" onClick={askAllNow}>Try again now</button>
        </>
      )}
    </div>
  );
}

function Screen({ path, query }: { path: string; query: URLSearchParams }) {
  if (path.startsWith('/new')) return <NewTask />;
  if (path.startsWith('/task')) {
    const id = query.get('id') ?? '';
    return <TaskScreen key={id} id={id} />;
  }
  return <Tasks query={query} />;
}

export function App({ prerendered }: { prerendered: string }) {
  const { state } = useObservable(session);
  const { path, query } = usePlace(prerendered);
  const signedIn = state === 'in';
  useEffect(() => {
    if (session.get().state === 'unknown') void begin();
  }, []);
  useEffect(() => {
    if (!signedIn) document.title = 'agent-utils';
  }, [signedIn]);

  return (
    <>
      <a href="#main" className="skip">Skip to content</a>
      <header className="top">
        <div className="inner">
          <Link href="/" className="brand"><span className="mark" aria-hidden="true" /><span className="name">agent-utils</span></Link>
          <nav aria-label="Screens" hidden={!signedIn}>
            <Link href="/" aria-current={path === '/' ? 'page' : undefined}>Tasks</Link>
            <Link href="/new/" aria-current={path.startsWith('/new') ? 'page' : undefined}>New task</Link>
            <button type="button" className="plain" onClick={() => signOut()}>Sign out</button>
          </nav>
        </div>
      </header>
      <main id="main" tabIndex={-1} className="inner" aria-busy={state === 'unknown'}>
        {state === 'out' && <SignIn />}
        {signedIn && <Screen path={path} query={query} />}
      </main>
      <Presence />
    </>
  );
}
