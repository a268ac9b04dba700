// @ts-check
/** Deliveries to tenants' endpoints: signed, retried by the schedule, logged, and never to where they must not go. */
import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { otherThan, startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop;
before(async () => {
    platform = await startPlatform({ env: { HARKARA_WEBHOOK_SCHEDULE_PERCENT: '1', HARKARA_WEBHOOK_TIMEOUT_MS: '4000' } });
    shop = await platform.workspace();
});
after(() => platform?.stop());

/** The key behind whpk_, as node reads it: RFC 8410's envelope around 32 octets. */
const ed25519 = (text) => createPublicKey({ format: 'der', type: 'spki',
    key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(text.slice(5), 'base64')]) });

async function endpoint(events = ['*']) {
    const receiver = await platform.receiver();
    const made = await shop.client.must(201, 'POST', '/v1/webhook-endpoints', { url: receiver.url, events });
    return { receiver, ...made };
}
const send = async (more) => (await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel, more))).id;
const deliveries = async (id, query = '') => (await shop.client.must(200, 'GET', `/v1/webhook-endpoints/${id}/deliveries?limit=100${query}`)).data;

describe('delivery', () => {
    test('only what was asked for, each event once, the same id on every attempt', async () => {
        const { receiver, id } = await endpoint(['message.sent', 'message.read']);
        let failures = 2;
        receiver.answer = () => (failures-- > 0 ? 500 : 200);
        const message = await send();
        await until(() => receiver.events().some(({ type }) => type === 'message.read'), 'the last event');
        await until(async () => (await deliveries(id)).every(({ state }) => state === 'delivered'), 'all to be delivered');
        const mine = receiver.events().filter(({ data }) => data.message_id === message);
        assert.deepEqual(new Set(mine.map(({ type }) => type)), new Set(['message.sent', 'message.read']));
        const byId = Map.groupBy ? null : new Map();
        for (const { headers, body } of receiver.received) {
            const seen = (byId ?? new Map()).get(headers['webhook-id']);
            assert.ok(seen === undefined || seen === body, 'a retry is byte for byte the same');
            byId?.set(headers['webhook-id'], body);
        }
        const log = await deliveries(id);
        assert.equal(log.length, 2);
        assert.ok(log.some(({ attempts }) => attempts.length > 1 && attempts[0].outcome === 'status' && attempts[0].status_code === 500 && attempts.at(-1).outcome === 'delivered'));
        assert.ok(!JSON.stringify(log).includes('whsec_'));
    });

    test('after a rotation both secrets verify, until the one of before is ended', async () => {
        const { receiver, id, secret } = await endpoint(['message.accepted']);
        const rotated = await shop.client.must(200, 'POST', `/v1/webhook-endpoints/${id}/rotate-secret`);
        assert.notEqual(rotated.secret, secret);
        assert.ok(Math.abs(Date.parse(rotated.previous_keys_until) - Date.now() - 86_400_000) < 60_000, rotated.previous_keys_until);
        await send();
        const [{ headers, body }] = await until(() => receiver.received.length > 0 && receiver.received, 'a delivery');
        assert.equal(headers['webhook-signature'].split(' ').length, 2);
        for (const each of [rotated.secret, secret])
            assert.ok(new Webhook(each).verify(body, headers));
        assert.equal((await shop.client.call('DELETE', `/v1/webhook-endpoints/${id}/previous-keys`)).status, 204);
        const shown = await shop.client.must(200, 'GET', `/v1/webhook-endpoints/${id}`);
        assert.deepEqual([shown.secret, shown.previous_keys_until], [undefined, null]);
        await send();
        const second = (await until(() => receiver.received.length > 1 && receiver.received, 'another delivery'))[1];
        assert.ok(new Webhook(rotated.secret).verify(second.body, second.headers));
        assert.throws(() => new Webhook(secret).verify(second.body, second.headers));
        const last = await shop.client.must(200, 'POST', `/v1/webhook-endpoints/${id}/rotate-secret?overlap_s=0`);
        assert.equal(last.previous_keys_until, null);
        await send();
        const third = (await until(() => receiver.received.length > 2 && receiver.received, 'a third delivery'))[2];
        assert.equal(third.headers['webhook-signature'].split(' ').length, 1);
        assert.ok(new Webhook(last.secret).verify(third.body, third.headers));
    });

    test('v1a verifies with the public key; the private one is nowhere to be seen', async () => {
        const receiver = await platform.receiver();
        const made = await shop.client.must(201, 'POST', '/v1/webhook-endpoints', { url: receiver.url, events: ['message.*'], signature: 'ed25519' });
        assert.equal(made.secret, undefined);
        await send();
        const [{ headers, body }] = await until(() => receiver.received.length > 0 && receiver.received, 'a delivery');
        const content = Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`);
        assert.match(headers['webhook-signature'], /^v1a,[A-Za-z0-9+/]{86}==$/);
        const signature = Buffer.from(headers['webhook-signature'].slice(4), 'base64');
        assert.ok(verify(null, content, ed25519(made.public_key), signature));
        assert.ok(!verify(null, Buffer.concat([content, Buffer.from(' ')]), ed25519(made.public_key), signature));
        /* A secret is made when one is wanted, and shown that once; then both sign. */
        const both = await shop.client.must(200, 'PATCH', `/v1/webhook-endpoints/${made.id}`, { signature: 'both', events: ['message.accepted'] });
        assert.equal(both.public_key, made.public_key);
        const before = receiver.received.length;
        const message = await send();
        const found = await until(() => receiver.received.slice(before).find(({ body: text }) => text.includes(message) && text.includes('message.accepted')), 'a delivery with both');
        assert.match(found.headers['webhook-signature'], /^v1,\S+ v1a,\S+$/);
        assert.ok(new Webhook(both.secret).verify(found.body, found.headers));
        await shop.client.call('DELETE', `/v1/webhook-endpoints/${made.id}`);
    });

    test('own fields are sent and never shown; thin bodies hold ids alone; only the chosen sender is told', async () => {
        const receiver = await platform.receiver();
        const other = await platform.receiver();
        const headers = [{ name: 'X-Api-Key', value: 'k-marked-7f3a' }, { name: 'Authorization', value: 'Bearer marked-81' }];
        const made = await shop.client.must(201, 'POST', '/v1/webhook-endpoints',
            { url: receiver.url, events: ['message.accepted', 'message.received'], payload: 'thin', headers, channels: [shop.channel], description: 'Thin' });
        assert.deepEqual(made.header_names, ['X-Api-Key', 'Authorization']);
        assert.ok(!JSON.stringify(made).includes('marked'));
        const message = await send({ reference: 'order-77' });
        const got = await until(() => receiver.received[0], 'a delivery');
        assert.equal(got.headers['x-api-key'], 'k-marked-7f3a');
        assert.equal(got.headers.authorization, 'Bearer marked-81');
        assert.deepEqual(JSON.parse(got.body).data, { message_id: message, channel_id: shop.channel, status: 'accepted' });
        assert.equal(platform.sql("select count(*) from harkara.webhook_endpoint where position('marked' in encode(headers_ct, 'escape')) > 0"), '0');
        const elsewhere = await shop.client.must(422, 'PATCH', `/v1/webhook-endpoints/${made.id}`, { url: other.url });
        assert.equal(elsewhere.errors[0].pointer, '/headers', 'values that nobody may read are not sent elsewhere');
        assert.equal((await shop.client.must(200, 'GET', `/v1/webhook-endpoints/${made.id}`)).url, receiver.url, 'nothing was changed');
        assert.deepEqual((await shop.client.must(200, 'PATCH', `/v1/webhook-endpoints/${made.id}`, { url: other.url, headers })).header_names, made.header_names);
        await shop.client.must(200, 'PATCH', `/v1/webhook-endpoints/${made.id}`, { url: receiver.url, headers });
        const bare = await shop.client.must(200, 'PATCH', `/v1/webhook-endpoints/${made.id}`, { headers: [], payload: 'full' });
        assert.deepEqual(bare.header_names, []);
        await send();
        const next = await until(() => receiver.received[1], 'another delivery');
        assert.equal(next.headers['x-api-key'], undefined);
        const strange = await shop.client.call('POST', '/v1/webhook-endpoints', { url: other.url, events: ['*'], channels: [otherThan(shop.channel)] });
        assert.equal(strange.json.code, 'channel-unknown');
        for (const [name, value] of [['Host', 'x'], ['webhook-id', 'x'], ['Content-Length', '5'], ['X-A', ' x']]) {
            const refused = await shop.client.call('POST', '/v1/webhook-endpoints', { url: other.url, events: ['*'], headers: [{ name, value }] });
            assert.equal(refused.status, 422, refused.text);
            assert.match(refused.json.errors[0].pointer, /^\/headers\/0\//);
        }
        await shop.client.call('DELETE', `/v1/webhook-endpoints/${made.id}`);
    });

    test('a redirect is a failure and is not followed', async () => {
        const { receiver, id } = await endpoint(['message.accepted']);
        const other = await platform.receiver();
        receiver.answer = () => ({ status: 302, headers: { location: other.url } });
        await send();
        await until(async () => (await deliveries(id))[0]?.attempts.length > 0, 'an attempt');
        assert.equal((await deliveries(id))[0].attempts[0].status_code, 302);
        assert.equal(other.received.length, 0);
    });

    test('a slow endpoint times out and does not hold up another', async () => {
        const slow = await endpoint(['message.accepted']), quick = await endpoint(['message.accepted']);
        slow.receiver.server.removeAllListeners('request');
        slow.receiver.server.on('request', () => {}); /* never answers */
        const ids = await Promise.all(Array.from({ length: 20 }, () => send()));
        await until(() => ids.every((id) => quick.receiver.events().some(({ data }) => data.message_id === id)), 'the quick endpoint to have all');
        await until(async () => (await deliveries(slow.id)).some(({ attempts }) => attempts[0]?.outcome === 'timeout'), 'a time-out');
        await shop.client.must(200, 'PATCH', `/v1/webhook-endpoints/${slow.id}`, { state: 'disabled' });
    });

    test('429 with Retry-After leaves the endpoint alone', async () => {
        const { receiver, id } = await endpoint(['message.accepted']);
        receiver.answer = () => ({ status: 429, headers: { 'retry-after': '3600' } });
        await send();
        await until(async () => (await deliveries(id))[0]?.attempts.length === 1, 'the first attempt');
        const [delivery] = await deliveries(id);
        assert.ok(Date.parse(delivery.next_attempt_at) > Date.now() + 3_000_000, delivery.next_attempt_at);
    });
});

describe('the log, and posting again', () => {
    test('a test event arrives at its endpoint alone, whatever it wants', async () => {
        const { receiver, id } = await endpoint(['channel.deleted']), other = await endpoint(['*']);
        const { event_id: event } = await shop.client.must(202, 'POST', `/v1/webhook-endpoints/${id}/test`);
        const got = await until(() => receiver.received[0], 'the ping');
        assert.deepEqual([got.headers['webhook-id'], JSON.parse(got.body).type, JSON.parse(got.body).data], [event, 'test.ping', { endpoint_id: id }]);
        const found = await until(async () => (await deliveries(id, `&event_id=${event}&state=delivered`))[0], 'its delivery');
        assert.equal(found.endpoint_id, id);
        assert.equal((await deliveries(id, '&event_type=message.sent')).length, 0);
        assert.equal((await deliveries(other.id, '&event_type=test.ping')).length, 0);
        await shop.client.must(200, 'PATCH', `/v1/webhook-endpoints/${id}`, { state: 'disabled' });
        assert.equal((await shop.client.call('POST', `/v1/webhook-endpoints/${id}/test`)).json.code, 'state-conflict');
    });

    test('an attempt shows the address and the beginning of the answer', async () => {
        const { receiver, id } = await endpoint(['message.accepted']);
        receiver.server.removeAllListeners('request');
        receiver.server.on('request', (_, answer) => answer.writeHead(500).end(`marked-answer-51 ${'é'.repeat(2000)}`));
        await send();
        const [listed] = await until(async () => { const log = await deliveries(id); return log[0]?.attempts.length > 0 && log; }, 'an attempt');
        assert.equal(listed.attempts[0].answer, undefined);
        const shown = await shop.client.must(200, 'GET', `/v1/webhook-deliveries/${listed.id}`);
        assert.equal(shown.attempts[0].address, '127.0.0.1');
        assert.ok(shown.attempts[0].answer.startsWith('marked-answer-51 é') && shown.attempts[0].answer.length < 1024);
        assert.ok(!shown.attempts[0].answer.includes('\uFFFD'));
        assert.equal(platform.sql("select (select count(*) from harkara.webhook_attempt where position('marked' in encode(answer_ct, 'escape')) > 0) + (select count(*) from harkara.webhook_delivery where position('marked' in encode(answer_ct, 'escape')) > 0)"), '0');
        assert.equal((await shop.client.call('GET', `/v1/webhook-deliveries/${otherThan(listed.id)}`)).status, 404);
        await shop.client.must(200, 'PATCH', `/v1/webhook-endpoints/${id}`, { state: 'disabled' });
    });

    test('one is posted again with its id, its body and a new time', async () => {
        const { receiver, id, secret } = await endpoint(['message.accepted']);
        await send();
        const first = await until(() => receiver.received[0], 'a delivery');
        const [done] = await until(async () => { const log = await deliveries(id); return log[0]?.state === 'delivered' && log; }, 'it to be delivered');
        const again = await shop.client.must(202, 'POST', `/v1/webhook-deliveries/${done.id}/replay`);
        assert.equal(again.state, 'pending');
        const second = await until(() => receiver.received[1], 'it again');
        assert.equal(second.headers['webhook-id'], first.headers['webhook-id']);
        assert.equal(second.body, first.body);
        assert.ok(new Webhook(secret).verify(second.body, second.headers));
        const log = await until(async () => { const shown = await shop.client.must(200, 'GET', `/v1/webhook-deliveries/${done.id}`); return shown.state === 'delivered' && shown; }, 'both attempts');
        assert.deepEqual(log.attempts.map(({ number }) => number), [1, 2]);
    });

    test('what was missed while disabled is posted on request', async () => {
        const { receiver, id } = await endpoint(['message.accepted']);
        const since = new Date().toISOString();
        await shop.client.must(200, 'PATCH', `/v1/webhook-endpoints/${id}`, { state: 'disabled' });
        const missed = [await send(), await send(), await send()];
        await shop.client.follow(missed[2], ['read']);
        assert.equal((await shop.client.call('POST', `/v1/webhook-endpoints/${id}/replay`, { since })).json.code, 'state-conflict');
        await shop.client.must(200, 'PATCH', `/v1/webhook-endpoints/${id}`, { state: 'enabled' });
        assert.equal(receiver.received.length, 0);
        const replay = await shop.client.must(202, 'POST', `/v1/webhook-endpoints/${id}/replay`, { since, events: ['message.*'] });
        assert.equal(replay.only, 'failed');
        await until(() => missed.every((message) => receiver.events().some(({ data }) => data.message_id === message)), 'all that was missed');
        const done = await until(async () => { const shown = await shop.client.must(200, 'GET', `/v1/webhook-replays/${replay.id}`); return shown.state === 'done' && shown; }, 'the end');
        assert.equal(done.count, 3);
        const all = await shop.client.must(202, 'POST', `/v1/webhook-endpoints/${id}/replay`, { since, only: 'all' });
        await until(() => receiver.received.length === 6, 'all of them once more');
        assert.equal(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size, 3);
        await until(async () => (await shop.client.must(200, 'GET', `/v1/webhook-replays/${all.id}`)).state === 'done', 'the end');
        const odd = await shop.client.call('POST', `/v1/webhook-endpoints/${id}/replay`, { since, until: '2020-01-01T00:00:00Z' });
        assert.equal(odd.json.errors[0].pointer, '/until');
    });
});

describe('the end of an endpoint', () => {
    test('410 disables it and cancels what waits', async () => {
        const { receiver, id } = await endpoint(['*']);
        receiver.answer = () => 410;
        await send();
        await until(async () => (await shop.client.must(200, 'GET', `/v1/webhook-endpoints/${id}`)).state === 'disabled', 'the endpoint to be disabled');
        assert.equal((await shop.client.must(200, 'GET', `/v1/webhook-endpoints/${id}`)).disabled_reason, 'gone');
        await until(async () => (await deliveries(id, '&state=pending')).length === 0, 'nothing to wait');
    });

    test('all attempts used up, a delivery fails and says so', async () => {
        const { receiver, id } = await endpoint(['message.accepted']);
        receiver.answer = () => 500;
        await send();
        /* 1 % of the schedule is 17 minutes: the later waits are taken away by hand, which is told to who sleeps. */
        await until(async () => {
            platform.sql("update harkara.webhook_delivery set due_at = now() where state = 'pending' and lease_until is null; select pg_notify('harkara_webhook', '')");
            return (await deliveries(id))[0]?.state === 'failed';
        }, 'the delivery to be given up');
        assert.equal((await deliveries(id))[0].attempts.length, 8);
        assert.notEqual((await shop.client.must(200, 'GET', `/v1/webhook-endpoints/${id}`)).failing_since, null);
    });

    test('deleted, it hears no more and is not found', async () => {
        const { receiver, id } = await endpoint(['*']);
        assert.equal((await shop.client.call('DELETE', `/v1/webhook-endpoints/${id}`)).status, 204);
        assert.equal((await shop.client.call('GET', `/v1/webhook-endpoints/${id}`)).status, 404);
        const message = await send();
        await shop.client.follow(message, ['read']);
        assert.equal(receiver.received.length, 0);
        assert.equal(platform.sql(`select count(*) from harkara.webhook_secret s join harkara.webhook_endpoint e on e.id = s.endpoint_id where e.state = 'deleted'`), '0');
    });
});

test('endpoints that hang keep nobody else waiting', async () => {
    const small = await startPlatform({ env: { HARKARA_WEBHOOK_IN_FLIGHT_MAX: '8', HARKARA_WEBHOOK_TENANT_IN_FLIGHT_MAX: '4', HARKARA_WEBHOOK_TIMEOUT_MS: '60000' } });
    try {
        const hanging = await small.workspace(), well = await small.workspace({ endpoint: true });
        const slow = [await small.receiver(), await small.receiver(), await small.receiver()];
        for (const receiver of slow) {
            receiver.server.removeAllListeners('request');
            receiver.server.on('request', () => { receiver.received.push(/** @type {any} */ ({})); }); /* never answers */
            await hanging.client.must(201, 'POST', '/v1/webhook-endpoints', { url: receiver.url, events: ['*'] });
        }
        await Promise.all(Array.from({ length: 20 }, () => hanging.client.must(202, 'POST', '/v1/messages', hanging.client.text(hanging.channel))));
        await until(() => slow.reduce((sum, { received }) => sum + received.length, 0) >= 3, 'requests that hang');
        const sent = await Promise.all(Array.from({ length: 20 }, async () => (await well.client.must(202, 'POST', '/v1/messages', well.client.text(well.channel))).id));
        await until(() => sent.every((id) => well.receiver.events().some(({ type, data }) => type === 'message.read' && data.message_id === id)), 'the other workspace to hear all');
        /* All that while not one of those that hang had come to its end. */
        assert.equal(small.sql(`select count(*) from harkara.webhook_delivery d join harkara.webhook_endpoint e on e.id = d.endpoint_id where (d.tried_at is not null or exists (select from harkara.webhook_attempt a where a.delivery_id = d.id)) and e.url not like '%${new URL(well.receiver.url).port}%'`), '0');
        assert.ok(slow.reduce((sum, { received }) => sum + received.length, 0) <= 4, 'no more than its share is under way');
    } finally {
        await small.stop();
    }
});

describe('addresses', () => {
    for (const url of ['http://shop.example/hook', 'https://127.0.0.1.nip.io:22/x', 'https://10.0.0.1/x', 'https://[::1]/x', 'https://169.254.169.254/latest', 'https://localhost/x',
        'https://user@shop.example/x', 'https://shop.example/x#y', 'https://0x7f.1/x', 'https://2130706433/x', 'ftp://shop.example/x', 'https://shop.example:6379/x'])
        test(`${url} is refused at once`, async () => {
            const answer = await shop.client.call('POST', '/v1/webhook-endpoints', { url, events: ['*'] });
            assert.equal(answer.status, 422, answer.text);
            assert.equal(answer.json.errors[0].pointer, '/url');
        });

    test('our own address is refused, though its range is allowed', async () => {
        const { callback_url: own } = await shop.client.must(200, 'GET', `/v1/channels/${shop.channel}`);
        for (const [url, isTaken] of [[own, false], [new URL('/', own).href, false], [own.replace(/:(\d+)\//, (_, port) => `:${Number(port) ^ 1}/`), true]]) {
            const answer = await shop.client.call('POST', '/v1/webhook-endpoints', { url, events: ['*'], description: 'own' });
            assert.equal(answer.status, isTaken ? 201 : 422, `${url}: ${answer.text}`);
            if (isTaken)
                await shop.client.must(204, 'DELETE', `/v1/webhook-endpoints/${answer.json.id}`);
        }
    });

    test('a name that turns private after it was registered is refused at connect', async () => {
        const strict = await startPlatform({ env: { HARKARA_WEBHOOK_ALLOW: '' } });
        try {
            const own = await strict.workspace();
            /* localhost.localdomain-like names resolve through /etc/hosts: registered by hand, as if DNS had changed since. */
            const made = await own.client.must(201, 'POST', '/v1/webhook-endpoints', { url: 'https://hook.example/x', events: ['*'] });
            strict.sql(`update harkara.webhook_endpoint set url = 'https://localhost/x' where url = 'https://hook.example/x'`);
            await own.client.must(202, 'POST', '/v1/messages', own.client.text(own.channel));
            const shown = await until(async () => {
                const now = await own.client.must(200, 'GET', `/v1/webhook-endpoints/${made.id}`);
                return now.state === 'disabled' && now;
            }, 'the endpoint to be disabled');
            assert.equal(shown.disabled_reason, 'address-blocked');
        } finally {
            await strict.stop();
        }
    });
});
