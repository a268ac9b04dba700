#!/usr/bin/env node
// @ts-check
/**
 * `make bench`: starts a platform, runs every scenario once a round, and reports medians. Usage:
 *
 *     bench/run.js BUILD_FOLDER [--rounds N] [--seconds N] [--only PREFIX,PREFIX]
 *
 * Everything stays on the loopback and is stopped at the end. No further round begins after the time limit.
 */
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { describeMachine, memoryOf } from './machine.js';
import { Platform } from './platform.js';
import { mediansOf, median, memoryTable, ratioTable, scenarioTable, writeResult } from './report.js';
import { CHANNELS, CONTENT_BYTES, RATIOS, SCENARIOS, TENANTS, fillTables } from './scenarios.js';

const TIME_LIMIT_MS = 170_000;
const STARTS = 3;
/** Sending must not be paced here: by default a WhatsApp number sends 80 a second. The rest is as delivered. */
const SETTINGS = { HARKARA_LANE_PER_SECOND: '10000' };

const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '2' }, only: { type: 'string', default: '' } },
});
const build = path.resolve(positionals[0] ?? 'build/bench');
const rounds = Number(options.rounds), seconds = Number(options.seconds);
const prefixes = options.only.split(',').filter((prefix) => prefix !== '');
const scenarios = SCENARIOS.filter(({ name }) => prefixes.length === 0 || prefixes.some((prefix) => name.startsWith(prefix)));
const say = (text = '') => process.stdout.write(`${text}\n`);
const began = performance.now();

/** @type {Platform | null} */
let platform = null, isStopping = false;

async function measureStarts() {
    const first = await /** @type {Platform} */ (platform).start();
    /** @type {number[]} */
    const again = [];
    for (let i = 0; i < STARTS; i++) {
        await /** @type {Platform} */ (platform).stop();
        again.push(await /** @type {Platform} */ (platform).start());
    }
    return { first_ms: first, again_ms: median(again), again };
}

function ratiosOf(results) {
    return RATIOS.filter(({ of, to }) => of in results && to in results).map(({ name, of, to }) => {
        const values = results[of].map((figures, round) => figures.rate / results[to][Math.min(round, results[to].length - 1)].rate);
        return { name, value: median(values), from: Math.min(...values), to: Math.max(...values) };
    });
}

async function main() {
    if (!(rounds >= 1 && rounds <= 100 && seconds >= 1 && seconds <= 600) || scenarios.length === 0)
        throw new Error('--rounds wants 1 to 100, --seconds 1 to 600, --only the beginning of a scenario\'s name');
    platform = new Platform(build, SETTINGS);
    const starts = await measureStarts();
    const memory = { 'at idle': memoryOf(platform.roles) };
    await platform.prepare(TENANTS);
    await platform.makeWorkspaces(TENANTS, CHANNELS);
    await platform.setLanes(false);
    await fillTables(platform);
    /** @type {Record<string, any[]>} */
    const results = Object.fromEntries(scenarios.map(({ name }) => [name, []]));
    let round = 0;
    for (; round < rounds && (round === 0 || performance.now() - began < TIME_LIMIT_MS); round++) {
        for (const scenario of scenarios)
            if (round < (scenario.rounds ?? rounds)) {
                if (process.stderr.isTTY)
                    process.stderr.write(`\r\x1b[Kround ${round + 1} of ${rounds}: ${scenario.title}`);
                results[scenario.name].push(await scenario.run({ platform, round, seconds }));
            }
    }
    if (process.stderr.isTTY)
        process.stderr.write('\r\x1b[K');
    memory['after load'] = memoryOf(platform.roles);
    const medians = Object.fromEntries(Object.entries(results).map(([name, of]) => [name, mediansOf(of)]));
    const ratios = ratiosOf(results), machine = describeMachine();
    const others = median(Object.values(results).flat().map((figures) => figures.others));
    writeResult(path.join(build, 'result.json'), {
        at: new Date().toISOString(), machine, options: { rounds: round, seconds, settings: SETTINGS, content_bytes: CONTENT_BYTES },
        others, starts, memory, ratios, medians, rounds: results,
    });
    report({ machine, others, round, starts, memory, medians, ratios });
}

function report({ machine, others, round, starts, memory, medians, ratios }) {
    say(`${machine.cores} × ${machine.cpu}, Linux ${machine.kernel}, commit ${machine.commit}${machine.is_changed ? ' with changes' : ''}; medians of ${round} rounds`);
    say();
    say(scenarioTable(scenarios, medians));
    say();
    say(ratioTable(ratios));
    say();
    say(memoryTable(memory));
    say();
    say(`start-up: ${Math.round(starts.first_ms)} ms the first time (the cluster is made), ${Math.round(starts.again_ms)} ms later`);
    say(`${Math.round((performance.now() - began) / 1000)} s; all figures are in ${path.relative(process.cwd(), path.join(build, 'result.json'))}`);
    if (others > 0.05)
        say(`Other processes took ${Math.round(others * 100)} % of this machine meanwhile: trust the ratios and the CPU times, not the rates.`);
}

/** @param {number} code */
async function stop(code) {
    if (isStopping)
        return;
    isStopping = true;
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
