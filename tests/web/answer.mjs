// SPDX-License-Identifier: ISC
/* The task of tests/81-web-answer.t, from its calls in doubt to its last word. */

import { accessible, api, browse, end, env, events, finish, fits, ledger, ok, origin, same, scene, signIn, start, state } from './lib.mjs';

const { TOKEN_ANA: ana, ID: id } = env;
const page = await browse();
const worker = start('agent-worker', [], { stdio: 'ignore' });
const button = (name) => page.getByRole('button', { name, exact: true });
const region = (name) => page.getByRole('region', { name });
const stateOnPage = (word) => page.locator('.numbers .state', { hasText: word }).waitFor();
const signals = () => events(id).filter((e) => e.type === 'signal');

await scene('calls in doubt', () => page, async () => {
  await signIn(page, ana);
  await page.goto(`${origin}/task/?id=${id}`);
  const asked = region('Waiting for your decision');
  await asked.getByText(/^Since .*/).waitFor();
  same(await asked.locator('.tool').allTextContents(), ['NOTES_WRITE', 'NOTES_WRITE'], 'each call is listed with its tool');
  await asked.locator('.call').nth(1).locator('summary').click();
  await asked.getByRole('group', { name: 'Arguments' }).getByText('second note').waitFor();
  ok(true, 'and its arguments');
  await accessible(page, 'calls in doubt');
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page, 'calls in doubt, on a phone');
  await page.setViewportSize({ width: 1280, height: 860 });
  await button('Run all 2 again').click();
  await region('Waiting for a higher budget').waitFor();
  same([signals().map((s) => s.signal), ledger().filter((c) => c.times > 1).length], [['approve', 'approve'], 2], 'one answer approves all');
});

await scene('the budget', () => page, async () => {
  const asked = region('Waiting for a higher budget');
  await asked.getByText('the budget of turns is used up').waitFor();
  await button('Raise and go on').click();
  await asked.getByText('Enter what to add.').waitFor();
  await asked.getByLabel('Add turns').fill('half');
  await button('Raise and go on').click();
  await asked.getByText('Enter a whole number of turns.').waitFor();
  ok(signals().length === 2, 'what cannot be added is not sent');
  await accessible(page, 'a budget that is used up');
  await asked.getByLabel('Add turns').fill('1');
  await button('Raise and go on').click();
  await stateOnPage('Completed');
  await region('Result').getByText('2 written.').waitFor();
  await page.getByText('$2.00, 2 turns').waitFor();
  ok(true, 'with a higher budget it goes on to its end, and the page tells the new ceiling');
});

await scene('one more word', () => page, async () => {
  await page.getByText('Continue this task').click();
  await button('Send and go on').click();
  await page.getByText('Write what the model is to do.').waitFor();
  await page.getByLabel('Message to the model').fill('And the third.');
  await page.getByLabel('Add turns').fill('1');
  await accessible(page, 'a task that is continued');
  same(await button('Try again').count(), 0, 'what has completed is not tried again');
  await button('Send and go on').click();
  await region('Result').getByText('The third.').waitFor();
  ok(true, 'a completed task goes on after a message');
});

await scene('try again', () => page, async () => {
  await end(worker);
  const post = (body) => api(ana, `/v1/tasks/${id}/signals`, {
    method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' },
  });
  await post({ signal: 'continue', message: 'Once more.', turns: 1 });
  await post({ signal: 'cancel' });
  await page.reload();
  await stateOnPage('Cancelled');
  await page.getByText('Continue or try again').click();
  await button('Try again').click();
  await stateOnPage('Queued');
  same([state(id), signals().at(-1).signal], ['queued', 'retry'], 'a cancelled one is tried again');
});

await finish();
