// @ts-check
/** `make bench` itself: it measures, judges and draws; a run that cannot be right fails. How fast anything was is of no interest here. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { chart } from '../../bench/chart.js';
import { checkLoad } from '../../bench/measure.js';
import { median, ratioTable } from '../../bench/report.js';
import { RATIOS, SCENARIOS } from '../../bench/scenarios.js';
import { hasKannel } from '../../bench/sms.js';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const BUILD = process.env.HARKARA_BUILD ?? path.join(ROOT, 'build/test');
const BENCH = path.join(ROOT, 'bench');
const ONLY = ['bare_group_64', 'accept_64', 'batch_16', 'inbound_64', 'end_to_end', 'webhooks', 'gate_lookup', 'gate_judge', 'sms_accept_64', 'sms_end_to_end', 'sms_smpp_end_to_end',
    ...(hasKannel() ? ['peer_kannel_accept_64', 'peer_kannel_end_to_end'] : [])];

test('its types hold, and the peers are well formed', () => {
    const tsc = path.join(path.dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', path.join(BENCH, 'tsconfig.json')], { encoding: 'utf8' });
    assert.equal(status, 0, stdout);
    for (const name of readdirSync(path.join(BENCH, 'peers')).filter((each) => each.endsWith('.js')))
        execFileSync(process.execPath, ['--check', path.join(BENCH, 'peers', name)]);
});

test('a round of each kind is measured, judged and drawn', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'harkara-bench-')), measured = path.join(folder, 'p'), out = path.join(folder, 'out');
    chmodSync(folder, 0o755); // the roles' own users pass through it
    mkdirSync(measured);
    try {
        const child = spawn(process.execPath, [path.join(BENCH, 'run.js'), BUILD, '--rounds', '1', '--seconds', '1', '--peers', 'kannel', '--only', ONLY.join(','), '--out', out],
            { cwd: ROOT, env: { ...process.env, HARKARA_BENCH_FOLDER: measured }, stdio: ['ignore', 'pipe', 'pipe'] });
        let said = '', complaint = '';
        child.stdout.on('data', (part) => (said += part));
        child.stderr.on('data', (part) => (complaint += part));
        const code = await new Promise((resolve) => child.once('close', resolve));
        assert.equal(code, 0, complaint);
        const result = JSON.parse(readFileSync(path.join(out, 'result.json'), 'utf8'));
        assert.deepEqual(Object.keys(result.medians).sort(), [...ONLY].sort());
        for (const [name, figures] of Object.entries(result.medians)) {
            assert.ok(figures.rate > 0, name);
            assert.ok(Object.values(figures.cpu_us).some((us) => us > 0), name);
        }
        assert.deepEqual(result.ratios.map(({ name }) => name), ['accept_64 / bare', ...(hasKannel() ? ['SMS accept_64 / Kannel', 'SMS to the operator / Kannel', 'SMS by SMPP to the operator / Kannel by HTTP'] : []),
            'end to end / accept_64', 'all roles resident, MB, at idle']);
        for (const { value, bar, holds } of result.ratios.filter((ratio) => ratio.bar !== undefined))
            assert.equal(holds, value >= (bar.least ?? -Infinity) && value <= (bar.most ?? Infinity));
        assert.match(said, /accept_64 \/ bare .*≥ 0\.65/);
        if (hasKannel())
            assert.match(said, /SMS accept_64 \/ Kannel .*≥ 2/);
        assert.match(readFileSync(path.join(out, 'result.svg'), 'utf8'), /^<svg [^]*64 connections[^]*SMS a second[^]*<\/svg>\n$/);
        assert.equal(existsSync(measured), false, 'the platform that was measured is gone');
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
});

test('figures that cannot be right end the run', async () => {
    const good = { statuses_all: { 202: 10 }, unanswered: 0, reconnects: 0, refusal: '' };
    await checkLoad(good, '202', async () => 10);
    await checkLoad(good, '202', async () => 1000, 100);
    await assert.rejects(checkLoad(good, '202', async () => 9), /10 messages were accepted, and 9 are in the database/);
    await assert.rejects(checkLoad(good, '202', async () => 11), /11 are in the database/);
    await assert.rejects(checkLoad({ ...good, statuses_all: { 202: 9, 503: 1 }, refusal: 'busy' }, '202'), /503.*busy/);
    await assert.rejects(checkLoad({ ...good, unanswered: 1 }, '202'), /1 not at all/);
    await assert.rejects(checkLoad({ ...good, reconnects: 2 }, '202'), /2 broken/);
});

test('every ratio is of scenarios that there are', () => {
    const names = SCENARIOS.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    for (const { of, to } of RATIOS)
        assert.ok(names.includes(of) && names.includes(to), `${of} / ${to}`);
});

test('bars are printed beside their ratios; the median is the middle', () => {
    const lines = ratioTable([{ name: 'fast', value: 11, from: 9, to: 12, bar: { least: 10 }, holds: true }, { name: 'slow', value: 0.5, from: 0.4, to: 0.6, bar: { most: 0.2 }, holds: false }]).split('\n');
    assert.match(lines[1], /^fast +11\.0 +9\.000 +12\.0 +≥ 10 +holds$/);
    assert.match(lines[2], /^slow .*≤ 0\.2 +MISSED$/);
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 3]), 2.5);
});

test('the chart draws what was measured, and nothing else', () => {
    const svg = chart({ accept_64: { rate: 2000, p99_us: 4000 }, peer_bullmq_accept_64: { rate: 500, p99_us: 40000 } }, { title: 'A <title>', subtitle: 'a machine' });
    assert.ok(svg !== null && svg.includes('A &lt;title&gt;') && svg.includes('2,000') && svg.includes('Harkara 4.0×') && svg.includes('Harkara shorter by 10.0×'));
    assert.ok(!svg.includes('pg-boss') && !svg.includes('256 connections'));
    assert.equal(chart({}, { title: '', subtitle: '' }), null);
});
