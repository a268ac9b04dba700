// @ts-check
/** The protocol of sending, as a model checked by spin: it holds, and each mutation of it is found. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const model = fileURLToPath(new URL('dispatch.pml', import.meta.url)), laneModel = fileURLToPath(new URL('lane.pml', import.meta.url));
const run = promisify(execFile);
/* Compiling what spin writes takes most of the time: two at once, each in a folder of its own. */
const atOnce = { concurrency: 2 };
/** @type {string} */
let folder;
let checks = 0;
before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'harkara-model-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/**
 * Every reachable state. @param {string | null} claim null: its assertions alone @param {Record<string, number|true>} defines
 * @returns {Promise<{states: number, errors: number, text: string}>}
 */
async function check(claim, defines, file = model) {
    const flags = Object.entries(defines).map(([name, value]) => `-D${name}=${Number(value)}`);
    const isLiveness = claim === 'comes_to_an_end';
    const cwd = path.join(folder, String(checks++));
    mkdirSync(cwd);
    await run('spin', [...flags, '-a', file], { cwd });
    await run('gcc', ['-O2', '-w', '-DVECTORSZ=256', ...(isLiveness ? [] : ['-DSAFETY']), ...(claim === null ? ['-DNOCLAIM'] : []), '-o', 'pan', 'pan.c'], { cwd });
    const { stdout } = await run('./pan', ['-m1000000', ...(claim === null ? [] : ['-N', claim]), ...(isLiveness ? ['-a'] : [])], { cwd, maxBuffer: 1 << 26 });
    const errors = Number(/errors: (\d+)/.exec(stdout)?.[1] ?? NaN), states = Number(/(\d+) states, stored/.exec(stdout)?.[1] ?? NaN);
    assert.ok(!/max search depth too small|out of memory/.test(stdout), 'the search was whole');
    return { states, errors, text: stdout.split('\n').filter((line) => /^pan/.test(line)).join('; ') };
}

for (const mirror of [model, laneModel])
    test(`what ${path.basename(mirror)} says that it mirrors is there`, () => {
        const text = readFileSync(mirror, 'utf8');
        const lines = [...text.matchAll(/^ \* {3}(src\/\S+\.c)((?:,? +[a-z_]+(?: \([a-z_, ]+\))?)+)/gm)];
        assert.ok(lines.length >= 3, `${lines.length} files are named`);
        for (const [, file, names] of lines) {
            const source = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
            for (const [name] of names.matchAll(/[a-z_]{4,}/g))
                assert.ok(source.includes(name), `${file} has ${name}`);
        }
    });

for (const resends of [1, 0])
    describe(resends === 1 ? 'a category that is sent again' : 'a category that is not sent again', atOnce, () => {
        test('nothing accepted is lost, no second send without doubt, no stale claim writes', async () => {
            const { states, errors, text } = await check('never_lost', { RESENDS: resends });
            process.stdout.write(`# ${states} states\n`);
            assert.equal(errors, 0, text);
            assert.ok(states > 10_000, `${states} states were looked at`);
        });

        test('every message ends, or waits for the provider\'s word', async () => {
            const { states, errors, text } = await check('comes_to_an_end', { RESENDS: resends, CRASHES: 1, LAPSES: 1 });
            process.stdout.write(`# ${states} states\n`);
            assert.equal(errors, 0, text);
            assert.ok(states > 1000, `${states} states were looked at`);
        });
    });

describe('a message with a further sender', atOnce, () => {
    const chain = { SENDERS: 2, CRASHES: 1, LAPSES: 1, ATTEMPTS_MAX: 2 };
    for (const resends of [1, 0])
        test(`nothing is lost on the way to it, no second send without doubt, ${resends === 1 ? 'sent again or not' : 'never sent again'}`, async () => {
            const { states, errors, text } = await check('never_lost', { ...chain, RESENDS: resends });
            process.stdout.write(`# ${states} states\n`);
            assert.equal(errors, 0, text);
            assert.ok(states > 100_000, `${states} states were looked at`);
        });

    test('every message ends, or waits for the provider\'s word', async () => {
        const { states, errors, text } = await check('comes_to_an_end', { ...chain, ATTEMPTS_MAX: 1 });
        process.stdout.write(`# ${states} states\n`);
        assert.equal(errors, 0, text);
        assert.ok(states > 1000, `${states} states were looked at`);
    });
});

describe('a rule that is broken is found', atOnce, () => {
    for (const [mutation, says, claim, more] of /** @type {[string, string, string, Record<string, number>][]} */ ([
        ['MUTATE_NO_FENCE', 'an outcome is written without its fence', 'never_lost', {}],
        ['MUTATE_SUSPECT_KEEPS_FENCE', 'a taken over claim keeps its fence', 'never_lost', {}],
        ['MUTATE_NO_MARK', 'a request leaves before its mark is committed', 'never_lost', {}],
        ['MUTATE_RESENDS_ALL', 'every category is sent again', 'never_lost', { RESENDS: 0 }],
        ['MUTATE_RETRY_FORGETS', 'a refused attempt takes the row out of the queue', 'never_lost', {}],
        ['MUTATE_FORGETS_DOUBT', 'what may have been taken is canceled', 'never_lost', {}],
        ['MUTATE_FENCE_FROM_ZERO', 'the next sender begins with fences that were used before', 'never_lost', { SENDERS: 2, CRASHES: 1, LAPSES: 1, ATTEMPTS_MAX: 2 }],
        ['MUTATE_SENT_BY_ANOTHER', 'what a sender that was left has sent settles the next one\'s', 'never_lost', { SENDERS: 2, CRASHES: 1, LAPSES: 1, ATTEMPTS_MAX: 2 }],
        ['MUTATE_SUSPECT_FOR_EVER', 'who settles a suspect and dies keeps it for ever', 'comes_to_an_end', { CRASHES: 1, LAPSES: 1 }],
    ]))
        test(says, async () => {
            const { errors } = await check(claim, { [mutation]: 1, ...more });
            assert.ok(errors > 0, 'spin finds the violation');
        });
});

describe('a lane', atOnce, () => {
    test('is sent through by its owner alone', async () => {
        const { states, errors, text } = await check(null, {}, laneModel);
        process.stdout.write(`# ${states} states\n`);
        assert.equal(errors, 0, text);
        assert.ok(states > 100, `${states} states were looked at`);
    });

    for (const mutation of ['MUTATE_NO_MARGIN', 'MUTATE_NO_LEAVE_BY', 'MUTATE_RELEASES_EARLY'])
        test(`${mutation} is found`, async () => {
            assert.ok((await check(null, { [mutation]: true }, laneModel)).errors > 0);
        });
});
