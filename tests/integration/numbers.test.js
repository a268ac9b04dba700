// @ts-check
/** Operations and numbers: what is asked of the provider besides sending, to its end, whatever dies meanwhile. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop;
before(async () => {
    platform = await startPlatform();
    shop = await platform.workspace({ endpoint: true });
});
after(() => platform?.stop());

/** Begins an operation and follows it to its end. */
const perform = async (target, body, client = shop.client) => {
    const begun = await client.must(202, target.endsWith('/profile') ? 'PATCH' : 'POST', target, body);
    return until(async () => {
        const now = await client.must(200, 'GET', `/v1/operations/${begun.id}`);
        return ['succeeded', 'failed'].includes(now.state) && now;
    }, `${begun.kind} to end`);
};
const number = (path, channel = shop.channel) => `/v1/channels/${channel}/number${path}`;

describe('an operation', () => {
    test('is done, shown, listed and told', async () => {
        const done = await perform(number('/sync'));
        assert.equal(done.state, 'succeeded');
        assert.equal(done.result.quality_rating, 'green');
        const list = await shop.client.must(200, 'GET', `/v1/channels/${shop.channel}/operations`);
        assert.deepEqual(list.data.map(({ id }) => id), [done.id]);
        const told = await until(() => shop.receiver.events().find((event) => event.type === 'operation.succeeded' && event.data.operation_id === done.id), 'the event');
        assert.equal(told.data.channel_id, shop.channel);
        assert.equal(told.data.error, null);
    });
});

describe('a number', () => {
    test('shows what a sync has read, and tells what has changed since', async () => {
        const before = await shop.client.must(200, 'GET', number(''));
        assert.equal(before.quality_rating, 'green');
        assert.equal(before.messaging_limit, 'tier_2k');
        assert.equal(before.throughput, 'standard');
        assert.equal(before.status, 'connected');
        assert.ok(before.synced_at !== null);
        await platform.sandbox.control('PATCH', `/phones/${shop.account.phone_number_id}`, { quality_rating: 'YELLOW' });
        assert.equal((await perform(number('/sync'))).state, 'succeeded');
        assert.equal((await shop.client.must(200, 'GET', number(''))).quality_rating, 'yellow');
        const told = await until(() => shop.receiver.events().find((event) => event.type === 'channel.quality'), 'the event');
        assert.deepEqual(told.data, { channel_id: shop.channel, source: 'sync', changes: { quality_rating: { previous: 'green', current: 'yellow' } } });
    });

    test('is registered with its PIN and not with another', async () => {
        assert.equal((await perform(number('/pin'), { pin: '482913' })).state, 'succeeded');
        const wrong = await perform(number('/register'), { pin: '000000' });
        assert.equal(wrong.state, 'failed');
        assert.equal(wrong.attempt_count, 1);
        assert.deepEqual(wrong.error, { code: 'whatsapp-133005', title: 'The two-step verification PIN is wrong.', class: 'permanent' });
        assert.equal((await perform(number('/register'), { pin: '482913', data_localization_region: 'DE' })).state, 'succeeded');
        assert.equal(platform.sql("select count(*) from harkara.provider_task where state in ('done', 'failed') and request_ct is not null"), '0', 'nothing of a PIN is kept');
        assert.equal((await shop.client.must(200, 'GET', `/v1/channels/${shop.channel}`)).state, 'active', 'a wrong PIN does not break the channel');
    });

    test('is deregistered and then held', async () => {
        const { channel } = await platform.connect(shop.client);
        assert.equal((await perform(number('/deregister', channel))).state, 'succeeded');
        const held = await shop.client.must(200, 'GET', `/v1/channels/${channel}`);
        assert.equal(held.state, 'paused');
        assert.equal(held.state_reason, 'The number was deregistered.');
        await until(async () => (await shop.client.must(200, 'GET', number('', channel))).status === 'pending', 'the sync that follows');
    });

    test('has a profile that is changed member by member', async () => {
        const change = { about: 'Plants for every home.', address: '1 Hacker Way', email: 'plants@shop.example', websites: ['https://shop.example'], vertical: 'retail' };
        assert.equal((await perform(number('/profile'), change)).state, 'succeeded');
        const shown = await until(async () => {
            const now = await shop.client.must(200, 'GET', number(''));
            return now.profile?.about !== undefined && now;
        }, 'the sync that follows');
        assert.deepEqual(shown.profile, change);
    });
});
