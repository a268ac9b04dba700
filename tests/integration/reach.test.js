// @ts-check
/**
 * How far somebody reaches who is limited to one channel of a workspace: what belongs to another channel is found by no route, in no list,
 * count, export or text of an error. And what people did is told of them, not of a key.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Browser, ownerOf, Passkey } from './authenticator.js';
import { Client, startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop, owner;
before(async () => {
    platform = await startPlatform();
    shop = await platform.workspace({ endpoint: true });
    owner = await ownerOf(platform, shop.tenant);
});
after(() => platform?.stop());

/** Somebody with a role and channels. @param {string} role @param {string[]} channels */
const limited = async (role, channels) => {
    const { link } = await shop.client.must(201, 'POST', '/v1/invitations', { email: `${Math.random().toString(36).slice(2)}@example.org`, role, scope: 'channels', channels });
    const page = new Browser(new Client(platform.url, null), owner.page.origin);
    await page.enrol(link, new Passkey(), `A limited ${role}`);
    return page;
};

describe('what a person did with a message', () => {
    test('is told of the person, in its timeline, and webhooks say nothing of who it was', async () => {
        const text = () => owner.page.client.text(shop.channel);
        const me = (await owner.page.must(200, 'GET', '/v1/me')).id;
        const at = new Date(Date.now() + 3_600_000).toISOString();
        const sent = await owner.page.must(202, 'POST', '/v1/messages', text());
        const held = await owner.page.must(202, 'POST', '/v1/messages', { ...text(), send_at: at });
        await owner.page.must(200, 'PATCH', `/v1/messages/${held.id}`, { send_at: new Date(Date.now() + 7_200_000).toISOString() });
        await owner.page.must(200, 'POST', `/v1/messages/${held.id}/cancel`);
        const shown = await shop.client.must(200, 'GET', `/v1/messages/${sent.id}`);
        assert.deepEqual([shown.timeline[0].actor, shown.timeline[0].person_id, shown.timeline[0].key_id], ['person', me, undefined]);
        const { timeline } = await shop.client.must(200, 'GET', `/v1/messages/${held.id}`);
        assert.deepEqual(timeline.map(({ status, actor, person_id, key_id }) => [status, actor, person_id, key_id]), [['held', 'person', me, undefined], ['held', 'person', me, undefined], ['canceled', 'person', me, undefined]]);
        const byKey = await shop.client.must(202, 'POST', '/v1/messages', text());
        const [first] = (await shop.client.must(200, 'GET', `/v1/messages/${byKey.id}`)).timeline;
        assert.deepEqual([first.actor, first.key_id, first.person_id], ['api-key', shop.keyId, undefined]);
        await until(() => shop.receiver.received.some(({ body }) => String(body).includes(held.id) && String(body).includes('message.canceled')), 'the webhook');
        assert.ok(shop.receiver.received.every(({ body }) => !String(body).includes(me) && !String(body).includes('person_id')));
    });
});
