// @ts-check
/** Batches, what the provider posts, and one tenant's urgent messages beside another's many. */
import { performance } from 'node:perf_hooks';
import { BATCH, checkLoad, loadWords, posts, until, withCosts } from './measure.js';
import { runForJson } from './platform.js';

/** @typedef {import('./measure.js').Run} Run */
/** @typedef {import('./platform.js').Platform} Platform */

const OTP_A_SECOND = 100;
const OTP_SECONDS = 5;
const CROWD = 100_000;
const CALLERS = 1000;
const OTP_TEXT = '482913 is your code. due=~~~~~~~~~~~~~~~~';

/** Durable accepts by the batch endpoint. @param {number} connections */
export const batch = (connections) => ({
    name: `batch_${connections}`, title: `accept by batches of ${BATCH}, ${connections} connections`,
    /** @param {Run} run */
    async run(run) {
        const { platform } = run, lines = posts(platform.workspaces.slice(0, 1).map((workspace) => ({ ...workspace, channels: workspace.channels.slice(0, 1) })), { batch: BATCH });
        await platform.clear();
        let result = /** @type {any} */ (null);
        const costs = await withCosts(platform, async () => {
            result = await runForJson(platform.program('load'), loadWords(run, 'batch', lines, connections));
            return { count: result.statuses_all['202'] * BATCH, load_us: result.cpu_us };
        });
        await checkLoad(result, '202', async () => (await platform.countNew()).total, BATCH);
        return { ...costs, rate: result.rate * BATCH, p50_us: result.p50_us, p99_us: result.p99_us, max_us: result.max_us };
    },
});

/** A message from person n, whom nobody writes to (the window from its old date is over), as WhatsApp posts it; its id is the request's number. @param {import('./platform.js').Sender} number @param {string} prefix @param {number} n */
const incoming = ({ phoneNumberId, accountId }, prefix, n) => JSON.stringify({
    object: 'whatsapp_business_account',
    entry: [{
        id: accountId,
        changes: [{
            field: 'messages',
            value: {
                messaging_product: 'whatsapp', metadata: { display_phone_number: '15550000001', phone_number_id: phoneNumberId },
                contacts: [{ profile: { name: 'Ann' }, wa_id: `1416555${String(n).padStart(4, '0')}` }],
                messages: [{ from: `1416555${String(n).padStart(4, '0')}`, id: `wamid.${prefix}@@@@@@@@@@@@`, timestamp: '1700000000', type: 'text', text: { body: 'When does it arrive?' } }],
            },
        }],
    }],
});

/** Lines of `load`'s file: messages from many people. @param {import('./platform.js').Sender} number @param {string} prefix */
export const callbacks = (number, prefix) => Array.from({ length: CALLERS }, (_, n) => [`POST /callbacks/whatsapp/${number.channel}`, 'Content-Type: application/json', incoming(number, prefix, n)].join('\t'));

/** Signed callbacks with a message each: answered when stored, and then read by the interpreter, whose work is part of the costs. @param {number} connections */
export const inbound = (connections) => ({
    name: `inbound_${connections}`, title: `inbound webhooks, ${connections} connections`,
    /** @param {Run} run */
    async run(run) {
        const { platform, round } = run, [number] = platform.workspaces[0].numbers, prefix = `BENCH${process.pid}R${round}C${connections}N`;
        const stored = () => platform.sql.number('select count(*) from provider_event'), received = () => platform.sql.number("select count(*) from message where direction = 'in'");
        const before = await stored(), receivedBefore = await received();
        let result = /** @type {any} */ (null), appliedUs = 0;
        const costs = await withCosts(platform, async () => {
            const began = performance.now();
            result = await runForJson(platform.program('load'), [...loadWords(run, 'inbound', callbacks(number, prefix), connections), '--sign', number.secret]);
            await until(async () => await platform.sql.number("select count(*) from (select from provider_batch limit 1) as one") === 0, 'every callback to be read');
            appliedUs = (performance.now() - began) * 1000;
            return { count: result.statuses_all['200'], load_us: result.cpu_us };
        });
        const count = result.statuses_all['200'];
        await checkLoad(result, '200', async () => await stored() - before);
        if (await received() - receivedBefore !== count)
            throw new Error(`${count} messages came in, and ${await received() - receivedBefore} are in the database`);
        return { ...costs, rate: result.rate, p50_us: result.p50_us, p99_us: result.p99_us, max_us: result.max_us, applied_rate: count / appliedUs * 1_000_000 };
    },
});

/** Until the provider is asked for nothing more. @param {Platform} platform */
async function quiet(platform) {
    let last = -1;
    await until(async () => {
        const { taken } = await /** @type {any} */ (platform.provider).count(), is = taken === last;
        last = taken;
        await new Promise((resolve) => setTimeout(resolve, 200));
        return is;
    }, 'a quiet provider');
}

/**
 * From when an OTP was due to be posted until it is with the provider, at a steady rate; alone, or while another workspace's promotional
 * messages are sent. @param {boolean} isCrowded
 */
export const otp = (isCrowded) => ({
    name: isCrowded ? 'otp_crowded' : 'otp_quiet', title: `OTP to the provider, ${isCrowded ? `beside ${CROWD.toLocaleString('en-US')} promotional messages` : 'alone'}`, rounds: 3,
    /** @param {Run} run */
    async run(run) {
        const { platform } = run, provider = /** @type {any} */ (platform.provider);
        const lines = posts(platform.workspaces.slice(1, 2), { category: 'otp', text: OTP_TEXT });
        await platform.clear();
        if (isCrowded) {
            await platform.promotes(platform.workspaces[0]);
            const crowd = posts(platform.workspaces.slice(0, 1), { category: 'promotional', batch: BATCH });
            await checkLoad(await runForJson(platform.program('load'), loadWords(run, 'crowd', crowd, 16, ['--count', String(CROWD / BATCH)])), '202',
                async () => (await platform.countNew()).total, BATCH);
        }
        await platform.setLanes(true);
        await provider.latency();
        let result = /** @type {any} */ (null), isWaiting = true;
        const count = OTP_A_SECOND * OTP_SECONDS, costs = await withCosts(platform, async () => {
            result = await runForJson(platform.program('load'), loadWords(run, isCrowded ? 'otp-crowded' : 'otp', lines, 32, ['--count', String(count), '--rate', String(OTP_A_SECOND)]));
            isWaiting = !isCrowded || await platform.sql.number("select count(*) from (select from dispatch_queue where priority = 3 limit 1) as one") > 0;
            await until(async () => await platform.sql.number('select count(*) from (select from dispatch_queue where priority = 0 limit 1) as one') === 0, 'every OTP to be sent');
            return { count, load_us: result.cpu_us };
        });
        const latency = await provider.latency();
        await checkLoad(result, '202');
        await platform.setLanes(false);
        await quiet(platform);
        await platform.clear();
        if (latency.count !== count)
            throw new Error(`of ${count} OTPs ${latency.count} are with the provider`);
        if (!isWaiting)
            throw new Error('the crowd was gone before the OTPs were: too few of it');
        return { ...costs, rate: result.rate, p50_us: latency.p50_us, p99_us: latency.p99_us, max_us: latency.max_us };
    },
});
