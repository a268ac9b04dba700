// @ts-check
/**
 * Several dispatchers and several workspaces: a lane's pace is kept whoever owns it and whoever dies, and a crowd delays nobody
 * else's message, nor a more urgent one of its own.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
const number = (query) => Number(platform.sql(query));
const OWNERS = 'from harkara.dispatch_lane where dispatcher is not null';

/** What the provider took of a number, in its order. */
async function taken({ account }) {
    const { json } = await platform.sandbox.control('GET', `/messages?phone_number_id=${account.phone_number_id}&direction=out&limit=10000`);
    return json.data;
}

/** Accepts all of them while nothing may leave. @param {{client: any, messages: object[]}[]} parts */
async function acceptBehindClosedLanes(parts) {
    platform.sql('update harkara.dispatch_lane set is_open = false');
    for (const { client, messages } of parts)
        for (let from = 0; from < messages.length; from += 50) {
            const answer = await client.call('POST', '/v1/messages/batch', { messages: messages.slice(from, from + 50) });
            assert.equal(answer.json.accepted, messages.slice(from, from + 50).length, answer.text);
        }
}

describe('two dispatchers', () => {
    const PER_SECOND = 40, OF_EACH = 200;

    before(async () => {
        platform = await startPlatform({
            env: { HARKARA_DISPATCHERS: '2', HARKARA_LANE_PER_SECOND: String(PER_SECOND), HARKARA_SEND_LEASE_MS: '3000', HARKARA_UNCERTAIN_WAIT_MS: '2000' },
            sandboxArgs: ['--set', 'throughput_per_second=0'],
        });
    });
    after(() => platform?.stop());

    test('a lane keeps its pace and loses nothing when its owner is killed', async () => {
        const shop = await platform.workspace();
        const numbers = [shop];
        for (let i = 0; i < 3; i++)
            numbers.push({ ...shop, ...await platform.connect(shop.client) });
        await platform.whole();
        await acceptBehindClosedLanes(numbers.map(({ client, channel }, n) => ({
            client, messages: Array.from({ length: OF_EACH }, (_, i) => client.text(channel, { reference: `${n}-${i}`, category: 'otp' })),
        })));
        platform.sql("update harkara.dispatch_lane set is_open = true; notify harkara_dispatch");
        await until(() => number(`select coalesce(max(count), 0) from (select count(*) ${OWNERS} group by dispatcher) as lanes`) === 2
            && number(`select count(distinct dispatcher) ${OWNERS}`) === 2, 'each to have its part');
        const waits = () => number('select count(*) from harkara.dispatch_queue');
        await until(() => waits() < numbers.length * OF_EACH * 0.8, 'the sends to go on');
        const [killed] = await platform.pids('dispatcher');
        process.kill(killed, 'SIGKILL');
        await until(() => waits() === 0, 'all to be sent', 150_000);

        const uncertain = number("select count(distinct subject_id) from harkara.event where type = 'message.uncertain'");
        for (const one of numbers) {
            const messages = await taken(one);
            assert.equal(new Set(messages.map(({ biz_opaque_callback_data: id }) => id)).size, OF_EACH, 'nothing is lost');
            assert.ok(messages.length - OF_EACH <= uncertain, 'twice only where the outcome was not knowable');
            /* Two that both kept this pace would be twice as fast; a machine that is slow is slower. */
            const seconds = (messages.at(-1).at - messages[0].at) / 1000;
            assert.ok((messages.length - 1) / seconds < PER_SECOND * 1.4, `${messages.length} in ${seconds} s`);
        }
    });

    test('one that is stopped leaves its lanes to the other', async () => {
        await until(async () => (await platform.pids('dispatcher')).length === 2, 'the killed one to be back');
        await platform.whole();
        const shop = await platform.workspace();
        const [first] = await platform.pids('dispatcher');
        process.kill(first, 'SIGTERM');
        const { id } = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel));
        await shop.client.follow(id, ['read']);
    });
});

describe('a crowd', () => {
    const CROWD = 300, FEW = 10;

    before(async () => {
        platform = await startPlatform({ env: { HARKARA_LANE_PER_SECOND: '1000' }, sandboxArgs: ['--set', 'throughput_per_second=0'] });
    });
    after(() => platform?.stop());

    test('delays neither another workspace\'s message nor its own otp', async () => {
        const crowd = await platform.workspace(), other = await platform.workspace();
        await Promise.all([crowd, other].map(({ client }) => client.promotes()));
        const numbers = [crowd];
        for (let i = 0; i < 2; i++)
            numbers.push({ ...crowd, ...await platform.connect(crowd.client) });
        const many = (of, channel, count, category, reference) =>
            Array.from({ length: count }, (_, i) => of.client.text(channel, { reference: `${reference}-${i}`, category }));
        await acceptBehindClosedLanes([
            ...numbers.map(({ client, channel }, n) => ({ client, messages: many(crowd, channel, CROWD / 3, 'promotional', `crowd-${n}`) })),
            { client: crowd.client, messages: many(crowd, crowd.channel, FEW, 'otp', 'own') },
            { client: other.client, messages: many(other, other.channel, FEW, 'otp', 'other') },
            { client: other.client, messages: many(other, other.channel, FEW, 'promotional', 'bulk') },
        ]);
        platform.sql("update harkara.dispatch_lane set is_open = true; notify harkara_dispatch");
        await until(() => number('select count(*) from harkara.dispatch_queue') === 0, 'all to be sent');
        const words = platform.sql("select m.reference from harkara.event e join harkara.message m on m.tenant_id = e.tenant_id and m.id = e.subject_id where e.type = 'message.sending' order by e.xid, e.id").split('\n');
        assert.equal(words.length, CROWD + 3 * FEW, 'each was sent once');
        for (const kind of ['own', 'other', 'bulk']) {
            const last = words.findLastIndex((reference) => reference.startsWith(`${kind}-`));
            assert.ok(last < CROWD / 2, `the last of ${kind} was number ${last} of ${words.length}`);
        }
    });
});
