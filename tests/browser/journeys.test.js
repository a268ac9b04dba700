// @ts-check
/** What people do, by keyboard where they can; each against the real gateway. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openPage, settled, sizes, startDashboard } from './browser.js';
import { until } from '../integration/support.js';

const at = {};
before(async () => { Object.assign(at, await startDashboard()); });
after(() => at.stop?.());

test('by keyboard: the palette, rows, a sheet, and back to where the list was', { timeout: 120_000 }, async () => {
    const { page, faults, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/settings`);
    await settled(page);
    await page.keyboard.press('Control+k');
    await page.getByPlaceholder('Go somewhere, do something, or paste an id').waitFor();
    await page.keyboard.type('Messages');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/messages');
    await page.getByPlaceholder('Go somewhere, do something, or paste an id').waitFor({ state: 'hidden' }); /* until then keys are its own */
    await page.locator('[data-index="1"]').waitFor(); /* the address changes before the page does */
    await settled(page);
    for (const row of ['0', '1']) {
        await page.keyboard.press('j');
        await page.waitForFunction((index) => document.activeElement?.getAttribute('data-index') === index, row);
    }
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Message' }).waitFor();
    await page.getByRole('tab', { name: 'Timeline' }).waitFor();
    await page.keyboard.press('Escape');
    await page.waitForURL('**/messages');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+k');
    await page.getByPlaceholder('Go somewhere, do something, or paste an id').fill(at.messages[2]);
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/messages/${at.messages[2]}`);
    await page.getByText('Your code is 482913.').waitFor();
    await close();
    assert.deepEqual(faults, []);
});

test('filters stand in the address, and an address brings them back', { timeout: 120_000 }, async () => {
    const { page, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/messages`);
    await settled(page);
    await page.getByRole('button', { name: 'Reference' }).click();
    await page.getByRole('textbox', { name: 'Reference' }).fill('order-1043');
    await page.keyboard.press('Enter');
    await page.waitForURL(/reference=order-1043/);
    await until(async () => await page.locator('tbody tr').count() === 1, 'one row');
    const again = await at.browser.newContext();
    const other = await again.newPage();
    await other.goto(page.url());
    await until(async () => await other.locator('tbody tr').count() === 1, 'the same row');
    await again.close();
    await page.getByRole('button', { name: 'Clear all' }).click();
    await until(async () => await page.locator('tbody tr').count() === 5, 'all rows');
    await close();
});

test('a message that waits is canceled, and says so', { timeout: 120_000 }, async () => {
    const { page, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/messages/${at.held}`);
    await page.getByRole('button', { name: 'Cancel message' }).click();
    await page.getByText('The message will not be sent.').waitFor();
    const message = await at.workspace.client.follow(at.held, ['canceled']);
    assert.equal(message.status, 'canceled');
    await page.getByRole('dialog', { name: 'Message' }).getByText('Canceled').first().waitFor();
    await close();
});

test('new messages are told by a pill, and the list waits until it is asked', { timeout: 120_000 }, async () => {
    const { page, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/messages`);
    await settled(page);
    const before = await page.locator('tbody tr').count();
    for (const i of [0, 1])
        await at.workspace.client.must(202, 'POST', '/v1/messages', at.workspace.client.text(at.workspace.channel, { to: `+1415555016${i}` }));
    await page.getByRole('button', { name: '2 new' }).waitFor({ timeout: 60_000 });
    assert.equal(await page.locator('tbody tr').count(), before);
    await page.getByRole('button', { name: '2 new' }).click();
    await until(async () => await page.locator('tbody tr').count() === before + 2, 'them');
    await close();
});

test('an API key is made, shown once, works, and is revoked by its name', { timeout: 180_000 }, async () => {
    const { page, faults, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/api-keys/new`);
    await settled(page);
    await page.getByRole('button', { name: 'Create API key' }).click();
    await page.getByText('Give it a name.').waitFor();
    await page.getByRole('textbox', { name: 'Name' }).fill('Shop');
    await page.getByRole('textbox', { name: 'Allowed addresses' }).fill('10.0.0.1/8');
    await page.keyboard.press('Enter');
    await page.getByText('The address has bits beyond the length').waitFor();
    await page.getByRole('textbox', { name: 'Allowed addresses' }).fill('127.0.0.0/8');
    await page.keyboard.press('Enter');
    await page.getByRole('textbox', { name: 'Try an address' }).fill('192.0.2.1');
    await page.getByText('Refused: no range holds it.').waitFor();
    await page.getByRole('button', { name: 'Create API key' }).click();
    const secret = await page.getByTestId('secret').innerText();
    assert.match(secret, /^hk_live_/);
    assert.ok(await page.getByRole('button', { name: 'Done' }).isDisabled(), 'not before it is stored');
    const answer = await fetch(`${at.platform.url}/v1/messages`, { headers: { authorization: `Bearer ${secret}` } });
    assert.equal(answer.status, 200);
    await page.getByLabel('I have stored it in a safe place').check();
    await page.getByRole('button', { name: 'Done' }).click();
    await page.waitForURL('**/api-keys');
    await page.getByRole('button', { name: 'Actions for Shop' }).click();
    await page.getByRole('menuitem', { name: 'Revoke key' }).click();
    await page.getByLabel('Type Shop to confirm').fill('Shop');
    await page.getByRole('button', { name: 'Revoke key' }).click();
    await page.getByText('The key is revoked.').waitFor();
    await until(async () => (await fetch(`${at.platform.url}/v1/messages`, { headers: { authorization: `Bearer ${secret}` } })).status === 401, 'the key to be refused');
    assert.ok(!(await page.content()).includes(secret), 'it is nowhere in the page any more');
    await close();
    assert.deepEqual(faults, []);
});

test('a test event is sent, its delivery opened, and delivered again', { timeout: 180_000 }, async () => {
    const { page, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/webhooks/${at.workspace.endpoint}`);
    await settled(page);
    await page.getByRole('button', { name: 'Send test event' }).click();
    await page.getByText('A test event is on its way.').waitFor();
    const ping = await until(async () => (await at.workspace.client.must(200, 'GET', `/v1/webhook-endpoints/${at.workspace.endpoint}/deliveries?event_type=test.ping`)).data.find((each) => each.state === 'delivered'), 'the ping');
    await page.goto(`${at.url}/webhooks/${at.workspace.endpoint}/deliveries/${ping.id}`);
    await page.getByRole('button', { name: 'Deliver again' }).click();
    await until(async () => (await at.workspace.client.must(200, 'GET', `/v1/webhook-deliveries/${ping.id}`)).attempts.length >= 2, 'a second attempt');
    await close();
});

test('the reference tries an operation, with what it says', { timeout: 120_000 }, async () => {
    const { page, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/reference`);
    await settled(page);
    await page.getByRole('textbox', { name: 'Search operations' }).fill('read what the workspace');
    await page.getByRole('link', { name: /Read what the workspace decides about messages/ }).click();
    await page.getByRole('button', { name: 'Send request' }).click();
    await page.getByText('HTTP 200').waitFor();
    await page.getByText('"uncertain"').waitFor();
    await close();
});

test('settings are saved, and the workspace has them', { timeout: 120_000 }, async () => {
    const { page, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/settings`);
    await settled(page);
    await page.getByRole('textbox', { name: 'Wait first, in seconds' }).fill('77');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    assert.equal((await at.workspace.client.must(200, 'GET', '/v1/settings/messages')).uncertain_wait_s, 77);
    await close();
});

test('what may be sent is changed, and a number is looked up', { timeout: 120_000 }, async () => {
    const { page, faults, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/policy`);
    await settled(page);
    /* This workspace sends at any hour (promotes): until that is switched, nothing of the hours can be chosen. */
    const hours = page.getByRole('switch', { name: 'Keep quiet hours' });
    assert.ok(!await hours.isChecked() && await page.getByRole('checkbox', { name: 'Sunday' }).isDisabled());
    await hours.focus();
    await page.keyboard.press('Space');
    await until(() => hours.isChecked(), 'the hours');
    await page.getByText('10:00 to 21:00').click();
    await page.getByRole('textbox', { name: 'In a day' }).fill('2');
    /* A chip's box has no size: people press its label, or space on it. */
    const sunday = page.getByRole('checkbox', { name: 'Sunday' }), monday = page.getByRole('checkbox', { name: 'Monday' });
    await page.locator('label', { hasText: 'Sunday' }).click();
    await until(async () => !await sunday.isChecked(), 'no Sundays');
    await monday.focus();
    await page.keyboard.press('Space');
    await until(async () => !await monday.isChecked(), 'no Mondays');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    const saved = await at.workspace.client.must(200, 'GET', '/v1/settings/policy');
    assert.equal(saved.quiet_hours.india_from, '10:00');
    assert.deepEqual(saved.quiet_hours.days, ['tuesday', 'wednesday', 'thursday', 'friday', 'saturday']);
    assert.equal(saved.promotional_per_day, 2);
    await page.getByRole('textbox', { name: 'In seven days' }).fill('1');
    await page.getByText('A week cannot have fewer than a day.').waitFor();
    assert.ok(await page.getByRole('button', { name: 'Save' }).isDisabled());
    await close();
    assert.deepEqual(faults, []);
});

test('on a phone: four places, the rest behind More, and a sheet is the page', { timeout: 120_000 }, async () => {
    const { page, close } = await openPage(at.browser, at.url, { size: sizes.phone });
    await page.goto(`${at.url}/messages`);
    await settled(page);
    const bar = page.locator('nav.bottom');
    assert.deepEqual((await bar.locator('a').allInnerTexts()).map((text) => text.trim()), ['Overview', 'Messages', 'Channels', 'Templates']);
    await page.locator('tbody tr a').first().click();
    const sheet = page.getByRole('dialog', { name: 'Message' });
    await sheet.waitFor();
    assert.equal((await sheet.boundingBox())?.width, 390);
    await page.getByRole('button', { name: 'Close' }).click();
    await bar.getByText('More').click();
    await page.getByRole('button', { name: /Usage and limits/ }).click();
    await page.waitForURL('**/usage');
    await close();
});

test('an entry of the audit log is proved in the browser as soon as a checkpoint holds it', { timeout: 240_000 }, async () => {
    await until(async () => (await at.workspace.client.must(200, 'GET', `/v1/audit/${at.entry}`)).proof !== null, 'a checkpoint', 180_000);
    const { page, faults, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/audit?action=api_key.created`);
    await settled(page);
    await page.getByRole('link', { name: 'api_key.created' }).first().click();
    await page.getByText(/^Verified: entry \d+ of \d+/).waitFor({ timeout: 180_000 }); /* the newest may have come after the last checkpoint */
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download proof' }).click()]);
    assert.match(file.suggestedFilename(), /^aud_.*-proof\.json$/);
    /* The same entry with another byte in it is not. */
    await page.route('**/v1/audit/aud_*', async (route) => {
        const answer = await route.fetch();
        const entry = await answer.json();
        entry.proof.line = entry.proof.line.replace(/.$/, 'X');
        await route.fulfill({ response: answer, json: entry });
    });
    await page.reload();
    await page.getByText('This entry is not what the checkpoint was signed for').waitFor();
    /* Nor is it when another key is said to have signed. */
    await page.unroute('**/v1/audit/aud_*');
    await page.route('**/v1/audit/checkpoints*', async (route) => {
        const answer = await route.fetch();
        const list = await answer.json();
        for (const key of list.keys)
            key.public_key = 'ab'.repeat(32);
        await route.fulfill({ response: answer, json: list });
    });
    await page.reload();
    await page.getByText("The checkpoint's signature is not one of this workspace's keys").waitFor();
    await close();
    assert.deepEqual(faults, []);
});

test('the words of a page come with it, in the language that is chosen', { timeout: 120_000 }, async () => {
    const { page, faults, close } = await openPage(at.browser, at.url);
    const fetched = new Set();
    page.on('request', (request) => { const name = /\/assets\/([a-z-]+)-[^/]*\.js$/.exec(request.url())?.[1]; if (name !== undefined) fetched.add(name); });
    await page.goto(`${at.url}/webhooks`);
    await page.getByRole('heading', { name: 'Webhooks', exact: true }).waitFor();
    assert.ok(fetched.has('webhooks') && !fetched.has('audit') && !fetched.has('policy'), [...fetched].join(' '));
    /* What is there is said in the other language at once; a page opened later brings its own. */
    await page.getByRole('button', { name: 'Asha Menon' }).click();
    await page.getByRole('menuitemradio', { name: 'हिन्दी' }).click();
    await page.getByRole('heading', { name: 'वेबहुक', exact: true }).waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'hi');
    await page.keyboard.press('g');
    await page.keyboard.press('q');
    await page.getByRole('heading', { level: 1, name: /\p{Script=Devanagari}/u }).waitFor();
    await page.waitForURL(/\/policy$/);
    await settled(page);
    /* And back, on a page whose English has not been asked for before. */
    await page.getByRole('button', { name: 'Asha Menon' }).click();
    await page.getByRole('menuitemradio', { name: 'English' }).click();
    await page.getByRole('heading', { level: 1, name: /^[A-Z][a-z]/ }).waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'en');
    await close();
    assert.deepEqual(faults, []);
});
