// @ts-check
/** The pages of SMS, in front of message centres that are npm's smpp: operators and their links, routes, senders, what a text becomes, and SMPP for own software. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import smpp from 'smpp';
import { freePort, ROOT, until } from '../integration/support.js';
import { allPermissions, openPage, settled, signedIn, sizes, startDashboard, violations } from './browser.js';

const shots = path.join(ROOT, 'build/screenshots');
/** @type {any} */
const at = {};
let smppPort = 0;

/** A message centre that takes one password, and can be away. */
class Centre {
    password = 'secret-1';
    sessions = new Set();
    port = 0;

    async start() {
        this.server = smpp.createServer((session) => {
            session.on('error', () => {});
            session.on('close', () => this.sessions.delete(session));
            for (const kind of ['bind_transceiver', 'bind_transmitter', 'bind_receiver'])
                session.on(kind, (pdu) => {
                    if (pdu.password !== this.password) {
                        session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }));
                        session.close();
                        return;
                    }
                    this.sessions.add(session);
                    session.send(pdu.response({ system_id: 'CENTRE' }));
                });
            session.on('enquire_link', (pdu) => session.send(pdu.response()));
            session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
        });
        await new Promise((done) => this.server.listen(this.port, '127.0.0.1', () => done(undefined)));
        this.port = this.server.address().port;
        return this;
    }

    stop() {
        const ended = new Promise((done) => this.server.close(done));
        this.sessions.forEach((session) => session.destroy());
        return ended;
    }
}

const first = new Centre(), second = new Centre();

before(async () => {
    mkdirSync(shots, { recursive: true });
    smppPort = await freePort();
    Object.assign(at, await startDashboard({ env: { HARKARA_SMPP_ALLOW: '127.0.0.0/8', HARKARA_SMPP_LISTEN: `127.0.0.1:${smppPort}` } }));
    await first.start();
    await second.start();
    at.api = at.workspace.client;
    Object.assign(at, await openPage(at.browser, at.url));
});
after(async () => {
    await at.stop?.();
    await first.stop();
    await second.stop();
});

/** @param {string} name @param {any} [page] */
const picture = (name, page = at.page) => page.screenshot({ path: path.join(shots, `sms-${name}.png`), fullPage: true });

/** Chooses in one of Mantine's fields. @param {any} page @param {string} label @param {string} option */
async function choose(page, label, option) {
    await page.getByRole('combobox', { name: label, exact: true }).or(page.getByRole('textbox', { name: label, exact: true })).first().click();
    await page.getByRole('option', { name: option, exact: true }).click();
}

/** What stands above the links: the operator's state in a word. @param {string} word @param {any} [page] */
const state = (word, page = at.page) => page.getByRole('group', { name: 'Links' }).getByText(word, { exact: true }).waitFor();

test('an operator is connected, and its link comes up in front of the eyes', { timeout: 300_000 }, async () => {
    const { page } = at;
    await page.goto(`${at.url}/channels`);
    await page.getByRole('navigation', { name: 'Channels' }).getByRole('link', { name: 'SMS operators' }).click();
    await page.getByRole('heading', { name: 'No SMS operator is connected' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await picture('operators-empty-desktop-light');
    await page.getByRole('button', { name: 'Connect an operator' }).click();
    await page.getByRole('button', { name: 'Connect an operator' }).click();
    await page.getByText('Write a host name or an address').waitFor();
    await page.getByText('Write the password.').waitFor();
    assert.deepEqual(await violations(page), []);
    await picture('operator-new-faults-desktop-light');
    await page.getByLabel('Name', { exact: true }).fill('Airlink');
    await page.getByLabel('Host').fill('127.0.0.1');
    await page.getByLabel('Port').fill(String(first.port));
    await page.getByLabel('System id').fill('harkara');
    await page.getByRole('textbox', { name: 'Password' }).fill('secret-1');
    await page.getByRole('switch', { name: 'Encrypt the link (TLS)' }).uncheck({ force: true });
    await page.getByText('Without TLS the password and every text travel in the clear').waitFor();
    await page.getByLabel('Transceivers').fill('2');
    await page.getByRole('button', { name: 'Use the usual tags' }).click();
    await page.getByText('Further settings').click();
    await choose(page, 'How parts are joined', 'Header with 16 bits');
    await choose(page, 'National alphabets', 'Hindi');
    await page.keyboard.press('Escape');
    await page.getByRole('option').first().waitFor({ state: 'hidden' });
    assert.deepEqual(await violations(page), []);
    await picture('operator-new-whole-desktop-light');
    await page.getByRole('button', { name: 'Connect an operator' }).click();
    await page.getByRole('heading', { name: 'Airlink' }).waitFor();
    await state('Bound');
    await page.getByText('2 of 2', { exact: true }).waitFor();
    await page.getByText('No route leads here yet').waitFor();
    assert.ok(!(await page.content()).includes('secret-1'), 'the password is nowhere in the page');
    const [made] = (await at.api.must(200, 'GET', '/v1/sms/connectors')).data;
    assert.deepEqual([made.name, made.tls, made.binds.transceivers, made.encoding.joining, made.encoding.languages, made.dlt.template_tag], ['Airlink', false, 2, 'udh-16', ['hindi'], 5121]);
    at.first = made.id;
    assert.deepEqual(await violations(page), []);
    await picture('operator-bound-desktop-light');
    assert.deepEqual(at.faults.splice(0), []);
});

test('a link that goes is seen at once, with why, and comes back by itself', { timeout: 300_000 }, async () => {
    const { page } = at;
    await first.stop();
    await state('Tries again');
    await page.getByText('Nobody listens at this host and port.').first().waitFor();
    await page.getByText('Next try').first().waitFor();
    assert.deepEqual(await violations(page), []);
    await picture('operator-waiting-desktop-light');
    await first.start();
    await state('Bound');
    assert.deepEqual(at.faults.splice(0), []);
});

test('an operator that refuses the account says what to do, and another password mends it', { timeout: 300_000 }, async () => {
    const { page } = at;
    second.password = 'secret-2';
    at.second = (await at.api.must(201, 'POST', '/v1/sms/connectors', { name: 'Backup line', host: '127.0.0.1', port: second.port, tls: false, system_id: 'harkara', password: 'secret-1' })).id;
    await page.goto(`${at.url}/channels/operators`);
    const row = page.getByRole('row', { name: /Backup line/ });
    await row.getByText('Broken').waitFor();
    await row.getByText('The operator refuses the password.').waitFor();
    await page.getByRole('row', { name: /Airlink.*Bound/ }).waitFor();
    assert.deepEqual(await violations(page), []);
    await picture('operators-desktop-light');
    await page.getByRole('link', { name: 'Backup line' }).click();
    await page.getByText('Write the right password below and save').waitFor();
    assert.deepEqual(await violations(page), []);
    await picture('operator-broken-desktop-light');
    await page.getByRole('textbox', { name: 'Another password' }).fill('secret-2');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved').first().waitFor();
    await state('Bound');
    assert.equal(await page.getByRole('textbox', { name: 'Another password' }).inputValue(), '', 'the password is not kept in the page');
    assert.deepEqual(at.faults.splice(0), []);
});

test('an operator that moves is shown the password again', { timeout: 300_000 }, async () => {
    const { page } = at;
    const old = second.port;
    await second.stop();
    second.port = 0;
    await second.start();
    assert.notEqual(second.port, old);
    await page.goto(`${at.url}/channels/operators/${at.second}`);
    await page.getByLabel('Port').fill(String(second.port));
    await page.getByText('the password will be sent there: write it again').waitFor();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('The password is needed').waitFor();
    assert.deepEqual(await violations(page), []);
    await picture('operator-moved-desktop-light');
    assert.equal((await at.api.must(200, 'GET', `/v1/sms/connectors/${at.second}`)).port, old);
    await page.getByRole('textbox', { name: 'Another password' }).fill('secret-2');
    await page.getByRole('button', { name: 'Save' }).click();
    await until(async () => (await at.api.must(200, 'GET', `/v1/sms/connectors/${at.second}`)).port === second.port, 'the move');
    await state('Bound');
    /* What somebody else changes meanwhile is not written back by a form that was open. */
    await at.api.must(200, 'PATCH', `/v1/sms/connectors/${at.second}`, { window: 7 });
    await page.getByLabel('Parts a second').fill('25');
    await page.getByRole('button', { name: 'Save' }).click();
    const now = await until(async () => { const shown = await at.api.must(200, 'GET', `/v1/sms/connectors/${at.second}`); return shown.per_second === 25 && shown; }, 'the pace');
    assert.equal(now.window, 7);
    assert.deepEqual(at.faults.splice(0), []);
});

test('a sender is connected where a WhatsApp number is, and nothing carries it yet', { timeout: 300_000 }, async () => {
    const { page } = at;
    await page.goto(`${at.url}/channels/preview`);
    await page.getByRole('heading', { name: 'No SMS sender is connected' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.goto(`${at.url}/channels/connect`);
    await page.getByLabel('Access token').waitFor();
    await page.getByText('SMS', { exact: true }).click();
    await page.waitForURL(/kind=sms/);
    await page.getByLabel('Name', { exact: true }).fill('Shop SMS');
    await page.getByLabel('Sender', { exact: true }).fill('HRKARA-TOO-LONG');
    await page.getByRole('button', { name: 'Connect SMS sender' }).click();
    await page.getByText('1 to 11 letters, digits').waitFor();
    assert.deepEqual(await violations(page), []);
    await picture('sender-new-desktop-light');
    await page.getByLabel('Sender', { exact: true }).fill('HRKARA');
    await page.getByRole('button', { name: 'Connect SMS sender' }).click();
    await page.getByRole('heading', { name: 'Shop SMS' }).waitFor();
    await page.getByText('No operator carries this sender yet').waitFor();
    at.sender = (await at.api.must(200, 'GET', '/v1/channels')).data.find(({ kind }) => kind === 'sms').id;
    await page.getByLabel('Parts at most').fill('2');
    await page.getByRole('button', { name: 'Save' }).first().click();
    await until(async () => (await at.api.must(200, 'GET', `/v1/channels/${at.sender}`)).sms.parts_max === 2, 'the parts');
    assert.deepEqual(await violations(page), []);
    assert.deepEqual(at.faults.splice(0), []);
});

test('routes: added, in the order in which they are tried, taken away and put back', { timeout: 300_000 }, async () => {
    const { page } = at;
    await page.goto(`${at.url}/channels/routes`);
    await page.getByRole('heading', { name: 'No route yet' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await picture('routes-empty-desktop-light');
    await page.goto(`${at.url}/channels/operators/${at.first}`);
    await page.getByRole('link', { name: 'Add a route' }).click();
    const sheet = page.getByRole('dialog', { name: 'Add a route' });
    await sheet.getByLabel('Numbers').fill('9 1x');
    await sheet.getByText('At most 15 digits.').waitFor();
    assert.deepEqual(await violations(page), []);
    await picture('route-new-desktop-light');
    await sheet.getByLabel('Numbers').fill('+91');
    await sheet.getByRole('button', { name: 'Add a route' }).click();
    await page.getByRole('row', { name: /Any sender \+91… Airlink The only one/ }).waitFor();
    await page.getByRole('button', { name: 'Add a route' }).click();
    await sheet.getByLabel('Numbers').fill('91');
    await choose(page, 'Operator', 'Backup line');
    await sheet.getByLabel('Priority').fill('5');
    await sheet.getByRole('button', { name: 'Add a route' }).click();
    await page.getByRole('row', { name: /Backup line 2 of 2/ }).waitFor();
    await page.getByRole('row', { name: /Airlink 1 of 2/ }).waitFor();
    await page.getByRole('button', { name: 'Add a route' }).click();
    await choose(page, 'Sender', 'Shop SMS');
    await choose(page, 'Operator', 'Backup line');
    await sheet.getByRole('button', { name: 'Add a route' }).click();
    await page.getByRole('row', { name: /Shop SMS Any number Backup line The only one/ }).waitFor();
    assert.match(await page.getByRole('row').nth(1).innerText(), /Shop SMS/, "the sender's own is looked at first");
    assert.deepEqual(await violations(page), []);
    await picture('routes-desktop-light');
    /* The other way round. */
    await page.getByRole('row', { name: /Backup line 2 of 2/ }).click();
    const one = page.getByRole('dialog', { name: 'Route' });
    await one.getByLabel('Priority').fill('100');
    await one.getByText('A number from 0 to 99.').waitFor();
    await one.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('row', { name: /Airlink 1 of 2/ }).click();
    await one.getByLabel('Priority').fill('9');
    await one.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('row', { name: /Airlink 2 of 2/ }).waitFor();
    await page.getByRole('row', { name: /Shop SMS/ }).click();
    await page.getByRole('button', { name: 'Remove route' }).click();
    await until(async () => (await at.api.must(200, 'GET', '/v1/sms/routes')).data.length === 2, 'the route to be gone');
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByRole('row', { name: /Shop SMS Any number Backup line/ }).waitFor();
    await page.goto(`${at.url}/channels/${at.sender}`);
    await page.getByRole('heading', { name: 'What carries it' }).waitFor();
    await page.getByRole('listitem').filter({ hasText: 'Backup line' }).first().waitFor();
    assert.deepEqual(await violations(page), []);
    await picture('sender-desktop-light');
    /* Another one's change is seen without a hand on the page. */
    await page.goto(`${at.url}/channels/routes`);
    await page.getByRole('row', { name: /Shop SMS/ }).waitFor();
    const own = (await at.api.must(200, 'GET', '/v1/sms/routes')).data.find(({ channel_id }) => channel_id !== null);
    await at.api.must(204, 'DELETE', `/v1/sms/routes/${own.id}`);
    await page.getByRole('row', { name: /Shop SMS/ }).waitFor({ state: 'detached' });
    assert.deepEqual(at.faults.splice(0), []);
});

test('a text is tried: its parts, what is left, and what makes it Unicode', { timeout: 300_000 }, async () => {
    const { page } = at;
    await page.goto(`${at.url}/channels/preview`);
    const answer = page.getByRole('region', { name: 'What the text becomes' });
    const say = (text) => page.getByLabel('Text', { exact: true }).fill(text);
    await answer.getByText('Write a text').waitFor();
    await say('Your order has shipped.');
    await answer.getByText('GSM 7-bit: 23 of up to 160 in each part').waitFor();
    await answer.getByText('137 left in the last part').waitFor();
    await say('Your bill of ₹1,200 is “due”.');
    await answer.getByText('These characters make it Unicode').waitFor();
    for (const code of ['U+20B9', 'U+201C', 'U+201D'])
        await answer.getByText(code).waitFor();
    assert.deepEqual(await answer.locator('mark').allInnerTexts(), ['₹', '“', '”']);
    assert.deepEqual(await violations(page), []);
    await picture('preview-unicode-desktop-light');
    /* The first of them is the one that the API names. */
    const [count] = (await at.api.must(200, 'POST', '/v1/sms/preview', { channel_id: at.sender, content: { type: 'text', text: { body: 'Your bill of ₹1,200 is “due”.' } } })).counts;
    assert.equal(count.unicode_because.code_point, 'U+20B9');
    await choose(page, 'Texts in other scripts', 'Written plainly where that can be');
    await answer.getByText('characters are written plainly').waitFor();
    await answer.getByText('Your bill of Rs1,200 is "due".').or(answer.getByText(/Your bill of .*1,200 is "due"\./)).first().waitFor();
    await choose(page, 'Texts in other scripts', 'Refused');
    await answer.getByRole('alert').waitFor();
    await picture('preview-refused-desktop-light');
    await choose(page, 'Texts in other scripts', 'Sent as Unicode');
    await say('a'.repeat(500));
    await answer.getByText('4 parts, but this sender takes at most 2').waitFor();
    /* To a number: for each operator that would carry it, as it wants it. */
    await page.getByLabel('Recipient, if it matters').fill('98765');
    await page.getByText('Write the number with + and the country code.').waitFor();
    await page.getByLabel('Recipient, if it matters').fill('+91 98765-43210');
    const hindi = 'नमस्ते, आपका ऑर्डर भेज दिया गया है और कल शाम तक पहुँच जाएगा। धन्यवाद!';
    await say(hindi);
    const { counts } = await at.api.must(200, 'POST', '/v1/sms/preview', { channel_id: at.sender, to: '+919876543210', content: { type: 'text', text: { body: hindi } } });
    assert.deepEqual(counts.map(({ connector_id }) => connector_id), [at.second, at.first], 'by priority');
    for (const { alphabet, units, part_units, language } of counts)
        await answer.getByText(`${alphabet === 'ucs2' ? 'Unicode (UCS-2)' : 'GSM 7-bit'}: ${units} of up to ${part_units} in each part${language === null ? '' : ' · with the table for Hindi'}`).first().waitFor();
    for (const name of ['Airlink', 'Backup line'])
        await answer.getByText(name).waitFor();
    assert.deepEqual(await violations(page), []);
    await picture('preview-operators-desktop-light');
    assert.ok(!page.url().includes('98765'), 'no number in the address');
    assert.deepEqual(at.faults.splice(0), []);
});

test('an operator is paused, taken back, and disconnected by its name', { timeout: 300_000 }, async () => {
    const { page } = at;
    await page.goto(`${at.url}/channels/operators/${at.second}`);
    await state('Bound');
    await page.getByRole('button', { name: 'Pause' }).click();
    await state('Paused');
    await page.getByRole('button', { name: 'Undo' }).click();
    await state('Bound');
    await page.getByRole('button', { name: 'Actions for Backup line' }).click();
    await page.getByRole('menuitem', { name: 'Disconnect this operator' }).click();
    const dialog = page.getByRole('dialog', { name: 'Disconnect this operator' });
    assert.ok(await dialog.getByRole('button', { name: 'Disconnect this operator' }).isDisabled());
    await dialog.getByRole('textbox').fill('Backup line');
    assert.deepEqual(await violations(page), []);
    await picture('operator-remove-desktop-light');
    await dialog.getByRole('button', { name: 'Disconnect this operator' }).click();
    await page.waitForURL(/\/channels\/operators$/);
    await page.getByRole('row', { name: /Airlink/ }).waitFor();
    await page.getByRole('row', { name: /Backup line/ }).waitFor({ state: 'detached' });
    assert.equal((await at.api.must(200, 'GET', '/v1/sms/routes')).data.length, 1, 'its routes went with it');
    await page.goto(`${at.url}/channels/operators/${at.second}`);
    await page.getByRole('alert').waitFor();
    assert.deepEqual(await violations(page), []);
    assert.deepEqual(at.faults.splice(0), []);
});

/** Binds to Harkara as own software would; the status of its answer. @param {string} system_id @param {string} password */
function bind(system_id, password) {
    return new Promise((done, fail) => {
        const session = smpp.connect({ host: '127.0.0.1', port: smppPort }, () => session.bind_transceiver({ system_id, password }, (pdu) => { done(pdu.command_status); session.destroy(); }));
        session.on('error', fail);
    });
}

test('a key gets an SMPP account, whose password is shown once', { timeout: 300_000 }, async () => {
    const { page } = at;
    await page.goto(`${at.url}/api-keys/${at.workspace.keyId}`);
    await page.getByRole('heading', { name: 'SMPP' }).waitFor();
    await page.getByRole('button', { name: 'Give an SMPP account' }).click();
    await page.getByRole('button', { name: 'Give an SMPP account' }).click();
    await page.getByText('Choose a channel.').waitFor();
    await choose(page, 'Channel', 'Shop SMS');
    await choose(page, 'Category', 'One-time code');
    await page.getByLabel('Links at once').fill('33');
    await page.getByText('A number from 1 to 32.').waitFor();
    await page.getByLabel('Links at once').fill('2');
    await page.getByRole('switch', { name: 'Know a repeated submit by its reference' }).check({ force: true });
    assert.deepEqual(await violations(page), []);
    await picture('smpp-give-desktop-light');
    await page.getByRole('button', { name: 'Give an SMPP account' }).click();
    const password = await page.getByTestId('secret').innerText(), systemId = await page.getByTestId('system-id').innerText();
    assert.match(password, /^\S{8}$/);
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'sms-smpp-secret-desktop-light.png') });
    assert.equal(await bind(systemId, password), smpp.ESME_ROK);
    await page.getByRole('checkbox').last().check();
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByText(`127.0.0.1:${smppPort}`).waitFor();
    assert.ok(!(await page.content()).includes(password), 'it is shown once');
    const account = await at.api.must(200, 'GET', `/v1/api-keys/${at.workspace.keyId}/smpp`);
    assert.deepEqual([account.system_id, account.channel_id, account.category, account.binds_max, account.dedupe], [systemId, at.sender, 'otp', 2, 'reference']);
    assert.deepEqual(await violations(page), []);
    await picture('smpp-account-desktop-light');
    /* Whatever is changed, the password is another one. */
    await page.getByRole('button', { name: 'Change, with another password' }).click();
    await page.getByText('Each change makes another password.').waitFor();
    await page.getByLabel('Links at once').fill('3');
    await page.getByRole('button', { name: 'Change, with another password' }).last().click();
    const other = await page.getByTestId('secret').innerText();
    assert.notEqual(other, password);
    assert.equal(await page.getByTestId('system-id').innerText(), systemId);
    assert.equal(await bind(systemId, password), smpp.ESME_RINVPASWD);
    await page.getByRole('checkbox').last().check();
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('button', { name: 'Remove the SMPP account' }).click();
    const dialog = page.getByRole('dialog', { name: 'Remove the SMPP account' });
    await dialog.getByRole('textbox').fill(systemId);
    await dialog.getByRole('button', { name: 'Remove the SMPP account' }).click();
    await page.getByRole('button', { name: 'Give an SMPP account' }).waitFor();
    await at.api.must(404, 'GET', `/v1/api-keys/${at.workspace.keyId}/smpp`);
    assert.deepEqual(at.faults.splice(0), []);
});

test('who may read may look, and is told why there is no more', { timeout: 120_000 }, async () => {
    at.session.current = signedIn(allPermissions.filter((each) => !['channels:manage', 'messages:send'].includes(each)));
    const { page, faults, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/channels/operators`);
    await page.getByRole('link', { name: 'Airlink' }).waitFor();
    assert.ok(await page.getByRole('button', { name: 'Connect an operator' }).isDisabled());
    assert.equal(await page.getByRole('link', { name: 'Try a text' }).count(), 0);
    await page.getByRole('link', { name: 'Airlink' }).click();
    await page.getByLabel('Host').waitFor();
    assert.ok(await page.getByLabel('Host').isDisabled());
    for (const name of ['Pause', 'Save', 'Actions for Airlink'])
        assert.ok(await page.getByRole('button', { name }).isDisabled(), name);
    assert.deepEqual(await violations(page), []);
    await picture('operator-reader-desktop-light', page);
    await page.goto(`${at.url}/channels/routes`);
    await page.getByRole('link', { name: 'Any sender' }).click();
    await page.getByLabel('Numbers').waitFor();
    assert.ok(await page.getByLabel('Numbers').isDisabled());
    assert.equal(await page.getByRole('button', { name: 'Remove route' }).count(), 0);
    assert.deepEqual(await violations(page), []);
    await page.goto(`${at.url}/channels/preview`);
    await page.getByRole('heading', { name: 'This is not yours to see' }).waitFor();
    /* And what the API refuses is said as everywhere. */
    await page.route('**/v1/sms/**', (route) => route.fulfill({ status: 403, contentType: 'application/problem+json', body: JSON.stringify({ type: 'x', title: 'The key lacks the scope.', status: 403, code: 'scope-missing', instance: '/requests/x' }) }));
    for (const target of ['operators', 'routes', `operators/${at.first}`]) {
        await page.goto(`${at.url}/channels/${target}`);
        await page.getByRole('heading', { name: 'This is not yours to see' }).first().waitFor();
        assert.deepEqual(await violations(page), [], target);
    }
    await picture('operator-forbidden-desktop-light', page);
    await page.unroute('**/v1/sms/**');
    await page.route('**/v1/sms/**', (route) => route.fulfill({ status: 503, headers: { 'x-request-id': 'req_00000000000000000000000000' }, contentType: 'application/problem+json', body: JSON.stringify({ type: 'x', title: 'The service is busy.', status: 503, code: 'busy', instance: '/requests/x' }) }));
    await page.goto(`${at.url}/channels/operators`);
    await page.getByText('The service is busy.').waitFor();
    assert.deepEqual(await violations(page), []);
    await picture('operators-failing-desktop-light', page);
    await close();
    assert.deepEqual(faults, []);
    at.session.current = signedIn();
});

test('every page of SMS: three sizes, both themes, both languages', { timeout: 900_000 }, async () => {
    const failures = [];
    await at.api.must(201, 'POST', '/v1/sms/connectors', { name: 'An operator with a very long name that somebody thought would explain everything about it, for good', host: 'no-such-host.invalid', tls: true, system_id: 'harkara', password: 'x' });
    const [route] = (await at.api.must(200, 'GET', '/v1/sms/routes')).data;
    const pages = { operators: '/channels/operators', operator: `/channels/operators/${at.first}`, 'operator-new': '/channels/operators/new', routes: '/channels/routes', route: `/channels/routes/${route.id}`, preview: `/channels/preview?sender=${at.sender}`, sender: `/channels/${at.sender}`, 'sender-new': '/channels/connect?kind=sms', key: `/api-keys/${at.workspace.keyId}`, gone: '/channels/routes/smr_00000000000000000000000000' };
    for (const [size, scheme, locale] of /** @type {const} */ ([['desktop', 'light', 'en'], ['desktop', 'dark', 'hi'], ['tablet', 'dark', 'en'], ['phone', 'light', 'en'], ['phone', 'dark', 'hi']])) {
        const { page, faults, close } = await openPage(at.browser, at.url, { size: sizes[size], scheme, locale });
        for (const [name, target] of Object.entries(pages)) {
            await page.goto(`${at.url}${target}`);
            await settled(page);
            if (name === 'preview') {
                await page.locator('textarea').first().fill('Your bill of ₹1,200 is “due”.');
                await page.locator('mark').first().waitFor();
            }
            await picture(`${name}-${size}-${scheme}-${locale}`, page);
            failures.push(...(await violations(page)).map((line) => `${name} ${size} ${scheme}: ${line}`), ...faults.splice(0).map((line) => `${name}: ${line}`));
            const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
            if (overflow > 0)
                failures.push(`${name} ${size}: ${overflow} px wider than the window`);
        }
        await close();
    }
    assert.deepEqual(failures, []);
});
