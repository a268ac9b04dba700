#!/usr/bin/env node
// @ts-check
/**
 * `make bench`: starts a platform, runs every scenario once a round, and reports medians. Usage:
 *
 *     bench/run.js BUILD_FOLDER [--rounds N] [--seconds N] [--only PREFIX,PREFIX] [--no-peers] [--peers kannel,bullmq] [--redis-fsync always]
 *         [--statements]                                      besides, of the last round: which SQL statements took how long
 *     bench/run.js BUILD_FOLDER --full [--steps 0,1,3,10]     the scenarios, and what they cost as the tables grow, by millions of messages
 *     bench/run.js BUILD_FOLDER --soak MINUTES                mixed load, and whether anything grows; nothing else
 *
 * It writes result.json, result.md and result.svg, or soak.json, into the build folder, or where --out says.
 *
 * Everything stays on the loopback and is stopped at the end. No further round begins after the time limit.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { freePort } from '../sandbox/demo/platform.js';
import { writeChart } from './chart.js';
import { growthRatios, growthTable, measureGrowth } from './growth.js';
import { describeMachine, memoryOf } from './machine.js';
import { memoryBars, memoryOpen } from './memory.js';
import { KINDS, Peer, PeerStores, isInstalled } from './peer.js';
import { warmPeers } from './peer_scenarios.js';
import { Platform } from './platform.js';
import { documentTables, mediansOf, median, memoryTable, ratioTable, scenarioTable, writeResult } from './report.js';
import { CONTENT_BYTES } from './measure.js';
import { Kannel, Operator, connectSms, hasKannel } from './sms.js';
import { soak, soakTable } from './soak.js';
import { startStatements, withStatements } from './statements.js';
import { CHANNELS, RATIOS, SCENARIOS, TENANTS, fillTables } from './scenarios.js';

const TIME_LIMIT_MS = 540_000;
const STARTS_MAX = 3;
/** Sending must not be paced here (by default a WhatsApp number sends 80 a second), and no limit reached: all of them count. The rest is as delivered. */
const NO_LIMIT = '1000000';
const SETTINGS = {
    HARKARA_LANE_PER_SECOND: '10000', HARKARA_RATE_ADDRESS: NO_LIMIT, HARKARA_RATE_UNAUTHENTICATED: NO_LIMIT, HARKARA_RATE_CALLBACK: NO_LIMIT,
    HARKARA_RATE_KEY: NO_LIMIT, HARKARA_RATE_WORKSPACE: NO_LIMIT, HARKARA_QUOTA_SENDER_SECOND: NO_LIMIT,
    HARKARA_SMPP_ALLOW: '127.0.0.0/8',
};

const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '2' }, only: { type: 'string', default: '' },
        'no-peers': { type: 'boolean', default: false }, peers: { type: 'string', default: '' }, 'redis-fsync': { type: 'string', default: 'everysec' },
        full: { type: 'boolean', default: false }, steps: { type: 'string', default: '0,1,3,10' }, soak: { type: 'string', default: '' }, out: { type: 'string', default: '' },
        statements: { type: 'boolean', default: false } },
});
const build = path.resolve(positionals[0] ?? 'build/bench');
const out = path.resolve(options.out === '' ? build : options.out);
const rounds = Number(options.rounds), seconds = Number(options.seconds);
const steps = options.steps.split(',').map(Number), minutes = Number(options.soak);
const isPeerWanted = (peer) => !options['no-peers'] && options.soak === '' && (options.peers === '' || options.peers.split(',').includes(peer));
const prefixes = options.only.split(',').filter((prefix) => prefix !== '');
const scenarios = SCENARIOS.filter(({ name, peer }) => (peer === undefined || isPeerWanted(peer)) && (prefixes.length === 0 || prefixes.some((prefix) => name.startsWith(prefix))));
const say = (text = '') => process.stdout.write(`${text}\n`);
const began = performance.now(), machine = describeMachine(); /* of the beginning: the tree may change meanwhile */

/** @type {Platform | null} */
let platform = null, isStopping = false;
/** @type {PeerStores | null} */
let stores = null;
/** @type {Map<string, Peer>} */
const peers = new Map();

async function startPeers() {
    const kinds = KINDS.filter((kind) => scenarios.some(({ peer }) => peer === kind));
    if (kinds.length === 0)
        return;
    if (!isInstalled())
        throw new Error('the peers are not installed: scripts/bootstrap bench does it, --no-peers goes without them');
    stores = new PeerStores(/** @type {Platform} */ (platform), options['redis-fsync']);
    const { workspace, hooked } = await stores.start();
    for (const kind of kinds) {
        peers.set(kind, new Peer(stores, kind, workspace, hooked));
        await peers.get(kind)?.start();
    }
}

/** The operator that both sides submit to, a sender of ours, and Kannel. */
async function startSms() {
    const hasPeer = scenarios.some(({ peer }) => peer === 'kannel');
    if (!hasPeer && !scenarios.some(({ needs }) => needs === 'operator'))
        return;
    if (hasPeer && !hasKannel())
        throw new Error('Kannel is not installed: scripts/bootstrap bench does it, --no-peers goes without it');
    const measured = /** @type {Platform} */ (platform), operator = await new Operator().start();
    measured.sms = { operator, workspace: /** @type {any} */ (null), kannel: null };
    measured.sms.workspace = await connectSms(measured, operator);
    if (hasPeer)
        await (measured.sms.kannel = new Kannel(measured)).start();
}

async function measureStarts() {
    const starts = Math.min(rounds, STARTS_MAX);
    const first = await /** @type {Platform} */ (platform).start();
    /** @type {number[]} */
    const again = [];
    for (let i = 0; i < starts; i++) {
        await /** @type {Platform} */ (platform).stop();
        if (i === starts - 1)
            /** @type {Platform} */ (platform).configureCluster(options.statements);
        again.push(await /** @type {Platform} */ (platform).start());
    }
    return { first_ms: first, again_ms: median(again), again };
}

function ratiosOf(results) {
    return RATIOS.filter(({ of, to }) => of in results && to in results).map(({ name, of, to, what = 'rate', bar }) => {
        const values = results[of].map((figures, round) => figures[what] / results[to][Math.min(round, results[to].length - 1)][what]);
        const value = median(values), by_cpu = what === 'rate' ? median(results[to].map(cpuOfAll)) / median(results[of].map(cpuOfAll)) : undefined;
        return { name, value, by_cpu, from: Math.min(...values), to: Math.max(...values), bar, holds: bar === undefined ? undefined : holds(bar, value) };
    });
}

/** CPU time of one message, everywhere. @param {{cpu_us: Record<string, number>}} figures */
const cpuOfAll = ({ cpu_us }) => Object.entries(cpu_us).reduce((sum, [role, us]) => (role.includes('.') ? sum : sum + us), 0);

/** @param {{least?: number, most?: number}} bar @param {number} value */
const holds = ({ least = -Infinity, most = Infinity }, value) => value >= least && value <= most;


async function main() {
    if (!(rounds >= 1 && rounds <= 100 && seconds >= 1 && seconds <= 600) || scenarios.length === 0 && !prefixes.includes('memory') ||
        steps.some((step) => !(step >= 0 && step <= 100)) || options.soak !== '' && !(minutes >= 0.1 && minutes <= 600))
        throw new Error('--rounds wants 1 to 100, --seconds 1 to 600, --only the beginning of a scenario\'s name, --steps millions of messages, --soak 0.1 to 600 minutes');
    platform = new Platform(build, { ...SETTINGS, HARKARA_SMPP_LISTEN: `127.0.0.1:${await freePort()}` });
    const starts = await measureStarts();
    const memory = { 'at idle': memoryOf(platform.roles) };
    await platform.prepare(TENANTS);
    platform.workspaces = [...await platform.makeWorkspaces(1, CHANNELS), ...await platform.makeWorkspaces(TENANTS - 1, 1)];
    [platform.hooked] = await platform.makeWorkspaces(1, CHANNELS);
    await platform.hook(platform.hooked);
    await platform.setLanes(false);
    await fillTables(platform);
    if (rounds > 1)
        await platform.layLogAhead();
    if (options.statements)
        await startStatements(platform);
    if (options.soak !== '') {
        const soaked = await soak({ platform, peers, round: 0, seconds }, minutes, say);
        writeResult(path.join(out, 'soak.json'), { at: new Date().toISOString(), machine, minutes, ...soaked });
        say(`\n${soakTable(soaked)}`);
        return;
    }
    await startPeers();
    await startSms();
    await warmPeers({ platform, peers, round: 0, seconds });
    /** @type {Record<string, any[]>} */
    const results = Object.fromEntries(scenarios.map(({ name }) => [name, []]));
    let round = 0;
    for (; round < rounds && (round === 0 || performance.now() - began < TIME_LIMIT_MS); round++) {
        for (const scenario of scenarios)
            if (round < (scenario.rounds ?? rounds) || options.statements && round === rounds - 1) {
                if (process.stderr.isTTY)
                    process.stderr.write(`\r\x1b[Kround ${round + 1} of ${rounds}: ${scenario.title}`);
                const work = () => scenario.run({ platform: /** @type {Platform} */ (platform), peers, round, seconds });
                if (options.statements && round === rounds - 1) {
                    const { result, text } = await withStatements(platform, work);
                    results[scenario.name].push(result);
                    say(`${scenario.title}\n${text}\n`);
                } else
                    results[scenario.name].push(await work());
            }
    }
    if (process.stderr.isTTY)
        process.stderr.write('\r\x1b[K');
    if (prefixes.length === 0 || prefixes.includes('memory'))
        Object.assign(memory, await memoryOpen({ platform, peers, round, seconds }));
    memory['after load'] = memoryOf(platform.roles);
    const growth = options.full ? await measureGrowth({ platform, peers, round, seconds }, SCENARIOS, steps, say) : null;
    const medians = Object.fromEntries(Object.entries(results).map(([name, of]) => [name, mediansOf(of)]));
    const ratios = [...ratiosOf(results), ...memoryBars(memory), ...(growth === null ? [] : growthRatios(growth))];
    const others = scenarios.length === 0 ? 0 : median(Object.values(results).flat().map((figures) => figures.others));
    writeResult(path.join(out, 'result.json'), {
        at: new Date().toISOString(), machine, options: { rounds: round, seconds, settings: SETTINGS, content_bytes: CONTENT_BYTES },
        others, starts, memory, ratios, medians, rounds: results, growth,
    });
    writeFileSync(path.join(out, 'result.md'), documentTables(scenarios, medians, ratios));
    const hasChart = writeChart(path.join(out, 'result.svg'), medians, { title: 'Harkara beside a bare server and the stacks of others', subtitle: subtitleOf(round) });
    report({ others, round, starts, memory, medians, ratios, growth, hasChart });
}

const subtitleOf = (round) => `${machine.cores} × ${machine.cpu}, Linux ${machine.kernel.split('-')[0]}, commit ${machine.commit}; medians of ${round} interleaved rounds; load and servers on one machine`;

function report({ others, round, starts, memory, medians, ratios, growth, hasChart }) {
    say(`${machine.cores} × ${machine.cpu}, Linux ${machine.kernel}, commit ${machine.commit}${machine.is_changed ? ' with changes' : ''}; medians of ${round} rounds`);
    say();
    say(scenarioTable(scenarios, medians));
    say();
    say(ratioTable(ratios));
    say();
    say(memoryTable(memory));
    say();
    if (growth !== null)
        say(`${growthTable(growth)}\n`);
    say(`start-up: ${Math.round(starts.first_ms)} ms the first time (the cluster is made), ${Math.round(starts.again_ms)} ms later`);
    say(`${Math.round((performance.now() - began) / 1000)} s; all figures are in ${path.relative(process.cwd(), path.join(out, 'result.json'))}${hasChart ? ', tables and a chart beside it' : ''}`);
    const missed = ratios.filter(({ holds }) => holds === false).length, held = ratios.filter(({ holds }) => holds === true).length;
    if (missed + held > 0)
        say(`${held} bars hold, ${missed} are missed.`);
    if (others > 0.05)
        say(`Other processes took ${Math.round(others * 100)} % of this machine meanwhile: trust the ratios and the CPU times, not the rates.`);
}

/** @param {number} code */
async function stop(code) {
    if (isStopping)
        return;
    isStopping = true;
    for (const peer of peers.values())
        await peer.stop().catch((error) => process.stderr.write(`${error.message}\n`));
    await platform?.sms?.kannel?.stop().catch((error) => process.stderr.write(`${error.message}\n`));
    await platform?.sms?.operator.stop();
    await stores?.stop().catch((error) => process.stderr.write(`${error.message}\n`));
    await platform?.remove().catch((error) => process.stderr.write(`${error.message}\n`));
    process.exit(code);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => void stop(1));
process.stdout.on('error', () => void stop(1)); /* nobody reads the table */
process.on('uncaughtException', (error) => {
    process.stderr.write(`The bench failed: ${error.stack}\n`);
    void stop(1);
});
main().then(() => stop(0), (error) => {
    if (!isStopping)
        process.stderr.write(`The bench failed: ${error.stack}\n`);
    void stop(1);
});
