// @ts-check
/**
 * The master secret wrapped in a PKCS#11 token: SoftHSM2, with its tokens in the test's own folder. The token's key is
 * one that the test has put there, so that it can tell the master secret itself and look for it where it must not be.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createDecipheriv, randomBytes } from 'node:crypto';
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { buildFolder, startHarkara } from '../../sandbox/demo/platform.js';
import { startPlatform, until } from './support.js';

const MODULE = '/usr/lib/softhsm/libsofthsm2.so', PIN = 'canary-pin-48151623';
const program = path.join(buildFolder(), 'src/program/harkara/harkara');
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

const roleState = async (role) => (await platform.harkara.status()).processes.find((process) => process.role === role);
const events = (name) => platform.log().split('\n').filter((line) => line.includes(`"event":"${name}"`)).map((line) => JSON.parse(line));
const kill = async (role) => {
    const [pid] = await platform.pids(role);
    process.kill(pid, 'SIGKILL');
    return pid;
};

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
        await send('first');
        const told = await platform.harkara.json('vault', 'status');
        assert.equal(told.provider, 'pkcs11');
        assert.equal(told.token, 'harkara-test');
        const { stdout } = await platform.harkara.cli('vault', 'status');
        assert.match(stdout, /master key: pkcs11, token harkara-test;/);
        assert.ok(!platform.log().includes(PIN) && !stdout.includes(PIN), 'the PIN is nowhere');
    });

    test('is in no other process\'s memory, nor is the PIN', { skip: isRoot ? false : 'only root may look' }, async () => {
        const [version, cipher, iv, tag] = platform.sql('select version, encode(cipher, \'hex\'), encode(iv, \'hex\'), encode(tag, \'hex\') from harkara.hsm_secret').split('|');
        const associated = Buffer.from([1, 4, 0, 0, 0, Number(version)]);
        const opened = createDecipheriv('aes-256-gcm', tokenKey, Buffer.from(iv, 'hex')).setAAD(associated).setAuthTag(Buffer.from(tag, 'hex'));
        const secret = Buffer.concat([opened.update(Buffer.from(cipher, 'hex')), opened.final()]);
        assert.equal(secret.length, 32, 'what is stored is what the documents say');
        const status = await platform.harkara.status();
        for (const { role, pid } of [...status.processes.filter(({ role }) => !['hsm', 'postgres'].includes(role)), { role: 'supervisor', pid: status.pid }]) {
            assert.equal(memoryHolds(pid, secret), 0, `the ${role} holds the master secret`);
            if (role !== 'supervisor' || (await roleState('vault'))?.memory === 'memfd_secret') /* else it lies there, locked */
                assert.equal(memoryHolds(pid, Buffer.from(PIN)), 0, `the ${role} shows the PIN`);
        }
        assert.ok(memoryHolds(status.pid, Buffer.from(token.tokens)) > 0, 'what is there is found');
    });

    test('opens again after a restart, and for a new key-encryption key', async () => {
        await platform.harkara.stop();
        await platform.restart();
        await allReadable();
        const file = path.join(platform.folder, 'other.kek');
        writeFileSync(file, randomBytes(32), { mode: 0o400 });
        const replaced = await platform.harkara.cli('vault', 'rotate', '--new-master-key-file', file);
        assert.equal(replaced.code, 65);
        assert.match(replaced.stderr, /in the token harkara-test/);
        const { kek_version: version } = await platform.harkara.json('vault', 'rotate', '--kek');
        assert.equal(version, 2);
        await kill('vault');
        await platform.harkara.ready();
        await until(async () => (await roleState('vault'))?.restarts >= 1 && (await roleState('vault'))?.state === 'ready', 'a new vault');
        await allReadable();
        await send('under the second key-encryption key');
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
        writeFileSync(readable, `${PIN}\n`);
        chmodSync(readable, 0o444);
        const open = await startInVain({ HARKARA_HSM_PIN_FILE: readable });
        assert.equal(open.code, 78);
        assert.match(open.log, /chmod 0400/);
    });

    test('a stored secret that was changed', async () => {
        await platform.restart();
        await allReadable();
        platform.sql('update harkara.hsm_secret set cipher = set_byte(cipher, 0, get_byte(cipher, 0) # 1)');
        await platform.harkara.stop();
        const { code, log } = await startInVain({});
        assert.equal(code, 70, log.slice(-2000));
        assert.match(log, /harkara: the stored master secret does not open in the token/);
        assert.ok(!log.includes('"event":"supervisor.serving"'));
    });
});

test('an installation moves from a file to a token', async () => {
    const moving = await startPlatform();
    try {
        const before = await moving.workspace();
        const { id } = await before.client.must(202, 'POST', '/v1/messages', before.client.text(before.channel, { content: { type: 'text', text: { body: 'moved' } } }));
        assert.equal((await moving.harkara.json('vault', 'status')).provider, 'file');
        await moving.harkara.stop();
        const own = makeToken(moving.folder, 'moved');
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
        assert.deepEqual(told.key_encryption_keys.filter(({ is_in_force }) => is_in_force).map(({ version }) => version), [2]);
        before.client.url = moving.url;
        assert.equal((await before.client.must(200, 'GET', `/v1/messages/${id}`)).content.text.body, 'moved');
    } finally {
        await moving.stop();
    }
});
