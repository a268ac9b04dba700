// @ts-check
/** Every type of message goes through the API to the provider, unchanged in meaning; what the app sent comes back as an echo. */
import assert from 'node:assert/strict';
import http from 'node:http';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ROOT, startPlatform, until } from './support.js';

/** Between the dispatcher and the simulator: keeps every body that was posted to /messages, and hands it on. */
function startRecorder() {
    /** @type {Map<string, any>} */
    const bodies = new Map();
    const recorder = { target: '', bodies, url: '', stop: () => server.close() };
    const server = http.createServer((request, response) => {
        const parts = /** @type {Buffer[]} */ ([]);
        request.on('data', (part) => parts.push(part));
        request.on('end', async () => {
            const body = Buffer.concat(parts);
            if (/\/messages$/.test(String(request.url)) && body.length > 0) {
                const json = JSON.parse(body.toString());
                bodies.set(json.biz_opaque_callback_data, json);
            }
            const headers = Object.fromEntries(['authorization', 'content-type', 'accept'].filter((name) => request.headers[name] !== undefined)
                .map((name) => [name, String(request.headers[name])]));
            const answer = await fetch(`${recorder.target}${request.url}`, { method: request.method, headers, body: body.length === 0 ? undefined : body });
            response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' });
            response.end(Buffer.from(await answer.arrayBuffer()));
        });
    });
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => {
        recorder.url = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;
        resolve(recorder);
    }));
}

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
/** @type {Awaited<ReturnType<typeof platform.workspace>>} */
let shop;
/** @type {any} */
let recorder;
before(async () => {
    recorder = await startRecorder();
    platform = await startPlatform({ env: { HARKARA_GRAPH_URL: recorder.url } });
    recorder.target = platform.sandbox.url;
    shop = await platform.workspace({ endpoint: true, settings: { links: 'ignore', groups: 'any' } });
});
after(async () => {
    await platform?.stop();
    recorder?.stop();
});

const folder = path.join(ROOT, 'tests/fixtures/whatsapp/content');
const fixtures = readdirSync(folder).map((name) => ({ name, ...JSON.parse(readFileSync(path.join(folder, name), 'utf8')) }));

describe('what can be sent', () => {
    test('every type reaches the provider as it was asked for', async () => {
        const first = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel));
        const target = await shop.client.follow(first.id, ['sent', 'delivered', 'read']);
        const ids = new Map();
        for (const { name, to, content, body, refers_to: refersTo } of fixtures) {
            const isReaction = content.type === 'reaction';
            const asked = { channel_id: shop.channel, to, content: isReaction ? { ...content, reaction: { ...content.reaction, message_id: first.id } } : content,
                ...(refersTo === undefined || isReaction ? {} : { reply_to: first.id }) };
            const { id } = await shop.client.must(202, 'POST', '/v1/messages', asked).catch((error) => { throw new Error(`${name}: ${error.message}`); });
            const want = { ...body, biz_opaque_callback_data: id };
            if (want.context !== undefined)
                want.context = { message_id: target.provider_id };
            if (isReaction)
                want.reaction = { ...want.reaction, message_id: target.provider_id };
            ids.set(id, { name, want });
        }
        assert.ok(ids.size >= 55);
        await until(() => [...ids.keys()].every((id) => recorder.bodies.has(id)), 'every message to reach the provider');
        for (const [id, { name, want }] of ids)
            assert.deepEqual(recorder.bodies.get(id), want, name);
        for (const [id, { name }] of ids) {
            const end = await shop.client.follow(id, ['sent', 'delivered', 'read', 'failed']);
            /* templates that are not approved, files and people that are not there: the simulator's own word on a body that it understood */
            if (end.status === 'failed')
                assert.match(end.error.code, /^whatsapp-(132001|131009|131026)$/, `${name}: ${JSON.stringify(end.error)}`);
        }
        const priced = await until(async () => {
            const message = await shop.client.must(200, 'GET', `/v1/messages/${first.id}`);
            return message.pricing !== null && message;
        }, 'what the provider charges');
        assert.deepEqual(Object.keys(priced.pricing).sort(), ['billable', 'category', 'model', 'type']);
    });
});

describe('what was sent from the app', () => {
    test('is an outbound message, told as an echo', async () => {
        const { json } = await platform.sandbox.control('POST', '/echoes', { phone_number_id: shop.account.phone_number_id, to: '14155550123', text: 'From the shop' });
        const event = await until(() => shop.receiver.events().find(({ type, data }) => type === 'message.echoed' && data.provider_id === json.id), 'the echo');
        assert.equal(event.data.to, '+14155550123');
        assert.deepEqual(event.data.content, { type: 'text', text: { body: 'From the shop' } });
        const message = await shop.client.must(200, 'GET', `/v1/messages/${event.data.message_id}`);
        assert.deepEqual([message.direction, message.status, message.to, message.attempts], ['outbound', 'sent', '+14155550123', 0]);
    });
});

describe('the 24-hour window', () => {
    const windows = async (to) => shop.client.must(200, 'GET', `/v1/channels/${shop.channel}/windows?to=${encodeURIComponent(to)}`);

    test('is opened by a message, and by an answer to an advertisement', async () => {
        assert.deepEqual(await windows('+551187654321'), { to: '+551187654321', is_open: false, window_until: null, free_entry_until: null });
        const inbound = await platform.sandbox.control('POST', '/inbound', { phone_number_id: shop.account.phone_number_id, from: '5511987654321', text: 'Oi',
            referral: { source_type: 'ad', source_url: 'https://fb.me/x' } });
        assert.ok(inbound.status < 300);
        const open = await until(async () => {
            const window = await windows('+551187654321'); /* the other spelling of the same number */
            return window.is_open && window;
        }, 'the window');
        assert.ok(Date.parse(open.window_until) > Date.now() + 23 * 3600_000);
        const { id } = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel, { to: '+5511987654321' }));
        await shop.client.follow(id, ['sent', 'delivered', 'read']);
        await until(async () => Date.parse((await windows('+5511987654321')).free_entry_until ?? 0) > Date.now() + 71 * 3600_000, 'the free entry point');
    });

    test('refuses what is no template once it is known to be over, unless that is turned off', async () => {
        const old = Math.floor(Date.now() / 1000) - 30 * 3600;
        await platform.sandbox.control('POST', '/webhook', { waba_id: shop.account.waba_id, phone_number_id: shop.account.phone_number_id, field: 'messages', value: {
            messaging_product: 'whatsapp', metadata: { display_phone_number: shop.account.display_phone_number, phone_number_id: shop.account.phone_number_id },
            messages: [{ from: '14155550177', id: 'wamid.OLD', timestamp: String(old), type: 'text', text: { body: 'Long ago' } }] } });
        await until(async () => (await windows('+14155550177')).window_until !== null, 'the old message');
        const refused = await shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel, { to: '+14155550177' }));
        assert.deepEqual([refused.status, refused.json.code], [409, 'window-closed']);
        await shop.client.must(202, 'POST', '/v1/messages', { channel_id: shop.channel, to: '+14155550177', content: { type: 'template', template: { name: 'hello_world', language: { code: 'en_US' } } } });
        const changed = await shop.client.must(200, 'PATCH', `/v1/channels/${shop.channel}`, { whatsapp: { window_check: 'off' } });
        assert.equal(changed.whatsapp.window_check, 'off');
        await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel, { to: '+14155550177' }));
    });
});
