// @ts-check
/**
 * What is measured. A scenario runs once a round and gives its figures: all of one round stand beside each other in
 * time, so that a machine that is slower for a while is slower for all of them. To measure more, add a row.
 */
import { performance } from 'node:perf_hooks';
import { requestUnix } from '../sandbox/demo/platform.js';
import { bare } from './bare_scenarios.js';
import { CONTENT_BYTES, checkLoad, loadWords, posts, untilHooked, withCosts } from './measure.js';
import { peerAccept, peerBatch, peerEndToEnd, peerWebhooks } from './peer_scenarios.js';
import { runForJson } from './platform.js';
import { gate, kannelAccept, kannelEndToEnd, smsAccept, smsEndToEnd } from './sms_scenarios.js';
import { batch, inbound, otp } from './traffic_scenarios.js';

/* Of scenarios that follow each message to its end, for each second that the others are given. */
const MESSAGES = 2000, HOOKED_MESSAGES = 500;

/** @typedef {import('./platform.js').Platform} Platform */
/** @typedef {import('./measure.js').Run} Run */
/** @typedef {import('./measure.js').Scenario} Scenario */

/** @param {Platform} platform */
const accepted = (platform) => async () => (await platform.countNew()).total;

/** Durable accepts: the lanes are closed, so nothing is sent meanwhile. @param {string} name @param {number} connections @param {number} [tenants] */
const accept = (name, connections, tenants = 1) => ({
    name, title: `accept, ${connections} connections${tenants === 1 ? '' : `, ${tenants} workspaces`}`,
    /** @param {Run} run */
    async run(run) {
        const { platform } = run;
        const lines = posts(platform.workspaces.slice(0, tenants).map((workspace) => ({ ...workspace, channels: workspace.channels.slice(0, 1) })));
        await platform.clear();
        const walBefore = await platform.sql.run('select pg_current_wal_lsn()');
        const commitsBefore = await commits(platform);
        let result = /** @type {any} */ (null);
        const costs = await withCosts(platform, async () => {
            result = await runForJson(platform.program('load'), loadWords(run, name, lines, connections));
            return { count: result.statuses_all['202'], load_us: result.cpu_us };
        });
        await checkLoad(result, '202', accepted(platform));
        const all = result.statuses_all['202'];
        const wal = await platform.sql.number(`select pg_wal_lsn_diff(pg_current_wal_lsn(), '${walBefore[0]}')`);
        return { ...costs, rate: result.rate, p50_us: result.p50_us, p99_us: result.p99_us, max_us: result.max_us, wal_bytes: wal / all, commit_rows: all / (await commits(platform) - commitsBefore) };
    },
});

/** Group commits so far, by the gateway's own count. @param {Platform} platform */
async function commits(platform) {
    const { text } = await requestUnix(/** @type {any} */ (platform.harkara).adminSocket, '/metrics');
    return [...text.matchAll(/^harkara_group_commits_total(?:\{[^}]*\})? (\d+)$/gm)].reduce((sum, [, value]) => sum + Number(value), 0);
}

/** Before the first round: rows in the tables, and statistics of them, as on a platform that is in use. @param {Platform} platform */
export async function fillTables(platform) {
    const run = { platform, peers: new Map(), round: -1, seconds: 1 };
    await platform.clear();
    await checkLoad(await runForJson(platform.program('load'), loadWords(run, 'fill', posts(platform.workspaces), 256)), '202', accepted(platform));
    await webhooks().run(run);
    await inbound(16).run(run);
    await platform.sql.run('analyze');
}

/** The HTTP server without anything behind it. @param {number} connections */
const health = (connections) => ({
    name: `health_${connections}`, title: `GET /healthz, ${connections} connections`,
    /** @param {Run} run */
    async run(run) {
        let result = /** @type {any} */ (null);
        const costs = await withCosts(run.platform, async () => {
            result = await runForJson(run.platform.program('load'), loadWords(run, 'health', ['GET /healthz\t'], connections, ['--seconds', '1', '--warm-up-ms', '100']));
            return { count: result.statuses_all['200'], load_us: result.cpu_us };
        });
        await checkLoad(result, '200');
        return { ...costs, rate: result.rate, p50_us: result.p50_us, p99_us: result.p99_us, max_us: result.max_us };
    },
});

/** @param {string} way @param {number} batch @param {{connections?: number, tenants?: number}} [options] */
const ceiling = (way, batch, { connections = 1, tenants = 1 } = {}) => ({
    name: `ceiling_${way}_${batch}${tenants === 1 ? '' : `_tenants_${tenants}`}`,
    title: `database alone, ${way}, ${batch} a commit${connections === 1 ? '' : `, ${connections} connections`}${tenants === 1 ? '' : `, ${tenants} workspaces`}`,
    /** @param {Run} run */
    async run({ platform }) {
        await platform.clear();
        const walBefore = await platform.sql.run('select pg_current_wal_lsn()');
        let result = /** @type {any} */ (null);
        const costs = await withCosts(platform, async () => {
            result = await runForJson(platform.program('ceiling'),
                ['--way', way, '--batch', String(batch), '--connections', String(connections), '--tenants', String(tenants), '--seconds', '1', '--content-bytes', String(CONTENT_BYTES)],
                { CEILING_DATABASE: /** @type {string} */ (platform.ceilingDatabase) });
            return { count: result.rows, load_us: result.cpu_us };
        });
        const rows = await platform.ceilingSql?.run('select count(*) from message');
        if (Number(rows?.[0]) !== result.rows)
            throw new Error(`${result.rows} rows were committed, and ${rows} are in the database`);
        const wal = await platform.sql.number(`select pg_wal_lsn_diff(pg_current_wal_lsn(), '${walBefore[0]}')`);
        return { ...costs, rate: result.rate, wal_bytes: wal / result.rows, commit_rows: result.rows / result.commits };
    },
});

/** Until every message is with the provider and its outcome is recorded. @param {Platform} platform */
async function dispatched(platform, count, timeoutMs = 300_000) {
    const end = performance.now() + timeoutMs;
    while (await platform.sql.number('select count(*) from dispatch_queue') > 0) {
        if (performance.now() > end)
            throw new Error('messages are still in the queue');
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { total, sent } = await platform.countNew();
    if (sent !== count || total !== count)
        throw new Error(`${count} messages were accepted, ${total} are in the database, ${sent} were sent`);
}

/** From POST to the recorded outcome, accepting and sending at once; or sending alone, of what had been accepted before. */
const dispatch = (name, title, { isBehind }) => ({
    name, title, rounds: 3,
    /** @param {Run} run */
    async run(run) {
        const { platform } = run, messages = MESSAGES * run.seconds;
        const lines = posts(platform.workspaces.slice(0, 1));
        const words = loadWords(run, name, lines, 64, ['--count', String(messages)]);
        await platform.clear();
        await platform.setLanes(!isBehind);
        if (isBehind)
            await checkLoad(await runForJson(platform.program('load'), words), '202', accepted(platform));
        let us = 0;
        const costs = await withCosts(platform, async () => {
            const began = performance.now();
            let load_us = 0;
            if (isBehind)
                await platform.setLanes(true);
            else {
                const result = await runForJson(platform.program('load'), words);
                load_us = result.cpu_us;
            }
            await dispatched(platform, messages);
            us = (performance.now() - began) * 1000;
            return { count: messages, load_us };
        });
        await platform.setLanes(false);
        return { ...costs, rate: messages / us * 1_000_000 };
    },
});

/** With all that follows: three statuses by the provider, each a signed webhook to the customer. */
const webhooks = () => ({
    name: 'webhooks', title: 'sent, 3 statuses, 3 signed webhooks', rounds: 3,
    /** @param {Run} run */
    async run(run) {
        const { platform } = run, messages = HOOKED_MESSAGES * run.seconds, hooked = /** @type {import('./platform.js').Workspace} */ (platform.hooked);
        await platform.clear();
        const before = await countDelivered(platform);
        await platform.setLanes(true);
        platform.setStatuses(hooked.numbers, platform.url);
        const { us, ...costs } = await untilHooked(run, new Map(), messages, loadWords(run, 'webhooks', posts([hooked]), 64, ['--count', String(messages)]), async () => {
            const { total } = await platform.countNew();
            const read = await platform.sql.number("select count(*) from message where status = 'read'");
            return { total, read: read - before.read, delivered: (await countDelivered(platform)).delivered - before.delivered };
        });
        platform.setStatuses([], platform.url);
        await platform.setLanes(false);
        return { ...costs, rate: messages / us * 1_000_000 };
    },
});

/** @param {Platform} platform */
async function countDelivered(platform) {
    return {
        read: await platform.sql.number("select count(*) from message where status = 'read'"),
        delivered: await platform.sql.number("select count(*) from webhook_delivery where state = 'delivered'"),
    };
}

/** @type {Scenario[]} */
export const SCENARIOS = [
    bare('group', 64),
    accept('accept_64', 64),
    peerAccept('bullmq', 64),
    peerAccept('pg-boss', 64),
    bare('group', 256),
    accept('accept_256', 256),
    peerAccept('bullmq', 256),
    bare('none', 256),
    bare('each', 256),
    bare('group', 1000),
    accept('accept_1000', 1000),
    peerAccept('bullmq', 1000),
    accept('accept_256_tenants', 256, 20),
    batch(16),
    peerBatch('bullmq', 16),
    inbound(64),
    ceiling('plain', 500),
    ceiling('accept', 500),
    ceiling('plain', 50),
    ceiling('plain', 1, { connections: 8 }),
    ceiling('accept', 500, { tenants: 20 }),
    health(64),
    dispatch('dispatch', 'sent, of what was accepted before', { isBehind: true }),
    dispatch('end_to_end', 'accepted and sent at once, 64 connections', { isBehind: false }),
    peerEndToEnd('bullmq', MESSAGES),
    peerEndToEnd('pg-boss', MESSAGES),
    webhooks(),
    peerWebhooks('bullmq', HOOKED_MESSAGES),
    otp(false),
    otp(true),
    gate('lookup', 'DND look-ups, of 10 million numbers, one thread'),
    gate('judge', 'verdicts of the policy gate, one thread'),
    smsAccept(64),
    kannelAccept(64),
    smsAccept(256),
    kannelAccept(256),
    smsEndToEnd('http', MESSAGES),
    smsEndToEnd('smpp', MESSAGES),
    kannelEndToEnd(MESSAGES),
];
export const TENANTS = 20;
export const CHANNELS = 8; /* of the first workspace: each is a lane of its own */

/**
 * Of two scenarios of the same round; the median of the rounds counts. `bar`: what the project holds itself to; the ratio is of
 * `what`, the rate where nothing else is said.
 */
export const RATIOS = [
    { name: 'accept_64 / bare', of: 'accept_64', to: 'bare_group_64', bar: { least: 0.65 } },
    { name: 'accept_256 / bare', of: 'accept_256', to: 'bare_group_256', bar: { least: 0.65 } },
    { name: 'accept_1000 / bare', of: 'accept_1000', to: 'bare_group_1000', bar: { least: 0.65 } },
    { name: 'accept_64 / BullMQ', of: 'accept_64', to: 'peer_bullmq_accept_64', bar: { least: 10 } },
    { name: 'accept_256 / BullMQ', of: 'accept_256', to: 'peer_bullmq_accept_256', bar: { least: 10 } },
    { name: 'accept_1000 / BullMQ', of: 'accept_1000', to: 'peer_bullmq_accept_1000', bar: { least: 10 } },
    { name: 'p99 of accept_64 / BullMQ', of: 'accept_64', to: 'peer_bullmq_accept_64', what: 'p99_us', bar: { most: 0.2 } },
    { name: 'p99 of accept_256 / BullMQ', of: 'accept_256', to: 'peer_bullmq_accept_256', what: 'p99_us', bar: { most: 0.2 } },
    { name: 'p99 of accept_1000 / BullMQ', of: 'accept_1000', to: 'peer_bullmq_accept_1000', what: 'p99_us', bar: { most: 0.2 } },
    { name: 'end to end / BullMQ', of: 'end_to_end', to: 'peer_bullmq_end_to_end', bar: { least: 10 } },
    { name: 'with statuses and webhooks / BullMQ', of: 'webhooks', to: 'peer_bullmq_webhooks', bar: { least: 10 } },
    { name: 'p99 of OTP: crowded / quiet', of: 'otp_crowded', to: 'otp_quiet', what: 'p99_us', bar: { most: 3 } },
    { name: 'SMS accept_64 / Kannel', of: 'sms_accept_64', to: 'peer_kannel_accept_64', bar: { least: 2 } },
    { name: 'SMS accept_256 / Kannel', of: 'sms_accept_256', to: 'peer_kannel_accept_256', bar: { least: 2 } },
    { name: 'SMS to the operator / Kannel', of: 'sms_end_to_end', to: 'peer_kannel_end_to_end' },
    { name: 'SMS by SMPP to the operator / Kannel by HTTP', of: 'sms_smpp_end_to_end', to: 'peer_kannel_end_to_end' },
    { name: 'batches / BullMQ', of: 'batch_16', to: 'peer_bullmq_batch_16' },
    { name: 'accept_64 / pg-boss', of: 'accept_64', to: 'peer_pg-boss_accept_64' },
    { name: 'end to end / pg-boss', of: 'end_to_end', to: 'peer_pg-boss_end_to_end' },
    { name: 'accept_64 / ceiling', of: 'accept_64', to: 'ceiling_plain_500' },
    { name: 'accept_256 / ceiling', of: 'accept_256', to: 'ceiling_plain_500' },
    { name: 'accept_1000 / ceiling', of: 'accept_1000', to: 'ceiling_plain_500' },
    { name: 'accept_256 / the gateway\'s own transaction alone', of: 'accept_256', to: 'ceiling_accept_500' },
    { name: 'the gateway\'s own transaction alone / ceiling', of: 'ceiling_accept_500', to: 'ceiling_plain_500' },
    { name: 'bare: with / without the commit', of: 'bare_group_256', to: 'bare_none_256' },
    { name: 'bare: group commit / a commit each', of: 'bare_group_256', to: 'bare_each_256' },
    { name: 'accept_256 of 20 workspaces / of one', of: 'accept_256_tenants', to: 'accept_256' },
    { name: 'accept_256 / one row a commit, 8 connections', of: 'accept_256', to: 'ceiling_plain_1' },
    { name: 'end to end / accept_64', of: 'end_to_end', to: 'accept_64' },
];
