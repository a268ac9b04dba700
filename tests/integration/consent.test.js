// @ts-check
/** The consent ledger: recording, keywords that people write, WhatsApp's preferences, suppressions, imports, erasure; and who sees what of it. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { Client, startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop;
before(async () => {
    platform = await startPlatform();
    shop = await platform.workspace();
});
after(() => platform?.stop());

const key = async (scopes) => new Client(platform.url, (await shop.client.must(201, 'POST', '/v1/api-keys', { name: 'A key', scopes })).key);
const inbound = (from, body, of = shop) => platform.sandbox.control('POST', '/inbound', { phone_number_id: of.account.phone_number_id, from, type: 'text', text: { body } });
const lookUp = (address, client = shop.client) => client.must(200, 'POST', '/v1/consents/lookup', { address });
const states = (person) => Object.fromEntries(person.states.map(({ purpose, state }) => [purpose, state]));
const raw = (client, target, type, body) => fetch(new URL(target, platform.url), { method: 'POST', headers: { authorization: `Bearer ${client.key}`, 'content-type': type }, body });
const answers = async (address, of = shop) => (await of.client.must(200, 'GET', `/v1/messages?direction=outbound&to=${encodeURIComponent(address)}`)).data;

describe('the ledger', () => {
    test('records what is proved, shows who may see it, and says the same of the same', async () => {
        const address = '+14155550201', grant = { address, channel: 'sms', purpose: 'promotional', state: 'granted', method: 'web-form' };
        const refused = await shop.client.call('POST', '/v1/consents', grant);
        assert.deepEqual([refused.status, refused.json.code], [422, 'consent-evidence-missing']);
        const notice = await shop.client.must(201, 'POST', '/v1/consent-notices', { name: 'offers', language: 'en', text: 'Offers, now and then.', terms: { jurisdiction: 'IN', controller: { name: 'Acme' } } });
        assert.equal(notice.sha256, createHash('sha256').update('Offers, now and then.').digest('hex'));
        const whole = { ...grant, at: '2026-01-02T03:04:05.000Z', notice_id: notice.id, evidence: { form: 'footer' } };
        const entry = await shop.client.must(201, 'POST', '/v1/consents', whole);
        assert.equal(entry.address, address);
        assert.equal((await shop.client.must(201, 'POST', '/v1/consents', whole)).id, entry.id, 'the same is the same entry');
        assert.deepEqual((await shop.client.must(200, 'GET', `/v1/consents/${entry.id}`)).evidence, { form: 'footer' });
        assert.deepEqual(states(await lookUp(address)), { promotional: 'granted' });
        const receipt = await shop.client.must(200, 'GET', `/v1/consents/${entry.id}/receipt`);
        assert.deepEqual([receipt.record_id, receipt.notice.sha256, receipt.processing.jurisdiction, receipt.event.state], [entry.id, notice.sha256, 'IN', 'granted']);
        assert.ok(!JSON.stringify(receipt).includes(address.slice(1)), 'a receipt has no number');
        const blind = await key(['consents:read']);
        assert.equal((await blind.must(200, 'GET', `/v1/consents/${entry.id}`)).address, '****0201');
        assert.equal((await lookUp(address, blind)).history[0].address, '****0201');
        const reader = await blind.call('POST', '/v1/consents', whole);
        assert.equal(reader.status, 403);
        const unknown = await shop.client.must(201, 'POST', '/v1/consents', { address, channel: 'sms', purpose: 'newsletter' });
        assert.equal(unknown.state, 'unknown', 'nothing is granted by default');
    });

    test('knows nothing of another workspace', async () => {
        const other = await platform.workspace({ channel: false });
        const entry = await other.client.must(201, 'POST', '/v1/consents', { address: '+14155550202', channel: 'sms', purpose: 'promotional', state: 'withdrawn' });
        assert.equal((await shop.client.call('GET', `/v1/consents/${entry.id}`)).status, 404);
        assert.deepEqual((await lookUp('+14155550202')).states, []);
    });

    test('refuses a decision of the future and a notice that is not there', async () => {
        const entry = { address: '+14155550203', channel: 'sms', purpose: 'promotional', state: 'withdrawn' };
        const ahead = await shop.client.call('POST', '/v1/consents', { ...entry, at: '2999-01-01T00:00:00Z' });
        assert.deepEqual([ahead.status, ahead.json.errors[0].pointer], [422, '/at']);
        const unnoticed = await shop.client.call('POST', '/v1/consents', { ...entry, notice_id: 'cno_01jd8h3c5tfy8n2k7w4q9v6r0g' });
        assert.equal(unnoticed.json.code, 'consent-notice-unknown');
    });
});

describe('keywords', () => {
    test('stop, are answered once, and only the person starts again', async () => {
        const from = '14155550211', address = `+${from}`;
        await shop.client.must(201, 'POST', '/v1/consents', { address, channel: 'whatsapp', purpose: 'newsletter', state: 'granted', at: '2026-01-01T00:00:00Z', evidence: { form: 'x' } });
        await inbound(from, 'Stop!');
        const person = await until(async () => { const seen = await lookUp(address); return seen.suppressions.length === 1 && seen; }, 'the stop');
        assert.deepEqual(states(person), { newsletter: 'withdrawn', promotional: 'withdrawn' });
        assert.deepEqual([person.suppressions[0].reason, person.suppressions[0].is_own, person.suppressions[0].scope], ['keyword', true, 'promotional']);
        const answer = await until(async () => (await answers(address))[0], 'the answer');
        const content = (await shop.client.must(200, 'GET', `/v1/messages/${answer.id}`)).content;
        assert.match(content.text.body, /no more promotional/);
        const own = await shop.client.call('DELETE', `/v1/suppressions/${person.suppressions[0].id}`);
        assert.deepEqual([own.status, own.json.code], [409, 'suppression-own']);
        const granted = await shop.client.call('POST', '/v1/consents', { address, channel: 'whatsapp', purpose: 'promotional', state: 'granted', evidence: { form: 'x' } });
        assert.deepEqual([granted.status, granted.json.code], [409, 'consent-suppressed']);
        await until(() => platform.sql('select count(*) from harkara.consent_follow_up') === '0', 'all that follows');
        /* Another second begins: of what is written within one, a withdrawal wins. */
        const stopped = Date.parse(person.suppressions[0].at);
        await until(() => Date.now() > stopped + 1100, 'the next second');
        await inbound(from, 'start');
        await until(async () => (await lookUp(address)).suppressions.length === 0, 'the start');
        assert.equal(states(await lookUp(address)).promotional, 'granted');
        await until(async () => (await answers(address)).length === 2, 'the answer to it');
    });

    test('are heard in Hindi, and answered so', async () => {
        const from = '14155550212', address = `+${from}`;
        await inbound(from, ' बंद करो। ');
        const answer = await until(async () => (await answers(address))[0], 'the answer');
        assert.match((await shop.client.must(200, 'GET', `/v1/messages/${answer.id}`)).content.text.body, /प्रचार संदेश/);
        assert.equal((await lookUp(address)).history[0].language, 'hi');
    });

    test('of a workspace are heard too, and cannot mean the opposite', async () => {
        const own = await platform.workspace();
        const settings = await own.client.must(200, 'GET', '/v1/settings/consent');
        delete settings.updated_at;
        settings.keywords.stop.words = ['Genug!'];
        settings.keywords.stop.text = 'Schluss.';
        const written = await own.client.must(200, 'PUT', '/v1/settings/consent', settings);
        assert.deepEqual(written.keywords.stop.words, ['genug']);
        await inbound('14155550213', 'GENUG', own);
        await until(async () => (await lookUp('+14155550213', own.client)).suppressions.length === 1, 'the stop');
        settings.keywords.start.words = ['stop'];
        const refused = await own.client.call('PUT', '/v1/settings/consent', settings);
        assert.deepEqual([refused.status, refused.json.errors[0].pointer], [422, '/keywords/start/words/0']);
    });
});

describe('suppressions', () => {
    test('block imports, and survive erasure', async () => {
        const address = '+14155550221';
        await shop.client.must(201, 'POST', '/v1/consents', { address, channel: 'sms', purpose: 'promotional', state: 'granted', at: '2026-01-01T00:00:00Z', evidence: { form: 'x' } });
        const row = await shop.client.must(201, 'POST', '/v1/suppressions', { address });
        assert.deepEqual([row.channel, row.scope, row.reason, row.is_own], ['any', 'all', 'manual', false]);
        assert.equal((await shop.client.must(200, 'POST', '/v1/suppressions', { address })).id, row.id);
        assert.equal((await shop.client.must(200, 'POST', '/v1/consents/erase', { address })).erased, 2);
        const erased = await lookUp(address);
        assert.deepEqual([states(erased).promotional, erased.suppressions.length], ['granted', 1]);
        const entry = await shop.client.must(200, 'GET', `/v1/consents/${erased.history[0].id}`);
        assert.deepEqual([entry.address, entry.evidence], [null, null]);
        const body = `address,channel,purpose,state,evidence\n${address},sms,promotional,granted,list of May\n`;
        const answer = await (await raw(shop.client, '/v1/consents/import', 'text/csv', body)).json();
        assert.deepEqual([answer.refused, answer.rows[0].code], [1, 'consent-suppressed']);
        assert.equal((await shop.client.call('DELETE', `/v1/suppressions/${row.id}`)).status, 204);
        const now = await (await raw(shop.client, '/v1/consents/import', 'text/csv', body)).json();
        assert.equal(now.recorded, 1);
    });
});

describe('imports', () => {
    test('take each row by itself, in either form', async () => {
        const lines = [{ address: '+14155550231', channel: 'sms', purpose: 'promotional', state: 'granted', at: '2026-02-01T00:00:00Z', evidence: { form: 'x' } },
            { address: '14155550232', channel: 'sms', purpose: 'promotional' },
            { address: '+14155550233', channel: 'sms', purpose: 'promotional', state: 'granted' },
            { address: '+14155550234', channel: 'pigeon', purpose: 'promotional' },
            { address: '+14155550235', channel: 'sms', purpose: 'promotional' }];
        const body = lines.map((line) => JSON.stringify(line)).join('\n') + '\n{"broken\n';
        const answer = await (await raw(shop.client, '/v1/consents/import', 'application/x-ndjson', body)).json();
        assert.deepEqual(answer.rows.map(({ result, code, field }) => [result, code, field]), [['recorded', null, null], ['refused', 'recipient-invalid', 'address'],
            ['refused', 'consent-evidence-missing', 'evidence'], ['refused', 'request-invalid', 'channel'], ['recorded', null, null], ['refused', 'json-invalid', null]]);
        assert.equal(states(await lookUp('+14155550235')).promotional, 'unknown');
        const again = await (await raw(shop.client, '/v1/consents/import', 'application/x-ndjson', JSON.stringify(lines[0]))).json();
        assert.deepEqual([again.repeated, again.rows[0].id], [1, answer.rows[0].id]);
        const list = await (await raw(shop.client, '/v1/suppressions/import', 'text/csv', 'address,channel\r\n"+14155550236",sms\r\n')).json();
        assert.equal(list.recorded, 1);
        assert.equal((await raw(shop.client, '/v1/consents/import', 'text/plain', 'x')).status, 415);
        const exported = (await (await fetch(new URL('/v1/consents/export?source=import', platform.url), { headers: { authorization: `Bearer ${shop.client.key}` } })).text()).trim().split('\n').map((line) => JSON.parse(line));
        assert.deepEqual(exported.at(-1), { end: true, count: exported.length - 1 });
        assert.ok(exported.some(({ address }) => address === '+14155550231'));
    });
});

describe("WhatsApp's own preferences", () => {
    test('are consent, and end what they began', async () => {
        const set = async (value, timestamp) => {
            const body = JSON.stringify({ object: 'whatsapp_business_account', entry: [{ id: shop.account.waba_id, changes: [{ field: 'user_preferences', value: { messaging_product: 'whatsapp', metadata: { display_phone_number: '1', phone_number_id: shop.account.phone_number_id },
                user_preferences: [{ wa_id: '14155550241', detail: 'x', category: 'marketing_messages', value, timestamp }] } }] }] });
            const answer = await fetch(new URL(`/callbacks/whatsapp/${shop.channel}`, platform.url), { method: 'POST', headers: { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${createHmac('sha256', shop.account.app_secret).update(body).digest('hex')}` }, body });
            assert.equal(answer.status, 200);
        };
        await set('stop', 1731705721);
        const person = await until(async () => { const seen = await lookUp('+14155550241'); return seen.suppressions.length === 1 && seen; }, 'the preference');
        assert.deepEqual([person.suppressions[0].reason, person.history[0].source, states(person).promotional], ['preference', 'provider', 'withdrawn']);
        await set('resume', 1731705731);
        await until(async () => (await lookUp('+14155550241')).suppressions.length === 0, 'the end of it');
        assert.equal(states(await lookUp('+14155550241')).promotional, 'granted');
    });
});
