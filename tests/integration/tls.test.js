// @ts-check
/** The provider over TLS: HTTP/2, a certificate that is checked, and answers of every odd kind. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop, folder;
before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'harkara-ca-'));
    chmodSync(folder, 0o755);
    platform = await startPlatform({ tls: folder, env: { HARKARA_SEND_TIMEOUT_MS: '2000', HARKARA_UNCERTAIN_WAIT_MS: '1000' } });
    shop = await platform.workspace();
    await shop.client.promotes();
});
after(async () => {
    await platform?.stop();
    rmSync(folder, { recursive: true, force: true });
});
const send = async (to, more = {}) => (await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel, { to, ...more }))).id;

test('messages go out by HTTP/2 over a verified connection', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => send('+14155550123')));
    for (const id of ids)
        await shop.client.follow(id, ['read']);
    const { json } = await platform.sandbox.control('GET', '/counters');
    assert.ok((json.counters ?? json)['requests.http2'] >= 20, JSON.stringify(json));
});

describe('odd answers', () => {
    const cases = [
        ['refused at once', '+15550231026', ['failed']],
        ['refused twice, then taken', '+15550431016', ['read']],
        ['500 without a body', '+15550300012', ['queued', 'uncertain', 'sending', 'failed', 'read']],
        ['502 with HTML', '+15550300013', ['queued', 'uncertain', 'sending', 'failed', 'read']],
        ['taken, then the connection is cut', '+15550300010', ['read', 'delivered', 'sent']],
    ];
    for (const [what, to, statuses] of cases)
        test(String(what), async () => {
            const id = await send(to);
            const message = await shop.client.follow(id, /** @type {string[]} */ (statuses));
            assert.ok(message.timeline.length >= 2);
        });

    test('taken and never answered: uncertain, then settled by the provider\'s own event, sent once', async () => {
        const id = await send('+15550300007', { category: 'promotional' });
        await until(async () => (await shop.client.must(200, 'GET', `/v1/messages/${id}`)).timeline.some(({ type }) => ['message.uncertain', 'message.delivered', 'message.read'].includes(type)), 'a verdict');
        const end = await shop.client.follow(id, ['read', 'delivered', 'sent']);
        assert.equal(end.attempts, 1);
        const { json } = await platform.sandbox.control('GET', `/messages?opaque=${id}`);
        assert.equal(json.total, 1);
    });

    test('a dead token breaks the channel; a new one mends it and what waited goes', async () => {
        const other = await platform.workspace({ endpoint: true });
        const token = await platform.sandbox.control('PATCH', `/accounts/${other.account.waba_id}/tokens`, { state: 'expired' });
        assert.ok(token.status < 300, token.text);
        const { id } = await other.client.must(202, 'POST', '/v1/messages', other.client.text(other.channel));
        await until(async () => (await other.client.must(200, 'GET', `/v1/channels/${other.channel}`)).state === 'broken', 'the channel to break');
        await until(() => other.receiver.events().some(({ type, data }) => type === 'channel.broken' && data.channel_id === other.channel), 'the tenant to hear of it');
        assert.equal((await other.client.call('POST', '/v1/messages', other.client.text(other.channel))).json.code, 'channel-not-ready');
        assert.notEqual((await other.client.must(200, 'GET', `/v1/messages/${id}`)).status, 'failed', 'what was accepted waits');
        const fresh = `EAAfresh${'0123456789abcdef'.repeat(3)}`;
        const renewed = await platform.sandbox.control('POST', '/accounts', { ...other.account, access_token: fresh, callback_url: other.callback, settings: { window: 'ignore' } });
        assert.ok(renewed.status < 300, renewed.text);
        await platform.sandbox.control('PATCH', `/accounts/${other.account.waba_id}/tokens`, { state: 'valid' });
        assert.equal((await other.client.must(200, 'PATCH', `/v1/channels/${other.channel}`, { whatsapp: { access_token: fresh } })).state, 'active');
        await other.client.follow(id, ['read']);
    });
});
