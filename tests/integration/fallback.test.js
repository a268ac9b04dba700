// @ts-check
/** Senders that take over from one another: two numbers of one workspace, whose provider refuses, reports failures or says nothing. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PERSON, startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
/** @type {Awaited<ReturnType<typeof platform.workspace>>} */
let shop;
/** @type {Awaited<ReturnType<typeof platform.connect>>} */
let second;
before(async () => {
    platform = await startPlatform({ env: { HARKARA_SEND_LEASE_MS: '3000', HARKARA_SEND_TIMEOUT_MS: '1500', HARKARA_UNCERTAIN_WAIT_MS: '1500' } });
    shop = await platform.workspace({ endpoint: true });
    second = await platform.connect(shop.client);
});
after(() => platform?.stop());

/** What becomes of messages through a number, the first one if none is named, until the end of `work`. */
async function withFault(effect, work, { phone_number_id } = shop.account) {
    const { json } = await platform.sandbox.control('POST', '/faults', { match: { phone_number_id }, times: null, effect });
    try {
        return await work();
    } finally {
        await platform.sandbox.control('DELETE', `/faults/${json.id}`);
    }
}
const template = { type: 'template', template: { name: 'hello_world', language: { code: 'en_US' } } };
const send = (/** @type {unknown[]} */ fallback, more = {}) => shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel, { fallback, ...more }));
const through = async (/** @type {string} */ phone, limit = 100) => (await platform.sandbox.control('GET', `/messages?phone_number_id=${phone}&direction=out&limit=${limit}`)).json.data;
const types = (/** @type {any} */ message) => message.timeline.map(({ type }) => type);

describe('a message goes to the next sender', () => {
    test('when the provider refuses it', async () => {
        const end = await withFault({ kind: 'error', code: 131026 }, async () => {
            const made = await send([{ channel_id: second.channel }]);
            assert.equal(made.sender_position, 0);
            assert.equal(made.channel_id, shop.channel);
            return shop.client.follow(made.id, ['read', 'failed']);
        });
        assert.equal(end.status, 'read');
        assert.equal(end.channel_id, second.channel);
        assert.equal(end.sender_position, 1);
        assert.deepEqual(types(end), ['message.accepted', 'message.sending', 'message.fell-back', 'message.sending', 'message.sent', 'message.delivered', 'message.read']);
        const step = end.timeline[2];
        assert.equal(step.cause, 'failed');
        assert.equal(step.channel_id, second.channel);
        assert.deepEqual([step.fallback.from, step.fallback.to, step.fallback.from_channel_id], [0, 1, shop.channel]);
        assert.equal(step.fallback.error.code, 'whatsapp-131026');
        assert.deepEqual(end.senders.map(({ channel_id, state, cause }) => [channel_id, state, cause]), [[shop.channel, 'left', 'failed'], [second.channel, 'in-use', null]]);
        assert.equal(end.senders[0].error.code, 'whatsapp-131026');
        assert.equal(end.senders[1].provider_id, end.provider_id);
        const told = await until(() => shop.receiver.events().find(({ type, data }) => type === 'message.fell-back' && data.message_id === end.id), 'the webhook');
        assert.equal(told.data.fallback.to, 1);
        assert.equal(told.data.status, 'queued');
        await until(() => shop.receiver.events().some(({ type, data }) => type === 'message.read' && data.message_id === end.id), 'the last webhook');
        assert.ok(!shop.receiver.events().some(({ type, data }) => type === 'message.failed' && data.message_id === end.id), 'no failure was told');
    });

    test('when the provider takes it and then reports a failure', async () => {
        const end = await withFault({ kind: 'statuses', fail: 131026 }, async () =>
            shop.client.follow((await send([{ channel_id: second.channel }])).id, ['read', 'failed']));
        assert.equal(end.status, 'read');
        assert.equal(end.channel_id, second.channel);
        assert.equal(end.timeline.find(({ type }) => type === 'message.fell-back').actor, 'provider');
    });

    test('and is of another kind there: a template where the window is closed', async () => {
        const strict = await platform.connect(shop.client, { window: 'enforce' });
        const made = await shop.client.must(202, 'POST', '/v1/messages', { channel_id: strict.channel, to: '+14155550777', content: { type: 'text', text: { body: 'Shipped' } }, fallback: [{ channel_id: strict.channel, content: template }] });
        const end = await shop.client.follow(made.id, ['read', 'failed']);
        assert.equal(end.status, 'read', JSON.stringify(end.error));
        assert.equal(end.content.text.body, 'Shipped');
        assert.equal(end.senders[1].type, 'template');
        assert.deepEqual(end.senders[1].content, template);
        assert.deepEqual((await through(strict.account.phone_number_id)).map(({ type }) => type).sort(), ['template', 'text']);
    });

    test('when nothing was delivered in time, and what comes late from the first one counts', async () => {
        const end = await withFault({ kind: 'statuses', drop: ['delivered', 'read'] }, async () =>
            shop.client.follow((await send([{ channel_id: second.channel, after_s: 5 }])).id, ['read', 'failed'], 60_000));
        assert.equal(end.status, 'read');
        assert.equal(end.sender_position, 1);
        const step = end.timeline.find(({ type }) => type === 'message.fell-back');
        assert.equal(step.cause, 'not-delivered');
        assert.equal(step.actor, 'schedule');
        assert.equal(end.senders[0].cause, 'not-delivered');
        await platform.sandbox.control('POST', '/statuses', { message_id: end.senders[0].provider_id, status: 'delivered' });
        const late = await until(async () => {
            const now = await shop.client.must(200, 'GET', `/v1/messages/${end.id}`);
            return now.timeline.some(({ type }) => type === 'message.reported') && now;
        }, 'the late report to be told');
        assert.equal(late.status, 'read');
        assert.equal(late.timeline.at(-1).channel_id, shop.channel);
    });

    test('when its channel is broken while it waits', async () => {
        const waiting = await send([{ channel_id: second.channel }], { send_at: new Date(Date.now() + 3_600_000).toISOString() });
        await withFault({ kind: 'error', code: 190 }, async () => {
            const spoilt = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel));
            await until(async () => (await shop.client.must(200, 'GET', `/v1/channels/${shop.channel}`)).state === 'broken', 'the channel to break');
            await shop.client.must(200, 'PATCH', `/v1/messages/${waiting.id}`, { send_at: null });
            const end = await shop.client.follow(waiting.id, ['read', 'failed']);
            assert.equal(end.status, 'read');
            assert.equal(end.timeline.find(({ type }) => type === 'message.fell-back').cause, 'channel-broken');
            assert.notEqual((await shop.client.must(200, 'GET', `/v1/messages/${spoilt.id}`)).status, 'failed', 'one without a further sender waits');
        });
        await shop.client.must(200, 'PATCH', `/v1/channels/${shop.channel}`, { whatsapp: { access_token: shop.account.access_token }, state: 'active' });
    });

    test('and fails only with the last one', async () => {
        const refused = { kind: 'error', code: 131026 };
        const end = await withFault(refused, () => withFault(refused, async () => shop.client.follow((await send([{ channel_id: second.channel }])).id, ['read', 'failed']), second.account));
        assert.equal(end.status, 'failed');
        assert.equal(types(end).filter((type) => type === 'message.failed').length, 1);
        assert.equal(end.sender_position, 1);
    });

    test('also out of a batch, with each message its own senders', async () => {
        const answer = await withFault({ kind: 'error', code: 131026 }, async () => {
            const batch = await shop.client.must(202, 'POST', '/v1/messages/batch', { messages: [shop.client.text(shop.channel, { fallback: [{ channel_id: second.channel }] }), shop.client.text(shop.channel, { fallback: [{ channel_id: 'chn_01jd8h0m4zfg5v2c9x7k3q6t1n' }] }), shop.client.text(second.channel)] });
            assert.deepEqual(batch.results.map(({ status }) => status), [202, 422, 202]);
            assert.equal(batch.results[1].problem.errors[0].pointer, '/messages/1/fallback/0/channel_id');
            return shop.client.follow(batch.results[0].id, ['read', 'failed']);
        });
        assert.equal(answer.status, 'read');
        const lines = (await shop.client.raw('GET', `/v1/messages/export?channel_id=${second.channel}&status=read`, undefined)).text.trim().split('\n').map((line) => JSON.parse(line));
        assert.ok(lines.some(({ id, sender_position }) => id === answer.id && sender_position === 1), 'it is in the export of the sender that delivered');
    });
});

test('kill -9 of the dispatcher in the middle: each arrives through its last sender, and twice only where nobody could know', async () => {
    const ids = [];
    await withFault({ kind: 'error', code: 131026 }, async () => {
        for (let i = 0; i < 3; i++) {
            const batch = await shop.client.must(202, 'POST', '/v1/messages/batch', { messages: Array.from({ length: 40 }, () => shop.client.text(shop.channel, { fallback: [{ channel_id: second.channel }] })) });
            ids.push(...batch.results.map(({ id }) => id));
            for (const pid of await platform.pids('dispatcher'))
                process.kill(pid, 'SIGKILL');
        }
        for (const id of ids)
            await shop.client.follow(id, ['read', 'failed'], 90_000);
    });
    /** @type {Map<string, number>} */
    const taken = new Map();
    for (const { biz_opaque_callback_data: mark } of await through(second.account.phone_number_id, 1000))
        taken.set(mark, (taken.get(mark) ?? 0) + 1);
    for (const id of ids) {
        const end = await shop.client.must(200, 'GET', `/v1/messages/${id}`);
        assert.equal(end.status, 'read', JSON.stringify(end.error));
        assert.equal(end.sender_position, 1);
        assert.equal(types(end).filter((type) => type === 'message.fell-back').length, 1);
        const times = taken.get(`${id}.1`) ?? 0, unknown = types(end).filter((type) => type === 'message.uncertain').length;
        assert.ok(times >= 1 && times - 1 <= unknown, `${id} was taken ${times} times, and ${unknown} times nobody knew`);
    }
});

describe('what is not a chain', () => {
    test('is refused, with its place', async () => {
        const other = await platform.workspace();
        const reaction = { type: 'reaction', reaction: { message_id: 'msg_01jd8h2q7rfw3b9d4m6x1k8s5p', emoji: '👍' } };
        for (const [fallback, pointer] of /** @type {[unknown, string][]} */ ([
            [[{ channel_id: other.channel }], '/fallback/0/channel_id'], [[{ channel_id: shop.channel }], '/fallback/0/channel_id'],
            [[{ channel_id: second.channel }, { channel_id: second.channel }], '/fallback/1/channel_id'], [[], '/fallback'],
            [[{ channel_id: second.channel, after_s: 4 }], '/fallback/0/after_s'], [[{ channel_id: second.channel, content: reaction }], '/fallback/0/content'],
            [[{ channel_id: second.channel, content: { type: 'text', text: { body: 'x'.repeat(5000) } } }], '/fallback/0/content/text/body'],
            [Array(4).fill({ channel_id: second.channel, content: template }), '/fallback'], [[{ channel_id: second.channel, to: PERSON }], '/fallback/0/to'],
        ])) {
            const answer = await shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel, { fallback }));
            assert.equal(answer.status, 422, `${JSON.stringify(fallback).slice(0, 200)}: ${answer.text}`);
            assert.ok(answer.json.errors.some((error) => error.pointer === pointer), `${pointer}: ${answer.text.slice(0, 500)}`);
        }
    });

    test('has no senders to show', async () => {
        const made = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(second.channel));
        const end = await shop.client.follow(made.id, ['read']);
        assert.deepEqual(end.senders, []);
        assert.equal(end.sender_position, 0);
    });

    test('is answered again as it was, also when a channel of it is gone', async () => {
        const third = await platform.connect(shop.client);
        const body = shop.client.text(second.channel, { fallback: [{ channel_id: third.channel }] });
        const first = await shop.client.call('POST', '/v1/messages', body, { 'idempotency-key': 'chain-once' });
        assert.equal(first.status, 202);
        await shop.client.follow(first.json.id, ['read']);
        await shop.client.call('DELETE', `/v1/channels/${third.channel}`);
        const again = await shop.client.call('POST', '/v1/messages', body, { 'idempotency-key': 'chain-once' });
        assert.equal(again.headers.get('idempotency-replayed'), 'true');
        assert.equal(again.json.id, first.json.id);
        const end = await shop.client.must(200, 'GET', `/v1/messages/${first.json.id}`);
        assert.deepEqual(end.senders.map(({ state }) => state), ['in-use', 'unused']);
    });
});
