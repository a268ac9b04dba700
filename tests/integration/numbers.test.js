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
    const begun = await client.must(202, 'POST', target, body);
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
        assert.equal(done.result.quality_rating, 'GREEN');
        const list = await shop.client.must(200, 'GET', `/v1/channels/${shop.channel}/operations`);
        assert.deepEqual(list.data.map(({ id }) => id), [done.id]);
        const told = await until(() => shop.receiver.events().find((event) => event.type === 'operation.succeeded' && event.data.operation_id === done.id), 'the event');
        assert.equal(told.data.channel_id, shop.channel);
        assert.equal(told.data.error, null);
    });
});
