// SPDX-License-Identifier: ISC
'use client';

import { useState, type SyntheticEvent } from 'react';
import { passes, tryToken } from '@/lib/api';
import { session, signIn } from '@/lib/session';
import { useObservable } from './hooks';

export function SignIn() {
  const { why } = useObservable(session);
  const [token, setToken] = useState('');
  const [keep, setKeep] = useState(true);
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState('');

  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    const given = token.trim();
    if (given === '' || busy) {
      setTrouble(given === '' ? 'Paste your token first.' : trouble);
      return;
    }
    setBusy(true);
    setTrouble('');
    tryToken(given).then(
      (taken) => taken ? signIn(given, keep) : setTrouble('This token is not valid. It may be mistyped, expired or revoked.'),
      (failure: unknown) => setTrouble(passes(failure) ? 'The server cannot be reached now. Try again in a moment.' : (failure as Error).message),
    ).finally(() => setBusy(false));
  };

  return (
    <section className="sign-in">
      <h1 tabIndex={-1}>Sign in</h1>
      <p className="lead">Sign in with your token to see your tasks and to add new ones. Tasks run whether or not you are signed in.</p>
      <form onSubmit={submit} noValidate>
        <label htmlFor="token">Token</label>
        <input
          id="token" name="token" type="password" autoComplete="off" spellCheck={false}
          autoCapitalize="none" placeholder="agt_…" value={token} aria-describedby="token-hint token-trouble"
          aria-invalid={trouble !== ''} onChange={(e) => setToken(e.target.value)}
        />
        <p id="token-hint" className="hint">The administrator of the gateway makes one with <code>agent-token new USER</code>.</p>
        <label className="check">
          <input type="checkbox" checked={keep} onChange={(e) => setKeep(e.target.checked)} />
          <span>Stay signed in until this tab is closed</span>
        </label>
        <p id="token-trouble" className="trouble" role="alert">{trouble || why}</p>
        <button type="submit" className="primary" aria-disabled={busy}>{busy ? 'Signing in…' : 'Sign in'}</button>
      </form>
    </section>
  );
}
