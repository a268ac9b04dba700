// @ts-check
/** Start, status, health, stop, restart: the operator's view, and what happens when anything is killed. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync, chmodSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Client, freePort, requestUnix, startPlatform, until } from './support.js';
import { startHarkara } from '../../sandbox/demo/platform.js';

const ROLES = ['vault', 'gateway', 'dispatcher', 'webhooks', 'smsc', 'scheduler'];
/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
before(async () => {
    /* Short leases and waits: what a dispatcher was sending when it was killed is uncertain when its lease is over, and then is sent again. */
    platform = await startPlatform({ env: { HARKARA_SEND_LEASE_MS: '3000', HARKARA_SEND_TIMEOUT_MS: '2000', HARKARA_UNCERTAIN_WAIT_MS: '500' },
        sandboxArgs: ['--set', 'retry_max_ms=1000'] });
});
after(() => platform?.stop());

const isAlive = (pid) => {
    try {
        process.kill(pid, 0);
        return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    } catch {
        return false;
    }
};
const everyone = async () => (await platform.harkara.status()).processes.filter(({ pid }) => pid > 0);

describe('what runs', () => {
    test('the planner hears of a table that has grown at once', async () => {
        /* Autovacuum would tell it as well, later: it must not be what is seen here. */
        platform.sql(`alter table harkara.idempotency_key set (autovacuum_enabled = off);
            insert into harkara.idempotency_key (tenant_id, key, fingerprint, message_id)
                select gen_random_uuid(), n::text, sha256('x'), gen_random_uuid() from generate_series(1, 20000) n`);
        await until(() => Number(platform.sql("select reltuples from pg_class where oid = 'harkara.idempotency_key'::regclass")) >= 20000, 'the scheduler to have it analyzed');
        platform.sql('truncate harkara.idempotency_key; alter table harkara.idempotency_key reset (autovacuum_enabled)');
    });

    test('status names every role, its process and what it gave up', async () => {
        const status = await platform.harkara.status();
        for (const role of ROLES) {
            const found = status.processes.find((process) => process.role === role);
            assert.ok(found, `${role} is named`);
            assert.equal(found.state, 'ready');
            assert.ok(isAlive(found.pid));
        }
        const { code, stdout } = await platform.harkara.cli('status');
        assert.equal(code, 0);
        for (const role of ROLES)
            assert.match(stdout, new RegExp(role));
    });

    test('each role runs locked in, without privileges, under its own user when started as root', async () => {
        const users = new Set();
        for (const { role, pid } of (await everyone()).filter(({ role }) => ROLES.includes(role))) {
            const status = readFileSync(`/proc/${pid}/status`, 'utf8');
            assert.match(status, /^NoNewPrivs:\s*1$/m, role);
            assert.match(status, /^Seccomp:\s*2$/m, role);
            assert.match(status, /^CapEff:\s*0+$/m, role);
            const [, uid] = /^Uid:\s*(\d+)/m.exec(status) ?? [];
            if (process.getuid?.() === 0)
                assert.notEqual(uid, '0', role);
            users.add(uid);
            const [, core] = /^Max core file size\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8')) ?? [];
            assert.equal(core, '0', role);
        }
        if (process.getuid?.() === 0)
            assert.equal(users.size, ROLES.length, 'no two roles share a user');
    });

    test('healthz, readyz and metrics on the admin socket; metrics not on the API', async () => {
        const { adminSocket } = platform.harkara;
        for (const target of ['/healthz', '/readyz', '/metrics'])
            assert.equal((await requestUnix(adminSocket, target)).status, 200, target);
        const { text } = await requestUnix(adminSocket, '/metrics');
        for (const role of ROLES)
            assert.match(text, new RegExp(`role="${role}`), `figures of ${role}`);
        assert.equal(text.match(/^# TYPE harkara_http_requests_total /gm)?.length, 1);
        const api = new Client(platform.url, null);
        assert.equal((await api.call('GET', '/healthz')).status, 200);
        assert.equal((await api.call('GET', '/metrics')).status, 404);
        assert.equal(statSync(adminSocket).mode & 0o007, 0, 'the admin socket is not for others');
    });

    test('every log line is one object of JSON with the fields of its kind', async () => {
        const lines = platform.log().trim().split('\n');
        assert.ok(lines.length > 5);
        for (const line of lines) {
            const entry = JSON.parse(line);
            for (const field of ['at', 'level', 'role', 'event'])
                assert.equal(typeof entry[field], 'string', line);
        }
    });
});

describe('what is killed comes back', () => {
    for (const role of ROLES)
        test(role, async () => {
            const [before] = await platform.pids(role);
            process.kill(before, 'SIGKILL');
            const after = await until(async () => {
                const process = (await platform.harkara.status()).processes.find((found) => found.role === role);
                return process?.pid !== before && process?.state === 'ready' && process.pid;
            }, `${role} to be back`);
            assert.ok(isAlive(after));
            await until(async () => (await requestUnix(platform.harkara.adminSocket, '/readyz').catch(() => ({ status: 0 }))).status === 200, 'the platform to be ready again');
        });

    test('after all that a message goes through', async () => {
        const shop = await platform.workspace({ endpoint: true });
        const { id } = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel));
        await shop.client.follow(id, ['read']);
        await until(() => shop.receiver.events().some(({ type, data }) => type === 'message.read' && data.message_id === id), 'the webhook');
    });
});

describe('the end', () => {
    test('SIGTERM answers what is in flight and leaves no process', async () => {
        const shop = await platform.workspace();
        const pids = (await everyone()).map(({ pid }) => pid);
        const sends = Array.from({ length: 50 }, () => shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel)).catch(() => null));
        await until(() => Number(platform.sql(`select count(*) from harkara.message m join harkara.tenant t using (tenant_id) where slug = '${shop.slug}'`)) > 0, 'the first to be stored');
        const { code } = await platform.harkara.stop();
        assert.equal(code, 0);
        const accepted = (await Promise.all(sends)).filter((answer) => answer?.status === 202).map((answer) => answer?.json.id);
        for (const pid of pids)
            assert.ok(!isAlive(pid), `process ${pid} is gone`);
        await platform.restart();
        for (const id of accepted)
            await shop.client.follow(id, ['read']);
    });

    test('kill -9 of the supervisor takes everyone along, and the next start recovers', async () => {
        const shop = await platform.workspace();
        const { id } = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel));
        const pids = (await everyone()).map(({ pid }) => pid);
        process.kill(platform.harkara.child.pid ?? 0, 'SIGKILL');
        await until(() => pids.every((pid) => !isAlive(pid)), 'everyone to be gone');
        await platform.restart();
        await shop.client.follow(id, ['read']);
    });

    test('kill -9 of everything at once loses nothing that was accepted', async () => {
        const shop = await platform.workspace();
        const ids = (await Promise.all(Array.from({ length: 40 }, () => shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel))))).map(({ id }) => id);
        for (const pid of [platform.harkara.child.pid, ...(await everyone()).map((process) => process.pid)]) {
            try {
                process.kill(Number(pid), 'SIGKILL');
            } catch {
                /* gone with the one before */
            }
        }
        await platform.restart();
        for (const id of ids)
            await shop.client.follow(id, ['read']);
    });
});

describe('what must not start', () => {
    async function refused(changes) {
        const harkara = await startHarkara({ ...platform.options, ...changes, logFile: path.join(platform.folder, 'refused.log') });
        const how = await harkara.ended;
        return { ...(/** @type {any} */ (how)), log: readFileSync(path.join(platform.folder, 'refused.log'), 'utf8') };
    }

    test('a second supervisor on the same state', async () => {
        const { code } = await refused({ port: await freePort() });
        assert.notEqual(code, 0);
        await requestUnix(platform.harkara.adminSocket, '/readyz');
    });

    test('a wrong master key, and it says why', async () => {
        await platform.harkara.stop();
        const file = path.join(platform.options.stateDir, 'master.kek');
        assert.ok(existsSync(file));
        const wrong = path.join(platform.folder, 'wrong.kek');
        writeFileSync(wrong, 'ab'.repeat(32), { mode: 0o400 });
        chmodSync(wrong, 0o400);
        const { code, log } = await refused({ args: [], env: { ...platform.options.env, HARKARA_MASTER_KEK_FILE: wrong } });
        assert.notEqual(code, 0);
        assert.match(log, /kek/i);
        assert.ok(!log.includes('abababab'));
        const loose = path.join(platform.folder, 'loose.kek');
        writeFileSync(loose, readFileSync(file), { mode: 0o644 });
        chmodSync(loose, 0o644);
        assert.notEqual((await refused({ args: [], env: { ...platform.options.env, HARKARA_MASTER_KEK_FILE: loose } })).code, 0);
        await platform.restart();
    });

    test('settings that are none', async () => {
        await platform.harkara.stop();
        assert.notEqual((await refused({ env: { ...platform.options.env, HARKARA_GATEWAY: '1' } })).code, 0);
        assert.notEqual((await refused({ env: { ...platform.options.env, HARKARA_GATEWAYS: 'many' } })).code, 0);
        assert.notEqual((await refused({ env: { ...platform.options.env, HARKARA_LISTEN: '0.0.0.0:8080' } })).code, 0, 'only loopback is served without nginx');
        await platform.restart();
    });
});
