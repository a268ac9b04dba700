// @ts-check
/** SMS: what deciding costs by itself, accepting, and all the way to the operator, by HTTP and by SMPP; Kannel in the same rounds. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { checkLoad, loadWords, posts, until, withCosts } from './measure.js';
import { runForJson } from './platform.js';
import { submitAll, timed } from './sms.js';

const REGISTRY_NUMBERS = 10_000_000;
const TEXT = 'Your parcel has left our warehouse and reaches you tomorrow between 9 and 12.';

/** @typedef {import('./measure.js').Run} Run */

/** @param {Run} run */
const smsOf = ({ platform }) => /** @type {NonNullable<import('./platform.js').Platform['sms']>} */ (platform.sms);
/** @param {Run} run */
const kannelOf = (run) => /** @type {import('./sms.js').Kannel} */ (smsOf(run).kannel);

/** Without the platform: `gate` by itself, one thread. @param {string} way @param {string} title */
export const gate = (way, title) => ({
    name: `gate_${way}`, title,
    /** @param {Run} run */
    async run({ platform }) {
        const folder = path.join(platform.folder, 'gate');
        if (way === 'lookup' && mkdirSync(folder, { recursive: true }) !== undefined)
            execFileSync(platform.program('gate'), ['--make', String(REGISTRY_NUMBERS), '--folder', folder], { stdio: ['ignore', 'ignore', 'inherit'] });
        let result = /** @type {any} */ (null);
        const costs = await withCosts(platform, async () => {
            result = await runForJson(platform.program('gate'), ['--way', way, '--folder', folder, '--seconds', '1']);
            return { count: result.count, load_us: result.cpu_us };
        });
        const share = result.hits / result.count;
        if (way === 'lookup' ? result.numbers < REGISTRY_NUMBERS * 0.99 || share < 0.49 || share > 0.52 : share <= 0 || share >= 1)
            throw new Error(`of ${result.count} ${result.hits} were found or allowed, in a registry of ${result.numbers}`);
        return { ...costs, rate: result.rate };
    },
});

/** Durable accepts of one sender's messages; its lane is closed. @param {number} connections */
export const smsAccept = (connections) => ({
    name: `sms_accept_${connections}`, title: `SMS: accept, ${connections} connections`, needs: /** @type {const} */ ('operator'),
    /** @param {Run} run */
    async run(run) {
        const { platform } = run, { workspace } = smsOf(run);
        await platform.clear();
        let result = /** @type {any} */ (null);
        const costs = await withCosts(platform, async () => {
            result = await runForJson(platform.program('load'), loadWords(run, `sms-${connections}`, posts([workspace]), connections));
            return { count: result.statuses_all['202'], load_us: result.cpu_us };
        });
        await checkLoad(result, '202', async () => (await platform.countNew()).total);
        return { ...costs, rate: result.rate, p50_us: result.p50_us, p99_us: result.p99_us, max_us: result.max_us };
    },
});

/**
 * From the request to the recorded answer of the operator, accepting and sending at once.
 * @param {'http' | 'smpp'} by @param {number} each messages for each second of other scenarios
 */
export const smsEndToEnd = (by, each) => ({
    name: by === 'http' ? 'sms_end_to_end' : 'sms_smpp_end_to_end', title: by === 'http' ? 'SMS: accepted and at the operator, 64 connections' : 'SMS: submitted by SMPP and at the operator, 2 links',
    rounds: 3, needs: /** @type {const} */ ('operator'),
    /** @param {Run} run */
    async run(run) {
        const { platform } = run, { workspace, operator } = smsOf(run), count = each * run.seconds;
        await platform.clear();
        const before = await operator.taken();
        await platform.setLanes(true);
        let us = 0;
        const costs = await withCosts(platform, async () => {
            let load_us = 0;
            us = await timed(async () => {
                const result = by === 'http' ? await runForJson(platform.program('load'), loadWords(run, 'sms-end', posts([workspace]), 64, ['--count', String(count)])) : await submitAll(workspace.esme, count);
                load_us = result.cpu_us;
                if (by === 'http')
                    await checkLoad(result, '202');
                else if (result.statuses[0] !== count)
                    throw new Error(`of ${count} submits ${JSON.stringify(result.statuses)} were answered`);
                await until(async () => await platform.sql.number('select count(*) from dispatch_queue') === 0, 'every message to be with the operator');
            });
            return { count, load_us };
        }, operator.roles);
        await platform.setLanes(false);
        const { total, sent } = await platform.countNew(), taken = await operator.taken() - before;
        if (total !== count || sent !== count || taken !== count)
            throw new Error(`of ${count} messages ${total} are in the database, ${sent} are sent, ${taken} are with the operator`);
        return { ...costs, rate: count / us * 1_000_000 };
    },
});

/** What Kannel takes by HTTP while its operator is away: it answers when the message is in its file, which it does not sync. @param {number} connections */
export const kannelAccept = (connections) => ({
    name: `peer_kannel_accept_${connections}`, title: `Kannel: accept, ${connections} connections, not synced`, peer: 'kannel',
    /** @param {Run} run */
    async run(run) {
        const { platform } = run, kannel = kannelOf(run);
        await kannel.lose();
        let result = /** @type {any} */ (null);
        const costs = await withCosts(platform, async () => {
            result = await runForJson(platform.program('load'), loadWords(run, `kannel-${connections}`, lines(kannel), connections, undefined, kannel.url));
            return { count: result.statuses_all['202'], load_us: result.cpu_us };
        }, kannel.roles);
        await checkLoad(result, '202', async () => (await kannel.status())?.waiting ?? 0);
        await kannel.find();
        return { ...costs, rate: result.rate, p50_us: result.p50_us, p99_us: result.p99_us, max_us: result.max_us };
    },
});

/** @param {number} each likewise */
export const kannelEndToEnd = (each) => ({
    name: 'peer_kannel_end_to_end', title: 'Kannel: accepted and at the operator, 64 connections, not synced', peer: 'kannel', rounds: 3,
    /** @param {Run} run */
    async run(run) {
        const { platform } = run, kannel = kannelOf(run), { operator } = kannel, count = each * run.seconds, before = await operator.taken();
        let us = 0;
        const costs = await withCosts(platform, async () => {
            let load_us = 0;
            us = await timed(async () => {
                const result = await runForJson(platform.program('load'), loadWords(run, 'kannel-end', lines(kannel), 64, ['--count', String(count)], kannel.url));
                load_us = result.cpu_us;
                await checkLoad(result, '202');
                await until(async () => (await kannel.status())?.waiting === 0, 'every message to be with the operator');
            });
            return { count, load_us };
        }, kannel.roles);
        const taken = await operator.taken() - before;
        if (taken !== count)
            throw new Error(`of ${count} messages Kannel brought ${taken} to the operator`);
        return { ...costs, rate: count / us * 1_000_000 };
    },
});

/** @param {import('./sms.js').Kannel} kannel */
const lines = (kannel) => Array.from({ length: 4000 }, (_, n) => kannel.request(`1415${String(n * 9973 % 10_000_000).padStart(7, '0')}`, TEXT));
