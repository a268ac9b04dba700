// @ts-check
/** The workbench: what holds or failed a message, sending again, rows by the dozen, views that are kept, files taken out. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT, until } from '../integration/support.js';
import { openPage, settled, sizes, startDashboard, violations } from './browser.js';

const shots = path.join(ROOT, 'build/screenshots');
const at = {};
const soon = () => new Date(Date.now() + 3_600_000).toISOString();
const hold = (/** @type {string} */ reference) => at.workspace.client.must(202, 'POST', '/v1/messages', at.workspace.client.text(at.workspace.channel, { send_at: soon(), reference }));

before(async () => {
    mkdirSync(shots, { recursive: true });
    Object.assign(at, await startDashboard());
});
after(() => at.stop?.());

test('a message that failed says why, what to do, and is sent again once, however often it is pressed', { timeout: 180_000 }, async () => {
    const { client, channel } = at.workspace;
    const failed = await client.must(202, 'POST', '/v1/messages', client.text(channel, { to: '+15550231026', reference: 'gone-wrong' }));
    await client.follow(failed.id, ['failed']);
    const { page, faults, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/messages/${failed.id}`);
    const why = page.getByRole('region', { name: 'Why' });
    await why.getByText('It failed, and is not tried again.').waitFor();
    await why.getByText(/whatsapp-\d+/).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'message-why-desktop-light.png') });
    await page.getByRole('tab', { name: 'Rules' }).click();
    await page.getByText('Messages today').waitFor();
    await page.getByText('If the answer is lost').waitFor();
    await page.getByRole('button', { name: 'Send again' }).click();
    const dialog = page.getByRole('dialog', { name: 'Send again' });
    await dialog.getByText('A new message with the same content').waitFor();
    await page.screenshot({ path: path.join(shots, 'message-resend-desktop-light.png') });
    /* The first answer is lost on its way: pressed once more, it is the same message. */
    let asked = 0;
    await page.route('**/resend', async (route) => { asked += 1; if (asked === 1) { await route.fetch(); await route.abort(); } else await route.continue(); });
    await dialog.getByRole('button', { name: 'Send again' }).click();
    await dialog.getByText('Harkara does not answer').waitFor();
    await dialog.getByRole('button', { name: 'Send again' }).click();
    await page.getByText('1 message goes out again.').waitFor();
    await page.waitForURL((url) => url.pathname.startsWith('/messages/msg_') && !url.pathname.endsWith(failed.id));
    const { resent_as } = await client.must(200, 'GET', `/v1/messages/${failed.id}`);
    assert.equal(resent_as.length, 1);
    assert.ok(page.url().includes(resent_as[0]));
    await page.goto(`${at.url}/messages/${failed.id}`);
    await page.getByText('It was sent again as').waitFor();
    await close();
    assert.deepEqual(faults, []);
});

test('by keyboard: rows are picked with x, and canceled together', { timeout: 180_000 }, async () => {
    const made = [await hold('heap'), await hold('heap'), await hold('heap')];
    const { page, faults, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/messages?reference=heap`);
    await settled(page);
    for (const i of [0, 1]) {
        await page.keyboard.press('j');
        await page.waitForFunction((index) => document.activeElement?.getAttribute('data-index') === String(index), i);
        await page.keyboard.press('x');
    }
    const bar = page.getByRole('region', { name: '2 picked' });
    await bar.waitFor();
    assert.equal(await bar.getByRole('button', { name: /again/ }).count(), 0, 'what waits is not sent again');
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'messages-bulk-desktop-light.png') });
    await bar.getByRole('button', { name: 'Cancel 2' }).click();
    /* One of them has gone meanwhile, which is told and spoils nothing. */
    await at.workspace.client.must(200, 'PATCH', `/v1/messages/${made[2].id}`, { send_at: null });
    await at.workspace.client.follow(made[2].id, ['delivered', 'read']);
    await page.getByRole('button', { name: 'Cancel messages' }).click();
    await page.getByText('1 message is canceled. 1 could not be any more.').waitFor();
    assert.equal((await at.workspace.client.must(200, 'GET', `/v1/messages/${made[1].id}`)).status, 'canceled');
    assert.equal((await at.workspace.client.must(200, 'GET', `/v1/messages/${made[0].id}`)).status, 'held');
    await bar.waitFor({ state: 'detached' });
    assert.deepEqual(faults.splice(0).filter((fault) => !fault.includes('409')), []);
    await page.getByRole('checkbox', { name: 'Pick all rows' }).check();
    await page.getByRole('region', { name: '3 picked' }).waitFor();
    await page.getByRole('region', { name: '3 picked' }).getByRole('button', { name: 'Clear' }).click();
    await page.getByRole('region', { name: '3 picked' }).waitFor({ state: 'detached' });
    await close();
    assert.deepEqual(faults, []);
});

test('filters are kept by a name, found again after a reload, and given up with a way back', { timeout: 120_000 }, async () => {
    const { page, faults, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/messages?status=%5B"delivered"%5D&category=otp`);
    await settled(page);
    await page.getByRole('button', { name: 'Views' }).click();
    await page.getByRole('menuitem', { name: 'Save these filters' }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('Codes that came');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Codes that came' }).waitFor();
    await page.goto(`${at.url}/messages`);
    await settled(page);
    await page.getByRole('button', { name: 'Views' }).click();
    assert.deepEqual((await violations(page)).filter((line) => !line.startsWith('region:')), []); /* a menu is beside the landmarks, and goes as it came */
    await page.screenshot({ path: path.join(shots, 'messages-views-desktop-light.png') });
    await page.getByRole('menuitemradio', { name: 'Codes that came' }).click();
    await page.waitForURL(/category=otp/);
    await page.getByRole('button', { name: 'Codes that came' }).click();
    await page.getByRole('menuitem', { name: 'Remove “Codes that came”' }).click();
    await page.getByRole('button', { name: 'Views' }).waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByRole('button', { name: 'Codes that came' }).waitFor();
    await close();
    assert.deepEqual(faults, []);
});

test('an export is a file, and what was cut is not called whole', { timeout: 120_000 }, async () => {
    const { page, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/messages?reference=order-1043`);
    await settled(page);
    const take = async () => { const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export these' }).click()]); return file; };
    const file = await take();
    assert.match(file.suggestedFilename(), /^messages-.*\.ndjson$/);
    const lines = readFileSync(await file.path(), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(lines.at(-1), { end: true, count: 1 });
    assert.equal(lines[0].reference, 'order-1043');
    assert.ok(lines[0].content.text.body.length > 0);
    await page.getByText('Exported, whole: 1 entry.').waitFor();
    await page.route('**/v1/messages/export*', async (route) => { const answer = await route.fetch(); await route.fulfill({ response: answer, body: (await answer.text()).replace(/\{"end".*\n$/, '') }); });
    await take();
    await page.getByText('The export was cut before its end.').waitFor();
    await close();
});

test('on a phone rows are picked, too, and the bar stands above the places', { timeout: 120_000 }, async () => {
    await hold('pocket');
    const { page, faults, close } = await openPage(at.browser, at.url, { size: sizes.phone, scheme: 'dark', locale: 'hi' });
    await page.goto(`${at.url}/messages?reference=pocket`);
    await settled(page);
    await page.getByRole('checkbox', { name: 'पंक्ति चुनें' }).check();
    const bar = page.getByRole('region', { name: '1 चुना गया' });
    const box = await bar.boundingBox(), places = await page.locator('nav.bottom').boundingBox();
    assert.ok(box !== null && places !== null && box.y + box.height <= places.y, 'it covers nothing');
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'messages-bulk-phone-dark-hindi.png') });
    await close();
    assert.deepEqual(faults, []);
});

test('a key is changed and gets another secret, while the old one is good for its time', { timeout: 180_000 }, async () => {
    const made = await at.workspace.client.must(201, 'POST', '/v1/api-keys', { name: 'Till', scopes: ['messages:read', 'channels:read'] });
    const status = async (/** @type {string} */ key) => (await fetch(`${at.platform.url}/v1/channels`, { headers: { authorization: `Bearer ${key}` } })).status;
    assert.equal(await status(made.key), 200);
    const { page, faults, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/api-keys`);
    await settled(page);
    await page.getByRole('link', { name: 'Till' }).click();
    await page.waitForURL(`**/api-keys/${made.id}`);
    await settled(page);
    assert.ok(await page.getByRole('button', { name: 'Save' }).isDisabled(), 'nothing is changed yet');
    await page.getByRole('button', { name: 'Rotate the secret' }).click();
    const dialog = page.getByRole('dialog', { name: 'Rotate the secret' });
    await dialog.getByRole('button', { name: 'Rotate the secret' }).click();
    const secret = await page.getByTestId('secret').innerText();
    assert.notEqual(secret, made.key);
    await until(async () => await status(secret) === 200 && await status(made.key) === 200, 'both to be good');
    await page.getByLabel('I have stored it in a safe place').check();
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByText('Old secret until').waitFor();
    await page.getByRole('textbox', { name: 'Name' }).fill('Till, ground floor');
    await page.getByRole('checkbox', { name: 'See channels' }).uncheck();
    await page.getByRole('textbox', { name: 'Allowed addresses' }).fill('127.0.0.0/8');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    await page.getByRole('heading', { name: 'Till, ground floor' }).waitFor();
    const now = await at.workspace.client.must(200, 'GET', `/v1/api-keys/${made.id}`);
    assert.deepEqual([now.name, now.scopes, now.allowed_cidrs], ['Till, ground floor', ['messages:read'], ['127.0.0.0/8']]);
    await until(async () => await status(secret) === 403, 'the scope to be gone');
    assert.ok(!(await page.content()).includes(secret), 'the secret is nowhere in the page any more');
    await close();
    assert.deepEqual(faults, []);
});

test('a sender is limited, and deliveries are posted again together', { timeout: 180_000 }, async () => {
    const { client, channel, endpoint } = at.workspace;
    const { page, faults, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/channels/${channel}`);
    await settled(page);
    await page.getByRole('textbox', { name: 'At most, a day' }).fill('a lot');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('A whole number from 1 on, or nothing.').waitFor();
    await page.getByRole('textbox', { name: 'At most, a day' }).fill('4321');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    await page.getByText('In force now: 4,321').waitFor();
    assert.equal((await client.must(200, 'GET', `/v1/channels/${channel}/limits`)).messages_per_day, 4321);
    assert.deepEqual(await violations(page), []);
    await page.goto(`${at.url}/webhooks/${endpoint}`);
    await settled(page);
    await page.getByRole('checkbox', { name: 'Pick the row' }).nth(0).check();
    await page.getByRole('checkbox', { name: 'Pick the row' }).nth(1).check();
    await page.getByRole('region', { name: '2 picked' }).getByRole('button', { name: /^Deliver \d again/ }).click();
    await page.getByText(/deliver(y is|ies are) on the way again\./).waitFor();
    await page.getByRole('button', { name: /^Actions for/ }).click();
    await page.getByRole('menuitem', { name: 'Rotate secret' }).click();
    await page.getByRole('dialog', { name: 'Rotate secret' }).getByRole('button', { name: 'Rotate secret' }).click();
    await page.getByTestId('secret').waitFor();
    await page.getByLabel('I have stored it in a safe place').check();
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByText('Old secret until').waitFor();
    await page.getByRole('button', { name: /^Actions for/ }).click();
    await page.getByRole('menuitem', { name: 'End the old secret now' }).click();
    await page.getByText('Only the present secret signs.').waitFor();
    assert.equal((await client.must(200, 'GET', `/v1/webhook-endpoints/${endpoint}`)).previous_keys_until, null);
    await close();
    assert.deepEqual(faults, []);
});

test('the audit log is taken out whole, for who may', { timeout: 240_000 }, async () => {
    await until(async () => (await at.workspace.client.must(200, 'GET', `/v1/audit/${at.entry}`)).proof !== null, 'a checkpoint', 180_000);
    const { page, faults, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/audit?action=api_key.*`);
    await settled(page);
    await page.getByRole('button', { name: 'API keys' }).waitFor(); /* the view that these filters are */
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export the log' }).click()]);
    const lines = readFileSync(await file.path(), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
    assert.ok(lines.at(-1).end.entries > 0);
    await page.getByText(/^Exported, whole: \d+ entr/).waitFor();
    await close();
    assert.deepEqual(faults, []);
});
