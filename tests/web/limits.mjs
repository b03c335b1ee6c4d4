// SPDX-License-Identifier: ISC
/* What the page must bear: output that wants to be more than text, a thousand
   tasks, a phone, the dark; and what it may weigh. */

import {
  accessible, api, browse, end, env, finish, fits, ok, origin, picture, run, same, say, scene, signIn, start,
  state, steady, until,
} from './lib.mjs';

const { TOKEN_ANA: ana } = env;
let page = await browse();
const foreign = [];
page.on('request', (r) => {
  if (new URL(r.url()).origin !== origin) foreign.push(r.url());
});

await scene('the first load', () => page, async () => {
  await page.goto(origin);
  await page.getByLabel('Token').waitFor();
  const files = await page.evaluate(() => performance.getEntriesByType('resource')
    .filter((r) => r.name.endsWith('.js')).map((r) => [new URL(r.name).pathname, r.encodedBodySize, r.decodedBodySize]));
  const sum = files.reduce((bytes, [, packed]) => bytes + packed, 0);
  say(`first load: ${files.length} scripts, ${sum} bytes of compressed JavaScript`);
  ok(files.length > 3 && files.every(([, packed, whole]) => packed > 0 && (packed < whole || whole < 1000)),
    'every script comes compressed', JSON.stringify(files));
  ok(sum < 180_000, 'the first load is less than 180 kB of compressed JavaScript', `${sum}\n${files.join('\n')}`);
  const { paint, blocked } = await page.evaluate(() => globalThis.measured);
  say(`sign in: largest paint after ${Math.round(paint)} ms, ${Math.round(blocked)} ms blocked`);
  const head = await fetch(origin);
  const policy = head.headers.get('content-security-policy') ?? '';
  ok(/script-src 'self'/.test(policy) && !/unsafe/.test(policy), 'the policy allows no inline script, and no eval', policy);
  const html = await head.text();
  ok(!/<script(?![^>]*\ssrc=)[^>]*>|<style|\sstyle=|\son\w+=/.test(html), 'and the page has none', html);
});

await scene('hostile output', () => page, async () => {
  await signIn(page, ana);
  const goal = '<img src=x onerror="window.pwned=1"> <b>bold</b> \u202egnp.exe';
  const { id } = await api(ana, '/v1/tasks', {
    method: 'POST', body: JSON.stringify({ goal, toolkits: ['notes'] }), headers: { 'Content-Type': 'application/json' },
  });
  same(await end(start('agent-worker', ['--exit-when-idle'], { stdio: 'ignore' }), 0), 0, 'a task whose model and tools are hostile');
  same(state(id), 'completed', 'it comes to its end');
  await page.getByText('<b>bold</b>').first().waitFor();
  await page.goto(`${origin}/task/?id=${id}`);
  await page.getByRole('region', { name: 'Result' }).waitFor();
  for (const call of await page.locator('.call summary').all()) await call.click();
  const main = page.locator('main');
  for (const text of ['<script>window.pwned=2</script>', '<img src=x onerror="window.pwned=3">', '<iframe srcdoc=', '<svg onload=', '[run](javascript:window.pwned=4)', '<style>*{display:none}</style>'])
    ok((await main.innerText()).includes(text), `is shown as it is: ${text}`);
  const made = await main.evaluate((element) => [...element.querySelectorAll('script, img, iframe, object, embed, form, style, link, meta, base, video, audio, [onerror], [onload], [onclick], [style]')].map((e) => e.outerHTML));
  same(made, [], 'no element was made of it');
  same(await page.evaluate(() => globalThis.pwned ?? null), null, 'nothing of it ran');
  const anchors = await main.evaluate((element) => [...element.querySelectorAll('.prose a')].map((a) => [a.getAttribute('href'), a.rel, a.target]));
  ok(anchors.length > 0 && anchors.every(([href, rel, target]) => /^https?:\/\//.test(href) && /noopener/.test(rel) && /noreferrer/.test(rel) && target === '_blank'),
    'its links go to http and https, and take nothing along', JSON.stringify(anchors));
  ok((await main.innerText()).includes('(evil.example)'), 'a link whose words say another address is followed by its host');
  ok(/\u27e8U\+202E\u27e9/.test(await page.locator('h1').innerText()), 'what reorders text is shown and not obeyed');
  same(foreign, [], 'and nothing was fetched from anywhere else');
  await accessible(page, 'hostile output');
});

await scene('a thousand tasks', () => page, async () => {
  const lines = Array.from({ length: 1000 }, (_, i) => JSON.stringify({
    user: 'ana', goal: `Sort the letters of box ${String(i).padStart(3, '0')} by sender and day, and say what is missing.`,
    queue: i % 3 ? 'default' : 'archive',
  })).join('\n');
  const made = run('agent-submit', ['--no-preflight', '--json'], lines).out.trim().split('\n').map((line) => JSON.parse(line).id);
  same(made.length, 1000, 'a thousand tasks are in the queue');
  await page.goto(origin);
  await page.locator('.row').nth(99).waitFor({ state: 'attached' });
  await steady(page, 'the list as it comes');
  await picture(page, 'tasks-thousand');
  const rows = () => page.locator('.row').count();
  const began = Date.now();
  await page.evaluate(() => {
    globalThis.measured.blocked = 0;
  });
  await until('all rows are there', async () => {
    await page.mouse.wheel(0, 4000);
    return await rows() >= 1001;
  });
  const { blocked } = await page.evaluate(() => globalThis.measured);
  say(`1001 rows, page by page while scrolling: ${Date.now() - began} ms, ${Math.round(blocked)} ms blocked`);
  const drawn = await page.locator('.row').evaluateAll((all) => all.filter((row) => row.firstElementChild?.checkVisibility({ contentVisibilityAuto: true })).length);
  ok(drawn < 60, 'only rows in sight are drawn', String(drawn));

  const name = 'Sort the letters of box 020';
  await page.getByRole('link', { name }).scrollIntoViewIfNeeded();
  run('agent-signal', ['cancel', made[20]]);
  await page.locator('.row', { hasText: name }).getByText('Cancelled').waitFor();
  ok(true, 'a row far down is up to date, too');
  await page.evaluate(() => {
    globalThis.changed = 0;
    new MutationObserver((list) => {
      globalThis.changed += list.filter((m) => !m.target.parentElement?.closest('time, .sub') && m.target.nodeName !== 'TIME').length;
    }).observe(document.querySelector('.rows'), { subtree: true, childList: true, characterData: true, attributes: true });
  });
  for (let i = 0; i < 2; i++) await page.waitForResponse((r) => /\/v1\/tasks\?/.test(r.url()));
  same(await page.evaluate(() => globalThis.changed), 0, 'a poll that brings nothing new touches no row');

  await page.getByRole('link', { name }).focus();
  await page.keyboard.press('ArrowDown');
  const focused = await page.evaluate(() => document.activeElement.textContent);
  ok(/box 019/.test(focused), 'up and down go from row to row', focused);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Sort the letters of box 019' }).waitFor();
  await page.goBack();
  await page.getByRole('link', { name }).waitFor();
  same(await rows(), 1001, 'on the way back the list is there as it was');
  await page.getByLabel('Queue').selectOption('archive');
  await page.getByRole('button', { name: 'Cancelled', exact: true }).click();
  await page.getByText('No tasks match this filter.').waitFor();
  await page.getByLabel('Queue').selectOption('');
  await page.getByRole('link', { name }).waitFor();
  same([await rows(), new URL(page.url()).search], [1, '?state=cancelled'], 'filters by state and queue, in the address');
});

for (const [theme, width, height] of [['dark', 1280, 860], ['light', 390, 844]])
  await scene(`${theme}, ${width} wide`, () => page, async () => {
    await page.context().close();
    page = await browse({ colorScheme: theme, viewport: { width, height }, isMobile: width < 500, hasTouch: width < 500 });
    const look = async (name) => {
      await accessible(page, `${name}, ${theme}, ${width} wide`);
      await fits(page, `${name}, ${theme}, ${width} wide`);
      await picture(page, `${name}-${width < 500 ? 'phone' : theme}`);
      if (width > 500) return;
      await page.setViewportSize({ width: 320, height: 640 });
      await fits(page, `${name}, 320 wide`);
      await page.setViewportSize({ width, height });
    };
    await page.goto(origin);
    await page.getByLabel('Token').waitFor();
    await look('sign-in');
    await signIn(page, ana);
    await page.locator('.row').first().waitFor();
    await look('tasks');
    await page.getByRole('button', { name: 'Completed' }).click();
    await page.locator('.row .completed').first().waitFor();
    await page.locator('.row-link').first().click();
    await page.getByRole('region', { name: 'Result' }).waitFor();
    await look('hostile');
    await page.getByRole('link', { name: 'New task' }).first().click();
    await page.getByLabel('Goal').fill('Sort my notes.');
    await page.getByRole('group', { name: 'Toolkits' }).getByRole('button', { name: /^notes/ }).click();
    await page.getByText('Ready.').waitFor();
    await page.getByText('Run on a schedule').click();
    await page.getByText('Add this line to the crontab').waitFor();
    await look('new-task');
  });

await finish();
