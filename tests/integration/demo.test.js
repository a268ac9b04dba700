// @ts-check
/** `make run`, as a newcomer sees it: once, and again on what it kept. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT, SCOPES, freePort, until } from './support.js';
import { buildFolder } from '../../sandbox/demo/platform.js';

let folder, env;
before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'harkara-demo-'));
    chmodSync(folder, 0o755);
    env = {
        ...process.env, HARKARA_STATE_DIR: path.join(folder, 'state'), HARKARA_RUN_DIR: path.join(folder, 'run'), HARKARA_DEMO_DIR: path.join(folder, 'demo'),
        HARKARA_DEMO_PORT: String(await freePort()), HARKARA_DEMO_SANDBOX_PORT: String(await freePort()),
    };
});
after(() => rmSync(folder, { recursive: true, force: true }));

function start(more = {}) {
    const child = spawn(process.execPath, [path.join(ROOT, 'sandbox/demo/main.js'), buildFolder()], { env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'] });
    const run = { child, text: '', code: /** @type {number | null} */ (null), ended: new Promise((resolve) => child.once('close', (code) => { run.code = code; resolve(code); })) };
    for (const stream of [child.stdout, child.stderr])
        stream.on('data', (part) => (run.text += part));
    return run;
}

/** Every process whose environment or command line names our folder. */
function left() {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid).filter((pid) => {
        try {
            return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(folder) || readFileSync(`/proc/${pid}/environ`, 'latin1').includes(folder);
        } catch {
            return false;
        }
    });
}

test('the first time: a message from accepted to read, and the signed webhook it caused', async () => {
    const run = start({ HARKARA_DEMO_ONCE: '1' });
    assert.equal(await run.ended, 0, run.text);
    for (const step of ['message.accepted', 'message.sending', 'message.sent', 'message.delivered', 'message.read', 'signature verified', 'webhook-signature: v1,', 'curl -sS http'])
        assert.ok(run.text.includes(step), `${step} is shown in:\n${run.text}`);
    assert.deepEqual(left(), [], 'no process is left');
});

test('the second time: the same workspace, and it serves until it is stopped', async () => {
    const { dlt: _, ...kept } = JSON.parse(readFileSync(path.join(folder, 'demo/demo.json'), 'utf8'));
    writeFileSync(path.join(folder, 'demo/demo.json'), JSON.stringify(kept)); /* as if it had been stopped before it knew what it had made */
    const run = start();
    await until(() => run.text.includes('Ctrl-C stops everything') || run.code !== null, 'the demo to serve');
    assert.equal(run.code, null, run.text);
    const again = JSON.parse(readFileSync(path.join(folder, 'demo/demo.json'), 'utf8'));
    assert.equal(again.tenant, kept.tenant);
    assert.equal(again.channel, kept.channel);
    /* What it says to try, as it prints it. */
    const [, url] = /curl -sS (http\S+)/.exec(run.text) ?? [];
    const headers = { authorization: `Bearer ${again.key}` };
    const { data } = await (await fetch(String(url), { headers })).json();
    assert.equal(data.filter(({ reference }) => reference === 'first-message').length, 2, 'the message of the first time is still there');
    const [, line] = /^ *(\S.*harkara status)$/m.exec(run.text) ?? [];
    const status = spawnSync(String(line), { shell: true, encoding: 'utf8', env: { PATH: process.env.PATH } });
    assert.ok(status.stdout.startsWith(`harkara serves on ${new URL(url).host} since`), `${status.stdout}${status.stderr}`);
    const sms = async (body) => (await fetch(new URL('/v1/messages', url), { method: 'POST', headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ channel_id: again.smsIndia, to: '+919812345678', category: 'otp', content: { type: 'text', text: { body } } }) })).json();
    const sent = await sms('Your code is 4711. Do not tell it to anybody. -HRKARA');
    await until(async () => (await (await fetch(new URL(`/v1/messages/${sent.id}`, url), { headers })).json()).status === 'delivered', 'an SMS to arrive, by both registries');
    const other = await sms('Your code is 4711.');
    assert.deepEqual([other.status, other.policy.accepted.rule], ['blocked', 'dlt']);
    const [command] = /curl -sS [^']*'[^']*' \\\n *-d '[^']*'/.exec(run.text.slice(run.text.indexOf('an SMS to India'))) ?? [];
    const shown = spawnSync('sh', ['-c', String(command)], { encoding: 'utf8', env: { PATH: process.env.PATH, KEY: again.key } });
    assert.equal(JSON.parse(shown.stdout).status, 'accepted', `${shown.stdout}${shown.stderr}`);
    const registry = await (await fetch(new URL('/v1/dlt', url), { headers })).json();
    assert.deepEqual([registry.entities.length, registry.chains.length, registry.headers.active, registry.templates.active, registry.links.total], [1, 1, 2, 4, 1], 'made once');
    const keys = await (await fetch(new URL('/v1/api-keys', url), { headers })).json();
    assert.deepEqual(keys.data[0].scopes.toSorted(), SCOPES.toSorted(), 'its key may try all that there is');
    run.child.kill('SIGINT');
    assert.equal(await run.ended, 0, run.text);
    assert.deepEqual(left(), [], 'no process is left');
});
