// SPDX-License-Identifier: ISC
/* Polls without being a burden: quickly while things change, ever more slowly
   while they do not, at once when the user comes back to the tab, and not at all
   while the tab is hidden. After a failure the waits double, with some chance in
   them, so that a thousand pages do not return at the same moment. */

export type Outcome = 'changed' | 'same' | 'done';

export interface Options {
  /* milliseconds between two requests: while things change, and at most */
  least: number;
  most: number;
  /* the wait that a failure asks for, in milliseconds, or undefined */
  retryAfter?: (failure: unknown) => number | undefined;
  /* the rest is for tests */
  later?: (fn: () => void, ms: number) => unknown;
  forget?: (timer: unknown) => void;
  chance?: () => number;
}

const FAILURE_FIRST = 1000;
const FAILURE_MOST = 15_000;

export class Poller {
  private timer: unknown;
  private running: AbortController | undefined;
  private again = false;
  private stopped = false;
  private asleep = false;
  private failures = 0;
  private wait: number;

  constructor(
    private readonly ask: (signal: AbortSignal) => Promise<Outcome>,
    private readonly options: Options,
  ) {
    this.wait = options.least;
  }

  /* Asks at once, or as soon as the request under way is answered. */
  soon = (): void => {
    if (this.stopped) return;
    this.wait = this.options.least;
    if (this.running) {
      this.again = true;
      return;
    }
    this.clear();
    void this.run();
  };

  /* The tab is hidden: the next request waits for wake(). */
  sleep(): void {
    this.asleep = true;
    this.clear();
  }

  wake(): void {
    this.asleep = false;
    this.soon();
  }

  stop(): void {
    this.stopped = true;
    this.clear();
    this.running?.abort();
  }

  private clear(): void {
    if (this.timer !== undefined) (this.options.forget ?? clearTimer)(this.timer);
    this.timer = undefined;
  }

  /* The wait before the next request, where DELAY is what the last answer wants;
     undefined: none by itself. soon() or sleep() may have been called meanwhile. */
  private next(delay: number | undefined): number | undefined {
    if (this.stopped || this.asleep) return undefined;
    return this.again ? 0 : delay;
  }

  private async run(): Promise<void> {
    this.running = new AbortController();
    this.again = false;
    const delay = this.next(await this.once(this.running.signal));
    this.running = undefined;
    if (delay === undefined) return;
    this.timer = (this.options.later ?? setTimer)(() => {
      this.timer = undefined;
      void this.run();
    }, delay);
  }

  private async once(signal: AbortSignal): Promise<number | undefined> {
    try {
      const outcome = await this.ask(signal);
      this.failures = 0;
      if (outcome === 'done') return undefined;
      if (outcome === 'changed') this.wait = this.options.least;
      const delay = this.wait;
      this.wait = Math.min(this.options.most, this.wait * 1.5);
      return delay;
    } catch (failure) {
      const doubled = Math.min(FAILURE_MOST, FAILURE_FIRST * 2 ** this.failures++);
      const spread = doubled * (0.75 + 0.5 * (this.options.chance ?? Math.random)());
      return Math.max(spread, this.options.retryAfter?.(failure) ?? 0);
    }
  }
}

function setTimer(fn: () => void, ms: number): unknown {
  return globalThis.setTimeout(fn, ms);
}

function clearTimer(timer: unknown): void {
  globalThis.clearTimeout(timer as number);
}
