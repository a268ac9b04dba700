// @ts-check
/**
 * Keys over time, on a platform under traffic: rotated, re-wrapped, values moved, the command killed in the middle of
 * it and run again, a new master key, and the end of a tenant. What was ever accepted stays readable throughout, until
 * its keys are destroyed on purpose.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { hold, killedWhen, startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop, quiet, keys, oldKey, newKey;
/** Every message that was accepted, with the text it must open to. @type {{id: string, text: string}[]} */
const sent = [];
const traffic = { isOn: true, mayWait: false, failures: /** @type {string[]} */ ([]), done: Promise.resolve() };

const keyFile = (name) => {
    const file = path.join(keys, name);
    writeFileSync(file, `${randomBytes(32).toString('hex')}\n`, { mode: 0o400 });
    return file;
};

before(async () => {
    keys = mkdtempSync(path.join(tmpdir(), 'harkara-keys-'));
    chmodSync(keys, 0o755);
    [oldKey, newKey] = [keyFile('old.kek'), keyFile('new.kek')];
    platform = await startPlatform({ env: { HARKARA_MASTER_KEK_FILE: oldKey, HARKARA_LOG_LEVEL: 'info' } });
    shop = await platform.workspace();
    quiet = await platform.workspace({ endpoint: true }); /* whose webhooks do not wait behind the traffic's */
    for (let i = 0; i < 60; i++)
        await send(`before ${i}`);
    traffic.done = (async () => {
        for (let i = 0; traffic.isOn; i++)
            await sendThroughKills(`during ${i}`).then(() => pause(100), (error) => traffic.failures.push(String(error.message)));
    })();
});
after(async () => {
    traffic.isOn = false;
    await traffic.done;
    await platform?.stop();
    rmSync(keys, { recursive: true, force: true });
});

async function send(text) {
    const { id } = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel, { content: { type: 'text', text: { body: text } } }));
    sent.push({ id, text });
}

/** As send; a vault that is killed on purpose may be away for longer than a gateway waits, on a busy machine: then as a client does. */
async function sendThroughKills(text) {
    const body = shop.client.text(shop.channel, { content: { type: 'text', text: { body: text } } });
    const answer = await until(async () => {
        const got = await shop.client.call('POST', '/v1/messages', body, { 'idempotency-key': text.replaceAll(' ', '-') });
        return !(got.status === 503 && traffic.mayWait) && got;
    }, `${text} to be accepted`);
    assert.equal(answer.status, 202, answer.text);
    sent.push({ id: answer.json.id, text });
}

async function killVault() {
    traffic.mayWait = true;
    const [before] = await platform.pids('vault');
    process.kill(before, 'SIGKILL');
    return async () => {
        await until(async () => {
            const vault = (await platform.harkara.status()).processes.find(({ role }) => role === 'vault');
            return vault?.pid > 0 && vault.pid !== before && vault.state === 'ready';
        }, 'a new vault');
        await platform.harkara.ready();
        traffic.mayWait = false;
    };
}

async function allReadable() {
    for (const { id, text } of [...sent.slice(0, 60), ...sent.slice(-30)]) {
        const message = await shop.client.must(200, 'GET', `/v1/messages/${id}`);
        assert.equal(message.content?.text?.body, text, `${id} opens to what was sent`);
    }
    /* And the access token still opens for the dispatcher, the webhook's secret signs. */
    const { id } = await quiet.client.must(202, 'POST', '/v1/messages', quiet.client.text(quiet.channel));
    await quiet.client.follow(id, ['sent', 'delivered', 'read']);
    await until(() => quiet.receiver.events().some(({ data }) => data.message_id === id), 'a webhook about it');
}

/** Once for certain in the middle: where it waits for rows that are held. @param {string} rows @param {...string} words */
async function killedWhereItWaits(rows, ...words) {
    const release = await hold(platform, rows);
    await killedWhen(platform, () => platform.sql("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = 'harkara_admin'") === '1', ...words);
    await release();
}

/** Runs a command and kills it at a random moment, again and again, until it ends by itself. */
async function killedOften(longestMs, ...words) {
    const program = path.join(platform.options.build, 'src/program/harkara/harkara');
    let kills = 0;
    for (;;) {
        const run = spawn(program, words, { env: { PATH: process.env.PATH, HARKARA_STATE_DIR: platform.options.stateDir, HARKARA_RUN_DIR: platform.options.runDir, HARKARA_UNLOCKED_SECRETS: '1' }, stdio: ['ignore', 'pipe', 'pipe'] });
        let said = '';
        run.stderr.on('data', (part) => (said += part));
        const timer = setTimeout(() => run.kill('SIGKILL'), kills < 4 ? Math.random() * longestMs : 120_000);
        const [code, signal] = await new Promise((resolve) => run.once('close', (...how) => resolve(how)));
        clearTimeout(timer);
        if (signal === null && !(code === 69 && /at work|makes one/.test(said))) {
            assert.equal(code, 0, said);
            return;
        }
        kills += signal !== null ? 1 : 0;
    }
}

const status = (...words) => platform.harkara.json('vault', 'status', ...words);
const tenantKeys = async (purpose) => (await status('--tenant', shop.tenant)).tenant_keys.filter((key) => key.purpose === purpose);

describe('the state of keys', () => {
    test('is told, with what was used so far', async () => {
        const told = await until(async () => {
            const now = await status('--tenant', shop.tenant);
            return now.tenant_keys.some(({ seals }) => seals > 60) && now;
        }, 'the use of keys to be written down');
        assert.equal(told.self_tests, 'passed');
        assert.match(told.memory, /^(memfd_secret|locked|unlocked)$/);
        assert.deepEqual(told.key_encryption_keys.map(({ version, is_in_force, keys_wrapped }) => [version, is_in_force, keys_wrapped]), [[1, true, 9]]);
        assert.deepEqual(told.tenant_keys.map(({ purpose, version }) => [purpose, version]), [['content', 1], ['credential', 1], ['index', 1]]);
        assert.equal(told.limits.standard, 2 ** 32);
        const { code, stdout } = await platform.harkara.cli('vault', 'status');
        assert.equal(code, 0);
        assert.match(stdout, /in force/);
    });
});

describe('rotation under traffic', () => {
    test('the key-encryption key, killed in the middle', async () => {
        await killedOften(1200, 'vault', 'rotate', '--kek');
        const told = await status();
        const [last] = told.key_encryption_keys.slice(-1);
        assert.ok(last.version >= 2 && last.is_in_force && last.keys_wrapped >= 9, JSON.stringify(last));
        for (const older of told.key_encryption_keys.slice(0, -1)) {
            assert.equal(older.keys_wrapped, 0);
            assert.notEqual(older.retired_at, null);
            assert.equal(older.is_held, false);
        }
        await allReadable();
    });

    test('data keys and what they have sealed, killed in the middle', async () => {
        await killedOften(300, 'vault', 'rotate', '--all');
        const newest = Math.max(...(await tenantKeys('content')).map(({ version }) => version));
        assert.ok(newest >= 2);
        await send('under the new key');
        await killedWhereItWaits('select from harkara.message for update', 'vault', 'rekey', '--grace', '3');
        await killedOften(500, 'vault', 'rekey', '--grace', '3');
        await allReadable();
        await until(async () => { /* what was under way while it ran */
            await platform.harkara.json('vault', 'rekey', '--grace', '3');
            return (await tenantKeys('content')).length === 1 && (await tenantKeys('credential')).length === 1;
        }, 'the older keys to be destroyed');
        assert.equal(platform.sql(`select count(*) from harkara.message join harkara.tenant using (tenant_id) where slug = '${shop.slug}' and key_version < ${newest}`), '0');
        await allReadable();
    });

    test('the vault killed in the middle of it', async () => {
        await platform.harkara.json('vault', 'rotate', '--tenant', shop.tenant, '--purpose', 'content');
        const running = platform.harkara.cli('vault', 'rekey');
        const isBack = await killVault();
        const { code, stderr } = await running;
        assert.ok(code === 0 || code === 69 || code === 70, stderr);
        await isBack();
        await until(async () => (await platform.harkara.cli('vault', 'rekey')).code === 0, 'the re-encryption to end');
        await allReadable();
    });

    test('only one at a time, and no index key', async () => {
        const first = platform.harkara.cli('vault', 'rotate', '--kek', '--scrypt-cost', '18');
        const others = await Promise.all(Array.from({ length: 3 }, () => platform.harkara.cli('vault', 'rotate', '--kek')));
        const codes = [(await first).code, ...others.map(({ code }) => code)];
        assert.ok(codes.some((code) => code === 0), JSON.stringify(codes));
        assert.ok(codes.every((code) => code === 0 || code === 69), JSON.stringify(codes));
        const { code, stderr } = await platform.harkara.cli('vault', 'rotate', '--all', '--purpose', 'index');
        assert.equal(code, 65);
        assert.match(stderr, /not rotated/);
        assert.equal((await platform.harkara.cli('vault', 'rotate')).code, 64);
    });

    test('no request failed meanwhile', () => {
        assert.ok(sent.length > 80, `${sent.length} messages`);
        assert.deepEqual(traffic.failures, []);
    });
});

describe('another master key', () => {
    test('takes the place of the old one while everything runs', async () => {
        await killedWhereItWaits('select from harkara.tenant_key for update', 'vault', 'rotate', '--new-master-key-file', newKey);
        await killedOften(1500, 'vault', 'rotate', '--new-master-key-file', newKey);
        assert.equal((await status()).key_encryption_keys.filter(({ retired_at }) => retired_at === null).length, 1);
        await allReadable();
        await (await killVault())(); /* the supervisor boots it with the new one */
        await allReadable();
    });

    test('alone opens the platform from then on', async () => {
        traffic.isOn = false;
        await traffic.done;
        assert.deepEqual(traffic.failures, []);
        await platform.harkara.stop();
        const env = platform.options.env;
        /* As a start in the middle of it would: with both. */
        await platform.restart({ args: [], env: { ...env, HARKARA_MASTER_KEK_FILE: oldKey, HARKARA_MASTER_KEK_NEW_FILE: newKey } });
        await allReadable();
        await platform.harkara.stop();
        await assert.rejects(platform.restart({ args: [], env: { ...env, HARKARA_MASTER_KEK_FILE: oldKey } }));
        assert.match(platform.log(), /vault-kek-wrong/);
        await platform.restart({ args: [], env: { ...env, HARKARA_MASTER_KEK_FILE: newKey } });
        await allReadable();
    });
});

describe('the end of a tenant', () => {
    test('a closed tenant is shredded: nothing opens, nothing answers, the record stays', async () => {
        const { id, text } = sent[0];
        assert.equal((await platform.harkara.cli('tenant', 'shred', shop.tenant, '--yes-really')).code, 65, 'not while it is open');
        assert.equal((await platform.harkara.cli('tenant', 'close', shop.tenant)).code, 64, 'only when it is meant');
        await platform.harkara.json('tenant', 'close', shop.tenant, '--yes-really');
        await until(async () => (await shop.client.call('GET', `/v1/messages/${id}`)).status === 403, 'its keys to be refused');
        await platform.harkara.json('tenant', 'shred', shop.tenant, '--yes-really');
        await platform.harkara.json('tenant', 'shred', shop.tenant, '--yes-really'); /* as after a kill */
        await until(async () => (await shop.client.call('GET', `/v1/messages/${id}`)).status === 401, 'its keys to be unknown');
        const callback = new URL(platform.sandbox.url && shop.callback ? shop.callback : `${platform.url}/callbacks/whatsapp/${shop.channel}`);
        assert.equal((await fetch(callback, { method: 'POST', body: '{}' })).status, 404);
        assert.equal(platform.sql(`select count(*) from harkara.tenant_key join harkara.tenant using (tenant_id) where slug = '${shop.slug}'`), '0');
        const { id: other } = await quiet.client.must(202, 'POST', '/v1/messages', quiet.client.text(quiet.channel));
        await quiet.client.follow(other, ['sent', 'delivered', 'read']); /* its neighbour notices nothing */
        assert.equal(platform.sql("select count(*) from harkara.key_action where action = 'shredded'"), '1');
        assert.ok(Number(platform.sql('select count(*) from harkara.event')) > 0, 'what happened is still on record');
        /* Somebody who opens it again in the database, with keys of a new tenant beside it, reads nothing. */
        platform.sql(`update harkara.tenant set shredded_at = null; update harkara.tenant set state = 'active'; update harkara.api_key set revoked_at = null; update harkara.channel set state = 'active'`);
        const answer = await until(async () => {
            const now = await shop.client.call('GET', `/v1/messages/${id}`);
            return now.status !== 401 && now.status !== 403 && now;
        }, 'the key to be known again');
        assert.equal(answer.status, 503, answer.text);
        assert.ok(!answer.text.includes(text));
    });

    test('who did what is on record', async () => {
        const actions = platform.sql('select distinct action from harkara.key_action order by 1').split('\n');
        assert.deepEqual(actions, ['kek_made', 'kek_retired', 'key_destroyed', 'key_made', 'shredded']);
        /* And in the audit log: of keys of a workspace in its own, of others in Harkara's. */
        const told = (where) => platform.sql(`select distinct action from harkara.audit_entry where actor_kind = 'operator' and (action like 'vault.%' or action like 'tenant.key%' or action in ('tenant.rekeyed', 'tenant.shredded')) and tenant_id ${where} '00000000-0000-7000-8000-000000000000' order by 1`).split('\n');
        assert.deepEqual(told('<>'), ['tenant.key_destroyed', 'tenant.keys_rotated', 'tenant.rekeyed']);
        for (const action of ['tenant.shredded', 'vault.kek_made', 'vault.kek_retired'])
            assert.ok(told('=').includes(action), action);
        for (const [action, tenant] of [['key_made', 'tenant.keys_rotated'], ['key_destroyed', 'tenant.key_destroyed'], ['shredded', 'tenant.shredded']])
            assert.equal(platform.sql(`select count(*) from harkara.audit_entry where actor_kind = 'operator' and action = '${tenant}'`), platform.sql(`select count(*) from harkara.key_action where action = '${action}' and operator is not null and subject is not null`), action);
    });
});
