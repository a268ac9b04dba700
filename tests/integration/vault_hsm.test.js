// @ts-check
/**
 * The master secret wrapped in a PKCS#11 token: SoftHSM2, with its tokens in the test's own folder. The token's key is
 * one that the test has put there, so that it can tell the master secret itself and look for it where it must not be.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { buildFolder, startHarkara } from '../../sandbox/demo/platform.js';
import { hold, killedWhen, startPlatform, until } from './support.js';

const MODULE = '/usr/lib/softhsm/libsofthsm2.so', PIN = 'canary-pin-48151623', OTHER_PIN = 'canary-pin-23426815';
const program = path.join(buildFolder(), 'src/program/harkara/harkara');
const CANARY = 'canary-text-Nightjar-4410';
const isRoot = process.getuid?.() === 0;

/** Random octets for a key. softhsm2-util takes a key's file for a line of text: it ends at the first NUL or newline. @param {number} size */
const keyBytes = (size) => randomBytes(size).map((byte) => byte | 0x80);

/** A token of its own in a folder, and the settings for it. */
function makeToken(folder, label) {
    const tokens = path.join(folder, `tokens-${label}`), conf = path.join(folder, `${label}.conf`), pinFile = path.join(folder, `${label}.pin`);
    mkdirSync(tokens);
    writeFileSync(conf, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
    chmodSync(conf, 0o644);
    writeFileSync(pinFile, `${PIN}\n`, { mode: 0o400 });
    const util = (...words) => execFileSync('softhsm2-util', words, { env: { ...process.env, SOFTHSM2_CONF: conf }, stdio: 'pipe' });
    const own = () => isRoot && execFileSync('chown', ['-R', 'harkara-hsm:', tokens]);
    util('--init-token', '--free', '--label', label, '--so-pin', '87654321', '--pin', PIN);
    own();
    return {
        tokens, pinFile,
        /** @param {string} name @param {Buffer} key */
        import(name, key) {
            const file = path.join(folder, `${name}.key`);
            writeFileSync(file, key);
            util('--import', file, '--aes', '--token', label, '--pin', PIN, '--label', name, '--id', randomBytes(4).toString('hex'));
            rmSync(file);
            own();
        },
        /** Another token of the same module, with a PIN of its own: the settings for it. @param {string} name */
        another(name) {
            const otherPin = path.join(folder, `${name}.pin`);
            writeFileSync(otherPin, `${OTHER_PIN}\n`, { mode: 0o400 });
            util('--init-token', '--free', '--label', name, '--so-pin', '12348765', '--pin', OTHER_PIN);
            own();
            return { HARKARA_HSM_NEW_TOKEN: name, HARKARA_HSM_NEW_PIN_FILE: otherPin };
        },
        env: { SOFTHSM2_CONF: conf, HARKARA_HSM_MODULE: MODULE, HARKARA_HSM_TOKEN: label, HARKARA_HSM_PIN_FILE: pinFile, HARKARA_HSM_PATHS: tokens },
    };
}

/** `harkara vault hsm-init` beside no server. */
function hsmInit(folder, env) {
    const run = spawnSync(program, ['vault', 'hsm-init'], {
        env: { PATH: process.env.PATH, HARKARA_STATE_DIR: path.join(folder, 'state'), HARKARA_RUN_DIR: path.join(folder, 'run'), HARKARA_UNLOCKED_SECRETS: '1', ...env },
        encoding: 'utf8', timeout: 120_000,
    });
    return { code: run.status, stdout: run.stdout, stderr: run.stderr };
}

/** How often a process's memory holds the bytes. */
function memoryHolds(pid, needle) {
    const fd = openSync(`/proc/${pid}/mem`, 'r');
    let searched = 0, found = 0;
    try {
        for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').trim().split('\n')) {
            const [, from, to, mode] = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line) ?? [];
            if (mode === undefined || !mode.startsWith('r') || line.includes('[v'))
                continue;
            const start = BigInt(`0x${from}`), size = Number(BigInt(`0x${to}`) - start);
            for (let at = 0; at < size; at += 1 << 20) {
                const part = Buffer.alloc(Math.min((1 << 20) + 64, size - at));
                let count = 0;
                try {
                    count = readSync(fd, part, 0, part.length, start + BigInt(at));
                } catch {
                    break; /* secret memory, or a mapping that cannot be read */
                }
                searched += count;
                found += part.subarray(0, count).includes(needle) ? 1 : 0;
            }
        }
    } finally {
        closeSync(fd);
    }
    assert.ok(searched > 100_000, 'memory was in fact searched');
    return found;
}

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop, token;
const tokenKey = keyBytes(32);
/** @type {{id: string, text: string}[]} */
const sent = [];

async function send(text) {
    const { id } = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel, { content: { type: 'text', text: { body: text } } }));
    await shop.client.follow(id, ['sent', 'delivered', 'read']);
    sent.push({ id, text });
}

async function allReadable() {
    for (const { id, text } of sent)
        assert.equal((await shop.client.must(200, 'GET', `/v1/messages/${id}`)).content.text.body, text);
}

/** What the database has of master secrets that open. */
const stored = () => platform.sql('select version, token_label, key_label from harkara.hsm_secret where cipher is not null order by version').split('\n');

const roleState = async (role) => (await platform.harkara.status()).processes.find((process) => process.role === role);
const events = (name) => platform.log().split('\n').filter((line) => line.includes(`"event":"${name}"`)).map((line) => JSON.parse(line));
const kill = async (role) => {
    const [pid] = await platform.pids(role);
    process.kill(pid, 'SIGKILL');
    return pid;
};

/** The master secrets as they are in the database, opened here with the token's key, as docs/vault.md says. */
function masterSecrets(key = tokenKey) {
    return platform.sql("select version, encode(cipher, 'hex'), encode(iv, 'hex'), encode(tag, 'hex') from harkara.hsm_secret where cipher is not null order by version").split('\n').map((row) => {
        const [version, cipher, iv, tag] = row.split('|');
        const opened = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'hex')).setAAD(Buffer.from([1, 4, 0, 0, 0, Number(version)])).setAuthTag(Buffer.from(tag, 'hex'));
        const secret = Buffer.concat([opened.update(Buffer.from(cipher, 'hex')), opened.final()]);
        assert.equal(secret.length, 32, 'what is stored is what the documents say');
        return secret;
    });
}

/** Starts on the same state and waits for the end that must come. */
async function startInVain(env) {
    const logFile = path.join(platform.folder, `vain-${randomBytes(4).toString('hex')}.log`);
    const harkara = await startHarkara({ ...platform.options, logFile, env: { ...platform.options.env, ...env } });
    const { code } = /** @type {any} */ (await harkara.ended);
    return { code, log: readFileSync(logFile, 'utf8') };
}

before(async () => {
    platform = await startPlatform({
        args: [],
        prepare(folder, env) {
            token = makeToken(folder, 'harkara-test');
            token.import('harkara', tokenKey);
            token.import('short', keyBytes(16));
            const refused = [
                [{ HARKARA_HSM_KEY: 'short' }, 78, /not an AES-256 key/], [{ HARKARA_HSM_TOKEN: 'nobody' }, 69, /the token is not there/],
                [{ HARKARA_HSM_MODULE: '/usr/lib/none.so' }, 78, /cannot be loaded/], [{ HARKARA_HSM_PIN_FILE: '' }, 78, /HARKARA_HSM_PIN_FILE/],
            ];
            for (const [changes, wanted, reason] of refused) {
                const { code, stderr } = hsmInit(folder, { ...token.env, .../** @type {any} */ (changes) });
                assert.equal(code, wanted, stderr);
                assert.match(stderr, /** @type {RegExp} */ (reason));
            }
            const { code, stdout, stderr } = hsmInit(folder, token.env);
            assert.equal(code, 0, stderr);
            assert.match(stdout, /harkara-test/);
            const again = hsmInit(folder, token.env);
            assert.equal(again.code, 73, again.stderr);
            Object.assign(env, token.env);
            return () => {};
        },
    });
    shop = await platform.workspace();
});
after(() => platform?.stop());

describe('a master secret in a token', () => {
    test('serves, and says where its key is', async () => {
        await send(CANARY);
        const told = await platform.harkara.json('vault', 'status');
        assert.equal(told.provider, 'pkcs11');
        assert.equal(told.token, 'harkara-test');
        const { stdout } = await platform.harkara.cli('vault', 'status');
        assert.match(stdout, /master key: pkcs11, token harkara-test;/);
        assert.ok(!platform.log().includes(PIN) && !stdout.includes(PIN), 'the PIN is nowhere');
    });

    test('is in no other process\'s memory, nor is the PIN', { skip: isRoot ? false : 'only root may look' }, async () => {
        const [secret] = masterSecrets();
        const status = await platform.harkara.status();
        for (const { role, pid } of [...status.processes.filter(({ role }) => !['hsm', 'postgres'].includes(role)), { role: 'supervisor', pid: status.pid }]) {
            assert.equal(memoryHolds(pid, secret), 0, `the ${role} holds the master secret`);
            if (role !== 'supervisor' || (await roleState('vault'))?.memory === 'memfd_secret') /* else it lies there, locked */
                assert.equal(memoryHolds(pid, Buffer.from(PIN)), 0, `the ${role} shows the PIN`);
        }
        assert.ok(memoryHolds(status.pid, Buffer.from(token.tokens)) > 0, 'what is there is found');
    });

    test('and no process, the token\'s own and the supervisor among them, holds a key, a text or a credential that is not its', { skip: isRoot ? false : 'only root may look' }, async (context) => {
        const u32 = (number) => Buffer.from(Uint32Array.of(Number(number)).buffer).swap32();
        const secrets = new Map(masterSecrets().map((secret, i) => [stored()[i].split('|')[0], secret]));
        const made = new Map(platform.sql("select version, scrypt_n, scrypt_r, scrypt_p, encode(salt, 'hex'), made_of from harkara.kek").split('\n').map((row) => {
            const [version, N, r, p, salt, of] = row.split('|');
            return [version, scryptSync(/** @type {Buffer} */ (secrets.get(of)), Buffer.from(salt, 'hex'), 32, { N: Number(N), r: Number(r), p: Number(p), maxmem: 1 << 29 })];
        }));
        const keys = [...made].map(([version, key]) => [`key-encryption key ${version}`, key]);
        for (const row of platform.sql("select replace(tenant_id::text, '-', ''), purpose, version, kek_version, encode(wrapped_iv, 'hex'), encode(wrapped_ct, 'hex'), encode(wrapped_tag, 'hex') from harkara.tenant_key").split('\n')) {
            const [tenant, purpose, version, by, iv, cipher, tag] = row.split('|');
            const opener = createDecipheriv('aes-256-gcm', /** @type {Buffer} */ (made.get(by)), Buffer.from(iv, 'hex')).setAuthTag(Buffer.from(tag, 'hex'))
                .setAAD(Buffer.concat([Buffer.from([1, 2]), Buffer.from(tenant, 'hex'), Buffer.from([Number(purpose)]), u32(version), u32(by)]));
            keys.push([`data key of purpose ${purpose}`, Buffer.concat([opener.update(Buffer.from(cipher, 'hex')), opener.final()])]);
        }
        assert.ok(keys.length >= 4);
        const status = await platform.harkara.status(), foreign = ['access_token', 'app_secret', 'verify_token'].map((name) => [name, Buffer.from(shop.account[name])]);
        for (const { role, pid, memory } of [...status.processes.filter(({ pid }) => pid > 0), { role: 'supervisor', pid: status.pid, memory: undefined }]) {
            if (role === 'vault' && memory !== 'memfd_secret')
                context.diagnostic('no memfd_secret here: root can read the vault\'s locked pages');
            else
                for (const [name, key] of keys)
                    assert.equal(memoryHolds(pid, key), 0, `the ${role} holds a ${name}`);
            if (['hsm', 'supervisor', 'scheduler', 'webhooks'].includes(role))
                for (const [name, value] of [...foreign, ['text', Buffer.from(CANARY)]])
                    assert.equal(memoryHolds(pid, value), 0, `the ${role} holds the ${name}`);
            if (role === 'hsm') { /* SoftHSM2 wipes what it has opened */
                assert.equal(memoryHolds(pid, [...secrets.values()][0]), 0, 'the master secret stays in the token\'s process');
                assert.equal(memoryHolds(pid, Buffer.from(PIN)), 0, 'the PIN stays in the token\'s process');
            }
        }
    });

    test('a key-encryption key of it has the same limit as any', async () => {
        const [kek] = await keks(platform);
        assert.ok(!kek.is_due && kek.wraps >= kek.keys_wrapped && kek.keys_wrapped === 6);
        platform.sql('update harkara.kek set wraps = 1073741824 - 1');
        assert.equal((await keks(platform))[0].is_due, false);
        platform.sql('update harkara.kek set wraps = 1073741824'); /* a quarter of the standard's limit */
        assert.equal((await keks(platform))[0].is_due, true);
        assert.match((await platform.harkara.cli('vault', 'status')).stdout, /in force, ROTATE IT/);
        const { kek_version: next } = await platform.harkara.json('vault', 'rotate', '--kek');
        const after = (await keks(platform)).find(({ version }) => version === next);
        assert.ok(!after.is_due && after.wraps >= 3 && after.is_in_force);
    });

    test('opens again after a restart, and for a new key-encryption key', async () => {
        await platform.harkara.stop();
        await platform.restart();
        await allReadable();
        const { kek_version: version } = await platform.harkara.json('vault', 'rotate', '--kek');
        assert.equal(version, 3);
        await kill('vault');
        await platform.harkara.ready();
        await until(async () => (await roleState('vault'))?.restarts >= 1 && (await roleState('vault'))?.state === 'ready', 'a new vault');
        await allReadable();
        await send('under another key-encryption key');
    });

    test('a broker that is killed comes back, and nobody waits for it', async () => {
        const pid = await kill('hsm');
        await send('while it is away, or just back');
        await until(async () => { const now = await roleState('hsm'); return now?.pid !== pid && now?.state === 'ready'; }, 'a new broker');
        await kill('vault');
        await until(async () => (await roleState('vault'))?.restarts >= 2 && (await roleState('vault'))?.state === 'ready', 'a new vault');
        await send('after both');
        await allReadable();
    });

    test('a token that is gone: what runs goes on, the vault does not start without it, and all comes back', async () => {
        renameSync(token.tokens, `${token.tokens}.gone`);
        try {
            const before = events('supervisor.hsm_not_opened').length;
            await kill('hsm');
            await until(() => events('supervisor.hsm_not_opened').length >= before + 2, 'a second try');
            const [told] = events('supervisor.hsm_not_opened').slice(-1);
            assert.match(told.why, /the token is not there/);
            assert.equal(told.is_tried_again, 1);
            await send('without the token');
            const restarts = (await roleState('vault'))?.restarts;
            await kill('vault');
            await until(async () => (await roleState('vault'))?.pid === 0, 'no vault');
            await until(() => events('supervisor.hsm_not_opened').length >= before + 4, 'further tries', 120_000);
            assert.equal((await roleState('vault'))?.state, 'waiting');
            assert.equal((await roleState('vault'))?.restarts, restarts + 1);
        } finally {
            renameSync(`${token.tokens}.gone`, token.tokens);
        }
        await until(async () => (await roleState('vault'))?.state === 'ready', 'the vault', 120_000);
        await send('the token is back');
        await allReadable();
    });
});

/** Ends the whole server as a power cut would, and starts it again. @param {any} of @param {Record<string, unknown>} [changes] */
async function cutAndRestart(of, changes) {
    await of.harkara.stop('SIGKILL');
    await of.restart(changes);
}

const keks = async (of) => (await of.harkara.json('vault', 'status')).key_encryption_keys;
const newSecret = (...words) => platform.harkara.json('vault', 'rotate', '--new-hsm-secret', ...words);

describe('another master secret, made in the token while messages flow', () => {
    const traffic = { isOn: true, count: 0, done: Promise.resolve() };
    before(() => {
        traffic.done = (async () => {
            while (traffic.isOn) { /* those that a cut hits are not accepted, and are no loss */
                await send(`under way ${traffic.count++}`).catch(() => {});
                await new Promise((resolve) => setTimeout(resolve, 100));
            }
        })();
    });
    after(async () => {
        traffic.isOn = false;
        await traffic.done;
    });

    test('takes the place of the old one, which is removed', async () => {
        const [old] = masterSecrets(), [before] = stored();
        const told = await newSecret();
        assert.equal(told.secrets_removed, 1);
        assert.equal(told.master_secret, Number(before.split('|')[0]) + 1);
        assert.deepEqual(stored(), [`${told.master_secret}|harkara-test|harkara`]);
        const [fresh] = masterSecrets();
        assert.notDeepEqual(fresh, old);
        for (const { role, pid } of isRoot ? (await platform.harkara.status()).processes.filter(({ role }) => !['hsm', 'postgres'].includes(role)) : [])
            for (const secret of [old, fresh])
                assert.equal(memoryHolds(pid, secret), 0, `the ${role} holds a master secret`);
        const [inForce, ...others] = (await keks(platform)).filter(({ retired_at: at }) => at === null);
        assert.equal(inForce.made_of, `master secret ${told.master_secret}`);
        assert.deepEqual(others, []);
        await allReadable();
        await kill('vault');
        await until(async () => (await roleState('vault'))?.state === 'ready', 'a new vault', 60_000);
        await allReadable();
    });

    test('under another key of the token, which is made, and the command says when a key may not be taken', async () => {
        const unfit = await platform.harkara.cli('vault', 'rotate', '--new-hsm-secret', '--hsm-key', 'short');
        assert.equal(unfit.code, 78, unfit.stderr);
        assert.match(unfit.stderr, /not an AES-256 key/);
        const nowhere = await platform.harkara.cli('vault', 'rotate', '--new-hsm-secret', '--hsm-token', 'nobody');
        assert.equal(nowhere.code, 69, nowhere.stderr);
        assert.equal((await platform.harkara.cli('vault', 'rotate', '--new-hsm-secret', '--new-master-key-file', '/none')).code, 64);
        assert.equal((await platform.harkara.cli('vault', 'rotate', '--kek', '--hsm-key', 'x')).code, 64);
        const { master_secret: version } = await newSecret('--hsm-key', 'second');
        assert.deepEqual(stored(), [`${version}|harkara-test|second`]);
        assert.throws(() => masterSecrets(), 'the first key does not open it');
        const { stdout } = await platform.harkara.cli('vault', 'status');
        assert.match(stdout, new RegExp(`${version} +0 +d +in use +1 +second +harkara-test`));
        const before = stored();
        const { key_encryption_keys: all, master_secrets: secrets } = await platform.harkara.json('vault', 'status');
        assert.equal(secrets.find((secret) => secret.version === version).key_wraps, 1);
        assert.ok(secrets.find(({ key }) => key === 'harkara').key_wraps >= 2, 'what was removed is counted all the same');
        for (const kek of all.filter(({ retired_at: at }) => at === null)) /* counted as under any other master key */
            assert.ok(kek.wraps >= kek.keys_wrapped && kek.keys_wrapped > 0);
        await platform.harkara.json('vault', 'rotate', '--kek'); /* and a key-encryption key without a new secret */
        assert.deepEqual(stored(), before);
        await allReadable();
    });

    test('killed while the token is asked: nothing is left but its number', async () => {
        const before = stored(), [hsm] = await platform.pids('hsm');
        process.kill(hsm, 'SIGSTOP');
        try {
            await killedWhen(platform, () => platform.sql('select count(*) from harkara.hsm_secret where cipher is null and removed_at is null and key_label = \'second\'') === '1',
                'vault', 'rotate', '--new-hsm-secret');
        } finally {
            process.kill(hsm, 'SIGCONT');
        }
        assert.deepEqual(stored(), before);
        await allReadable();
    });

    for (const [who, end] of /** @type {[string, () => Promise<any>][]} */ ([
        ['the command', async () => {}], ['the vault', () => kill('vault')], ['the token\'s process', () => kill('hsm')], ['the whole server', () => cutAndRestart(platform)],
    ]))
        test(`${who} killed when it is stored and nothing is made of it yet`, async () => {
            const [before] = stored(), [vault] = await platform.pids('vault');
            const { version: newest } = (await keks(platform)).slice(-1)[0];
            process.kill(vault, 'SIGSTOP'); /* which is to make the key-encryption key */
            try {
                await killedWhen(platform, () => stored().length === 2, 'vault', 'rotate', '--new-hsm-secret');
                await end();
            } finally {
                try {
                    process.kill(vault, 'SIGCONT');
                } catch { /* it was killed */ }
            }
            await until(async () => (await roleState('vault'))?.state === 'ready' && (await roleState('hsm'))?.state === 'ready', 'a vault and its token', 60_000);
            await allReadable();
            const pending = stored().slice(-1)[0];
            const told = await until(() => newSecret().catch((error) => { /* the vault may still be at what it was asked */
                assert.match(error.message, /makes one already|away/);
            }), 'the second run', 60_000);
            assert.deepEqual(stored(), [pending], 'the one that was left is taken, or finished with');
            assert.notEqual(pending, before);
            assert.equal(told.master_secret, Number(pending.split('|')[0]));
            assert.ok(told.kek_version > newest);
            await allReadable();
        });

    for (const [who, end] of /** @type {[string, () => Promise<any>][]} */ ([['the command', async () => {}], ['the whole server', () => cutAndRestart(platform)]]))
        test(`${who} killed when half of the keys have moved`, async () => {
            const before = stored(), waits = () => platform.sql("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = 'harkara_admin'") === '1';
            const release = await hold(platform, "select from harkara.tenant_key where purpose = 2 for update");
            await killedWhen(platform, waits, 'vault', 'rotate', '--new-hsm-secret');
            const [older, newer] = (await keks(platform)).filter(({ retired_at: at }) => at === null);
            assert.ok(newer.keys_wrapped > 0 && older.keys_wrapped > 0, 'both are in use');
            assert.equal(stored().length, 2, 'and both secrets are there');
            await end();
            await release();
            await allReadable();
            const fresh = stored()[1], { kek_version: version, secrets_removed: removed } = await newSecret();
            assert.equal(version, newer.version, 'it is finished, not begun anew');
            assert.equal(removed, 1);
            assert.deepEqual(stored(), [fresh]);
            assert.notDeepEqual(stored(), before);
            await allReadable();
        });

    test('killed when only the old secret is left to remove', async () => {
        const release = await hold(platform, 'select from harkara.hsm_secret for no key update');
        await killedWhen(platform, async () => stored().length === 2 && platform.sql('select count(*) from harkara.kek where retired_at is null') === '1'
            && platform.sql("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = 'harkara_admin'") === '1', 'vault', 'rotate', '--new-hsm-secret');
        await release();
        const [, fresh] = stored(), { secrets_removed: removed, keys_wrapped: wrapped } = await newSecret();
        assert.deepEqual([removed, wrapped], [1, 0]);
        assert.deepEqual(stored(), [fresh]);
        const actions = platform.sql("select action, count(*) from harkara.key_action where action like 'secret%' group by 1 order by 1").split('\n').map((row) => row.split('|'));
        assert.deepEqual(actions.map(([action]) => action), ['secret_made', 'secret_removed']);
        assert.equal(Number(actions[0][1]), Number(actions[1][1]) + 1, 'all but one are gone');
        await allReadable();
    });

    test('in another token, which then is the only one', async () => {
        const next = token.another('harkara-next');
        await platform.harkara.stop();
        platform.options.env = { ...platform.options.env, ...next };
        await platform.restart();
        await allReadable();
        const { master_secret: version } = await newSecret('--hsm-token', 'harkara-next', '--hsm-key', 'harkara');
        assert.deepEqual(stored(), [`${version}|harkara-next|harkara`]);
        assert.equal((await platform.harkara.json('vault', 'status')).token, 'harkara-next');
        assert.ok(!platform.log().includes(OTHER_PIN));
        await cutAndRestart(platform);
        await allReadable();
        await platform.harkara.stop();
        Object.assign(platform.options.env, { HARKARA_HSM_TOKEN: 'harkara-next', HARKARA_HSM_PIN_FILE: next.HARKARA_HSM_NEW_PIN_FILE, HARKARA_HSM_NEW_TOKEN: '', HARKARA_HSM_NEW_PIN_FILE: '' });
        execFileSync('softhsm2-util', ['--delete-token', '--token', 'harkara-test'], { env: { ...process.env, SOFTHSM2_CONF: token.env.SOFTHSM2_CONF }, stdio: 'pipe' });
        await platform.restart();
        await send('in the other token');
        await allReadable();
    });

    test('and no secret or PIN is in another process\'s memory afterwards', { skip: isRoot ? false : 'only root may look' }, async () => {
        const status = await platform.harkara.status(), vaultMemory = (await roleState('vault'))?.memory;
        for (const { role, pid } of [...status.processes.filter(({ role }) => !['hsm', 'postgres'].includes(role)), { role: 'supervisor', pid: status.pid }])
            if (role !== 'supervisor' || vaultMemory === 'memfd_secret')
                assert.equal(memoryHolds(pid, Buffer.from(OTHER_PIN)), 0, `the ${role} shows the PIN`);
    });
});

describe('what is not served', () => {
    test('a wrong PIN: said once, not tried again', async () => {
        await platform.harkara.stop();
        const wrong = path.join(platform.folder, 'wrong.pin');
        writeFileSync(wrong, '99999999\n', { mode: 0o400 });
        const { code, log } = await startInVain({ HARKARA_HSM_PIN_FILE: wrong });
        assert.equal(code, 78);
        assert.match(log, /harkara: the token refuses the PIN/);
        assert.equal(log.match(/"event":"hsm\.not_opened"/g)?.length, 1);
        assert.ok(!log.includes('99999999'));
        const readable = path.join(platform.folder, 'readable.pin');
        writeFileSync(readable, `${OTHER_PIN}\n`);
        chmodSync(readable, 0o444);
        const open = await startInVain({ HARKARA_HSM_PIN_FILE: readable });
        assert.equal(open.code, 78);
        assert.match(open.log, /chmod 0400/);
    });

    test('a stored secret that was changed', async () => {
        await platform.restart();
        await allReadable();
        platform.sql('update harkara.hsm_secret set cipher = set_byte(cipher, 0, get_byte(cipher, 0) # 1) where cipher is not null');
        await platform.harkara.stop();
        const { code, log } = await startInVain({});
        assert.equal(code, 70, log.slice(-2000));
        assert.match(log, /harkara: the stored master secret does not open in the token/);
        assert.ok(!log.includes('"event":"supervisor.serving"'));
    });
});

describe('an installation moves', () => {
    /** @type {Awaited<ReturnType<typeof startPlatform>>} */
    let moving;
    let early, own, first;
    const inForce = async () => (await keks(moving)).filter(({ is_in_force: is }) => is).map(({ version, made_of: of }) => [version, of]);
    const readable = async () => {
        early.client.url = moving.url;
        assert.equal((await early.client.must(200, 'GET', `/v1/messages/${first}`)).content.text.body, 'moved');
    };
    before(async () => {
        moving = await startPlatform();
        early = await moving.workspace();
        first = (await early.client.must(202, 'POST', '/v1/messages', early.client.text(early.channel, { content: { type: 'text', text: { body: 'moved' } } }))).id;
        own = makeToken(moving.folder, 'moved');
    });
    after(() => moving?.stop());

    test('from a file to a token', async () => {
        assert.equal((await moving.harkara.json('vault', 'status')).provider, 'file');
        assert.equal((await moving.harkara.cli('vault', 'rotate', '--new-hsm-secret')).code, 65, 'there is no token yet');
        await moving.harkara.stop();
        assert.equal(hsmInit(moving.folder, own.env).code, 0, 'the key is made in the token');
        const masterKey = path.join(moving.options.stateDir, 'master.kek');
        await moving.restart({ args: [], env: { ...moving.options.env, ...own.env, HARKARA_MASTER_KEK_FILE: masterKey } });
        assert.equal((await moving.harkara.json('vault', 'status')).provider, 'file and pkcs11');
        await moving.harkara.json('vault', 'rotate', '--kek');
        await moving.harkara.stop();
        rmSync(masterKey);
        await moving.restart({ args: [], env: { ...moving.options.env, ...own.env } });
        const told = await moving.harkara.json('vault', 'status');
        assert.equal(told.provider, 'pkcs11');
        assert.deepEqual(await inForce(), [[2, 'master secret 1']]);
        await readable();
    });

    test('and back to a file, cut in the middle of it', async () => {
        const file = path.join(moving.folder, 'back.kek');
        writeFileSync(file, randomBytes(32), { mode: 0o400 });
        const both = { args: [], env: { ...moving.options.env, ...own.env, HARKARA_MASTER_KEK_FILE: file } };
        const release = await hold(moving, 'select from harkara.tenant_key where purpose = 2 for update');
        await killedWhen(moving, () => moving.sql("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = 'harkara_admin'") === '1',
            'vault', 'rotate', '--new-master-key-file', file);
        assert.equal((await keks(moving)).filter(({ retired_at: at }) => at === null).length, 2);
        await moving.harkara.stop('SIGKILL');
        await release();
        for (const [env, reason] of /** @type {[Record<string, string>, RegExp][]} */ ([
            [{ ...moving.options.env, ...own.env }, /the master key is not the one/], [{ ...moving.options.env, HARKARA_MASTER_KEK_FILE: file }, /the master key is not the one/],
        ])) { /* with one of the two nothing starts, and nothing is lost */
            const logFile = path.join(moving.folder, `one-${randomBytes(4).toString('hex')}.log`);
            const { code } = /** @type {any} */ (await (await startHarkara({ ...moving.options, args: [], logFile, env })).ended);
            assert.equal(code, 78);
            assert.match(readFileSync(logFile, 'utf8'), reason);
        }
        await moving.restart(both);
        assert.equal((await moving.harkara.json('vault', 'status')).provider, 'file and pkcs11');
        await readable();
        const told = await moving.harkara.json('vault', 'rotate', '--new-master-key-file', file);
        assert.equal(told.master_secret, null);
        assert.equal(told.secrets_removed, 1);
        assert.equal((await moving.harkara.json('vault', 'status')).provider, 'file');
        assert.equal(moving.sql('select count(*) from harkara.hsm_secret where cipher is not null'), '0');
        assert.equal((await inForce())[0][1], 'master key');
        /* The token is of no more use, whether or not its settings are still there. */
        renameSync(own.tokens, `${own.tokens}.gone`);
        const [vault] = await moving.pids('vault');
        process.kill(vault, 'SIGKILL');
        await until(async () => { const [now] = await moving.pids('vault'); return now !== undefined && now !== vault; }, 'a new vault', 60_000);
        await until(() => readable().then(() => true, () => false), 'all to be readable again', 60_000);
        await cutAndRestart(moving, both);
        await readable();
        await moving.harkara.stop();
        const logFile = path.join(moving.folder, 'none.log');
        const { code } = /** @type {any} */ (await (await startHarkara({ ...moving.options, args: [], logFile, env: { ...moving.options.env, ...own.env } })).ended);
        assert.equal(code, 78);
        assert.match(readFileSync(logFile, 'utf8'), /another master key has followed the token's/);
        await moving.restart({ args: [], env: { ...moving.options.env, HARKARA_MASTER_KEK_FILE: file } });
        assert.equal((await moving.harkara.json('vault', 'status')).provider, 'file');
        await moving.harkara.json('vault', 'rotate', '--kek');
        await readable();
    });

    test('and to the token again', async () => {
        renameSync(`${own.tokens}.gone`, own.tokens);
        const file = path.join(moving.folder, 'back.kek');
        await moving.harkara.stop();
        await moving.restart({ args: [], env: { ...moving.options.env, ...own.env, HARKARA_MASTER_KEK_FILE: file } });
        assert.deepEqual((await moving.harkara.json('vault', 'rotate', '--new-hsm-secret')).master_secret, 2, 'a number is not used again');
        await moving.harkara.stop();
        await moving.restart({ args: [], env: { ...moving.options.env, ...own.env } });
        assert.equal((await moving.harkara.json('vault', 'status')).provider, 'pkcs11');
        await readable();
    });
});
