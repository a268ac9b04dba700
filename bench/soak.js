// @ts-check
/**
 * Mixed load for minutes or hours, at rates that the platform holds easily, with memory, descriptors, queues and table sizes looked at
 * every ten seconds. What grows in memory is a leak: the level of the last quarter is held against that of the second.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { memoryOf } from './machine.js';
import { loadWords, posts, until } from './measure.js';
import { linesOf } from './platform.js';
import { median, table } from './report.js';
import { callbacks } from './traffic_scenarios.js';

const SAMPLE_MS = 10_000;
const RATES = { plain: 100, hooked: 20, inbound: 20 };
/** Of memory, from the second quarter to the last: what an allocator may still take. */
const GROWTH_MB = 8, GROWTH_SHARE = 0.05;

/** @typedef {import('./measure.js').Run} Run */

/** @param {number[]} pids */
function descriptors(pids) {
    return pids.reduce((sum, pid) => {
        try {
            return sum + readdirSync(`/proc/${pid}/fd`).length;
        } catch {
            return sum;
        }
    }, 0);
}

/** @param {Run} run @param {number} minutes @param {(text: string) => void} say */
export async function soak(run, minutes, say) {
    const { platform } = run, hooked = /** @type {import('./platform.js').Workspace} */ (platform.hooked), [number] = platform.workspaces[0].numbers;
    const seconds = Math.round(minutes * 60), more = (rate) => ['--seconds', String(seconds), '--warm-up-ms', '0', '--rate', String(rate)];
    await platform.clear();
    await platform.setLanes(true);
    platform.setStatuses(hooked.numbers, platform.url);
    const loads = [
        loadWords(run, 'soak-plain', posts(platform.workspaces), 64, more(RATES.plain)),
        loadWords(run, 'soak-hooked', posts([hooked]), 16, more(RATES.hooked)),
        [...loadWords(run, 'soak-inbound', callbacks(number, `SOAK${process.pid}N`), 16, more(RATES.inbound)), '--sign', number.secret],
    ].map((words) => {
        const child = spawn(platform.program('load'), words, { stdio: ['ignore', 'pipe', 'inherit'] });
        return linesOf(child)();
    });
    const samples = [], began = performance.now();
    let isOver = false;
    const ended = Promise.all(loads).finally(() => { isOver = true; });
    ended.catch(() => {});
    while (!isOver) {
        await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, SAMPLE_MS))]);
        const memory = memoryOf(platform.roles), roles = [...platform.roles].filter(([role]) => role !== 'postgres');
        samples.push({
            at_s: (performance.now() - began) / 1000,
            rss_mb: Object.fromEntries(roles.map(([role]) => [role, memory[role].rss_mb])),
            descriptors: roles.reduce((sum, [, pids]) => sum + descriptors(pids), 0),
            postgres_mb: memory.postgres.pss_mb,
            waiting: await platform.sql.number('select count(*) from dispatch_queue'),
            database_mb: await platform.sql.number('select pg_database_size(current_database()) / 1e6'),
        });
        const last = samples[samples.length - 1];
        say(`${Math.round(last.at_s)} s: ${sum(last.rss_mb).toFixed(1)} MB resident, ${last.descriptors} descriptors, ${last.waiting} waiting, database ${Math.round(last.database_mb)} MB`);
    }
    const results = (await ended).map((line) => JSON.parse(line));
    for (const result of results)
        if (result.unanswered > 0 || Object.keys(result.statuses_all).some((status) => status[0] !== '2'))
            throw new Error(`the soak was answered ${JSON.stringify(result.statuses_all)}, ${result.unanswered} not at all; ${result.refusal}`);
    await until(async () => await platform.sql.number("select (select count(*) from dispatch_queue) + (select count(*) from provider_batch)") === 0, 'everything to be sent and read');
    platform.setStatuses([], platform.url);
    await platform.setLanes(false);
    return judged(samples, results.reduce((total, result) => total + result.good, 0));
}

const sum = (of) => Object.values(of).reduce((total, value) => total + value, 0);

/** @param {any[]} samples @param {number} requests */
function judged(samples, requests) {
    const quarter = (n, pick) => median(samples.slice(Math.floor(samples.length * n / 4), Math.max(Math.floor(samples.length * (n + 1) / 4), Math.floor(samples.length * n / 4) + 1)).map(pick));
    const rows = [...Object.keys(samples[0].rss_mb).map((role) => ({ name: role, pick: (sample) => sample.rss_mb[role] })),
        { name: 'all without PostgreSQL', pick: (sample) => sum(sample.rss_mb) }, { name: 'descriptors', pick: (sample) => sample.descriptors }]
        .map(({ name, pick }) => ({ name, second: quarter(1, pick), last: quarter(3, pick) }));
    const all = /** @type {any} */ (rows.find(({ name }) => name.startsWith('all'))), most = Math.max(GROWTH_MB, all.second * GROWTH_SHARE);
    return { samples, requests, rows, growth_mb: all.last - all.second, most_mb: most, holds: all.last - all.second <= most };
}

/** @param {Awaited<ReturnType<typeof soak>>} of */
export function soakTable({ rows, requests, growth_mb, most_mb, holds }) {
    return `${table([['resident MB', 'second quarter', 'last quarter', 'growth'], ...rows.map(({ name, second, last }) => [name, second.toFixed(1), last.toFixed(1), (last - second).toFixed(1)])])}

${requests.toLocaleString('en-US')} requests; growth ${growth_mb.toFixed(1)} MB, bar ≤ ${most_mb.toFixed(1)}: ${holds ? 'holds' : 'MISSED'}`;
}
