// @ts-check
/**
 * kill -9 of each role in the middle of sends. Nothing that was accepted is lost; what went out twice is counted, and only
 * where the outcome was not knowable. The figures are printed.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { requestUnix, startPlatform, until } from './support.js';

const MESSAGES = 400;
const ROLES = ['gateway', 'dispatcher', 'webhooks', 'vault', 'scheduler', 'smsc', 'postgres'];

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
before(async () => {
    /* Short leases, so that what a dead dispatcher held is taken over within the test. */
    platform = await startPlatform({ env: { HARKARA_SEND_LEASE_MS: '3000', HARKARA_WEBHOOK_TIMEOUT_MS: '3000', HARKARA_UNCERTAIN_WAIT_MS: '2000', HARKARA_LANE_PER_SECOND: '1000', HARKARA_LOG_LEVEL: 'info' },
        sandboxArgs: ['--set', 'throughput_per_second=0', '--set', 'retry_max_ms=1000'] });
});
after(() => platform?.stop());

/** Sends until it is accepted: as a client with an idempotency key does. */
async function sendSurely(shop, reference) {
    for (let tries = 0; ; tries++) {
        try {
            const answer = await shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel, { reference, category: 'otp' }), { 'idempotency-key': reference });
            if (answer.status === 202)
                return { id: answer.json.id, tries };
            assert.ok([409, 503, 500, 502, 504].includes(answer.status), `${answer.status} ${answer.text}`);
        } catch (error) {
            if (error?.code === 'ERR_ASSERTION')
                throw error;
            /* the connection broke: the gateway died */
        }
        assert.ok(tries < 2000, `${reference} was never accepted`); /* a minute and a half at the least */
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

for (const role of ROLES)
    test(`kill -9 of ${role} in the middle of ${MESSAGES} sends loses nothing`, async () => {
        const shop = await platform.workspace({ endpoint: true, settings: {} });
        let killed = 0, done = 0;
        const killer = (async () => {
            for (const share of [0.2, 0.5, 0.8]) {
                await until(() => done >= MESSAGES * share, 'the sends to go on');
                const pids = await platform.pids(role);
                for (const pid of pids) {
                    try {
                        process.kill(pid, 'SIGKILL');
                        killed += 1;
                    } catch {
                        /* it was being restarted */
                    }
                }
            }
        })();
        const accepted = [];
        const next = Array.from({ length: MESSAGES }, (_, i) => `${role}-${i}`);
        await Promise.all(Array.from({ length: 16 }, async () => {
            for (let reference; (reference = next.shift()) !== undefined; done++)
                accepted.push(await sendSurely(shop, reference));
        }));
        await killer;
        assert.ok(killed >= 1, `${killed} processes were killed`);
        assert.equal(new Set(accepted.map(({ id }) => id)).size, MESSAGES, 'one message for each request');

        /* Everything accepted reaches an end, and the tenant hears of it. */
        await until(() => platform.sql(`select count(*) from harkara.message m join harkara.tenant t using (tenant_id) where t.slug = '${shop.slug}' and status = 'read'`) === String(MESSAGES),
            'all to be read', 150_000).catch(() => {
            throw new Error(`not all were read: ${platform.sql(`select status, count(*) from harkara.message m join harkara.tenant t using (tenant_id) where t.slug = '${shop.slug}' group by 1`)}`);
        });
        await until(() => {
            const told = new Set(shop.receiver.events().filter(({ type }) => type === 'message.read').map(({ data }) => data.message_id));
            return accepted.every(({ id }) => told.has(id));
        }, 'all webhooks', 150_000);
        const twice = platform.sql(`select count(*) from (select from harkara.event e join harkara.tenant t using (tenant_id) where t.slug = '${shop.slug}' and type in ('message.delivered', 'message.read') group by subject_id, type having count(*) > 1) f`);
        assert.equal(twice, '0', 'what the provider said is applied once');
        const { json } = await platform.sandbox.control('GET', `/messages?phone_number_id=${shop.account.phone_number_id}&limit=10000`);
        const sends = (json.messages ?? json.data ?? json).map((message) => message.biz_opaque_callback_data ?? message.callback_data);
        const distinct = new Set(sends);
        const uncertain = Number(platform.sql(`select count(distinct subject_id) from harkara.event e join harkara.tenant t using (tenant_id) where t.slug = '${shop.slug}' and type = 'message.uncertain'`));
        process.stdout.write(`# ${role}: ${killed} killed, ${MESSAGES} accepted, ${MESSAGES - distinct.size} lost, ${sends.length - distinct.size} sent twice, ${uncertain} were uncertain, ` +
            `${accepted.reduce((sum, { tries }) => sum + tries, 0)} requests repeated\n`);
        assert.equal(distinct.size, MESSAGES, 'nothing accepted was lost');
        assert.ok(sends.length - distinct.size <= uncertain, 'a duplicate only where the outcome was not knowable');
    });

test('a vault killed with a batch of 200 on its table loses and doubles nothing', async () => {
    const shop = await platform.workspace();
    /* Each has a key of its own: a key of the whole would have the vault asked before there is a batch. */
    const messages = Array.from({ length: 200 }, (_, i) => ({ ...shop.client.text(shop.channel, { reference: `batch-${i}` }), idempotency_key: `batch-${i}` }));
    const send = () => shop.client.call('POST', '/v1/messages/batch', { messages });
    const waiting = async () => {
        const { text } = await requestUnix(platform.harkara.adminSocket, '/metrics');
        return [...text.matchAll(/^harkara_group_commits_waiting\S* (\d+)/gm)].reduce((sum, [, value]) => sum + Number(value), 0);
    };
    const [vault] = await platform.pids('vault');
    process.kill(vault, 'SIGSTOP'); /* it answers nothing from here on, and dies so */
    const first = send();
    await until(async () => await waiting() === messages.length, 'the batch to be taken');
    process.kill(vault, 'SIGKILL');
    let { status, json } = await first;
    assert.equal(status, 202);
    for (const result of json.results) /* what the next vault did not seal in time says so */
        assert.ok(result.status === 202 || result.problem.code === 'vault-unavailable', JSON.stringify(result));
    await until(async () => {
        if (json.accepted < messages.length)
            ({ json } = await send());
        return json.accepted === messages.length;
    }, 'all of the batch to be accepted');
    assert.equal(new Set(json.results.map(({ id }) => id)).size, messages.length);
    assert.equal(platform.sql(`select count(*) from harkara.message m join harkara.tenant t using (tenant_id) where t.slug = '${shop.slug}'`), String(messages.length));
    assert.equal(await waiting(), 0);
});
