// @ts-check
/**
 * Storms over a whole platform, one with the embedded PostgreSQL, one with an external one. HARKARA_CHAOS_SEED repeats what was
 * sent and what went wrong; HARKARA_CHAOS_MINUTES makes it long: then storms of some minutes follow each other;
 * HARKARA_CHAOS_RATE: messages a second, for a slow machine.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storm } from './storm.js';

const minutes = Number(process.env.HARKARA_CHAOS_MINUTES ?? 0);
/* make test sends and breaks the same each time, of which this one has a bit of everything; how the processes race with it is their own. */
const seed = Number(process.env.HARKARA_CHAOS_SEED ?? (minutes === 0 ? 6039 : Math.floor(Math.random() * 2 ** 32)));
const SHORT_S = 20;
const ROUND_S = 150;
const rounds = minutes === 0 ? 2 : Math.max(2, Math.round((minutes * 60) / ROUND_S));
const kinds = /** @type {const} */ (['embedded', 'external']);
const only = process.env.HARKARA_CHAOS_ROUND; /* repeats one round alone */

for (let round = 0; round < rounds; round++)
    test(`a storm over a platform with ${kinds[round % 2]} PostgreSQL loses nothing (HARKARA_CHAOS_SEED=${seed}, round ${round + 1})`, { timeout: 1_800_000, skip: only !== undefined && only !== String(round + 1) ? 'another round was asked for' : false }, async () => {
        const isLong = minutes > 0;
        const storm = new Storm({ seed: seed + round, seconds: isLong ? ROUND_S : SHORT_S, isLong, kind: kinds[round % 2], rate: Number(process.env.HARKARA_CHAOS_RATE ?? (isLong ? 30 : 25)),
            say: process.env.HARKARA_CHAOS_VERBOSE === undefined ? () => {} : (line) => process.stdout.write(`# ${line}\n`) });
        try {
            await storm.start();
            const figures = await storm.run();
            const { kinds: byKind, ...all } = figures;
            print(`seed ${seed + round}, ${kinds[round % 2]} PostgreSQL`, all);
            printTable('messages by kind', byKind);
            print('what went wrong', storm.struck);
            print('log lines of level error', storm.errors ?? {});
            for (const reason of storm.skipped)
                process.stdout.write(`# left out: ${reason}\n`);
            assert.ok(figures.accepted > storm.options.seconds, `${figures.accepted} messages were accepted`);
            assert.deepEqual(storm.findings.slice(0, 40), [], `${storm.findings.length} findings`);
        } finally {
            await storm.stop();
        }
    });

/** @param {string} title @param {Record<string, Record<string, number>>} rows */
function printTable(title, rows) {
    const columns = Object.keys(Object.values(rows)[0] ?? {});
    process.stdout.write(`# ${title.padEnd(18)} ${columns.map((name) => name.padStart(12)).join('')}\n`);
    for (const [name, row] of Object.entries(rows))
        process.stdout.write(`#   ${name.padEnd(16)} ${columns.map((column) => String(row[column]).padStart(12)).join('')}\n`);
}

/** @param {string} title @param {Record<string, number>} figures */
function print(title, figures) {
    process.stdout.write(`# ${title}\n`);
    for (const [name, value] of Object.entries(figures))
        process.stdout.write(`#   ${name.padEnd(28)} ${String(value).padStart(8)}\n`);
}
