// @ts-check
/** A test file that does not end fails, says what it waits for, and leaves nothing running. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, test } from 'node:test';

const loaded = fileURLToPath(new URL('../time_limit.js', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'harkara-limit-'));
after(() => { rmSync(folder, { recursive: true }); });

/** Runs a file as scripts/test does. @param {string} text */
function run(text) {
    const file = path.join(folder, 'one.test.mjs');
    writeFileSync(file, text);
    const { NODE_TEST_CONTEXT, ...env } = process.env;
    void NODE_TEST_CONTEXT;
    const { status, stdout } = spawnSync(process.execPath, ['--import', loaded, '--test', '--test-timeout=20000', '--test-reporter=tap', file],
        { env: { ...env, HARKARA_TEST_FILE_LIMIT_S: '2' }, encoding: 'utf8' });
    return { status, stdout };
}

test('a file that waits for ever is ended, with what it waits for', () => {
    const log = path.join(folder, 'child.log'), pid = path.join(folder, 'pid');
    const { status, stdout } = run(`import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { after, test } from 'node:test';
test('fine', () => {
    const log = openSync(${JSON.stringify(log)}, 'w');
    spawn('sh', ['-c', 'echo $$ >${pid}; echo the last words >&2; sleep 1000; true'], { stdio: ['ignore', log, log] });
});
after(() => new Promise(() => {}));`);
    assert.equal(status, 1);
    for (const said of [/one\.test\.mjs has not ended after 2 s\. Open: .*ProcessWrap/, /sh -c echo/, /child\.log ends with:/, /the last words/])
        assert.match(stdout, said);
    const stat = `/proc/${readFileSync(pid, 'utf8').trim()}/stat`;
    assert.ok(!existsSync(stat) || / [ZX] /.test(readFileSync(stat, 'latin1')), 'it has ended, if nobody has fetched its end yet');
});

test('a file that ends is not kept', () => {
    assert.equal(run("import { test } from 'node:test'; test('fine', () => {});").status, 0);
});
