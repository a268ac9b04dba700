// @ts-check
/**
 * Canaries: marked secrets and message texts go through the whole platform, then everything that must not hold them is
 * searched: logs, environments and memory of the wrong processes, files, a database dump.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createDecipheriv, scryptSync } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startPlatform, until } from './support.js';

const TEXT = 'canary-text-Bluebird-7731', INBOUND = 'canary-inbound-Kingfisher-9921', PERSON = '+4915799990042', SENDER = '4915788880043';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop, secrets, kek, status;
before(async () => {
    platform = await startPlatform({ env: { HARKARA_LOG_LEVEL: 'debug' } });
    shop = await platform.workspace({ endpoint: true });
    const { id } = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel, { to: PERSON, content: { type: 'text', text: { body: TEXT } } }));
    await shop.client.follow(id, ['read']);
    await platform.sandbox.control('POST', '/inbound', { phone_number_id: shop.account.phone_number_id, from: SENDER, type: 'text', text: INBOUND });
    await until(() => shop.receiver.events().some(({ data }) => data.content?.text?.body === INBOUND), 'the inbound webhook');
    /* Failures say more than successes: provoke some that touch the same values. */
    await shop.client.call('POST', '/v1/messages', { channel_id: shop.channel, to: PERSON, content: { type: 'text', text: { body: TEXT, [TEXT]: 1 } } });
    await platform.sandbox.control('POST', '/faults', { phone_number_id: shop.account.phone_number_id, code: 131026, times: 1 });
    await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel, { to: PERSON, content: { type: 'text', text: { body: TEXT } } }));
    kek = readFileSync(path.join(platform.options.stateDir, 'master.kek'));
    secrets = {
        'access token': shop.account.access_token, 'app secret': shop.account.app_secret, 'verify token': shop.account.verify_token,
        'API key secret': shop.key.split('_').slice(3).join('_'), 'webhook secret': shop.secret.slice('whsec_'.length),
    };
    status = await platform.harkara.status();
});
after(() => platform?.stop());

const personal = { 'message text': TEXT, 'inbound text': INBOUND, 'recipient number': PERSON.slice(1), 'sender number': SENDER };

/** Whether a process's readable memory holds the bytes. Searches every mapping that root can read. */
function memoryHolds(pid, needles) {
    const found = new Set();
    const maps = readFileSync(`/proc/${pid}/maps`, 'utf8').trim().split('\n');
    const fd = openSync(`/proc/${pid}/mem`, 'r');
    try {
        for (const line of maps) {
            const [, from, to, mode] = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line) ?? [];
            if (mode === undefined || !mode.startsWith('r') || line.includes('[v'))
                continue;
            const start = BigInt(`0x${from}`), size = Number(BigInt(`0x${to}`) - start);
            for (let at = 0; at < size; at += 1 << 20) {
                const part = Buffer.alloc(Math.min((1 << 20) + 256, size - at));
                let count = 0;
                try {
                    count = readSync(fd, part, 0, part.length, start + BigInt(at));
                } catch {
                    break; /* secret memory, or a mapping that cannot be read */
                }
                for (const [name, needle] of needles)
                    if (part.subarray(0, count).includes(needle))
                        found.add(name);
            }
        }
    } finally {
        closeSync(fd);
    }
    return [...found];
}

/** Mappings that the kernel itself has unmapped, where it has such. */
function secretMappings(pid) {
    return readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').filter((line) => line.includes('secretmem')).map((line) => ({ start: BigInt(`0x${line.split('-')[0]}`) }));
}

function files(folder) {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
        const name = path.join(folder, entry.name);
        return entry.isDirectory() ? files(name) : entry.isFile() ? [name] : [];
    });
}

/** A file's octets; none if it has gone since it was listed, as the database's own files may. */
function octets(file) {
    try {
        return readFileSync(file, 'latin1');
    } catch (error) {
        assert.equal(/** @type {any} */ (error).code, 'ENOENT', String(error));
        return '';
    }
}

describe('nothing of it lies about', () => {
    test('in the log', () => {
        const log = platform.log();
        for (const [name, value] of Object.entries({ ...secrets, ...personal }))
            assert.ok(!log.includes(value), `the log holds the ${name}`);
        assert.ok(!log.includes(kek.toString('utf8').trim()), 'the log holds the master key');
        assert.match(log, /"event":"http\.answered"/, 'the log was in fact written');
    });

    test('in a process\'s environment or arguments', () => {
        for (const { role, pid } of status.processes.filter(({ pid }) => pid > 0))
            for (const file of ['environ', 'cmdline']) {
                const text = readFileSync(`/proc/${pid}/${file}`, 'latin1');
                for (const [name, value] of Object.entries({ ...secrets, ...personal, 'master key': kek.toString('latin1').trim() }))
                    assert.ok(!text.includes(value), `${role}'s ${file} holds the ${name}`);
                assert.doesNotMatch(text, /password/i, `${role}'s ${file} holds a password`);
            }
    });

    test('in a dump of the database', () => {
        const dump = platform.sql('select 1') === '1' && execFileSync('sh', ['-c', `find ${platform.options.runDir} ${platform.options.stateDir} -name '.s.PGSQL.*' ! -name '*.lock' | head -n 1`]).toString().trim();
        const text = execFileSync('pg_dump', ['-h', path.dirname(String(dump)), '-p', /(\d+)$/.exec(String(dump))?.[1] ?? '', '-U', 'postgres', '--inserts', '--rows-per-insert=1', 'harkara'],
            { env: { ...process.env, PGPASSWORD: readFileSync(path.join(platform.options.stateDir, 'postgres-password'), 'utf8').trim() }, maxBuffer: 1 << 28 }).toString('latin1');
        assert.match(text, /INSERT INTO harkara\.message/i);
        for (const [name, value] of Object.entries({ ...secrets, ...personal })) {
            assert.ok(!text.includes(value), `the dump holds the ${name}`);
            assert.ok(!text.includes(Buffer.from(value).toString('hex')), `the dump holds the ${name} in hex`);
        }
    });

    test('in any file below the state and run folders', () => {
        for (const file of [...files(platform.options.stateDir), ...files(platform.options.runDir)]) {
            if (file.endsWith('master.kek') || file.includes('/postgres/data/base/') || file.includes('/pg_wal/'))
                continue; /* the database's own files: the dump has shown what they hold */
            const text = octets(file);
            for (const [name, value] of Object.entries({ ...secrets, ...personal }))
                assert.ok(!text.includes(value), `${file} holds the ${name}`);
        }
    });
});

describe('nobody holds in memory what is not his', { skip: process.getuid?.() !== 0 && 'only root may look' }, () => {
    const forbidden = {
        /* The web-facing process saw them arrive and must have wiped them; it can never open them again. */
        gateway: ['access token', 'app secret', 'verify token', 'webhook secret'],
        dispatcher: ['app secret', 'verify token', 'webhook secret', 'API key secret', 'master key'],
        webhooks: ['access token', 'app secret', 'verify token', 'webhook secret', 'API key secret', 'master key'],
        scheduler: ['access token', 'app secret', 'verify token', 'webhook secret', 'API key secret', 'message text', 'inbound text', 'recipient number', 'master key'],
        vault: ['master key', 'access token', 'app secret', 'webhook secret'],
        supervisor: ['master key', 'access token', 'app secret', 'verify token', 'webhook secret', 'API key secret', 'message text'],
    };
    for (const [role, names] of Object.entries(forbidden))
        test(role, () => {
            const process = status.processes.find((found) => found.role === role);
            const all = { ...secrets, ...personal };
            const needles = names.flatMap((name) => (name === 'master key'
                ? [[name, Buffer.from(kek.toString('utf8').trim(), 'hex')], [`${name} in hex`, Buffer.from(kek.toString('utf8').trim())]]
                : [[name, Buffer.from(all[name])]])).filter(([, needle]) => needle.length > 0);
            needles.push(...names.filter((name) => name === 'webhook secret').map((name) => [`${name}'s octets`, Buffer.from(secrets[name], 'base64')]));
            assert.deepEqual(memoryHolds(process?.pid ?? (role === 'supervisor' ? platform.harkara.child.pid : 0), needles), []);
        });

    /* The keys themselves, made here a second time from the master key and the database, as docs/vault.md says. */
    const everyKey = () => {
        const master = Buffer.from(kek.toString('utf8').trim(), 'hex'), u32 = (number) => Buffer.from(Uint32Array.of(number).buffer).swap32();
        const keks = new Map(platform.sql("select version, scrypt_n, scrypt_r, scrypt_p, encode(salt, 'hex') from harkara.kek").split('\n').map((row) => {
            const [version, N, r, p, salt] = row.split('|');
            return [version, scryptSync(master, Buffer.from(salt, 'hex'), 32, { N: Number(N), r: Number(r), p: Number(p), maxmem: 1 << 29 })];
        }));
        const found = [...keks].map(([version, bytes]) => [`key-encryption key ${version}`, bytes]);
        const rows = platform.sql("select replace(tenant_id::text, '-', ''), purpose, version, kek_version, encode(wrapped_iv, 'hex'), encode(wrapped_ct, 'hex'), encode(wrapped_tag, 'hex') from harkara.tenant_key").split('\n');
        for (const row of rows) {
            const [tenant, purpose, version, by, iv, cipher, tag] = row.split('|');
            const opener = createDecipheriv('aes-256-gcm', keks.get(by), Buffer.from(iv, 'hex'));
            opener.setAAD(Buffer.concat([Buffer.from([1, 2]), Buffer.from(tenant, 'hex'), Buffer.from([Number(purpose)]), u32(Number(version)), u32(Number(by))]));
            opener.setAuthTag(Buffer.from(tag, 'hex'));
            found.push([`data key of purpose ${purpose}`, Buffer.concat([opener.update(Buffer.from(cipher, 'hex')), opener.final()])]);
        }
        return found;
    };
    test('no key is in any process\'s readable memory', (context) => {
        const keys = everyKey();
        assert.ok(keys.length >= 4);
        for (const { role, pid, memory } of status.processes.filter(({ pid }) => pid > 0)) {
            if (role === 'vault' && memory !== 'memfd_secret' && !secretMappings(pid).length) {
                context.diagnostic('no memfd_secret here: root can read the vault\'s locked pages');
                continue;
            }
            assert.deepEqual(memoryHolds(pid, keys), [], `${role} holds keys`);
        }
        assert.deepEqual(memoryHolds(platform.harkara.child.pid, keys), [], 'the supervisor holds keys');
    });

    test('secret memory is refused through /proc, and nobody dumps core', () => {
        const processes = [...status.processes.filter(({ role, pid }) => pid > 0 && role !== 'postgres'), { role: 'supervisor', pid: platform.harkara.child.pid }];
        for (const { role, pid } of processes) {
            assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /^Max core file size\s+0\s+0\s/m, `${role} dumps no core`);
            assert.equal(statSync(`/proc/${pid}/environ`).uid, 0, `${role} is not dumpable: its files are root's`);
            for (const { start } of secretMappings(pid)) {
                const fd = openSync(`/proc/${pid}/mem`, 'r');
                assert.throws(() => readSync(fd, Buffer.alloc(64), 0, 64, start), `${role}'s secret memory`);
                closeSync(fd);
            }
        }
    });

    test('the search would find something that is there', () => {
        const gateway = status.processes.find(({ role }) => role === 'gateway');
        assert.deepEqual(memoryHolds(gateway.pid, [['the contract', Buffer.from('createWebhookEndpoint')]]), ['the contract']);
    });
});
