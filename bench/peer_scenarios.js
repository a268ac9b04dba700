// @ts-check
/** The peers in the same rounds, driven by the same programs, judged by the same checks. */
import { performance } from 'node:perf_hooks';
import { BATCH, checkLoad, loadWords, posts, untilHooked, withCosts } from './measure.js';
import { runForJson } from './platform.js';

/** @typedef {import('./measure.js').Run} Run */
/** @typedef {import('./peer.js').Peer} Peer */

/** @param {Run} run @param {import('./peer.js').Peer['kind']} kind */
const peerOf = (run, kind) => /** @type {Peer} */ (run.peers.get(kind));
/** @param {import('./peer.js').PeerWorkspace} workspace */
const postsTo = ({ key, number }, options = {}) => posts([{ key, channels: [number.channel] }], options);
/** @param {Peer} peer */
const accepted = (peer) => async () => (await peer.count()).total;

/** Before the first round: compiled code, open connections. @param {Run} run */
export async function warmPeers(run) {
    for (const peer of run.peers.values()) {
        await peer.clear();
        await peer.tell('resume');
        const count = 5000, words = loadWords(run, 'warm', postsTo(peer.workspace), 64, ['--count', String(count)], peer.url);
        await checkLoad(await runForJson(run.platform.program('load'), words), '202', accepted(peer));
        await sent(peer, count);
        await peer.clear();
    }
}

/** Until every message is with the provider and its outcome is recorded. @param {Peer} peer @param {number} count */
async function sent(peer, count, timeoutMs = 300_000) {
    const end = performance.now() + timeoutMs;
    for (;;) {
        const { total, at } = await peer.count('sent');
        if (total !== count)
            throw new Error(`${count} messages were accepted, and ${total} are in the database`);
        if (at === count)
            return;
        if (performance.now() > end)
            throw new Error(`${count - at} messages of ${peer.kind} were not sent`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

/** Durable accepts: its worker rests. @param {import('./peer.js').Peer['kind']} kind @param {number} connections */
export const peerAccept = (kind, connections) => ({
    name: `peer_${kind}_accept_${connections}`, title: `${kind}: accept, ${connections} connections`, peer: kind,
    /** @param {Run} run */
    async run(run) {
        const peer = peerOf(run, kind), { platform } = run;
        await peer.clear();
        let result = /** @type {any} */ (null);
        const costs = await withCosts(platform, async () => {
            result = await runForJson(platform.program('load'), loadWords(run, `${kind}-${connections}`, postsTo(peer.workspace), connections, undefined, peer.url));
            return { count: result.statuses_all['202'], load_us: result.cpu_us };
        }, peer.roles);
        await checkLoad(result, '202', accepted(peer));
        await peer.clear();
        return { ...costs, rate: result.rate, p50_us: result.p50_us, p99_us: result.p99_us, max_us: result.max_us };
    },
});

/** Likewise by batches. @param {import('./peer.js').Peer['kind']} kind @param {number} connections */
export const peerBatch = (kind, connections) => ({
    name: `peer_${kind}_batch_${connections}`, title: `${kind}: accept by batches of ${BATCH}, ${connections} connections`, peer: kind,
    /** @param {Run} run */
    async run(run) {
        const peer = peerOf(run, kind), { platform } = run;
        await peer.clear();
        let result = /** @type {any} */ (null);
        const costs = await withCosts(platform, async () => {
            result = await runForJson(platform.program('load'), loadWords(run, `${kind}-batch`, postsTo(peer.workspace, { batch: BATCH }), connections, undefined, peer.url));
            return { count: result.statuses_all['202'] * BATCH, load_us: result.cpu_us };
        }, peer.roles);
        await checkLoad(result, '202', accepted(peer), BATCH);
        await peer.clear();
        return { ...costs, rate: result.rate * BATCH, p50_us: result.p50_us, p99_us: result.p99_us, max_us: result.max_us };
    },
});

/** From POST to the recorded outcome, accepting and sending at once. @param {import('./peer.js').Peer['kind']} kind @param {number} each messages for each second of other scenarios */
export const peerEndToEnd = (kind, each) => ({
    name: `peer_${kind}_end_to_end`, title: `${kind}: accepted and sent at once, 64 connections`, peer: kind, rounds: 3,
    /** @param {Run} run */
    async run(run) {
        const peer = peerOf(run, kind), { platform } = run, messages = each * run.seconds;
        await peer.clear();
        await peer.tell('resume');
        let us = 0;
        const costs = await withCosts(platform, async () => {
            const began = performance.now();
            const result = await runForJson(platform.program('load'), loadWords(run, `${kind}-end`, postsTo(peer.workspace), 64, ['--count', String(messages)], peer.url));
            await checkLoad(result, '202');
            await sent(peer, messages);
            us = (performance.now() - began) * 1000;
            return { count: messages, load_us: result.cpu_us };
        }, peer.roles);
        await peer.clear();
        return { ...costs, rate: messages / us * 1_000_000 };
    },
});

/** Likewise with all that follows: three statuses by the provider, each a signed webhook. @param {import('./peer.js').Peer['kind']} kind @param {number} each likewise */
export const peerWebhooks = (kind, each) => ({
    name: `peer_${kind}_webhooks`, title: `${kind}: sent, 3 statuses, 3 signed webhooks`, peer: kind, rounds: 3,
    /** @param {Run} run */
    async run(run) {
        const peer = peerOf(run, kind), { platform } = run, messages = each * run.seconds;
        await peer.clear();
        await peer.tell('resume');
        platform.setStatuses([peer.hooked.number], /** @type {string} */ (peer.url));
        const { us, ...costs } = await untilHooked(run, peer.roles, messages, loadWords(run, `${kind}-hooked`, postsTo(peer.hooked), 64, ['--count', String(messages)], peer.url), async () => {
            const { total, at } = await peer.count('read');
            return { total, read: at, delivered: await peer.stores.sql.number('select count(*) from webhook_delivery') };
        });
        platform.setStatuses([], /** @type {string} */ (peer.url));
        await peer.clear();
        return { ...costs, rate: messages / us * 1_000_000 };
    },
});
