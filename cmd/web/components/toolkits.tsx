// SPDX-License-Identifier: ISC
'use client';

import { useEffect, useState, type KeyboardEvent } from 'react';
import { api } from '@/lib/api';
import { toolkitName } from '@/lib/draft';
import { safeUrl } from '@/lib/format';
import type { Connection, Link, Reason } from '@/lib/types';
import { Outside } from './nav';

const NAMES = new Map([
  ['gmail', 'Gmail'], ['linear', 'Linear'], ['github', 'GitHub'], ['slack', 'Slack'], ['notion', 'Notion'],
  ['googlecalendar', 'Google Calendar'], ['googledrive', 'Google Drive'], ['hackernews', 'Hacker News'],
]);
const SUGGESTED = [...NAMES.keys()];

/* The product's name, where it is known, else the toolkit's. */
function label(toolkit: string): string {
  return NAMES.get(toolkit) ?? toolkit;
}

function active(connection: Connection | undefined): boolean {
  return connection !== undefined && /^(active|not_needed|none_needed)$/i.test(connection.state);
}

/* The user's connections, and the state of the chosen toolkits; they are read
   again when the user returns to the tab. No links are asked for here: each link
   begins a connection at the service, so one is made only when it is wanted. */
function useConnections(chosen: string[]): Map<string, Connection> {
  const [known, setKnown] = useState<Map<string, Connection>>(new Map());
  const [round, again] = useState(0);
  const names = chosen.join(',');
  useEffect(() => {
    const back = () => {
      if (document.visibilityState === 'visible') again((n) => n + 1);
    };
    document.addEventListener('visibilitychange', back);
    window.addEventListener('focus', back);
    return () => {
      document.removeEventListener('visibilitychange', back);
      window.removeEventListener('focus', back);
    };
  }, []);
  useEffect(() => {
    const stop = new AbortController();
    const read = async () => {
      const have = await api.connections([], false, stop.signal);
      const found = new Map(have.map((c) => [c.toolkit, c]));
      const missing = names === '' ? [] : names.split(',').filter((name) => !found.has(name));
      if (missing.length > 0)
        for (const c of await api.connections(missing, false, stop.signal)) found.set(c.toolkit, c);
      setKnown(found);
    };
    read().catch(() => undefined); /* the bar at the bottom shows it */
    return () => stop.abort();
  }, [names, round]);
  return known;
}

/* A link to connect a toolkit: from the refusal of the task, or made by a button,
   which says how long it lasts. */
export function Connect({ toolkit, url }: { toolkit: string; url: string | undefined }) {
  const [own, setOwn] = useState<Link>();
  const [busy, setBusy] = useState(false);
  const link = safeUrl(url ?? own?.url ?? '');
  const ask = () => {
    setBusy(true);
    api.connections([toolkit], true)
      .then((found) => setOwn(found.find((c) => c.toolkit === toolkit)?.link))
      .catch(() => undefined)
      .finally(() => setBusy(false));
  };
  if (link)
    return (
      <Outside href={link.href} className="button small">
        {url === undefined ? 'Continue to' : 'Connect'} {label(toolkit)}{url === undefined && own?.expires_at && ` (until ${new Date(own.expires_at).toLocaleTimeString()})`}<span className="visually-hidden"> (opens a new tab)</span>
      </Outside>
    );
  return <button type="button" className="small" aria-disabled={busy} onClick={ask}>Connect {label(toolkit)}</button>;
}

/* The connection's state from the check, which counts before what was read earlier. */
function ruling(toolkit: string, reason: Reason | undefined): Connection | undefined {
  if (reason?.type.startsWith('connection') !== true) return undefined;
  return { toolkit, state: reason.status ?? 'not connected' };
}

function word(connection: Connection | undefined): string {
  if (!connection) return '';
  if (active(connection)) return 'connected';
  return connection.state.toLowerCase().replaceAll('_', ' ');
}

function Chip({ name, on, connection, toggle }: {
  name: string; on: boolean; connection: Connection | undefined; toggle: () => void;
}) {
  const tone = !connection ? '' : active(connection) ? 'good' : on ? 'bad' : 'off';
  return (
    <button type="button" className={`chip ${tone}`} aria-pressed={on} onClick={toggle}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        {on ? <path d="M3 8.5l3.2 3.2L13 5" className="line thick" /> : <path d="M8 3.5v9M3.5 8h9" className="line" />}
      </svg>
      {label(name)}
      <span className="chip-state">{word(connection)}</span>
    </button>
  );
}

interface Trouble {
  toolkit: string | undefined;
  message: string;
  url: string | undefined;
}

/* Why chosen toolkits cannot be used, once for each: in the words of the check
   where it has some, else of the connection. */
function troubles(chosen: string[], known: Map<string, Connection>, reasons: Reason[]): Trouble[] {
  const said = reasons.map((reason) => ({
    toolkit: reason.type.startsWith('connection') ? reason.toolkit : undefined,
    message: reason.message, url: reason.link?.url,
  }));
  const silent = chosen.filter((name) => !reasons.some((reason) => reason.toolkit === name))
    .flatMap((name) => {
      const connection = known.get(name);
      if (!connection || active(connection)) return [];
      return [{ toolkit: name, url: undefined, message: connection.reason ?? `${label(name)} is not connected.` }];
    });
  return [...said, ...silent];
}

export function Toolkits({ chosen, reasons, wrong, choose }: {
  chosen: string[]; reasons: Reason[]; wrong?: string | undefined; choose: (toolkits: string[]) => void;
}) {
  const known = useConnections(chosen);
  const [text, setText] = useState('');
  const [unfit, setUnfit] = useState(false);
  const names = [...new Set([...known.keys(), ...SUGGESTED.slice(0, 4), ...chosen])]
    .sort((a, b) => Number(active(known.get(b))) - Number(active(known.get(a))) || a.localeCompare(b));
  const toggle = (name: string) =>
    choose(chosen.includes(name) ? chosen.filter((other) => other !== name) : [...chosen, name]);
  const addOne = () => {
    const name = toolkitName(text);
    setUnfit(name === null && text.trim() !== '');
    if (name === null) return;
    if (!chosen.includes(name)) choose([...chosen, name]);
    setText('');
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' && event.key !== ',') return;
    event.preventDefault();
    addOne();
  };
  const said = troubles(chosen, known, reasons);
  const ruled = new Map(reasons.map((reason) => [reason.toolkit, reason]));

  return (
    <fieldset className="field toolkits" aria-describedby="toolkits-hint">
      <legend>Toolkits</legend>
      <div className="chips">
        {names.map((name) => (
          <Chip key={name} name={name} on={chosen.includes(name)} connection={ruling(name, ruled.get(name)) ?? known.get(name)} toggle={() => toggle(name)} />
        ))}
        <span className="add">
          <input
            aria-label="Add a toolkit" placeholder="add…" list="toolkit-names" value={text} spellCheck={false}
            autoCapitalize="none" aria-invalid={unfit} onChange={(e) => setText(e.target.value)} onKeyDown={keys} onBlur={addOne}
          />
          <datalist id="toolkit-names">{SUGGESTED.map((name) => <option key={name} value={name} />)}</datalist>
        </span>
      </div>
      <div id="toolkits-hint" className="hint">
        {wrong ?? (unfit ? 'A toolkit name has lower-case letters, digits, _ and -.' : 'The agent can use these through your accounts.')}
      </div>
      <ul className="reasons" aria-live="polite">
        {said.map((t, i) => (
          <li key={`${t.toolkit ?? ''} ${i}`}>
            <span>{t.message}</span>
            {t.toolkit !== undefined && <Connect toolkit={t.toolkit} url={t.url} />}
          </li>
        ))}
      </ul>
    </fieldset>
  );
}
