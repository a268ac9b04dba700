// @ts-check
/** Limits in Redis: exact over two gateways, known after it has lost everything, and never unbounded while it is away. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { freePort, requestUnix, startPlatform, until } from './support.js';

const PASSWORD = randomBytes(18).toString('base64url');
/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
/** @type {import('node:child_process').ChildProcess} */
let redis;
let port = 0;

/** On the same port, with nothing of what it had. */
function startRedis() {
    redis = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--requirepass', PASSWORD], { stdio: 'ignore' });
}
async function killRedis() {
    const ended = new Promise((resolve) => redis.once('exit', resolve));
    redis.kill('SIGKILL');
    await ended;
}

before(async () => {
    const left = 86_400_000 - Date.now() % 86_400_000;
    if (left < 240_000) /* no day ends, and begins with another count, in the middle of a test */
        await new Promise((done) => setTimeout(done, left + 1000));
    port = await freePort();
    startRedis();
    platform = await startPlatform({
        env: { HARKARA_GATEWAYS: '2', HARKARA_REDIS_URL: `redis://127.0.0.1:${port}`, HARKARA_REDIS_TIMEOUT_MS: '5000' },
        prepare: (folder, env) => {
            env.HARKARA_REDIS_PASSWORD_FILE = path.join(folder, 'redis-password');
            writeFileSync(env.HARKARA_REDIS_PASSWORD_FILE, `${PASSWORD}\n`, { mode: 0o400 });
            return () => {};
        },
    });
});
after(async () => {
    await platform?.stop();
    await killRedis();
});

const limit = (shop, limits) => shop.client.must(200, 'PUT', `/v1/channels/${shop.channel}/limits`, limits);
const send = (shop) => shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel));
const atOnce = (count, ask) => Promise.all(Array.from({ length: count }, ask));
const accepted = (answers) => answers.filter(({ status }) => status === 202).length;
const written = (shop) => Number(platform.sql(`select coalesce(sum(accepted), 0) from harkara.usage_day u join harkara.tenant t using (tenant_id) where t.slug = '${shop.slug}'`));
const stored = (shop) => Number(platform.sql(`select count(*) from harkara.message m join harkara.tenant t using (tenant_id) where t.slug = '${shop.slug}'`));
/** What the admin socket says of limits. */
const told = async () => JSON.parse((await requestUnix(platform.harkara.adminSocket, '/readyz')).text).limits;

describe('with Redis', () => {
    test('a quota is exact under parallel clients of two gateways, and a lost Redis is told what was used', async () => {
        const shop = await platform.workspace();
        await limit(shop, { messages_per_day: 60 });
        const answers = await atOnce(40, () => send(shop));
        assert.equal(accepted(answers), 40);
        assert.match(answers[0].headers.get('ratelimit'), /"sender-day";r=\d+;t=\d+$/);
        await until(() => written(shop) === 40, 'the account in the database');
        await killRedis();
        startRedis();
        await until(async () => (await shop.client.call('GET', '/v1/usage')).status === 200, 'Redis to be back');
        const rest = [];
        await until(async () => {
            rest.push(...await atOnce(40, () => send(shop))); /* a gateway that has not tried again refuses them */
            return stored(shop) >= 60;
        }, 'the quota to be used up');
        rest.push(...await atOnce(40, () => send(shop)));
        assert.equal(stored(shop), 60);
        assert.equal(accepted(rest), 20);
        assert.ok(rest.filter(({ status }) => status === 429).every(({ json }) => json.limit === 'sender-day'));
    });

    test('while it is away nothing is admitted, as it comes', async () => {
        const shop = await platform.workspace();
        await killRedis();
        const refused = await until(async () => {
            const answer = await send(shop);
            return answer.status === 503 && answer;
        }, 'a refusal');
        assert.equal(refused.json.code, 'limits-unavailable');
        assert.equal(await told(), 'redis-away');
        assert.ok(Number(refused.headers.get('retry-after')) >= 1);
        assert.equal(stored(shop), 0);
        assert.equal((await fetch(`${platform.url}/healthz`)).status, 200);
        assert.ok(!platform.log().includes(PASSWORD));
        startRedis();
        await until(async () => (await send(shop)).status === 202, 'Redis to be back');
    });

    test('or each gateway gives its share of what is left', async () => {
        await platform.harkara.stop();
        await platform.restart({ env: { ...platform.options.env, HARKARA_LIMITS_WITHOUT_REDIS: 'share' } });
        const shop = await platform.workspace();
        await limit(shop, { messages_per_day: 100 });
        assert.equal(accepted(await atOnce(20, () => send(shop))), 20);
        await until(() => written(shop) === 20, 'the account in the database');
        await killRedis();
        const answers = [];
        for (let round = 0; round < 4; round++)
            answers.push(...await atOnce(100, () => send(shop)));
        assert.ok(accepted(answers) >= 40, 'at least one gateway\'s share');
        assert.ok(accepted(answers) <= 80, `${accepted(answers)} of the 80 that were left`);
        await until(() => written(shop) === 20 + accepted(answers), 'the account in the database');
        startRedis();
        await until(async () => {
            await atOnce(40, () => send(shop)); /* a gateway that has not tried again has no more than its share */
            return stored(shop) >= 100;
        }, 'the quota to be used up');
        await atOnce(40, () => send(shop));
        assert.equal(stored(shop), 100);
        assert.ok(!JSON.stringify(answers.map(({ json }) => json)).includes('limits-unavailable'));
    });
});
