// @ts-check
/** A message from POST to the signed webhook, and everything around it that a client may count on. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { PERSON, contract, startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
/** @type {Awaited<ReturnType<typeof platform.workspace>>} */
let shop;
before(async () => {
    platform = await startPlatform();
    shop = await platform.workspace({ endpoint: true });
});
after(() => platform?.stop());

describe('one message, end to end', () => {
    test('is accepted, sent, delivered, read, and told by verified webhooks', async () => {
        const accepted = await shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel, { reference: 'order-1', category: 'otp' }));
        assert.equal(accepted.status, 202);
        assert.equal(accepted.headers.get('location'), `/v1/messages/${accepted.json.id}`);
        assert.equal(accepted.json.status, 'accepted');
        assert.equal(accepted.json.to, PERSON);
        const read = await shop.client.follow(accepted.json.id, ['read']);
        assert.deepEqual(read.timeline.map(({ type }) => type), ['message.accepted', 'message.sending', 'message.sent', 'message.delivered', 'message.read']);
        assert.deepEqual([read.timeline[0].actor, read.timeline[1].actor, read.timeline[4].actor], ['api-key', 'dispatcher', 'provider']);
        assert.match(read.provider_id, /^wamid\./);
        assert.equal(read.attempts, 1);
        assert.deepEqual(read.content, { type: 'text', text: { body: 'Hello' } });
        const hooks = await until(() => {
            const mine = shop.receiver.received.filter(({ body }) => JSON.parse(body).data.message_id === accepted.json.id);
            return mine.length >= 5 && mine;
        }, 'five webhooks');
        const verifier = new Webhook(shop.secret);
        for (const { headers, body } of hooks)
            assert.deepEqual(verifier.verify(body, headers), JSON.parse(body));
        assert.throws(() => verifier.verify(`${hooks[0].body} `, hooks[0].headers));
        assert.equal(new Set(hooks.map(({ headers }) => headers['webhook-id'])).size, hooks.length);
        const last = JSON.parse(hooks.find(({ body }) => JSON.parse(body).type === 'message.read').body);
        assert.equal(last.data.reference, 'order-1');
        assert.equal(last.data.channel_id, shop.channel);
    });

    test('a person writes back, and the workspace hears of it once', async () => {
        const answer = await platform.sandbox.control('POST', '/inbound', { phone_number_id: shop.account.phone_number_id, from: '16505551234', type: 'text', text: 'Is it here yet?' });
        assert.ok(answer.status < 300, answer.text);
        const event = await until(() => shop.receiver.events().find(({ type, data }) => type === 'message.received' && data.content?.text?.body === 'Is it here yet?'), 'the inbound webhook');
        assert.equal(event.data.from, '+16505551234');
        const message = await shop.client.must(200, 'GET', `/v1/messages/${event.data.message_id}`);
        assert.equal(message.direction, 'inbound');
        assert.equal(message.status, 'received');
        assert.equal(message.from, '+16505551234');
    });

    test('every kind of content that the contract shows goes through', async () => {
        const examples = Object.values(contract.paths['/v1/messages'].post.requestBody.content['application/json'].examples);
        const first = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel));
        await shop.client.follow(first.id, ['sent', 'delivered', 'read']);
        for (const { value } of examples) {
            const { send_at: _sendAt, expires_at: _expiresAt, fallback: _fallback, ...now } = value; /* what is for a later time, or another sender, has tests of its own */
            const body = { ...now, channel_id: shop.channel, ...(value.reply_to === undefined ? {} : { reply_to: first.id }) };
            if (body.content.type === 'reaction')
                body.content = { ...body.content, reaction: { ...body.content.reaction, message_id: first.id } };
            const { id } = await shop.client.must(202, 'POST', '/v1/messages', body);
            const end = await shop.client.follow(id, ['delivered', 'read', 'failed', 'sent']);
            if (end.status === 'failed')
                assert.match(end.error.code, /^whatsapp-132001$/, `only a template that does not exist may fail: ${JSON.stringify(end.error)}`);
        }
    });
});

describe('idempotency', () => {
    const headers = { 'idempotency-key': 'order-77-shipped' };

    test('the same request is answered the same, marked as a replay', async () => {
        const first = await shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel), headers);
        const again = await shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel), headers);
        assert.equal(first.status, 202);
        assert.equal(again.status, 202);
        assert.equal(first.headers.get('idempotency-replayed'), null);
        assert.equal(again.headers.get('idempotency-replayed'), 'true');
        assert.deepEqual(again.json, first.json);
    });

    test('another body under the same key is refused', async () => {
        const other = await shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel, { reference: 'else' }), headers);
        assert.equal(other.status, 422);
        assert.equal(other.json.code, 'idempotency-mismatch');
    });

    test('the order of members and white space make no other request', async () => {
        const { channel_id, to, content } = shop.client.text(shop.channel);
        const turned = await shop.client.raw('POST', '/v1/messages', JSON.stringify({ content, to, channel_id }, null, 4), { 'content-type': 'application/json', ...headers });
        assert.equal(turned.status, 202);
        assert.equal(turned.headers.get('idempotency-replayed'), 'true');
    });

    test('many at once under one key make one message', async () => {
        const answers = await Promise.all(Array.from({ length: 20 }, () => shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel), { 'idempotency-key': 'stampede' })));
        for (const answer of answers)
            assert.equal(answer.status, 202, answer.text);
        assert.equal(new Set(answers.map(({ json }) => json.id)).size, 1);
        assert.equal(answers.filter(({ headers }) => headers.get('idempotency-replayed') === null).length, 1);
    });
});

describe('lists', () => {
    test('filter by recipient through the blind index, page, and keep their order', async () => {
        const person = '+4915112345678';
        const ids = [];
        for (let i = 0; i < 5; i++)
            ids.unshift((await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel, { to: person, reference: `page-${i}` }))).id);
        const seen = [];
        let cursor = '';
        do {
            const page = await shop.client.must(200, 'GET', `/v1/messages?to=${encodeURIComponent(person)}&limit=2${cursor && `&cursor=${cursor}`}`);
            assert.ok(page.data.length <= 2);
            seen.push(...page.data.map(({ id }) => id));
            cursor = page.next_cursor ?? '';
            assert.equal(page.has_more, cursor !== '');
        } while (cursor !== '');
        assert.deepEqual(seen, ids);
        const one = await shop.client.must(200, 'GET', '/v1/messages?reference=page-3&status=accepted,sending,sent,delivered,read,queued&direction=outbound');
        assert.deepEqual(one.data.map(({ id }) => id), [ids[1]]);
    });
});

describe('failures of the provider', () => {
    test('a refusal for good is told with its code', async () => {
        const fault = await platform.sandbox.control('POST', '/faults', { phone_number_id: shop.account.phone_number_id, to: '14155559999', code: 131026, times: 1 });
        assert.ok(fault.status < 300, fault.text);
        const { id } = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel, { to: '+14155559999' }));
        const failed = await shop.client.follow(id, ['failed']);
        assert.equal(failed.error.code, 'whatsapp-131026');
        assert.equal(failed.error.class, 'permanent');
    });
});
