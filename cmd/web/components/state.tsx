// SPDX-License-Identifier: ISC
import type { State } from '@/lib/types';

const words: Record<State, string> = {
  queued: 'Queued',
  running: 'Running',
  waiting: 'Waiting',
  completed: 'Completed',
  blocked: 'Blocked',
  failed: 'Failed',
  cancelled: 'Cancelled',
};

export function stateWord(state: State): string {
  return words[state];
}

function Shape({ state }: { state: State }) {
  switch (state) {
    case 'queued': return <circle cx="8" cy="8" r="5" className="line dashed" />;
    case 'running': return <><circle cx="8" cy="8" r="6" className="line faint" /><path d="M8 2a6 6 0 0 1 6 6" className="line turning" /></>;
    case 'waiting': return <path d="M5.5 3.5v9M10.5 3.5v9" className="line thick" />;
    case 'completed': return <path d="M3 8.5l3.2 3.2L13 5" className="line thick" />;
    case 'blocked': return <><circle cx="8" cy="8" r="5.5" className="line" /><path d="M4.2 11.8l7.6-7.6" className="line" /></>;
    case 'failed': return <path d="M4 4l8 8M12 4l-8 8" className="line thick" />;
    case 'cancelled': return <path d="M3.5 8h9" className="line thick" />;
  }
}

/* Shows the state as a shape and a word, not by colour alone. */
export function StateMark({ state }: { state: State }) {
  return (
    <span className={`state ${state}`}>
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><Shape state={state} /></svg>
      {words[state]}
    </span>
  );
}
