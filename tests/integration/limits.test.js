// @ts-check
/**
 * Rates and quotas under parallel clients of two gateways: exact, told in headers and problems, given back when nothing was
 * accepted, and still known after everything was killed.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client, startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
before(async () => {
    const left = 86_400_000 - Date.now() % 86_400_000;
    if (left < 240_000) /* no day ends, and begins with another count, in the middle of a test */
        await new Promise((done) => setTimeout(done, left + 1000));
    platform = await startPlatform({ env: { HARKARA_GATEWAYS: '2', HARKARA_LOG_LEVEL: 'info' } });
});
after(() => platform?.stop());

const quotas = async (shop) => Object.fromEntries([
    ...(await shop.client.must(200, 'GET', '/v1/usage')).workspace,
    ...(await shop.client.must(200, 'GET', '/v1/usage/channels')).data.find(({ id }) => id === shop.channel).limits,
].map((limit) => [limit.name, limit]));

/** What a channel may; it holds everywhere once each gateway has forgotten what it had read. @param {any} shop @param {Record<string, number | null>} limits */
const limit = (shop, limits, channel = shop.channel) => shop.client.must(200, 'PUT', `/v1/channels/${channel}/limits`, limits);

/** So many at once, on connections of their own, so that both gateways get some. @param {number} count @param {(i: number) => Promise<any>} ask */
const atOnce = (count, ask) => Promise.all(Array.from({ length: count }, (_, i) => ask(i)));
const byStatus = (answers) => answers.reduce((counts, { status }) => ({ ...counts, [status]: (counts[status] ?? 0) + 1 }), {});

describe('quotas of messages', () => {
    test('a sender\'s day is exact under parallel clients, and the headers tell it', async () => {
        const shop = await platform.workspace();
        const set = await limit(shop, { messages_per_day: 100 });
        assert.deepEqual([set.messages_per_day, set.messages_per_month, set.in_force.messages_per_day], [100, null, 100]);
        const answers = await atOnce(160, () => shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel)));
        assert.deepEqual(byStatus(answers), { 202: 100, 429: 60 });
        const refused = answers.find(({ status }) => status === 429);
        assert.equal(refused.json.code, 'quota-exceeded');
        assert.equal(refused.json.limit, 'sender-day');
        assert.match(refused.json.detail, /sender-day of 100 a day/);
        const wait = Number(refused.headers.get('retry-after'));
        assert.ok(wait >= 1 && wait <= 86400, `${wait}`);
        assert.match(refused.headers.get('ratelimit'), /^"key";r=\d+;t=\d+, "workspace";r=\d+;t=\d+, "sender-day";r=0;t=\d+$/);
        assert.match(refused.headers.get('ratelimit-policy'), /, "sender-day";q=100;w=86400$/);
        const taken = answers.find(({ status }) => status === 202);
        assert.match(taken.headers.get('ratelimit'), /"sender-day";r=\d+;t=\d+$/);
        const now = await quotas(shop);
        assert.deepEqual([now['sender-day'].used, now['sender-day'].remaining], [100, 0]);
        assert.deepEqual([now['sender-month'].used, now['workspace-day'].used, now['workspace-month'].used], [100, 100, 100]);
        assert.equal(new Date(now['sender-day'].resets_at).getUTCHours(), 0);
    });

    test('a batch is taken whole or not at all', async () => {
        const shop = await platform.workspace();
        await limit(shop, { messages_per_day: 50 });
        const batch = (count) => ({ messages: Array.from({ length: count }, () => shop.client.text(shop.channel)) });
        await shop.client.must(202, 'POST', '/v1/messages/batch', batch(30));
        const refused = await shop.client.call('POST', '/v1/messages/batch', batch(21));
        assert.equal(refused.status, 429);
        assert.equal(refused.json.limit, 'sender-day');
        assert.equal((await quotas(shop))['sender-day'].used, 30);
        const never = await shop.client.call('POST', '/v1/messages/batch', batch(51));
        assert.match(never.json.detail, /never fit/);
        await shop.client.must(202, 'POST', '/v1/messages/batch', batch(20));
        assert.equal((await quotas(shop))['sender-day'].remaining, 0);
    });

    test('what is not accepted, and what is repeated, is given back', async () => {
        const shop = await platform.workspace();
        const again = () => shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel, { reference: 'one' }), { 'idempotency-key': 'one' });
        const answers = await atOnce(20, again);
        assert.equal(new Set(answers.map(({ json }) => json.id)).size, 1);
        await until(async () => (await quotas(shop))['sender-day'].used === 1, 'nineteen to be given back');
        await shop.client.must(200, 'PATCH', `/v1/channels/${shop.channel}`, { state: 'paused' });
        assert.equal((await shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel))).json.code, 'channel-not-ready');
        const mixed = await shop.client.must(202, 'POST', '/v1/messages/batch', { messages: [shop.client.text(shop.channel), { nonsense: true }] });
        assert.deepEqual([mixed.accepted, mixed.refused], [0, 2]);
        const now = await quotas(shop);
        assert.deepEqual(['sender-day', 'sender-month', 'workspace-day', 'workspace-month'].map((name) => now[name].used), [1, 1, 1, 1]);
    });

    test('by the second a sender is told to come again', async () => {
        const shop = await platform.workspace();
        await limit(shop, { messages_per_second: 5 });
        /* A second's worth at once, whenever the burst begins; more only as time goes by. */
        const refused = await until(async () => {
            const answers = await atOnce(40, () => shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel)));
            return answers.find(({ status }) => status === 429);
        }, 'a refusal');
        assert.equal(refused.json.code, 'rate-limited');
        assert.equal(refused.json.limit, 'sender-second');
        assert.equal(refused.headers.get('retry-after'), '1');
        await until(async () => (await shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel))).status === 202, 'the next second');
    });

    test('the operator gives, and the workspace only tightens', async () => {
        const shop = await platform.workspace();
        const given = await platform.harkara.json('tenant', 'limits', shop.slug, '--messages-per-day', '8', '--sender-per-day', '6');
        assert.deepEqual([given.messages_per_day, given.sender_per_day, given.messages_per_month], [8, 6, null]);
        const set = await limit(shop, { messages_per_day: 1000 });
        assert.deepEqual([set.messages_per_day, set.in_force.messages_per_day], [1000, 6]);
        const other = await platform.connect(shop.client);
        await until(async () => (await quotas(shop))['workspace-day'].limit === 8, 'the workspace\'s limit to be known');
        const answers = await atOnce(24, (i) => shop.client.call('POST', '/v1/messages', shop.client.text(i % 2 ? shop.channel : other.channel)));
        assert.deepEqual(byStatus(answers), { 202: 8, 429: 16 });
        assert.ok((await quotas(shop))['sender-day'].used <= 6);
        await platform.harkara.json('tenant', 'limits', shop.slug, '--reset');
        /* Each gateway finds out by itself. */
        await until(async () => (await shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel))).status === 202, 'what the installation gives');
    });

    test('80 and 100 percent are told once', async () => {
        const shop = await platform.workspace({ endpoint: true });
        await limit(shop, { messages_per_day: 10 });
        for (let i = 0; i < 12; i++)
            await shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel));
        const told = () => shop.receiver.events().filter(({ type }) => type === 'quota.threshold');
        await until(() => told().length === 2, 'two events');
        assert.deepEqual(told().map(({ data }) => [data.channel_id, data.quota, data.percent, data.limit]).sort((a, b) => a[2] - b[2]),
            [[shop.channel, 'sender-day', 80, 10], [shop.channel, 'sender-day', 100, 10]]);
        assert.equal(platform.sql(`select count(*) from harkara.event e join harkara.tenant t using (tenant_id) where t.slug = '${shop.slug}' and type = 'quota.threshold'`), '2');
    });
});

describe('rates of requests', () => {
    test('a key has a rate of its own', async () => {
        const shop = await platform.workspace({ channel: false });
        const made = await shop.client.must(201, 'POST', '/v1/api-keys', { name: 'Slow', scopes: ['usage:read'] });
        const set = await shop.client.must(200, 'PUT', `/v1/api-keys/${made.id}/limits`, { requests_per_second: 3 });
        assert.deepEqual([set.requests_per_second, set.in_force.requests_per_second], [3, 3]);
        const slow = new Client(platform.url, made.key);
        const refused = await until(async () => {
            const answers = await atOnce(30, () => slow.call('GET', '/v1/usage'));
            assert.ok(answers.every(({ headers }) => headers.get('ratelimit') !== null), 'each answer to a good key tells');
            return answers.find(({ status }) => status === 429);
        }, 'a refusal');
        assert.equal(refused.json.code, 'rate-limited');
        assert.equal(refused.json.limit, 'key');
        assert.match(refused.headers.get('ratelimit'), /^"key";r=0;t=1, "workspace";/);
        assert.match(refused.headers.get('ratelimit-policy'), /^"key";q=3;w=1, /);
        assert.equal((await shop.client.call('GET', '/v1/usage')).status, 200, 'another key goes on');
        const listed = (await shop.client.must(200, 'GET', '/v1/usage/api-keys')).data;
        assert.deepEqual(listed.map(({ id }) => id).sort(), [made.id, shop.keyId].sort());
        assert.equal(listed.find(({ id }) => id === made.id).limits[0].limit, 3);
    });

    test('settings have tags, and another workspace\'s are not found', async () => {
        const [acme, bolt] = [await platform.workspace(), await platform.workspace()];
        const target = `/v1/channels/${acme.channel}/limits`;
        const first = await acme.client.call('GET', target);
        await acme.client.must(200, 'PUT', target, { messages_per_day: 9 }, { 'if-match': first.headers.get('etag') });
        assert.equal((await acme.client.call('PUT', target, { messages_per_day: 8 }, { 'if-match': first.headers.get('etag') })).status, 412);
        for (const [method, body] of [['GET', undefined], ['PUT', { messages_per_day: 1 }]])
            assert.equal((await bolt.client.call(method, target, body)).status, 404);
        assert.equal((await bolt.client.call('GET', `/v1/api-keys/${acme.keyId}/limits`)).status, 404);
        assert.ok(!JSON.stringify(await bolt.client.must(200, 'GET', '/v1/usage/channels')).includes(acme.channel));
        assert.equal((await acme.client.must(200, 'GET', target)).messages_per_day, 9);
    });
});

describe('what survives', () => {
    test('a gateway that is killed takes nothing along', async () => {
        const shop = await platform.workspace();
        await limit(shop, { messages_per_day: 200 });
        let accepted = 0, unknown = 0;
        const ask = async () => {
            try {
                accepted += (await shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel))).status === 202 ? 1 : 0;
            } catch {
                unknown += 1; /* the gateway died with it */
            }
        };
        for (let round = 0; round < 5; round++) {
            const asked = atOnce(60, ask);
            const pids = await platform.pids('gateway');
            process.kill(pids[round % pids.length], 'SIGKILL');
            await asked;
            await until(async () => (await platform.pids('gateway')).length === 2, 'both gateways');
            await platform.whole();
        }
        /* Whoever was refused by nobody's fault tries on. */
        await until(async () => {
            await atOnce(20, ask);
            return (await quotas(shop))['sender-day'].remaining === 0;
        }, 'the quota to be used up');
        const stored = Number(platform.sql(`select count(*) from harkara.message m join harkara.tenant t using (tenant_id) where t.slug = '${shop.slug}'`));
        assert.ok(stored <= 200, `${stored} of 200 were accepted`);
        assert.ok(accepted <= stored);
        assert.ok(stored >= 200 - unknown, `${stored} stored, ${unknown} requests died`);
    });

    test('everything is killed, and what was used is known', async () => {
        const shop = await platform.workspace();
        await limit(shop, { messages_per_day: 60 });
        await atOnce(50, () => shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel)));
        const written = () => Number(platform.sql(`select coalesce(sum(accepted), 0) from harkara.usage_day u join harkara.tenant t using (tenant_id) where t.slug = '${shop.slug}'`));
        await until(() => written() === 50, 'the account in the database', 10_000);
        await platform.harkara.stop('SIGKILL');
        await platform.restart();
        const client = new Client(platform.url, shop.key);
        const again = { ...shop, client };
        assert.equal((await quotas(again))['sender-day'].used, 50);
        const answers = await atOnce(30, () => client.call('POST', '/v1/messages', client.text(shop.channel)));
        assert.deepEqual(byStatus(answers), { 202: 10, 429: 20 });
        /* Drained in order, not a unit is late. */
        await platform.harkara.stop();
        await platform.restart();
        again.client = new Client(platform.url, shop.key);
        assert.equal((await quotas(again))['sender-day'].used, 60);
        assert.equal(written(), 60);
    });
});

describe('strangers', () => {
    test('are limited by their address, and others are not', async () => {
        await platform.harkara.stop();
        await platform.restart({ env: { ...platform.options.env, HARKARA_RATE_UNAUTHENTICATED: '4' } });
        const shop = await platform.workspace({ channel: false });
        const stranger = new Client(platform.url, null);
        const refused = await until(async () => (await atOnce(30, () => stranger.call('GET', '/v1/usage'))).find(({ status }) => status === 429), 'a refusal');
        assert.equal(refused.json.code, 'rate-limited');
        assert.equal(refused.json.limit, 'address-unauthenticated');
        /* A good key waits no longer than the burst takes, and then as many as like come through. */
        await until(async () => (await shop.client.call('GET', '/v1/usage')).status === 200, 'the burst to be over');
        for (let i = 0; i < 20; i++)
            assert.equal((await shop.client.call('GET', '/v1/usage')).status, 200);
        assert.equal((await fetch(`${platform.url}/healthz`)).status, 200);
    });
});
