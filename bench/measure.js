// @ts-check
/** What every scenario does: requests for `load`, the check of what it was answered, and what it cost each process. */
import os from 'node:os';
import { performance } from 'node:perf_hooks';
import { busyUs, cpuOf } from './machine.js';
import { runForJson } from './platform.js';

const WARM_UP_MS = 300;
const PEOPLE = 4000;
export const BATCH = 100; /* messages in a request of the batch endpoint */
const TEXT = 'Your parcel has left our warehouse and reaches you tomorrow between 9 and 12.';
export const CONTENT_BYTES = JSON.stringify({ type: 'text', text: { body: TEXT } }).length;

/** @typedef {import('./platform.js').Platform} Platform */
/** @typedef {{platform: Platform, peers: Map<string, import('./peer.js').Peer>, round: number, seconds: number}} Run */
/** @typedef {{rate: number, p50_us?: number, p99_us?: number, max_us?: number, cpu_us: Record<string, number>, transactions: number, others: number, wal_bytes?: number, commit_rows?: number}} Figures */
/** @typedef {{name: string, title: string, rounds?: number, peer?: string, needs?: 'operator', run: (run: Run) => Promise<Figures>}} Scenario */

/**
 * Lines of `load`'s file: messages to many people, from these workspaces in turn; `batch` of them in a request, when it is not 1.
 * @param {{key: string, channels: string[]}[]} workspaces @param {{batch?: number, category?: string, text?: string}} [options]
 */
export function posts(workspaces, { batch = 1, category, text = TEXT } = {}) {
    const senders = workspaces.flatMap(({ key, channels }) => channels.map((channel) => ({ key, channel })));
    return Array.from({ length: batch === 1 ? PEOPLE : PEOPLE / 20 }, (_, n) => {
        const { key, channel } = senders[n % senders.length];
        const messages = Array.from({ length: batch }, (_, at) => ({
            channel_id: channel, to: `+1415${String((n * batch + at) * 9973 % 10_000_000).padStart(7, '0')}`, category, content: { type: 'text', text: { body: text } },
        }));
        return [`POST /v1/messages${batch === 1 ? '' : '/batch'}`, `Authorization: Bearer ${key}`, 'Content-Type: application/json',
            JSON.stringify(batch === 1 ? messages[0] : { messages })].join('\t');
    });
}

/**
 * Runs `work`, which says how many things it did, and gives what each of them cost every role, and what share of the
 * machine went to processes that are not ours. @param {Platform} platform
 * @param {() => Promise<{count: number, load_us: number}>} work @param {import('./machine.js').Roles} [more]
 */
export async function withCosts(platform, work, more = new Map()) {
    const roles = new Map([...platform.roles, ['provider', platform.provider === null ? [] : [platform.provider.pid]], ...more]);
    const xidBefore = await nextXid(platform), before = cpuOf(roles), busyBefore = busyUs(), began = performance.now(), own = process.cpuUsage();
    const { count, load_us } = await work();
    const elapsedUs = (performance.now() - began) * 1000, after = cpuOf(roles), ownUsed = process.cpuUsage(own), xidAfter = await nextXid(platform);
    const spent = new Map([...after].map(([name, us]) => [name, us - (before.get(name) ?? 0)]));
    const ours = [...spent].reduce((sum, [name, us]) => (name.includes('.') ? sum : sum + us), 0) + load_us + ownUsed.user + ownUsed.system;
    return {
        cpu_us: Object.fromEntries([...spent.set('load', load_us)].map(([name, us]) => [name, us / Math.max(count, 1)])),
        transactions: (xidAfter - xidBefore) / Math.max(count, 1),
        others: Math.max(0, (busyUs() - busyBefore - ours) / (elapsedUs * os.cpus().length)),
    };
}

/** Transactions that wrote, of the whole cluster, until now. @param {Platform} platform */
const nextXid = (platform) => platform.sql.number('select pg_snapshot_xmax(pg_current_snapshot())::text::bigint');

/**
 * Every answer must be good, and every 202 must be a row: a fast wrong answer is worth nothing.
 * @param {any} result @param {string} wanted the only status @param {() => Promise<number>} [countRows] @param {number} [each] rows of an answer
 */
export async function checkLoad(result, wanted, countRows, each = 1) {
    const statuses = Object.keys(result.statuses_all);
    if (result.unanswered > 0 || result.reconnects > 0 || statuses.some((status) => status !== wanted))
        throw new Error(`load was answered ${JSON.stringify(result.statuses_all)}, ${result.unanswered} not at all, ${result.reconnects} broken; ${result.refusal}`);
    if (countRows === undefined)
        return;
    const rows = await countRows();
    if (rows !== result.statuses_all[wanted] * each)
        throw new Error(`${result.statuses_all[wanted] * each} messages were accepted, and ${rows} are in the database`);
}

/** @param {Run} run */
export function loadWords({ platform, round, seconds }, name, lines, connections, more = ['--seconds', String(seconds), '--warm-up-ms', String(WARM_UP_MS)], url = platform.url) {
    return ['--to', new URL(url).host, '--requests', platform.requestsFile(name, lines), '--connections', String(connections),
        '--unique', `${name}-${round}`, ...more];
}

const WEBHOOKS_EACH = 3;

/**
 * Sends messages and waits until each was read, said in statuses that the provider posted and that the receiver was told of, one webhook each.
 * @param {Run} run @param {import('./machine.js').Roles} roles of a peer @param {number} messages @param {string[]} words of load
 * @param {() => Promise<{total: number, read: number, delivered: number}>} count what is in the database since the start
 */
export async function untilHooked(run, roles, messages, words, count) {
    const { platform } = run, receiver = /** @type {any} */ (platform.receiver), provider = /** @type {any} */ (platform.provider);
    const before = (await receiver.count()).taken, providedBefore = await provider.count(), wanted = messages * WEBHOOKS_EACH;
    let us = 0;
    const costs = await withCosts(platform, async () => {
        const began = performance.now();
        const result = await runForJson(platform.program('load'), words);
        await checkLoad(result, '202');
        await until(async () => (await receiver.count()).taken - before >= wanted && (await count()).delivered >= wanted, 'every webhook');
        us = (performance.now() - began) * 1000;
        return { count: messages, load_us: result.cpu_us };
    }, new Map([...roles, ['receiver', [receiver.pid]]]));
    const { total, read, delivered } = await count(), hooked = (await receiver.count()).taken - before, provided = await provider.count();
    if (total !== messages || read !== messages || delivered !== wanted || hooked !== wanted)
        throw new Error(`of ${messages} messages ${total} are in the database, ${read} are read; of ${wanted} webhooks ${hooked} came and ${delivered} are recorded`);
    if (provided.taken - providedBefore.taken !== messages || provided.refused !== providedBefore.refused)
        throw new Error(`of ${messages} messages the provider took ${provided.taken - providedBefore.taken}; ${provided.refused - providedBefore.refused} of its callbacks were refused`);
    return { ...costs, us };
}

/** Looks every 20 ms. @param {() => Promise<boolean>} look @param {string} what */
export async function until(look, what, timeoutMs = 300_000) {
    const end = performance.now() + timeoutMs;
    while (!await look()) {
        if (performance.now() > end)
            throw new Error(`waited ${timeoutMs / 1000} s for ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}
