// SPDX-License-Identifier: ISC
'use client';

import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode, type SyntheticEvent } from 'react';
import { api, passes, Refused, retryAfter, wasStopped } from '@/lib/api';
import {
  attempt, blank, checkedPart, cronLine, fieldOf, problems, taskOf, type Draft, type Field,
} from '@/lib/draft';
import { count } from '@/lib/format';
import { recall, remember } from '@/lib/session';
import type { Passed, Reason } from '@/lib/types';
import { useDebounced } from './hooks';
import { go, taskAddress } from './nav';
import { Toolkits } from './toolkits';

export const DRAFT = 'agent-utils.draft';

function stored(): Draft {
  const found = recall(DRAFT) as Partial<Draft> | null;
  return { ...blank, ...found };
}

/* Works outside of secure contexts, too, where there is no crypto.randomUUID. */
function newKey(): string {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return `web-${[...random].map((b) => b.toString(16).padStart(2, '0')).join('')}`;
}

type Check =
  | { state: 'idle' }
  | { state: 'asking' }
  | { state: 'passed'; found: Passed }
  | { state: 'refused'; reasons: Reason[]; message: string }
  | { state: 'unsure'; message: string };

/* Checks the task while it is written: a little after the last key, and again
   only when something changed that the check depends on, or when the user comes
   back to the tab after a check that failed. */
function useCheck(draft: Draft, wrong: boolean): Check {
  const [check, setCheck] = useState<Check>({ state: 'idle' });
  const [round, again] = useState(0);
  const latest = useRef('');
  const part = useDebounced(checkedPart(taskOf(draft)), 450);
  const ready = !wrong && taskOf(draft).goal !== '';
  useEffect(() => {
    latest.current = JSON.stringify(taskOf(draft));
  });
  useEffect(() => {
    const back = () => {
      if (document.visibilityState === 'visible') again((n) => n + 1);
    };
    if (check.state !== 'refused' && check.state !== 'unsure') return;
    document.addEventListener('visibilitychange', back);
    window.addEventListener('focus', back);
    const timer = check.state === 'unsure' ? window.setTimeout(back, 3000) : undefined;
    return () => {
      document.removeEventListener('visibilitychange', back);
      window.removeEventListener('focus', back);
      window.clearTimeout(timer);
    };
  }, [check]);
  useEffect(() => {
    if (!ready) return;
    const stop = new AbortController();
    const ask = async () => {
      setCheck((old) => old.state === 'idle' ? { state: 'asking' } : old);
      try {
        const found = await api.preflight(latest.current, stop.signal);
        setCheck({ state: 'passed', found });
      } catch (failure) {
        if (stop.signal.aborted || wasStopped(failure)) return;
        const message = failure instanceof Error ? failure.message : String(failure);
        if (failure instanceof Refused && (failure.status === 422 || failure.status === 400))
          setCheck({
            state: 'refused', message,
            reasons: failure.reasons.length > 0 ? failure.reasons : [{ type: failure.type, message }],
          });
        else setCheck({ state: 'unsure', message });
      }
    };
    void ask();
    return () => stop.abort();
  }, [part, round, ready]);
  return ready ? check : { state: 'idle' };
}

/* Sends the task until its submission is confirmed. The key makes that safe. */
function useSubmit(draft: Draft, change: (next: Draft) => void) {
  const [sending, setSending] = useState<'no' | 'yes' | 'again'>('no');
  const [trouble, setTrouble] = useState<Refused | Error | null>(null);
  const under = useRef(false);
  const timer = useRef<number | undefined>(undefined);
  useEffect(() => () => window.clearTimeout(timer.current), []);

  const send = (tried: Required<Draft>, tries: number) => {
    api.submit(tried.attempt.body, tried.attempt.key).then(
      ({ id }) => {
        remember(DRAFT, undefined);
        go(taskAddress(id));
      },
      (failure: unknown) => {
        if (passes(failure)) {
          setSending('again');
          const wait = Math.max(retryAfter(failure) ?? 0, Math.min(10_000, 1000 * 2 ** tries));
          timer.current = window.setTimeout(send, wait, tried, tries + 1);
          return;
        }
        under.current = false;
        setSending('no');
        setTrouble(failure instanceof Error ? failure : new Error(String(failure)));
      },
    );
  };
  const begin = () => {
    if (under.current) return;
    under.current = true;
    const tried = attempt(draft, newKey);
    change(tried);
    remember(DRAFT, tried);
    setTrouble(null);
    setSending('yes');
    send(tried, 0);
  };
  const stop = () => {
    window.clearTimeout(timer.current);
    under.current = false;
    setSending('no');
  };
  return { sending, trouble, begin, stop };
}

function Hint({ id, wrong, reasons, children }: {
  id: string; wrong?: string | undefined; reasons: Reason[]; children?: ReactNode;
}) {
  const said = wrong !== undefined ? [wrong] : reasons.map((reason) => reason.message);
  return (
    <div id={id} className={said.length > 0 ? 'hint trouble' : 'hint'}>
      {said.length > 0 ? said.map((text, i) => <p key={i}>{text}</p>) : <p>{children}</p>}
    </div>
  );
}

function Verdict({ check }: { check: Check }) {
  const say = (tone: string, title: string, text: string) => (
    <p className={`verdict ${tone}`}><strong>{title}</strong> {text}</p>
  );
  switch (check.state) {
    case 'idle': return say('', 'Not checked yet.', 'The task is checked while you write.');
    case 'asking': return say('', 'Checking…', '');
    case 'passed': return say('good', 'Ready.', count((check.found.tools ?? []).length, 'tool'));
    case 'refused': return say('bad', 'Cannot run yet.', count(check.reasons.length, 'problem') + ' to fix.');
    case 'unsure': return say('warn', 'Could not check.', check.message);
  }
}

const MODELS = ['claude-opus-5-5', 'claude-sonnet-5-5', 'claude-haiku-5-5', 'claude-fable-5-2'];

function When({ draft, set, wrong, reasons }: {
  draft: Draft; set: (part: Partial<Draft>) => void; wrong?: string | undefined; reasons: Reason[];
}) {
  const [copied, setCopied] = useState(false);
  const line = cronLine(draft, typeof window === 'undefined' ? '' : window.location.origin);
  const choice = (when: Draft['when'], label: string) => (
    <label className="radio">
      <input type="radio" name="when" checked={draft.when === when} onChange={() => set({ when })} />
      <span>{label}</span>
    </label>
  );
  return (
    <fieldset className="field">
      <legend>When</legend>
      <div className="choices">
        {choice('now', 'Now')}
        {choice('later', 'Later')}
        {choice('often', 'Run on a schedule')}
      </div>
      <div className="when-detail">
        {draft.when === 'later' && (
          <input
            type="datetime-local" aria-label="Start time" aria-describedby="when-hint" value={draft.at}
            onChange={(e) => set({ at: e.target.value })}
          />
        )}
        {draft.when === 'often' && (
          <>
            <label htmlFor="cron" className="small">Minute, hour, day, month, weekday</label>
            <input id="cron" value={draft.cron} spellCheck={false} className="mono" onChange={(e) => set({ cron: e.target.value })} />
            <pre className="cron" tabIndex={0} role="group" aria-label="Crontab line">{line}</pre>
            <button
              type="button" className="small"
              onClick={() => void navigator.clipboard.writeText(line).then(() => setCopied(true), () => undefined)}
            >{copied ? 'Copied' : 'Copy the line'}</button>
          </>
        )}
      </div>
      <Hint id="when-hint" wrong={wrong} reasons={reasons}>
        {draft.when === 'often' ? 'Add this line to the crontab of your machine. Submit, below, runs the task once now.'
          : draft.when === 'later' ? 'The task starts at this time or later. The time is your local time.'
            : 'The task starts as soon as a worker is free.'}
      </Hint>
    </fieldset>
  );
}

export function NewTask() {
  const [draft, setDraft] = useState(stored);
  const wrong = useMemo(() => problems(draft), [draft]);
  const bad = Object.keys(wrong).length > 0;
  const check = useCheck(draft, bad);
  const submit = useSubmit(draft, setDraft);
  const [empty, setEmpty] = useState(false);
  useEffect(() => {
    document.title = 'New task · agent-utils';
  }, []);
  useEffect(() => {
    remember(DRAFT, draft);
  }, [draft]);

  const set = (part: Partial<Draft>) => setDraft((old) => ({ ...old, ...part }));
  const refused = submit.trouble instanceof Refused ? submit.trouble.reasons : [];
  const reasons = check.state === 'refused' ? check.reasons : check.state === 'passed' ? [] : refused;
  const about = (field: Field | null) => reasons.filter((reason) => fieldOf(reason) === field);
  const waiting = submit.sending !== 'no';
  const send = (event: SyntheticEvent) => {
    event.preventDefault();
    const none = draft.goal.trim() === '';
    setEmpty(none);
    if (none) document.getElementById('goal')?.focus();
    else if (!bad) submit.begin();
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) send(event);
  };
  const goalTrouble = wrong.goal ?? (empty && draft.goal.trim() === '' ? 'Enter a goal.' : undefined);

  return (
    <section className="new">
      <h1 tabIndex={-1}>New task</h1>
      <form onSubmit={send} noValidate>
        <div className="left">
          <div className="field">
            <label htmlFor="goal">Goal</label>
            <textarea
              id="goal" rows={9} value={draft.goal} aria-describedby="goal-hint" aria-required="true"
              aria-invalid={goalTrouble !== undefined} onKeyDown={keys}
              placeholder="Go through the last three days of my mail, draft replies to anything urgent, create Linear tickets for the engineering ones."
              onChange={(e) => set({ goal: e.target.value })}
            />
            <Hint id="goal-hint" wrong={goalTrouble} reasons={about('goal')}>
              Describe the goal in your own words. The agent does not ask back, so include everything that matters.
            </Hint>
          </div>
          <Toolkits chosen={draft.toolkits} reasons={about('toolkits')} wrong={wrong.toolkits} choose={(toolkits) => set({ toolkits })} />
        </div>
        <div className="right">
          <div className="field">
            <label htmlFor="model">Model</label>
            <input
              id="model" list="models" value={draft.model} placeholder="Default model" spellCheck={false}
              autoComplete="off" aria-describedby="model-hint" aria-invalid={wrong.model !== undefined}
              onChange={(e) => set({ model: e.target.value })}
            />
            <datalist id="models">{MODELS.map((model) => <option key={model} value={model} />)}</datalist>
            <Hint id="model-hint" wrong={wrong.model} reasons={about('model')}>Leave this empty for the default model.</Hint>
          </div>
          <fieldset className="field">
            <legend>Budget</legend>
            <div className="pair">
              <label><span className="small">Dollars</span>
                <input inputMode="decimal" value={draft.usd} placeholder="no limit" aria-describedby="budget-hint" onChange={(e) => set({ usd: e.target.value })} />
              </label>
              <label><span className="small">Turns</span>
                <input inputMode="numeric" value={draft.turns} placeholder="200" aria-describedby="budget-hint" onChange={(e) => set({ turns: e.target.value })} />
              </label>
            </div>
            <Hint id="budget-hint" wrong={wrong.budget} reasons={about('budget')}>The task fails if it would use more.</Hint>
          </fieldset>
          <When draft={draft} set={set} wrong={wrong.when} reasons={about('when')} />
          <div className="send">
            <div role="status" aria-live="polite">
              <Verdict check={check} />
              {about(null).map((reason, i) => <p key={i} className="trouble">{reason.message}</p>)}
              {submit.trouble && reasons.length === 0 && <p className="trouble">{submit.trouble.message}</p>}
              {submit.sending === 'again' && (
                <p className="trouble">The task is saved here and is sent again as soon as the server answers. It is submitted only once.</p>
              )}
            </div>
            <div className="buttons">
              <button type="submit" className="primary" aria-disabled={waiting}>
                {submit.sending === 'again' ? 'Trying again…' : waiting ? 'Submitting…' : 'Submit'}
              </button>
              {submit.sending === 'again' && <button type="button" onClick={submit.stop}>Stop trying</button>}
            </div>
          </div>
        </div>
      </form>
    </section>
  );
}
