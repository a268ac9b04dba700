// @ts-check
/** What may be asked of a message besides its content: a time, a deadline, tags, metadata; and what may still be changed. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
/** @type {Awaited<ReturnType<typeof platform.workspace>>} */
let shop;
before(async () => {
    platform = await startPlatform({ env: { HARKARA_GATEWAYS: '2' } });
    shop = await platform.workspace({ endpoint: true });
});
after(() => platform?.stop());

/** The simulator takes what goes to this number and reports nothing of it: the steps are ours alone, in our order. */
const SILENT = '+15550300006';
const soon = (/** @type {number} */ ms) => new Date(Date.now() + ms).toISOString();
const send = (/** @type {Record<string, unknown>} */ more, client = shop.client) => client.must(202, 'POST', '/v1/messages', client.text(shop.channel, more));
const types = (/** @type {any} */ message) => message.timeline.map(({ type }) => type);
/** Runs with the channel paused, so that what is accepted stays where it is: accepted before, since a paused channel takes nothing. */
const setState = (/** @type {string} */ state) => shop.client.must(200, 'PATCH', `/v1/channels/${shop.channel}`, { state });

describe('a time to send', () => {
    test('is waited for, and then the message goes out', async () => {
        const sendAt = soon(3000);
        const made = await send({ send_at: sendAt, to: SILENT });
        assert.equal(made.status, 'held');
        assert.equal(made.send_at, sendAt);
        const end = await shop.client.follow(made.id, ['sent']);
        assert.deepEqual(types(end), ['message.held', 'message.queued', 'message.sending', 'message.sent']);
        assert.deepEqual(end.timeline.map(({ actor }) => actor), ['api-key', 'schedule', 'dispatcher', 'dispatcher']);
        assert.equal(end.timeline[0].key_id, shop.keyId);
        assert.equal(end.timeline[1].cause, 'due');
        assert.ok(Date.parse(end.timeline[2].at) >= Date.parse(sendAt), `${end.timeline[2].at} is not before ${sendAt}`);
        assert.ok(end.timeline.every(({ channel_id }) => channel_id === shop.channel));
    });

    test('can be changed while the message is held, and not afterwards', async () => {
        const made = await send({ send_at: soon(3_600_000), ttl_s: 60 });
        const clash = await shop.client.call('PATCH', `/v1/messages/${made.id}`, { send_at: soon(7_200_000) });
        assert.equal(clash.status, 422);
        assert.equal(clash.json.code, 'time-order');
        assert.equal(clash.json.errors[0].pointer, '/expires_at');
        const later = soon(7_200_000);
        const moved = await shop.client.must(200, 'PATCH', `/v1/messages/${made.id}`, { send_at: later, expires_at: null });
        assert.equal(moved.send_at, later);
        assert.equal(moved.expires_at, null);
        await shop.client.must(200, 'PATCH', `/v1/messages/${made.id}`, { send_at: null });
        const end = await shop.client.follow(made.id, ['read']);
        assert.deepEqual(types(end).slice(0, 4), ['message.held', 'message.held', 'message.held', 'message.queued']);
        assert.equal(end.timeline[1].cause, 'rescheduled');
        assert.equal(end.timeline[1].send_at, later);
        const late = await shop.client.call('PATCH', `/v1/messages/${made.id}`, { send_at: later });
        assert.equal(late.status, 409);
        assert.equal(late.json.detail, 'The message is read.');
    });

    test('lies within a year, and is told with its pointer when not', async () => {
        for (const [more, pointer, detail] of /** @type {[Record<string, unknown>, string, string?][]} */ ([
            [{ send_at: soon(400 * 86_400_000) }, '/send_at', 'must lie within a year from now'],
            [{ send_at: '2020-01-01T00:00:00Z' }, '/send_at', 'lies more than a day in the past'],
            [{ expires_at: '2020-01-01T00:00:00Z' }, '/expires_at', 'lies more than a day in the past'],
            [{ send_at: soon(60_000), expires_at: soon(30_000) }, '/expires_at', 'must come after send_at'],
            [{ expires_at: soon(40 * 86_400_000) }, '/expires_at', 'must lie within 30 days of the sending'],
            [{ expires_at: soon(60_000), ttl_s: 5 }, '/ttl_s'], [{ metadata: { n: 1 } }, '/metadata'], [{ metadata: { ['k'.repeat(41)]: 'v' } }, '/metadata'],
            [{ tags: ['<x>'] }, '/tags/0'], [{ tags: ['a', 'a'] }, '/tags/1'],
        ])) {
            const answer = await shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel, more));
            assert.equal(answer.status, 422, JSON.stringify(more));
            assert.equal(answer.json.errors[0].pointer, pointer, answer.text);
            if (detail !== undefined)
                assert.equal(answer.json.errors[0].detail, detail);
        }
        const held = await send({ send_at: soon(3_600_000) });
        for (const [change, pointer, detail] of [
            [{ send_at: soon(400 * 86_400_000) }, '/send_at', 'must lie within a year from now'],
            [{ send_at: soon(-60_000) }, '/send_at', 'must lie in the future'],
            [{ send_at: null, expires_at: soon(-60_000) }, '/expires_at', 'must come after the sending'],
            [{ send_at: null, expires_at: soon(40 * 86_400_000) }, '/expires_at', 'must lie within 30 days of the sending'],
        ]) {
            const answer = await shop.client.call('PATCH', `/v1/messages/${held.id}`, change);
            assert.equal(answer.status, 422, JSON.stringify(change));
            assert.deepEqual(answer.json.errors, [{ pointer, detail }]);
        }
    });

    test('and the answer to a repeated request are the same after the time has passed', async () => {
        const body = shop.client.text(shop.channel, { send_at: soon(300), ttl_s: 30 });
        const headers = { 'idempotency-key': 'held-once' };
        const first = await shop.client.call('POST', '/v1/messages', body, headers);
        await shop.client.follow(first.json.id, ['read']);
        const again = await shop.client.call('POST', '/v1/messages', body, headers);
        assert.equal(again.headers.get('idempotency-replayed'), 'true');
        assert.deepEqual(again.json, first.json);
        /* What the key is kept with is no plain digest, by which a reader of the database could try out what was said. */
        const canonical = (/** @type {any} */ value) => value === null || typeof value !== 'object' ? JSON.stringify(value)
            : Array.isArray(value) ? `[${value.map(canonical).join(',')}]`
                : `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`;
        const plain = createHash('sha256').update(`POST /v1/messages\n${canonical(body)}`).digest('hex');
        assert.notEqual(platform.sql("select encode(fingerprint, 'hex') from harkara.idempotency_key where key = 'held-once'"), plain);
    });
});

describe('an order that expires', () => {
    const order = (/** @type {number} */ expiresS, /** @type {Record<string, unknown>} */ more = {}) => shop.client.text(shop.channel, { to: SILENT, ...more, content: { type: 'interactive', interactive: {
        type: 'order_details', body: { text: 'Your order' }, action: { name: 'review_and_pay', parameters: {
            reference_id: 'order-1', type: 'digital-goods', payment_type: 'upi', currency: 'INR', total_amount: { value: 100, offset: 100 },
            order: { status: 'pending', items: [{ retailer_id: 'a', name: 'A', amount: { value: 100, offset: 100 }, quantity: 1 }], subtotal: { value: 100, offset: 100 }, tax: { value: 0, offset: 100 },
                expiration: { timestamp: String(expiresS), description: 'Then it is over' } } } } } } });
    const call = (/** @type {any} */ body, /** @type {Record<string, string>} */ headers = {}) => shop.client.call('POST', '/v1/messages', body, headers);
    const nowS = () => Math.floor(Date.now() / 1000);
    const pointer = '/content/interactive/action/parameters/order/expiration/timestamp';

    test('can be paid for five minutes after it leaves, or is refused', async () => {
        for (const [body, isTaken] of /** @type {[any, boolean][]} */ ([[order(nowS() - 60), false], [order(nowS() + 200), false], [order(nowS() + 900), true],
            [order(nowS() + 900, { send_at: soon(700_000) }), false], [order(nowS() + 2000, { send_at: soon(700_000) }), true]])) {
            const answer = await call(body);
            assert.equal(answer.status, isTaken ? 202 : 422, answer.text);
            if (!isTaken)
                assert.deepEqual([answer.json.code, answer.json.errors[0].pointer], ['message-invalid', pointer]);
        }
    });

    test('is answered as before when its request is repeated later', async () => {
        const body = order(nowS() + 303);
        const headers = { 'idempotency-key': 'order-once' };
        const first = await call(body, headers);
        assert.equal(first.status, 202, first.text);
        await until(async () => (await call(body)).status === 422, 'it to be too late for another');
        const again = await call(body, headers);
        assert.equal(again.headers.get('idempotency-replayed'), 'true');
        assert.deepEqual(again.json, first.json);
    });
});

describe('a deadline', () => {
    test('ends a message that waits for its paused channel, and one that is held', async () => {
        const held = await send({ send_at: soon(3_600_000), expires_at: soon(3_700_000) });
        await setState('paused');
        try {
            await shop.client.must(200, 'PATCH', `/v1/messages/${held.id}`, { send_at: null, expires_at: soon(1_000) });
            const end = await shop.client.follow(held.id, ['expired']);
            assert.equal(end.timeline.at(-1).type, 'message.expired');
            assert.equal(end.timeline.at(-1).actor, 'schedule');
            assert.equal(end.timeline.at(-1).cause, 'expired');
            assert.equal(end.attempts, 0);
        } finally {
            await setState('active');
        }
    });

    test('ends a message between two attempts', async () => {
        const to = '+14155550777';
        const fault = await platform.sandbox.control('POST', '/faults', { phone_number_id: shop.account.phone_number_id, to: to.slice(1), code: 131016, times: 50 });
        assert.ok(fault.status < 300, fault.text);
        const made = await send({ to, ttl_s: 6 });
        const end = await shop.client.follow(made.id, ['expired']);
        assert.ok(end.attempts >= 1);
        assert.equal(end.error.code, 'whatsapp-131016');
        await until(() => shop.receiver.events().find(({ type, data }) => type === 'message.expired' && data.message_id === made.id), 'the event');
    });
});

describe('cancel', () => {
    test('withdraws what is held, once and for all, and can be repeated', async () => {
        const made = await send({ send_at: soon(3_600_000) });
        const canceled = await shop.client.must(200, 'POST', `/v1/messages/${made.id}/cancel`);
        assert.equal(canceled.status, 'canceled');
        await shop.client.must(200, 'POST', `/v1/messages/${made.id}/cancel`);
        const [one] = (await shop.client.must(200, 'GET', `/v1/messages?status=canceled&limit=1`)).data;
        assert.equal(one.id, made.id);
        const event = await until(() => shop.receiver.events().find(({ type, data }) => type === 'message.canceled' && data.message_id === made.id), 'the event');
        assert.equal(event.data.status, 'canceled');
        const message = await shop.client.must(200, 'GET', `/v1/messages/${made.id}`);
        assert.deepEqual(types(message), ['message.held', 'message.canceled']);
        assert.equal(message.timeline[1].key_id, shop.keyId);
        assert.equal(platform.sql(`select count(*) from harkara.dispatch_queue q join harkara.message m on m.id = q.message_id where m.status = 'canceled'`), '0');
    });

    test('refuses what has left, with the status it has', async () => {
        const made = await send({});
        await shop.client.follow(made.id, ['read']);
        const late = await shop.client.call('POST', `/v1/messages/${made.id}/cancel`);
        assert.equal(late.status, 409);
        assert.equal(late.json.code, 'state-conflict');
        assert.equal(late.json.detail, 'The message is read.');
        assert.equal((await shop.client.call('POST', '/v1/messages/msg_01jd8h3c5tfy8n2k7w4q9v6r0e/cancel')).status, 404);
    });

    test('and the dispatcher race for a message, and one of them wins', async () => {
        const outcomes = { canceled: 0, sent: 0 };
        await Promise.all(Array.from({ length: 60 }, async (_, i) => {
            const made = await send({ reference: 'race' });
            for (let turns = 0; turns < i % 6; turns += 1)
                await new Promise((done) => setImmediate(done));
            const answer = await shop.client.call('POST', `/v1/messages/${made.id}/cancel`);
            const end = await shop.client.follow(made.id, ['canceled', 'read']);
            assert.equal(end.status, answer.status === 200 ? 'canceled' : 'read');
            assert.equal(types(end).includes('message.sending'), answer.status === 409);
            outcomes[answer.status === 200 ? 'canceled' : 'sent'] += 1;
        }));
        assert.equal(outcomes.canceled + outcomes.sent, 60);
    });
});

describe('sending again', () => {
    const again = (id, headers = {}) => shop.client.call('POST', `/v1/messages/${id}/resend`, undefined, headers);

    test('makes a new message of the old one, and each knows of the other', async () => {
        const old = await send({ reference: 'again', category: 'transactional', tags: ['orders'], metadata: { order: '7' }, expires_at: soon(3_600_000) });
        await shop.client.follow(old.id, ['read']);
        const answer = await again(old.id);
        assert.equal(answer.status, 202);
        assert.equal(answer.headers.get('location'), `/v1/messages/${answer.json.id}`);
        assert.notEqual(answer.json.id, old.id);
        assert.equal(answer.json.resent_from, old.id);
        const made = await shop.client.follow(answer.json.id, ['read']);
        const before = await shop.client.must(200, 'GET', `/v1/messages/${old.id}`);
        for (const name of ['to', 'channel_id', 'type', 'category', 'reference', 'tags', 'metadata', 'content'])
            assert.deepEqual(made[name], before[name], name);
        assert.equal(made.expires_at, null);
        assert.equal(made.resent_from, old.id);
        assert.deepEqual(made.resent_as, []);
        assert.equal(before.resent_from, null);
        assert.deepEqual(before.resent_as, [made.id]);
        assert.equal(before.status, 'read');
    });

    test('is done once under one key, and each message has its own', async () => {
        const one = await send({}), two = await send({});
        for (const { id } of [one, two])
            await shop.client.follow(id, ['read']);
        const key = { 'idempotency-key': `again-${one.id}` };
        const [first, second] = [await again(one.id, key), await again(one.id, key)];
        assert.deepEqual([first.status, second.status], [202, 202]);
        assert.equal(second.json.id, first.json.id);
        assert.equal(second.headers.get('idempotency-replayed'), 'true');
        assert.equal((await again(two.id, key)).json.code, 'idempotency-mismatch');
        assert.equal((await shop.client.must(200, 'GET', `/v1/messages/${one.id}`)).resent_as.length, 1);
    });

    test('is for what has come to its end, and went out', async () => {
        const held = await send({ send_at: soon(3_600_000), fallback: [{ channel_id: shop.channel, after_s: 60, content: { type: 'text', text: { body: 'Are you there?' } } }] });
        const refused = await again(held.id);
        assert.equal(refused.status, 409);
        assert.equal(refused.json.code, 'state-conflict');
        assert.equal(refused.json.detail, 'The message is held.');
        await shop.client.must(200, 'POST', `/v1/messages/${held.id}/cancel`);
        const made = await again(held.id);
        assert.equal(made.status, 202);
        const end = await shop.client.follow(made.json.id, ['read']);
        assert.deepEqual(end.senders.map(({ channel_id, after_s, content }) => ({ channel_id, after_s, body: content?.text.body })),
            [{ channel_id: shop.channel, after_s: null, body: undefined }, { channel_id: shop.channel, after_s: 60, body: 'Are you there?' }]);
        assert.equal((await again('msg_01jd8h3c5tfy8n2k7w4q9v6r0e')).status, 404);
    });

    test('works for who may not see the number, and does not show it', async () => {
        const old = await send({});
        await shop.client.follow(old.id, ['read']);
        const { key } = await shop.client.must(201, 'POST', '/v1/api-keys', { name: 'sends', scopes: ['messages:send'] });
        const answer = await fetch(`${platform.url}/v1/messages/${old.id}/resend`, { method: 'POST', headers: { authorization: `Bearer ${key}` } });
        assert.equal(answer.status, 202);
        const made = await answer.json();
        assert.notEqual(made.to, old.to);
        assert.ok(made.to.endsWith(old.to.slice(-4)), made.to);
        const end = await shop.client.follow(made.id, ['read']);
        assert.equal(end.to, old.to);
    });
});

describe('tags and metadata', () => {
    test('are given back, found, and kept out of what they do not belong to', async () => {
        const metadata = { order: '1042', note: 'for Žofie, 3rd floor' };
        const made = await send({ tags: ['orders', 'spring sale:2'], metadata });
        assert.deepEqual(made.tags, ['orders', 'spring sale:2']);
        assert.deepEqual(made.metadata, metadata);
        const read = await shop.client.follow(made.id, ['read']);
        assert.deepEqual(read.metadata, metadata);
        const listed = await shop.client.must(200, 'GET', `/v1/messages?tag=${encodeURIComponent('spring sale:2')}`);
        assert.deepEqual(listed.data.map(({ id }) => id), [made.id]);
        assert.deepEqual(listed.data[0].metadata, metadata);
        assert.equal((await shop.client.must(200, 'GET', '/v1/messages?tag=spring')).data.length, 0);
        const events = await until(() => {
            const mine = shop.receiver.events().filter(({ data }) => data.message_id === made.id);
            return mine.length >= 5 && mine;
        }, 'the events');
        for (const event of events) {
            assert.deepEqual(event.data.tags, made.tags);
            assert.ok(!JSON.stringify(event).includes('Žofie'));
        }
        assert.equal(platform.sql(`select count(*) from harkara.message where metadata_ct is not null and position('floor' in encode(metadata_ct, 'escape')) > 0`), '0');
    });

    test('and every other filter may be joined, and pages stay whole', async () => {
        const made = [];
        for (let i = 0; i < 7; i += 1)
            made.unshift((await send({ tags: ['page', i % 2 === 0 ? 'even' : 'odd'], category: i < 4 ? 'otp' : 'service', reference: `r-${i % 2}`, send_at: soon(3_600_000) })).id);
        const walk = async (/** @type {string} */ query) => {
            const seen = [];
            for (let cursor = ''; ;) {
                const page = await shop.client.must(200, 'GET', `/v1/messages?${query}&limit=2${cursor && `&cursor=${cursor}`}`);
                seen.push(...page.data.map(({ id }) => id));
                if (!page.has_more)
                    return seen;
                cursor = page.next_cursor;
            }
        };
        assert.deepEqual(await walk('tag=page'), made);
        assert.deepEqual(await walk('tag=even&status=held'), made.filter((_, i) => i % 2 === 0));
        assert.deepEqual(await walk('tag=page&category=otp&direction=outbound'), made.slice(3));
        assert.deepEqual(await walk(`reference=r-1&channel_id=${shop.channel}`), made.filter((_, i) => i % 2 === 1));
        assert.deepEqual((await walk('status=held,canceled')).filter((id) => made.includes(id)), made);
        assert.deepEqual((await walk(`channel_id=${shop.channel}&status=held,read`)).filter((id) => made.includes(id)), made);
        assert.deepEqual(await walk(`tag=page&created_after=${soon(60_000)}`), []);
        for (const id of made)
            await shop.client.must(200, 'POST', `/v1/messages/${id}/cancel`);
    });
});

describe('a batch', () => {
    const many = (/** @type {number} */ count, more = {}) => Array.from({ length: count }, (_, i) => shop.client.text(shop.channel, { reference: `b-${i}`, send_at: soon(3_600_000), ...more }));

    test('of a thousand gives each its own result, and what is wrong with one fails no other', async () => {
        const messages = many(1000, { tags: ['thousand'] });
        messages[3] = { ...messages[3], to: 'nobody' };
        messages[4] = /** @type {any} */ ({ nonsense: true });
        messages[500] = { ...messages[500], channel_id: 'chn_01jd8h0m4zfg5v2c9x7k3q6t1n' };
        messages[501] = { ...messages[501], content: { type: 'text', text: { body: 'x'.repeat(5000) } } };
        messages[999] = { ...messages[999], metadata: { a: 'b' } };
        const began = Date.now();
        const answer = await shop.client.must(202, 'POST', '/v1/messages/batch', { messages });
        console.log(`# a batch of 1,000 took ${Date.now() - began} ms`);
        assert.equal(answer.accepted, 996);
        assert.equal(answer.refused, 4);
        assert.equal(answer.results.length, 1000);
        const refused = answer.results.flatMap((result, i) => result.status === 202 ? [] : [[i, result.status, result.problem.code, result.problem.errors?.[0]?.pointer]]);
        assert.deepEqual(refused, [
            [3, 422, 'request-invalid', '/messages/3/to'],
            [4, 422, 'request-invalid', answer.results[4].problem.errors[0].pointer],
            [500, 422, 'channel-unknown', undefined],
            [501, 422, 'request-invalid', '/messages/501/content/text/body'],
        ]);
        assert.match(answer.results[4].problem.errors[0].pointer, /^\/messages\/4/);
        assert.equal(new Set(answer.results.map(({ id }) => id).filter(Boolean)).size, 996);
        const last = await shop.client.must(200, 'GET', `/v1/messages/${answer.results[999].id}`);
        assert.equal(last.reference, 'b-999');
        assert.deepEqual(last.metadata, { a: 'b' });
        assert.deepEqual(last.content, messages[999].content);
        assert.equal(platform.sql(`select count(*) from harkara.message_tag where tag = 'thousand'`), '996');
    });

    test('may be repeated under its key, whole and each by itself', async () => {
        const messages = many(20);
        messages[7] = /** @type {any} */ ({ ...messages[7], idempotency_key: 'seven' });
        messages[9] = /** @type {any} */ ({ ...messages[9], to: 'nobody' });
        const headers = { 'idempotency-key': 'the-batch' };
        const answers = await Promise.all(Array.from({ length: 6 }, () => shop.client.must(202, 'POST', '/v1/messages/batch', { messages }, headers)));
        const ids = answers[0].results.map(({ id }) => id);
        for (const answer of answers)
            assert.deepEqual(answer.results.map(({ id }) => id), ids);
        assert.equal(answers.reduce((sum, { results }) => sum + results.filter(({ replayed }) => replayed === false).length, 0), 19);
        const other = await shop.client.call('POST', '/v1/messages/batch', { messages: messages.slice(1) }, headers);
        assert.equal(other.json.code, 'idempotency-mismatch');
        const { idempotency_key: key, ...alone } = /** @type {any} */ (messages[7]);
        const single = await shop.client.call('POST', '/v1/messages', alone, { 'idempotency-key': key });
        assert.equal(single.json.id, ids[7]);
        assert.equal(single.headers.get('idempotency-replayed'), 'true');
    });

    test('is refused as a whole only when it is no batch', async () => {
        for (const body of [{}, { messages: [] }, { messages: many(1001) }, { messages: [1] }, { messages: many(1), more: 1 }])
            assert.equal((await shop.client.call('POST', '/v1/messages/batch', body)).status, 422);
        const bare = await shop.client.must(202, 'POST', '/v1/messages/batch', { messages: [{}] });
        assert.equal(bare.refused, 1);
        const bad = await shop.client.must(202, 'POST', '/v1/messages/batch', { messages: [{ ...many(1)[0], idempotency_key: 'a b' }] });
        assert.equal(bad.results[0].problem.errors[0].pointer, '/messages/0/idempotency_key');
    });
});

describe('one key, many requests at once, two gateways', () => {
    test('is one message, and every request gets the same answer', async () => {
        assert.equal((await platform.pids('gateway')).length, 2);
        for (let round = 0; round < 5; round += 1) {
            const body = shop.client.text(shop.channel, { reference: `stampede-${round}` });
            const answers = await Promise.all(Array.from({ length: 40 }, () => shop.client.call('POST', '/v1/messages', body, { 'idempotency-key': `stampede-${round}`, connection: 'close' })));
            for (const answer of answers) {
                assert.equal(answer.status, 202, answer.text);
                assert.deepEqual(answer.json, answers[0].json);
            }
            assert.equal(answers.filter(({ headers }) => headers.get('idempotency-replayed') === null).length, 1);
            assert.equal((await shop.client.must(200, 'GET', `/v1/messages?reference=stampede-${round}`)).data.length, 1);
        }
    });
});

describe('what the workspace decides', () => {
    test('is read, changed and guarded by its tag', async () => {
        const first = await shop.client.call('GET', '/v1/settings/messages');
        assert.deepEqual(first.json, { uncertain: { otp: 'resend', transactional: 'resend', service: 'resend', promotional: 'leave' }, uncertain_wait_s: null, time_zone: 'UTC', updated_at: null });
        const body = { uncertain: { otp: 'leave', transactional: 'resend', service: 'fail', promotional: 'leave' }, uncertain_wait_s: 60, time_zone: 'Asia/Kolkata' };
        const put = await shop.client.call('PUT', '/v1/settings/messages', body, { 'if-match': first.headers.get('etag') ?? '' });
        assert.equal(put.status, 200);
        const { updated_at: at, ...rest } = put.json;
        assert.deepEqual(rest, body);
        assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000);
        assert.equal((await shop.client.call('PUT', '/v1/settings/messages', body, { 'if-match': first.headers.get('etag') ?? '' })).status, 412);
        const now = await shop.client.call('GET', '/v1/settings/messages');
        assert.deepEqual(now.json, put.json);
        assert.equal(now.headers.get('etag'), put.headers.get('etag'));
        assert.equal((await shop.client.call('PUT', '/v1/settings/messages', { uncertain: { ...body.uncertain, otp: 'guess' } })).status, 422);
        const kept = await shop.client.must(200, 'PUT', '/v1/settings/messages', { uncertain: body.uncertain });
        assert.equal(kept.time_zone, 'Asia/Kolkata', 'a client that knows of no zones leaves it as it is');
        const nowhere = await shop.client.call('PUT', '/v1/settings/messages', { uncertain: body.uncertain, time_zone: 'Asia/Nowhere' });
        assert.equal(nowhere.status, 422);
        assert.equal(nowhere.json.errors[0].pointer, '/time_zone');
        const other = await platform.workspace({ channel: false });
        assert.equal((await other.client.must(200, 'GET', '/v1/settings/messages')).uncertain.otp, 'resend');
    });
});

describe('the timeline', () => {
    test('says who was told of each step, and by which delivery', async () => {
        const made = await send({});
        await shop.client.follow(made.id, ['read']);
        const message = await until(async () => {
            const read = await shop.client.must(200, 'GET', `/v1/messages/${made.id}`);
            return read.timeline.every(({ deliveries }) => deliveries.length === 1 && deliveries[0].state === 'delivered') && read;
        }, 'every step to be delivered');
        const log = (await shop.client.must(200, 'GET', `/v1/webhook-endpoints/${shop.endpoint}/deliveries?limit=100`)).data;
        for (const step of message.timeline) {
            assert.equal(step.deliveries[0].endpoint_id, shop.endpoint);
            assert.equal(log.find(({ id }) => id === step.deliveries[0].id)?.event_id, step.id);
        }
    });
});

describe('an export', () => {
    const lines = async (/** @type {string} */ query) => {
        const response = await fetch(`${platform.url}/v1/messages/export${query}`, { headers: { authorization: `Bearer ${shop.key}` } });
        assert.equal(response.status, 200);
        assert.equal(response.headers.get('content-type'), 'application/x-ndjson');
        return (await response.text()).trimEnd().split('\n').map((line) => JSON.parse(line));
    };

    test('has a line for each message that a list would show, and says when it is whole', async () => {
        const all = await lines('?tag=thousand');
        assert.deepEqual(all.at(-1), { end: true, count: 996 });
        assert.equal(all.length, 997);
        const ids = all.slice(0, -1).map(({ id }) => id);
        assert.deepEqual(ids, [...ids].sort().reverse());
        assert.equal(new Set(ids).size, 996);
        const [page] = (await shop.client.must(200, 'GET', '/v1/messages?tag=thousand&limit=1')).data;
        assert.deepEqual(all[0], page);
        const [one, end] = await lines(`?reference=b-999&tag=thousand&content=true`);
        assert.deepEqual(one.content, { type: 'text', text: { body: 'Hello' } });
        assert.deepEqual(end, { end: true, count: 1 });
        assert.deepEqual(await lines('?tag=nothing-has-this'), [{ end: true, count: 0 }]);
    });

    test('is on record with the key and the names of its filters, before it begins and when it ends', async () => {
        await lines(`?to=${encodeURIComponent('+14155550777')}`);
        const rows = platform.sql(`select type || ' ' || data::text from harkara.event where type like 'export.%' order by id desc limit 2`).split('\n');
        for (const row of rows) {
            assert.ok(row.includes(shop.keyId), row);
            assert.ok(row.includes('"filters": ["to"]') && !row.includes('4155550777'), row);
        }
        assert.match(rows[0], /^export\.ended .*"whole": true/);
        assert.match(rows[1], /^export\.begun /);
    });

    test('needs a scope of its own, and filters that are filters', async () => {
        const weak = await shop.client.must(201, 'POST', '/v1/api-keys', { name: 'Reader', scopes: ['messages:read'] });
        const refused = await fetch(`${platform.url}/v1/messages/export`, { headers: { authorization: `Bearer ${weak.key}` } });
        assert.equal(refused.status, 403);
        assert.equal((await shop.client.call('GET', '/v1/messages/export?status=lost')).status, 422);
    });
});
