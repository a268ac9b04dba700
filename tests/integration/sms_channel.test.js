// @ts-check
/** SMS senders, operators, routes and previews by the API; what a message of an SMS channel may be. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startPlatform } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop, stranger;
before(async () => {
    platform = await startPlatform();
    shop = await platform.workspace();
    stranger = await platform.workspace();
});
after(() => platform?.stop());

const account = { name: 'Operator', host: 'smpp.operator.example', tls: true, system_id: 'harkara', password: 'se-cret-1' };
const header = (sender, more = {}) => ({ kind: 'sms', name: sender, sms: { sender, sender_kind: 'alphanumeric', ...more } });
const text = (body, sms) => ({ type: 'text', text: { body }, ...(sms === undefined ? {} : { sms }) });

describe('a connector', () => {
    test('is connected, read, changed and gone, and its password is never given back', async () => {
        const made = await shop.client.must(201, 'POST', '/v1/sms/connectors', { ...account, binds: { transmitters: 2, receivers: 1 }, encoding: { languages: ['hindi'] } });
        assert.equal(JSON.stringify(made).includes('se-cret'), false);
        assert.deepEqual(made.binds, { transceivers: 0, transmitters: 2, receivers: 1 });
        assert.deepEqual(made.encoding, { joining: 'udh-8', alphabet: 'gsm7', languages: ['hindi'] });
        assert.equal(made.state, 'active');
        assert.deepEqual(made.links, []);
        const path = `/v1/sms/connectors/${made.id}`;
        const changed = await shop.client.must(200, 'PATCH', path, { state: 'paused', per_second: 50, dlt: { entity_tag: 5120 }, receipts: { ids: 'decimal' }, password: 'se-cret-2' });
        assert.equal(changed.state, 'paused');
        assert.equal(changed.per_second, 50);
        assert.deepEqual(changed.dlt, { entity_tag: 5120, template_tag: null, chain_tag: null, ends_with_nul: false });
        assert.deepEqual(changed.receipts, { ids: 'decimal', zone_minutes: 0, error_codes: 'india' });
        assert.equal(changed.system_id, 'harkara');
        assert.deepEqual([changed.addressing.country_code, changed.unrouted], [null, { senders: 0, recipients: 0, last_at: null }]);
        const home = await shop.client.must(200, 'PATCH', path, { addressing: { country_code: '91' } });
        assert.deepEqual(home.addressing, { ...changed.addressing, country_code: '91' });
        assert.equal((await shop.client.must(200, 'PATCH', path, { per_second: 40 })).addressing.country_code, '91');
        assert.equal((await shop.client.must(200, 'PATCH', path, { addressing: { country_code: null } })).addressing.country_code, null);
        assert.equal((await shop.client.must(422, 'PATCH', path, { addressing: { country_code: '0' } })).errors[0].pointer, '/addressing/country_code');
        assert.deepEqual((await shop.client.must(200, 'GET', '/v1/sms/connectors')).data.map(({ id }) => id), [made.id]);
        assert.deepEqual((await stranger.client.must(200, 'GET', '/v1/sms/connectors')).data, []);
        await stranger.client.must(404, 'GET', path);
        await stranger.client.must(404, 'PATCH', path, { per_second: 1 });
        await stranger.client.must(404, 'DELETE', path);
        await shop.client.must(204, 'DELETE', path);
        await shop.client.must(404, 'GET', path);
    });

    test('is not pointed elsewhere without its password, which would be sent there', async () => {
        const made = await shop.client.must(201, 'POST', '/v1/sms/connectors', { ...account, tls_ca: '-----BEGIN CERTIFICATE-----' });
        const path = `/v1/sms/connectors/${made.id}`;
        for (const elsewhere of [{ host: 'smpp.elsewhere.example' }, { port: 2776 }, { tls: false, tls_ca: null }, { tls_ca: null }, { host: 'smpp.elsewhere.example', system_id: 'another', per_second: 20 }]) {
            const refused = await shop.client.must(422, 'PATCH', path, elsewhere);
            assert.equal(refused.errors[0].pointer, '/password', JSON.stringify(elsewhere));
        }
        const { links: _, ...unchanged } = await shop.client.must(200, 'GET', path);
        assert.deepEqual({ ...unchanged, links: made.links }, made, 'nothing was changed');
        assert.equal((await shop.client.must(200, 'PATCH', path, { host: account.host, port: made.port, tls: true, per_second: 20 })).per_second, 20, 'the same place needs none');
        const moved = await shop.client.must(200, 'PATCH', path, { host: 'smpp.elsewhere.example', port: 2776, tls_ca: null, password: 'se-cret-3' });
        assert.deepEqual([moved.host, moved.port, moved.tls, moved.tls_ca], ['smpp.elsewhere.example', 2776, true, null]);
        await shop.client.must(204, 'DELETE', path);
    });

    test('that cannot be is refused with the member that is wrong', async () => {
        const bad = await shop.client.must(422, 'POST', '/v1/sms/connectors', { ...account, binds: { receivers: 1 } });
        assert.equal(bad.code, 'connector-invalid');
        assert.equal(bad.errors[0].pointer, '/binds');
        const host = await shop.client.must(422, 'POST', '/v1/sms/connectors', { ...account, host: 'a b' });
        assert.equal(host.errors[0].pointer, '/host');
    });
});

describe('an SMS channel', () => {
    test('is a sender of its own kind', async () => {
        const made = await shop.client.must(201, 'POST', '/v1/channels', header('HRKARA'));
        assert.equal(made.kind, 'sms');
        assert.equal(made.callback_url, null);
        assert.deepEqual(made.sms, { sender: 'HRKARA', sender_kind: 'alphanumeric', unicode: 'auto', parts_max: 10 });
        assert.equal((await shop.client.must(409, 'POST', '/v1/channels', header('hrkara'))).code, 'already-exists');
        await stranger.client.must(201, 'POST', '/v1/channels', header('HRKARA'));
        for (const [sender, sender_kind] of [['123456789012', 'alphanumeric'], ['12345', 'number'], ['HELLO', 'short-code']])
            assert.equal((await shop.client.must(422, 'POST', '/v1/channels', { kind: 'sms', name: 'x', sms: { sender, sender_kind } })).code, 'channel-sender-invalid');
        const path = `/v1/channels/${made.id}`;
        const changed = await shop.client.must(200, 'PATCH', path, { sms: { unicode: 'refuse', parts_max: 2 } });
        assert.deepEqual(changed.sms, { sender: 'HRKARA', sender_kind: 'alphanumeric', unicode: 'refuse', parts_max: 2 });
        assert.equal((await shop.client.must(422, 'PATCH', path, { whatsapp: { window_check: 'off' } })).errors[0].pointer, '/whatsapp');
        await shop.client.must(200, 'PATCH', path, { state: 'paused' });
        await shop.client.must(200, 'PATCH', path, { state: 'active' });
        await shop.client.must(204, 'DELETE', path);
        await shop.client.must(201, 'POST', '/v1/channels', header('HRKARA'));
    });

    test('takes texts that fit it, and nothing else', async () => {
        const { id } = await shop.client.must(201, 'POST', '/v1/channels', header('SHOPPE', { parts_max: 2 }));
        const send = (content, more = {}) => ({ channel_id: id, to: '+14155550123', category: 'service', content, ...more });
        const sent = await shop.client.must(202, 'POST', '/v1/messages', send(text('Your order has left.', { flash: true, validity_s: 600 })));
        const read = await shop.client.must(200, 'GET', `/v1/messages/${sent.id}`);
        assert.deepEqual(read.content, text('Your order has left.', { flash: true, validity_s: 600 }));
        const long = await shop.client.must(422, 'POST', '/v1/messages', send(text('x'.repeat(307))));
        assert.equal(long.code, 'message-invalid');
        assert.equal(long.errors[0].pointer, '/content/text/body');
        const plain = await shop.client.must(422, 'POST', '/v1/messages', send(text('नमस्ते', { unicode: 'refuse' })));
        assert.equal(plain.errors[0].pointer, '/content/text/body');
        const image = await shop.client.must(422, 'POST', '/v1/messages', send({ type: 'image', image: { link: 'https://example.org/a.png' } }));
        assert.equal(image.errors[0].pointer, '/content/type');
        const whatsapp = await shop.client.must(422, 'POST', '/v1/messages', send(text('x', { flash: true }), { channel_id: shop.channel }));
        assert.equal(whatsapp.errors[0].pointer, '/content/sms');
    });

    test('takes over from a WhatsApp number, with a content of its own', async () => {
        const { id } = await shop.client.must(201, 'POST', '/v1/channels', header('SECOND'));
        const chain = (content) => ({ channel_id: shop.channel, to: '+14155550123', category: 'service', content: text('Hello'), fallback: [{ channel_id: id, after_s: 60, content }] });
        await shop.client.must(202, 'POST', '/v1/messages', chain(text('Hello by SMS', { unicode: 'refuse' })));
        const wrong = await shop.client.must(422, 'POST', '/v1/messages', chain({ type: 'image', image: { link: 'https://example.org/a.png' } }));
        assert.equal(wrong.errors[0].pointer, '/fallback/0/content/type');
    });
});

describe('routes and previews', () => {
    test('say what carries a message and what it becomes there', async () => {
        const { id: channel } = await shop.client.must(201, 'POST', '/v1/channels', header('ROUTED'));
        const india = await shop.client.must(201, 'POST', '/v1/sms/connectors', { ...account, name: 'India', encoding: { languages: ['hindi'] } });
        const world = await shop.client.must(201, 'POST', '/v1/sms/connectors', { ...account, name: 'World', encoding: { joining: 'udh-16' } });
        const route = await shop.client.must(201, 'POST', '/v1/sms/routes', { connector_id: world.id });
        assert.deepEqual([route.prefix, route.channel_id, route.priority], ['', null, 0]);
        await shop.client.must(201, 'POST', '/v1/sms/routes', { connector_id: india.id, prefix: '91', priority: 1 });
        await shop.client.must(201, 'POST', '/v1/sms/routes', { connector_id: world.id, prefix: '91', priority: 2 });
        assert.equal((await shop.client.must(409, 'POST', '/v1/sms/routes', { connector_id: world.id })).code, 'already-exists');
        assert.equal((await stranger.client.must(422, 'POST', '/v1/sms/routes', { connector_id: world.id })).code, 'route-unknown');
        assert.equal((await shop.client.must(422, 'POST', '/v1/sms/routes', { connector_id: world.id, channel_id: shop.channel })).code, 'route-unknown');
        await stranger.client.must(404, 'GET', `/v1/sms/routes/${route.id}`);
        const preview = (to, content) => shop.client.must(200, 'POST', '/v1/sms/preview', { channel_id: channel, ...(to === null ? {} : { to }), content });
        const hindi = await preview('+919812345678', text('नमस्ते '.repeat(12)));
        assert.deepEqual(hindi.counts.map(({ connector_id, alphabet, language }) => [connector_id, alphabet, language]),
            [[india.id, 'gsm7', 'hindi'], [world.id, 'ucs2', null]]);
        assert.equal(hindi.counts[1].unicode_because.code_point, 'U+0928');
        const abroad = await preview('+14155550123', text('x'.repeat(161)));
        assert.deepEqual(abroad.counts, [{ connector_id: world.id, alphabet: 'gsm7', language: null, units: 161, part_units: 152, parts: 2, is_too_long: false, unicode_because: null }]);
        const nowhere = await preview(null, text('“Hi”', { unicode: 'transliterate' }));
        assert.deepEqual([nowhere.text, nowhere.changed, nowhere.counts[0].connector_id, nowhere.counts[0].parts], ['"Hi"', 2, null, 1]);
        assert.equal((await preview(null, text('x'.repeat(1600)))).counts[0].is_too_long, true);
        assert.equal((await stranger.client.must(422, 'POST', '/v1/sms/preview', { channel_id: channel, content: text('x') })).code, 'channel-unknown');
        const moved = await shop.client.must(200, 'PATCH', `/v1/sms/routes/${route.id}`, { channel_id: channel, prefix: '1' });
        assert.deepEqual([moved.channel_id, moved.prefix, moved.connector_id], [channel, '1', world.id]);
        assert.equal((await shop.client.must(200, 'GET', '/v1/sms/routes')).data.length, 3);
        await shop.client.must(204, 'DELETE', `/v1/sms/connectors/${india.id}`);
        assert.equal((await shop.client.must(200, 'GET', '/v1/sms/routes')).data.length, 2, 'its routes go with it');
        await shop.client.must(204, 'DELETE', `/v1/sms/routes/${route.id}`);
    });
});
