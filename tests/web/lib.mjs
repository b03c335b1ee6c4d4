// SPDX-License-Identifier: ISC
/* What the tests of the web page share: TAP, processes, a browser, and looking
   again until something holds. tests/web.sh starts the gateway, and says in the
   environment where things are. */

import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url); /* NODE_PATH counts for it */
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const env = process.env;
export const origin = env.ORIGIN;
const scratch = env.T;

// ---- TAP ----

let count = 0;
let failed = 0;

export function ok(holds, name, said = '') {
  count++;
  if (!holds) failed++;
  console.log(`${holds ? 'ok' : 'not ok'} ${count} - ${name}`);
  if (!holds && said !== '') console.log(String(said).split('\n').slice(0, 40).map((line) => `# ${line}`).join('\n'));
}

export function same(got, wanted, name) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  ok(a === b, name, `wanted: ${b}\ngot:    ${a}`);
}

export function say(text) {
  console.log(`# ${text}`);
}

/* A scene that breaks off is one failure, and ends the play: the next one would
   stand on nothing. KEEP=1 keeps a picture of where it was. */
let broken = false;

export async function scene(name, page, play) {
  if (broken) return;
  try {
    await play();
  } catch (error) {
    broken = true;
    ok(false, `${name}: it came to its end`, error.stack ?? error);
    if (env.KEEP) await page()?.screenshot({ path: join(scratch, `${name.replaceAll(/\W+/g, '-')}.png`) }).catch(() => undefined);
  }
}

// ---- processes ----

const children = new Set();

export function start(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options });
  children.add(child);
  child.ended = new Promise((resolve) => child.on('exit', (code, signal) => {
    children.delete(child);
    resolve(signal ?? code);
  }));
  return child;
}

export async function end(child, signal = 'SIGTERM') {
  child.kill(signal);
  return child.ended;
}

export function run(program, args, input) {
  const done = spawnSync(program, args, { encoding: 'utf8', input, maxBuffer: 1 << 28 });
  return { code: done.status, out: done.stdout, err: done.stderr };
}

export function events(id) {
  return run('agent-status', ['--events', id]).out.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

export function state(id) {
  return JSON.parse(run('agent-status', ['--json', id]).out || '{}').state;
}

export function ledger() {
  return readFileSync(join(scratch, 'ledger'), 'utf8').trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

/* Looks again every 20 ms until it holds. */
export async function until(what, look, seconds = 30) {
  const last = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > last) throw new Error(`not in ${seconds} seconds: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// ---- the gateway ----

const answers = () => fetch(`${origin}/healthz`).then((r) => r.ok, () => false);

/* The one that tests/web.sh has started. */
let gateway = {
  end: () => process.kill(Number(env.SERVER), 'SIGTERM'),
};

export async function openGateway() {
  const child = start('/bin/sh', ['-c', `exec ${env.GATEWAY}`]);
  gateway = { end: () => end(child) };
  await until('the gateway answers', answers);
}

export async function closeGateway() {
  await gateway.end();
  await until('the gateway is gone', async () => !await answers());
}

export async function api(token, path, init = {}) {
  const answer = await fetch(origin + path, { ...init, headers: { Authorization: `Bearer ${token}`, ...init.headers } });
  return answer.json();
}

// ---- the browser ----

const flags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];
const browsers = [];

/* What the page may not do: break, or want what its policy forbids. */
export const faults = [];

export async function browse(options = {}) {
  const browser = await chromium.launchPersistentContext(mkdtempSync(join(scratch, 'profile.')), {
    executablePath: env.CHROMIUM, headless: true, args: flags,
    viewport: { width: 1280, height: 860 }, reducedMotion: 'reduce', ...options,
  });
  browsers.push(browser);
  browser.setDefaultTimeout(20_000);
  await browser.addInitScript(() => {
    const seen = { shift: 0, shifts: [], paint: 0, blocked: 0 };
    globalThis.measured = seen;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        if (entry.hadRecentInput) continue;
        seen.shift += entry.value;
        for (const source of entry.sources)
          seen.shifts.push(`${entry.value.toFixed(4)} ${source.node?.nodeName} ${source.node?.className}`);
      }
    }).observe({ type: 'layout-shift', buffered: true });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) seen.paint = entry.startTime;
    }).observe({ type: 'largest-contentful-paint', buffered: true });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) seen.blocked += Math.max(0, entry.duration - 50);
    }).observe({ type: 'longtask', buffered: true });
  });
  const page = browser.pages()[0] ?? await browser.newPage();
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (/Content.Security.Policy|hydrat|Minified React error/i.test(message.text())) faults.push(message.text());
  });
  return page;
}

export async function shut(page) {
  await page.context().close();
  browsers.splice(browsers.indexOf(page.context()), 1);
}

export async function signIn(page, token) {
  await page.goto(origin);
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Tasks' }).waitFor();
}

export async function accessible(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }));
  ok(violations.length === 0, `axe finds nothing: ${name}`,
    violations.map((v) => `${v.id}: ${v.help}\n  ${v.nodes.map((n) => `${n.html.slice(0, 160)} ${n.any.map((a) => a.message).join('; ').slice(0, 200)}`).join('\n  ')}`).join('\n'));
}

export async function steady(page, name) {
  const { shift, shifts } = await page.evaluate(() => globalThis.measured);
  ok(shift < 0.01, `nothing moves under the eyes: ${name}`, `${shift}\n${shifts.join('\n')}`);
}

export async function fits(page, name) {
  const [wide, view] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  ok(wide <= view, `nothing is wider than the screen: ${name}`, `${wide} > ${view}`);
}

/* Into cmd/web/screenshots, only when asked for with SCREENSHOTS=1. */
export async function picture(page, name, options = {}) {
  if (!env.SCREENSHOTS) return;
  const folder = join(env.TOP, 'cmd/web/screenshots');
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled', ...options });
}

export async function finish() {
  same(faults, [], 'no page broke, and none wanted what its policy forbids');
  for (const browser of [...browsers]) await browser.close().catch(() => undefined);
  for (const child of [...children]) await end(child, 'SIGKILL');
  console.log(`1..${count}`);
  process.exit(failed === 0 ? 0 : 1);
}
