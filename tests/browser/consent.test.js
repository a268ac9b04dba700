// @ts-check
/** What may be sent, why something was not, and the pages of consent: each journey against the real gateway, with a picture to be looked at. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT, until } from '../integration/support.js';
import { openPage, settled, signedIn, sizes, startDashboard, violations } from './browser.js';

const shots = path.join(ROOT, 'build/screenshots');
const at = {};
before(async () => {
    mkdirSync(shots, { recursive: true });
    Object.assign(at, await startDashboard());
});
after(() => at.stop?.());

/** @type {[string, any][]} */
const looks = [['desktop-light', {}], ['desktop-dark', { scheme: 'dark' }], ['phone-light', { size: sizes.phone }], ['phone-dark', { size: sizes.phone, scheme: 'dark' }]];

/** The page as it stands, in both themes and on a phone: axe finds nothing, nothing is wider than its window, and a picture is left. */
async function pictures(name, target, more = async (/** @type {any} */ _page) => {}) {
    for (const [look, options] of looks) {
        const { page, faults, close } = await openPage(at.browser, at.url, options);
        await page.goto(`${at.url}${target}`);
        await settled(page);
        await more(page);
        await page.screenshot({ path: path.join(shots, `${name}-${look}.png`) });
        assert.deepEqual(await violations(page), [], `${name} ${look}`);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), `${name} ${look} fits`);
        await close();
        assert.deepEqual(faults, [], `${name} ${look}`);
    }
}

const day = (/** @type {number} */ ahead) => new Intl.DateTimeFormat('en-GB', { weekday: 'long', timeZone: 'Asia/Kolkata' }).format(new Date(Date.now() + ahead * 86_400_000)).toLowerCase();

test('a message that was blocked or is held says why, by which rule, and from what', { timeout: 600_000 }, async () => {
    const { client, channel } = at.workspace;
    await client.must(200, 'PATCH', '/v1/settings/policy', { consent: { whatsapp: { promotional: 'required' } }, quiet_hours: { enabled: true, from: '00:00', until: '24:00', days: [day(3)], spread_minutes: 0 } });
    const send = (to) => client.must(202, 'POST', '/v1/messages', client.text(channel, { to, category: 'promotional', content: { type: 'text', text: { body: 'Autumn plants are here.' } } }));
    const blocked = await send('+919876500001');
    assert.equal(blocked.status, 'blocked');
    await client.must(201, 'POST', '/v1/consents', { address: '+919876500002', channel: 'whatsapp', purpose: 'promotional', state: 'granted', evidence: { form: 'footer' } });
    const held = await send('+919876500002');
    assert.equal(held.status, 'held');
    const { page, faults, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/messages`);
    await settled(page);
    await page.getByRole('button', { name: 'Views' }).click();
    await page.getByRole('menuitemradio', { name: 'Blocked by a rule' }).click();
    await page.waitForURL(/status=.*blocked/);
    await until(async () => await page.locator('tbody tr').count() === 1, 'one row');
    await page.locator('tbody tr').getByText('Consent').waitFor();
    await page.locator('tbody tr a').click();
    const why = page.getByRole('region', { name: 'Why' });
    await why.getByText('It was blocked: this person has not consented to it.').waitFor();
    await why.getByText('Record the consent with what proves it').waitFor();
    await page.getByRole('tab', { name: 'Rules' }).click();
    const decision = page.getByRole('region', { name: 'When it was accepted' });
    await decision.getByText('Blocked', { exact: true }).waitFor();
    await decision.getByText('It has to be granted').waitFor();
    await decision.getByText('All it was judged by').click();
    await decision.getByText('Kind of channel').waitFor();
    await page.goto(`${at.url}/messages/${held.id}`);
    await why.getByText(/^It waits for the hour: promotional messages reach this person from/).waitFor();
    await page.getByText('Rule: Quiet hours').waitFor();
    await close();
    assert.deepEqual(faults, []);
    const rules = async (/** @type {any} */ shown) => { await shown.getByRole('tab', { name: 'Rules' }).click(); await shown.getByRole('region', { name: 'When it was accepted' }).waitFor(); await settled(shown); };
    await pictures('message-blocked', `/messages/${blocked.id}`, rules);
    await pictures('message-held', `/messages/${held.id}`);
    await pictures('messages-waiting', '/messages?status=%5B"blocked","held"%5D');
    await until(async () => { const { today, yesterday } = (await client.must(200, 'GET', '/v1/overview')).messages; return today.blocked + yesterday.blocked >= 1; }, 'it to be counted'); // midnight may have passed
    await pictures('overview-blocked', '/');
    await client.promotes();
});

test('a decision is recorded by hand with what proves it, and its receipt has no number', { timeout: 600_000 }, async () => {
    const { client } = at.workspace;
    const { page, faults, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/consent`);
    await page.waitForURL('**/consent/ledger');
    await settled(page);
    await page.getByRole('button', { name: 'Record a decision' }).click();
    await page.getByRole('button', { name: 'Record a decision' }).click();
    await page.getByText('A number with its country code').waitFor();
    await page.getByText('Nothing is granted without evidence.').waitFor();
    await page.getByRole('textbox', { name: 'Number' }).fill('+91 98765 43210');
    await page.getByRole('textbox', { name: 'What' }).fill('form');
    await page.getByRole('textbox', { name: 'Value' }).fill('Footer of the shop');
    await page.getByRole('button', { name: 'Add another' }).click();
    await page.getByRole('textbox', { name: 'What' }).nth(1).fill('page');
    await page.getByRole('textbox', { name: 'Value' }).nth(1).fill('/offers');
    await page.getByRole('textbox', { name: 'How it was given' }).fill('web-form');
    await page.screenshot({ path: path.join(shots, 'consent-record-filled-desktop-light.png'), fullPage: true });
    await page.getByRole('button', { name: 'Record a decision' }).click();
    await page.waitForURL(/\/consent\/ledger\/csn_/);
    const sheet = page.getByRole('dialog', { name: 'Entry' });
    await sheet.getByText('Footer of the shop').waitFor();
    await sheet.getByText('•••• 3210').waitFor();
    const [file] = await Promise.all([page.waitForEvent('download'), sheet.getByRole('button', { name: 'Download receipt' }).click()]);
    const receipt = readFileSync(await file.path(), 'utf8');
    assert.equal(JSON.parse(receipt).event.state, 'granted');
    assert.ok(!receipt.includes('9876543210'));
    assert.ok(!page.url().includes('98765'));
    const id = page.url().split('/').at(-1);
    assert.deepEqual((await client.must(200, 'GET', `/v1/consents/${id}?reveal=false`)).evidence, { form: 'Footer of the shop', page: '/offers' });
    /* The number is shown when it is asked for, and that is written down. */
    const shown = async () => (await client.must(200, 'GET', '/v1/audit?action=contact.identity_revealed&limit=50')).data.length;
    const before = await shown();
    await sheet.getByRole('button', { name: 'Show the number' }).click();
    await sheet.getByText('+919876543210').waitFor();
    await until(async () => await shown() > before, 'it to be written down');
    await sheet.getByRole('button', { name: 'Look this person up' }).click();
    await page.waitForURL('**/consent/look-up');
    await page.getByRole('heading', { name: 'What holds' }).waitFor();
    await page.getByText('The only entry.').waitFor();
    await close();
    assert.deepEqual(faults, []);
});

test('somebody is looked up, suppressed, cannot be granted anything, and is let go again', { timeout: 600_000 }, async () => {
    const { client, account } = at.workspace;
    const { page, faults, close } = await openPage(at.browser, at.url);
    const asked = [];
    page.on('request', (request) => asked.push(request.url()));
    const lookUp = async (/** @type {string} */ number) => {
        await page.goto(`${at.url}/consent/look-up`);
        await page.getByRole('textbox', { name: 'Number' }).fill(number);
        await page.keyboard.press('Enter');
        await page.getByRole('heading', { name: 'What holds' }).waitFor();
    };
    await page.goto(`${at.url}/consent/look-up`);
    await page.getByRole('textbox', { name: 'Number' }).fill('nobody');
    await page.keyboard.press('Enter');
    await page.getByText('A number with its country code').waitFor();
    await lookUp('+91 98765 00010');
    await page.getByRole('heading', { name: 'Nothing is known of this number' }).waitFor();
    await page.goto(`${at.url}/consent/suppressions`);
    await settled(page);
    await page.getByRole('button', { name: 'Suppress somebody' }).click();
    const dialog = page.getByRole('dialog', { name: 'Suppress somebody' });
    await dialog.getByRole('textbox', { name: 'Number' }).fill('+919876500010');
    await page.screenshot({ path: path.join(shots, 'suppression-add-desktop-light.png') });
    await dialog.getByRole('button', { name: 'Suppress somebody' }).click();
    await page.getByText('The number is suppressed.').waitFor();
    const refused = await client.call('POST', '/v1/consents', { address: '+919876500010', channel: 'sms', purpose: 'promotional', state: 'granted', evidence: { form: 'x' } });
    assert.equal(refused.json.code, 'consent-suppressed');
    await lookUp('+919876500010');
    await page.getByText('Nobody writes to this number').waitFor();
    await page.getByRole('button', { name: 'End it' }).click();
    await page.getByRole('dialog', { name: 'End this suppression?' }).getByRole('button', { name: 'End it' }).click();
    await page.getByText('The suppression has ended.').waitFor();
    await page.getByRole('heading', { name: 'Nothing is known of this number' }).waitFor();
    /* What the person asked for stays, and says why. */
    await at.platform.sandbox.control('POST', '/inbound', { phone_number_id: account.phone_number_id, from: '919876500011', type: 'text', text: { body: 'STOP' } });
    await until(async () => (await client.must(200, 'POST', '/v1/consents/lookup', { address: '+919876500011' })).suppressions.length === 1, 'the stop');
    await lookUp('+919876500011');
    await page.getByText('This number gets nothing promotional').waitFor();
    await page.getByRole('button', { name: 'Why it stays' }).click();
    await page.getByText('The person wrote STOP. Only they end it').waitFor();
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'suppression-own-desktop-light.png') });
    await page.getByRole('dialog', { name: 'Why it stays' }).getByRole('button', { name: 'Close' }).last().click();
    await page.getByRole('dialog', { name: 'Why it stays' }).waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Erase what is personal' }).click();
    await page.getByLabel('Type +919876500011 to confirm').fill('+919876500011');
    await page.getByRole('dialog').getByRole('button', { name: 'Erase what is personal' }).click();
    await page.getByText(/values? (is|are) erased\./).waitFor();
    assert.deepEqual(asked.filter((url) => /9876500/.test(url)), [], 'no number in any address');
    await close();
    assert.deepEqual(faults, []);
});

test('a list is imported, row by row, and the ledger taken out', { timeout: 600_000 }, async () => {
    const { page, faults, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/consent/import`);
    await settled(page);
    const choose = async (/** @type {string} */ name, /** @type {string} */ text) => { await page.locator('input[type=file]').setInputFiles({ name, mimeType: 'text/csv', buffer: Buffer.from(text) }); };
    await choose('may.csv', 'address,channel,purpose,state,at,evidence\n+919876500020,sms,promotional,granted,2026-01-31T10:00:00Z,list of May\n9876500021,sms,promotional,granted,,list\n+919876500022,sms,newsletter,granted,,\n');
    await page.getByRole('button', { name: 'Import this file' }).click();
    await page.getByText('1 row was recorded, 0 there already, 2 refused.').waitFor();
    await page.getByText('It is no number with a country code.').waitFor();
    await page.getByText('Nothing is granted without evidence.').waitFor();
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'consent-import-result-desktop-light.png') });
    const [results] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download results' }).click()]);
    assert.match(readFileSync(await results.path(), 'utf8'), /^row,result,id,code,field\r\n1,recorded,csn_/);
    await page.getByRole('button', { name: 'Import another file' }).click();
    await page.getByText('Suppressions', { exact: true }).last().click();
    await page.getByRole('heading', { name: 'Import suppressions' }).waitFor();
    await choose('list.ndjson', '{"address":"+919876500023"}\n{"address":"+919876500024","scope":"promotional"}\n');
    await page.getByRole('button', { name: 'Import this file' }).click();
    await page.getByText('2 rows were recorded, 0 there already, 0 refused.').waitFor();
    await page.goto(`${at.url}/consent/ledger?source=import`);
    await settled(page);
    await page.getByText('•••• 0020').waitFor();
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export these' }).click()]);
    const lines = readFileSync(await file.path(), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual([lines.length, lines[0].address, lines.at(-1).count], [2, '****0020', 1]);
    await page.getByRole('button', { name: 'Show numbers' }).click();
    await page.getByText('+919876500020').waitFor();
    await page.getByText('That you saw them is in the audit log.').waitFor();
    await page.getByRole('button', { name: 'Hide numbers' }).click();
    await page.getByText('•••• 0020').waitFor();
    await close();
    assert.deepEqual(faults, []);
});

test('a notice is made, proved in the browser, and followed by its next version', { timeout: 600_000 }, async () => {
    const { page, faults, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/consent/new-notice`);
    await settled(page);
    await page.getByRole('textbox', { name: 'Name' }).fill('offers');
    await page.getByRole('textbox', { name: 'Text' }).fill('We write to you about our offers, at most twice a week. Reply STOP to end it.');
    await page.getByRole('textbox', { name: 'Who is responsible' }).fill('Meadow Plants');
    await page.getByRole('textbox', { name: 'Law of' }).fill('IN');
    await page.getByRole('button', { name: 'New version' }).click();
    await page.getByText('The text shown is the one that was kept.').waitFor();
    await page.getByRole('dialog', { name: 'Notice' }).getByRole('button', { name: 'New version' }).click();
    await page.waitForURL(/new-notice\?from=cno_/);
    await page.getByRole('textbox', { name: 'Text' }).fill('We write to you about our offers, at most once a week. Reply STOP to end it.');
    await page.getByRole('button', { name: 'New version' }).click();
    await page.getByRole('heading', { name: 'offers 2 (en)' }).waitFor();
    const [newest] = (await at.workspace.client.must(200, 'GET', '/v1/consent-notices')).data;
    assert.deepEqual([newest.version, newest.terms], [2, { controller: { name: 'Meadow Plants' }, jurisdiction: 'IN' }]);
    /* Another text than the one of the hash is told. */
    await page.route('**/v1/consent-notices/cno_*', async (route) => { const answer = await route.fetch(); const shown = await answer.json(); await route.fulfill({ response: answer, json: { ...shown, text: `${shown.text} ` } }); });
    await page.reload();
    await page.getByText('The text shown is not the one of this hash.').waitFor();
    await close();
    assert.deepEqual(faults, []);
    at.notice = newest.id;
});

test('keywords of the workspace are heard, and nobody writes over what somebody else has changed', { timeout: 600_000 }, async () => {
    const { client, account } = at.workspace;
    const { page, faults, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/consent/settings`);
    await settled(page);
    const stop = page.getByRole('group', { name: /^STOP/ });
    await stop.getByLabel('Own words').first().fill('Genug!');
    await page.keyboard.press('Enter');
    await stop.getByRole('textbox', { name: 'Answer' }).fill('You hear nothing more of our offers.');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    await page.getByText('genug', { exact: true }).waitFor();
    await at.platform.sandbox.control('POST', '/inbound', { phone_number_id: account.phone_number_id, from: '919876500030', type: 'text', text: { body: 'GENUG' } });
    await until(async () => (await client.must(200, 'POST', '/v1/consents/lookup', { address: '+919876500030' })).suppressions.length === 1, 'the stop');
    await page.getByRole('group', { name: /^START/ }).getByLabel('Own words').first().fill('stop');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('alert').first().waitFor();
    const { updated_at: _, ...settings } = await client.must(200, 'GET', '/v1/settings/consent');
    assert.deepEqual([settings.keywords.stop.words, settings.keywords.start.words], [['genug'], []]);
    await client.must(200, 'PUT', '/v1/settings/consent', { ...settings, stop_scope: 'all' });
    await page.getByText('Somebody has changed these settings meanwhile.').waitFor();
    await page.getByRole('button', { name: 'Load again' }).click();
    await page.getByText('No message of any kind goes any more').waitFor();
    await close();
    assert.deepEqual(faults.filter((fault) => !/status of (422|412)/.test(fault)), []); /* the browser tells of them when it will */
});

test('whoever may not see numbers sees their ends, and whoever may nothing is told so', { timeout: 600_000 }, async () => {
    const { client } = at.workspace;
    const { key } = await client.must(201, 'POST', '/v1/api-keys', { name: 'Reader', scopes: ['consents:read', 'settings:read'] });
    const url = await at.urlFor(key);
    at.session.current = signedIn(['consents:read', 'settings:read']);
    const { page, faults, close } = await openPage(at.browser, url);
    await page.goto(`${url}/consent/ledger`);
    await settled(page);
    await page.getByText(/^•••• \d{4}$/).first().waitFor();
    assert.equal(await page.getByRole('button', { name: 'Show numbers' }).count(), 0);
    assert.equal(await page.getByRole('button', { name: 'Export the ledger' }).count(), 0);
    assert.ok(await page.getByRole('button', { name: 'Record a decision' }).isDisabled());
    assert.ok(!/\+9198765/.test(await page.content()));
    await page.getByRole('link', { name: /^•••• / }).first().click();
    await page.getByRole('dialog', { name: 'Entry' }).getByRole('button', { name: 'Download receipt' }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Show the number' }).count(), 0);
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'consent-reader-desktop-light.png') });
    at.session.current = signedIn(['messages:read']);
    await page.goto(`${url}/consent/ledger`);
    await page.getByRole('heading', { name: 'This is not yours to see' }).waitFor();
    await page.screenshot({ path: path.join(shots, 'consent-forbidden-desktop-light.png') });
    await close();
    assert.deepEqual(faults, []);
    at.session.current = signedIn();
});

test('the pages of consent, as they look: full, empty, failing, in Hindi', { timeout: 1_200_000 }, async () => {
    const entry = (await at.workspace.client.must(200, 'GET', '/v1/consents?reveal=false')).data.find((each) => each.source === 'api' || each.has_evidence);
    await pictures('consent-ledger', '/consent/ledger');
    await pictures('consent-entry', `/consent/ledger/${entry.id}`);
    await pictures('consent-suppressions', '/consent/suppressions');
    await pictures('consent-notices', '/consent/notices');
    await pictures('consent-notice', `/consent/notices/${at.notice}`);
    await pictures('consent-settings', '/consent/settings');
    await pictures('consent-import', '/consent/import');
    await pictures('consent-record', '/consent/record');
    await pictures('consent-look-up', '/consent/look-up', async (page) => {
        await page.getByRole('textbox', { name: 'Number' }).fill('+919876500030');
        await page.keyboard.press('Enter');
        await page.getByRole('heading', { name: 'What holds' }).waitFor();
        await settled(page);
    });
    const { page, faults, close } = await openPage(at.browser, at.emptyUrl);
    for (const [place, words] of Object.entries({ ledger: 'Nobody has decided anything yet', suppressions: 'Nobody is suppressed', notices: 'No notices yet' })) {
        await page.goto(`${at.emptyUrl}/consent/${place}`);
        await page.getByRole('heading', { name: words }).waitFor();
        assert.deepEqual(await violations(page), []);
        await page.screenshot({ path: path.join(shots, `consent-${place}-empty-desktop-light.png`) });
    }
    assert.deepEqual(faults, []);
    await page.route('**/v1/suppressions?*', (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify({ type: 'x', title: 'The service is busy.', status: 503, code: 'busy', instance: '/requests/x' }) }));
    await page.goto(`${at.emptyUrl}/consent/suppressions`);
    await page.getByText('The service is busy.').waitFor();
    await page.screenshot({ path: path.join(shots, 'consent-suppressions-failing-desktop-light.png') });
    await close();
    for (const place of ['ledger', 'suppressions', 'settings', 'look-up']) {
        const hindi = await openPage(at.browser, at.url, { locale: 'hi', size: sizes.phone });
        await hindi.page.goto(`${at.url}/consent/${place}`);
        await settled(hindi.page);
        await hindi.page.screenshot({ path: path.join(shots, `consent-${place}-hindi-phone.png`) });
        assert.deepEqual(await violations(hindi.page), []);
        await hindi.close();
        assert.deepEqual(hindi.faults, []);
    }
});
