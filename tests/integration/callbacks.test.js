// @ts-check
/** What WhatsApp posts: nothing without a signature, nothing twice, nothing lost, forward only. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { Client, startPlatform, until } from './support.js';

/** The simulator accepts what goes to this number and reports nothing of it: here the test speaks for the provider. */
const SILENT = '+15550300006';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop, path;
const stranger = () => new Client(platform.url, null);
before(async () => {
    platform = await startPlatform();
    shop = await platform.workspace({ endpoint: true });
    path = new URL(shop.callback).pathname;
});
after(() => platform?.stop());

const sign = (body, secret = shop.account.app_secret) => `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
const post = (body, headers = { 'x-hub-signature-256': sign(body) }) => stranger().raw('POST', path, body, { 'content-type': 'application/json', ...headers });
const envelope = (value, field = 'messages') => JSON.stringify({ object: 'whatsapp_business_account', entry: [{ id: shop.account.waba_id, changes: [{ field, value: {
    messaging_product: 'whatsapp', metadata: { display_phone_number: shop.account.display_phone_number, phone_number_id: shop.account.phone_number_id }, ...value } }] }] });
const status = (word, message, more = {}) => envelope({ statuses: [{ id: message.provider_id ?? 'wamid.x', status: word, timestamp: String(Math.floor(Date.now() / 1000)), recipient_id: '14155550123', biz_opaque_callback_data: message.id, ...more }] });
const settled = () => until(() => platform.sql("select count(*) from harkara.provider_batch") === '0', 'everything to be interpreted');

describe('the handshake', () => {
    const ask = (query) => stranger().raw('GET', `${path}?${new URLSearchParams(query)}`, undefined);

    test('answers the challenge to who knows the token', async () => {
        const response = await fetch(`${platform.url}${path}?${new URLSearchParams({ 'hub.mode': 'subscribe', 'hub.challenge': '1158201444', 'hub.verify_token': shop.account.verify_token })}`);
        assert.equal(response.status, 200);
        assert.equal(await response.text(), '1158201444');
    });

    test('refuses a wrong token, a missing part and markup', async () => {
        const right = { 'hub.mode': 'subscribe', 'hub.challenge': '1', 'hub.verify_token': shop.account.verify_token };
        assert.equal((await ask({ ...right, 'hub.verify_token': 'wrong-token' })).status, 403);
        assert.ok((await ask({ ...right, 'hub.mode': 'unsubscribe' })).status >= 400);
        assert.ok((await ask({ ...right, 'hub.challenge': '<script>' })).status >= 400);
        assert.ok((await ask({ 'hub.mode': 'subscribe', 'hub.challenge': '1' })).status >= 400);
    });

    test('without a channel there is no endpoint', async () => {
        const nowhere = `/callbacks/whatsapp/chn_${'0'.repeat(26)}`;
        assert.equal((await stranger().raw('GET', `${nowhere}?hub.mode=subscribe&hub.challenge=1&hub.verify_token=x`, undefined)).status, 404);
        assert.equal((await stranger().raw('POST', nowhere, '{}', { 'x-hub-signature-256': sign('{}') })).status, 404);
    });
});

describe('the signature', () => {
    test('is wanted, exact, over the raw bytes', async () => {
        const body = envelope({ statuses: [] });
        const before = platform.sql('select count(*) from harkara.provider_event');
        for (const headers of [{}, { 'x-hub-signature-256': '' }, { 'x-hub-signature-256': sign(body, 'another secret') }, { 'x-hub-signature-256': sign(`${body} `) },
            { 'x-hub-signature-256': sign(body).replace('sha256=', 'sha1=') }, { 'x-hub-signature-256': sign(body).toUpperCase() }, { 'x-hub-signature-256': sign(body).slice(0, -1) },
            { 'x-hub-signature': `sha1=${createHmac('sha1', shop.account.app_secret).update(body).digest('hex')}` }]) {
            const answer = await post(body, headers);
            assert.equal(answer.status, 401, JSON.stringify(headers));
            assert.equal(answer.json.code, 'signature-invalid');
        }
        assert.equal(platform.sql('select count(*) from harkara.provider_event'), before, 'nothing was stored');
    });

    test('holds for escaped text, and for a body that is no JSON at all', async () => {
        for (const body of [envelope({ statuses: [] }).replace('whatsapp"', 'whats\\u0061pp"'), 'not json', '{"object":"page"}', '']) {
            const answer = await post(body);
            assert.equal(answer.status, 200, body.slice(0, 20));
        }
    });
});

describe('statuses', () => {
    async function sent() {
        const { id } = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel, { to: SILENT }));
        return shop.client.follow(id, ['sent']);
    }

    test('move forward only, however they come', async () => {
        const message = await sent();
        for (const word of ['read', 'delivered', 'sent', 'read', 'failed'])
            assert.equal((await post(status(word, message))).status, 200);
        await settled();
        const seen = await shop.client.must(200, 'GET', `/v1/messages/${message.id}`);
        assert.equal(seen.status, 'read');
        assert.equal(seen.timeline.filter(({ type }) => type === 'message.delivered').length, 1);
        assert.equal(seen.timeline.filter(({ type }) => type === 'message.read').length, 1);
    });

    test('are matched by the provider\'s id when ours is not there', async () => {
        const message = await sent();
        assert.equal((await post(status('delivered', message, { biz_opaque_callback_data: undefined }))).status, 200);
        assert.equal((await shop.client.follow(message.id, ['delivered', 'read'])).status, 'delivered');
    });

    test('of messages that are not ours are taken and left', async () => {
        const failed = () => platform.sql("select count(*) from harkara.provider_event where error is not null");
        await settled();
        const before = failed();
        assert.equal((await post(status('delivered', { id: 'someone-elses', provider_id: 'wamid.unknown' }))).status, 200);
        await settled();
        assert.equal(failed(), before);
    });

    test('a failure carries our title, not the provider\'s text', async () => {
        const message = await sent();
        await post(status('failed', message, { errors: [{ code: 131047, title: 'secret text of the provider', message: 'x', error_data: { details: 'y' } }] }));
        const failed = await shop.client.follow(message.id, ['failed']);
        assert.equal(failed.error.code, 'whatsapp-131047');
        assert.ok(!JSON.stringify(failed).includes('secret text'));
    });
});

describe('what people send', () => {
    const inbound = (id, body) => envelope({ contacts: [{ profile: { name: 'Asha' }, wa_id: '919812345678' }], messages: [{ from: '919812345678', id, timestamp: String(Math.floor(Date.now() / 1000)), type: 'text', text: { body } }] });

    test('is one message, though it is posted again as it was and in other words', async () => {
        const first = inbound('wamid.IN1', 'Once');
        await post(first);
        await post(first);
        await post(inbound('wamid.IN1', 'Once').replace('Asha', 'Asha K'));
        await settled();
        const list = await shop.client.must(200, 'GET', `/v1/messages?direction=inbound&to=${encodeURIComponent('+919812345678')}`);
        assert.equal(list.data.filter(({ provider_id }) => provider_id === 'wamid.IN1').length, 1);
        await until(() => shop.receiver.events().some(({ type, data }) => type === 'message.received' && data.provider_id === 'wamid.IN1'), 'the webhook');
        assert.equal(shop.receiver.events().filter(({ type, data }) => type === 'message.received' && data.provider_id === 'wamid.IN1').length, 1);
    });

    test('a thousand in one body are a thousand messages', async () => {
        const body = envelope({ messages: Array.from({ length: 1000 }, (_, i) => ({ from: '919800000001', id: `wamid.MANY${i}`, timestamp: '1700000000', type: 'text', text: { body: `n ${i}` } })) });
        assert.equal((await post(body)).status, 200);
        await settled();
        assert.equal(platform.sql("select count(*) from harkara.message where provider_id like 'wamid.MANY%'"), '1000');
    });

    test('a body larger than any that Meta sends is refused', async () => {
        const body = 'x'.repeat(3 * 1024 * 1024 + 1);
        /* Answered before it is read, so that a client must listen while it sends, as curl does. */
        const code = execFileSync('curl', ['-s', '-o', '/dev/null', '-w', '%{http_code}', '--data-binary', '@-', '-H', `X-Hub-Signature-256: ${sign(body)}`, `${platform.url}${path}`], { input: body });
        assert.equal(String(code), '413');
    });

    test('kinds that nobody knows yet are kept', async () => {
        await post(envelope({ messages: [{ from: '919812345678', id: 'wamid.NEW', timestamp: '1700000000', type: 'hologram', hologram: { depth: 3 } }] }));
        await settled();
        assert.equal(platform.sql("select kind from harkara.message where provider_id = 'wamid.NEW'"), 'unsupported');
    });
});
