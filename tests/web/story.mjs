// SPDX-License-Identifier: ISC
/* The mail triage, from sign-in to result, while its worker is killed and there is
   none for a while; a connection that has expired; a gateway that stops and starts
   again; and two users who do not see each other's tasks. */

import {
  accessible, api, browse, closeGateway, end, env, events, finish, ledger, ok, openGateway, origin,
  picture, same, scene, shut, signIn, start, state, steady, until,
} from './lib.mjs';

const GOAL = 'Go through the last three days of my mail, draft replies to anything urgent, create Linear tickets for the engineering ones.';
const { TOKEN_ANA: ana, TOKEN_BEN: ben } = env;

let page = await browse();
let id;

const worker = (...more) => start('agent-worker', more, { stdio: 'ignore' });
const idOf = () => new URL(page.url()).searchParams.get('id');
const stateOnPage = (word) => page.locator('.numbers .state', { hasText: word }).waitFor();
const choose = (toolkit) => page.getByRole('group', { name: 'Toolkits' }).getByRole('button', { name: new RegExp(`^${toolkit}`) }).click();
const links = (toolkit) => page.getByRole('link', { name: `Continue to ${toolkit}` });

await scene('sign in', () => page, async () => {
  await page.goto(origin);
  await page.getByLabel('Token').fill('agt_nobody_nothing');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('This token is not valid.').waitFor();
  ok(true, 'a token that is none is refused, in words');
  await accessible(page, 'sign in');
  await picture(page, 'sign-in');
  await steady(page, 'sign in');
  await signIn(page, ana);
  await page.getByText('There are no tasks yet.').waitFor();
  await page.getByText('No worker is running').waitFor();
  ok(true, 'signed in: an empty list, and word that no worker is running');
  same(await page.evaluate(() => [localStorage.length, document.cookie]), [0, ''], 'the token is in no cookie and no local storage');
});

await scene('new task', () => page, async () => {
  await page.getByRole('link', { name: 'New task' }).first().click();
  const submits = [];
  page.on('request', (r) => r.method() === 'POST' && r.url().endsWith('/v1/tasks') && submits.push(r.headers()['idempotency-key']));
  await page.getByLabel('Goal').pressSequentially(GOAL, { delay: 2 });
  await choose('Gmail');
  await choose('Linear');
  await page.getByText('Ready.').waitFor();
  ok(true, 'the pre-flight passes as the task is written');
  await page.getByRole('button', { name: /^Gmail connected/ }).waitFor();
  ok(true, 'the chips say what is connected');
  await page.getByLabel('Dollars').fill('5');
  await page.getByText('Ready.').waitFor();
  await accessible(page, 'new task');
  await picture(page, 'new-task');
  await page.getByRole('button', { name: 'Submit' }).dblclick();
  await page.waitForURL('**/task/?id=*');
  id = idOf();
  await stateOnPage('Queued');
  ok(submits.length === 1 && /^web-[0-9a-f]{32}$/.test(submits[0]), 'a double click sends once, with a key', submits);
  same((await api(ana, '/v1/tasks')).tasks.map((t) => t.id), [id], 'and makes one task, which is shown at once');
  await page.getByText('Waiting for a worker').waitFor();
});

await scene('the worker is killed', () => page, async () => {
  const killed = worker();
  const under = await until('a draft is being made', () => {
    const all = events(id);
    const done = new Set(all.filter((e) => e.type === 'tool.finished').map((e) => e.call));
    return all.find((e) => e.type === 'tool.started' && /_CREATE_/.test(e.tool) && !done.has(e.call));
  });
  await end(killed, 'SIGKILL');
  ok(/_CREATE_/.test(under.tool), 'the worker is killed while a call is under way');
  await page.locator('.call', { hasText: under.tool }).first().waitFor();
  await page.getByText('Thinking').first().waitFor();
  ok(true, 'the journal shows the call, and what the model thought');
  await page.getByRole('link', { name: 'Tasks' }).first().click();
  await page.getByText('No worker is running').waitFor();
  await page.getByRole('link', { name: /Go through the last three days/ }).click();
  ok(['running', 'queued'].includes(state(id)), 'with no worker at all the task is there, and waits');
  await steady(page, 'list and task while nothing works');

  const second = worker();
  await page.getByTestId('progress').waitFor();
  ok(true, 'text is shown as it is written');
  await page.getByText('The worker was lost', { exact: true }).waitFor();
  await page.locator('.call', { hasText: 'in doubt' }).first().waitFor();
  ok(true, 'the calls that were under way are marked as in doubt');
  await picture(page, 'task-running');
  await stateOnPage('Completed');
  await page.getByRole('region', { name: 'Result' }).getByText(/Urgent: 3/).waitFor();
  ok(true, 'another worker brings it to its result, on the page without a reload');
  await steady(page, 'a task that goes on and ends');
  same(ledger().filter((call) => !call.read_only && call.times > 1), [], 'nothing was done twice');
  await end(second);
});

await scene('a look at the whole', () => page, async () => {
  await page.reload();
  await page.getByRole('region', { name: 'Result' }).waitFor();
  ok(true, 'after a reload one is still signed in, and the result comes first');
  const call = page.locator('.call', { hasText: 'LINEAR_CREATE' }).last();
  same(await call.locator('pre').count(), 0, 'arguments and results are folded');
  await call.locator('summary').click();
  await call.getByRole('group', { name: 'Arguments' }).getByText('team_id').waitFor();
  ok(await call.locator('pre').count() >= 2, 'and open at a click');
  await page.getByRole('img', { name: /^Cost rose to \$0\.\d+ in/ }).waitFor();
  ok(true, 'the chart says in words how the cost rose');
  await accessible(page, 'a task that has ended');
  await page.setViewportSize({ width: 1280, height: 2400 });
  await page.evaluate(() => window.scrollTo(0, 0));
  await picture(page, 'task');
  await page.setViewportSize({ width: 1280, height: 860 });
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.evaluate(() => window.scrollTo(0, 0));
  await picture(page, 'task-dark');
  await page.setViewportSize({ width: 390, height: 844 });
  await picture(page, 'task-phone');
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1280, height: 860 });
});

await scene('pause, resume, cancel', () => page, async () => {
  await page.getByRole('button', { name: 'Run again' }).click();
  await page.getByText('Ready.').waitFor();
  same(await page.getByLabel('Goal').inputValue(), GOAL, 'an ended task can be used for a new one');
  await page.getByRole('button', { name: 'Submit' }).click();
  await page.waitForURL('**/task/?id=*');
  await stateOnPage('Queued');
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('region', { name: 'Paused' }).waitFor();
  await accessible(page, 'a task that waits');
  await page.getByRole('button', { name: 'Resume' }).click();
  await stateOnPage('Queued');
  await page.keyboard.press('Tab');
  await page.getByRole('button', { name: 'Cancel', exact: true }).press('Enter');
  await accessible(page, 'the question whether to cancel');
  await page.getByRole('button', { name: 'Cancel the task' }).press('Enter');
  await stateOnPage('Cancelled');
  same(state(idOf()), 'cancelled', 'pause, resume and cancel do what they say, by keyboard too');
});

await scene('the gateway goes away', () => page, async () => {
  await page.getByRole('link', { name: 'New task' }).first().click();
  await page.getByLabel('Goal').fill('Wait for the gateway.');
  await page.getByText('Ready.').waitFor();
  await closeGateway();
  await page.getByRole('button', { name: 'Submit' }).click();
  await page.getByText('The server is not available.', { exact: true }).waitFor();
  await page.getByText('sent again as soon as the server answers').waitFor();
  ok(true, 'the page says that the gateway is away, and keeps the task');
  await accessible(page, 'while the gateway is away');
  await picture(page, 'away');
  await openGateway();
  await page.waitForURL('**/task/?id=*');
  await stateOnPage('Queued');
  await page.getByText('The server is not available.', { exact: true }).waitFor({ state: 'detached' });
  const same_goal = (await api(ana, '/v1/tasks')).tasks.filter((t) => t.title === 'Wait for the gateway.');
  same(same_goal.length, 1, 'when it is back the task is there, once');
  await page.getByRole('link', { name: 'Tasks' }).first().click();
  await page.getByRole('link', { name: /Wait for the gateway/ }).waitFor();
  await closeGateway();
  await page.getByText('The server is not available.', { exact: true }).waitFor();
  await page.getByRole('link', { name: /Wait for the gateway/ }).click();
  await page.goBack();
  await page.getByRole('link', { name: /Wait for the gateway/ }).waitFor();
  ok(true, 'without it one can still go from screen to screen');
  await openGateway();
  await page.getByText('The server is not available.', { exact: true }).waitFor({ state: 'detached' });
  await api(ana, `/v1/tasks/${same_goal[0].id}/signals`, {
    method: 'POST', body: '{"signal":"cancel"}', headers: { 'Content-Type': 'application/json' },
  });
  await page.locator('.row', { hasText: 'Wait for the gateway' }).getByText('Cancelled').waitFor();
  ok(true, 'and the list goes on by itself');
  await picture(page, 'tasks');
});

await scene('an expired connection', () => page, async () => {
  await shut(page);
  page = await browse();
  await signIn(page, ben);
  await page.getByText('There are no tasks yet.').waitFor();
  ok(true, 'one person does not see the tasks of another');
  await page.goto(`${origin}/task/?id=${id}`);
  await page.getByRole('heading', { name: 'Task not found' }).waitFor();
  ok(true, 'nor by their address');
  await page.getByRole('link', { name: 'New task' }).first().click();
  await page.getByLabel('Goal').fill(GOAL);
  await choose('Gmail');
  await page.getByText('Ready.').waitFor();
  await choose('Linear');
  const reason = page.getByRole('group', { name: 'Toolkits' }).getByText(/linear: .*has expired/);
  await reason.waitFor();
  ok(true, 'the pre-flight names the connection that has expired, where the toolkit is chosen');
  await page.getByText('Cannot run yet.').waitFor();
  await page.getByRole('button', { name: /^Linear expired/ }).waitFor();
  await accessible(page, 'a connection that has expired');
  await picture(page, 'connect');
  await page.getByRole('button', { name: 'Submit' }).click();
  same((await api(ben, '/v1/tasks')).tasks, [], 'and nothing is queued');
  await page.getByRole('button', { name: 'Connect Linear' }).click();
  const [popup] = await Promise.all([page.waitForEvent('popup'), links('Linear').click()]);
  await popup.waitForLoadState();
  same(await popup.evaluate(() => window.opener), null, 'the link opens a tab that knows nothing of this one');
  await popup.close();
  await page.bringToFront();
  await page.evaluate(() => window.dispatchEvent(new Event('focus')));
  await page.getByText('Ready.').waitFor();
  await page.getByRole('button', { name: /^Linear connected/ }).waitFor();
  ok(true, 'after its link was opened the task can run');
  await page.getByRole('button', { name: 'Submit' }).click();
  await page.waitForURL('**/task/?id=*');
  const third = worker();
  await stateOnPage('Completed');
  ok(ledger().some((call) => call.user === 'ben' && /LINEAR_CREATE/.test(call.tool)), 'and does');
  await end(third);
});

await scene('signing out', () => page, async () => {
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  same(await page.evaluate(() => sessionStorage.length), 0, 'who signs out leaves nothing behind');
  await signIn(page, ana);
  await page.getByRole('link', { name: /Wait for the gateway/ }).waitFor();
  same(await page.locator('.row').count(), (await api(ana, '/v1/tasks')).tasks.length, 'the next one sees what is theirs');
});

await finish();
