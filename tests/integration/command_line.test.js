// @ts-check
/** The command line as an operator meets it: what it says, how it ends, who may use it, and where the master key goes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Client, freePort, startPlatform, until } from './support.js';
import { startHarkara } from '../../sandbox/demo/platform.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
/** @type {(...words: string[]) => Promise<{code: number, stdout: string, stderr: string}>} */
let cli;
before(async () => {
    platform = await startPlatform();
    cli = (...words) => platform.harkara.cli(...words);
});
after(() => platform?.stop());

const COMMANDS = ['serve', 'status', 'migrate', 'config', 'tenant create', 'tenant list', 'key create', 'key list', 'key revoke', 'dnd import', 'dnd status', 'dnd clear'];

describe('what it says', () => {
    test('help lists every command, and each has its own', async () => {
        for (const words of [[], ['help'], ['--help']]) {
            const { code, stdout, stderr } = await cli(...words);
            assert.deepEqual([code, stderr], [0, '']);
            for (const command of COMMANDS)
                assert.match(stdout, new RegExp(`^  ${command.replace(' ', '\\s+')}\\s+\\S`, 'm'));
        }
        for (const command of COMMANDS) {
            const asked = await cli('help', ...command.split(' '));
            assert.deepEqual([asked.code, asked.stderr], [0, '']);
            assert.ok(asked.stdout.startsWith(`harkara ${command} `), asked.stdout);
            assert.match(asked.stdout, /--config FILE/);
            assert.equal((await cli(...command.split(' '), '--help')).stdout, asked.stdout);
        }
        assert.match((await cli('version')).stdout, /^harkara \d+\.\d+\.\d+\n$/);
    });

    test('a line that does not parse is refused with 64, and what is wrong with it', async () => {
        for (const [words, wanted] of /** @type {[string[], RegExp][]} */ ([
            [['nonsense'], /no such command/], [['tenant'], /no such command/], [['tenant', 'delete'], /no such command/],
            [['tenant', 'create'], /--name NAME is missing/], [['tenant', 'create', '--name'], /--name needs a value/],
            [['tenant', 'list', '--all'], /--all is not an option/], [['status', 'now'], /"now" is not expected/],
            [['key', 'revoke', '--tenant', 'x'], /an argument is missing/], [['status', '--json=1'], /--json takes no value/],
        ])) {
            const { code, stdout, stderr } = await cli(...words);
            assert.deepEqual([code, stdout], [64, ''], words.join(' '));
            assert.match(stderr, wanted);
            assert.match(stderr, /harkara help/);
        }
    });

    test('config prints a file that --config takes, and no password', async () => {
        const { stdout } = await cli('config');
        const file = path.join(platform.folder, 'all.conf');
        writeFileSync(file, stdout, { mode: 0o600 });
        const again = spawnSync(platform.harkara.child.spawnfile, ['config', '--json', '--config', file], { env: {}, encoding: 'utf8' });
        assert.equal(again.status, 0, again.stderr);
        const settings = JSON.parse(again.stdout);
        assert.equal(settings.find(({ variable }) => variable === 'HARKARA_STATE_DIR').value, platform.options.stateDir);
        assert.equal(settings.find(({ variable }) => variable === 'HARKARA_GATEWAYS').is_set, false);
        const secret = spawnSync(platform.harkara.child.spawnfile, ['config'], { env: { HOME: '/', DATABASE_URL: 'postgresql://u:hunter2@h/d' }, encoding: 'utf8' });
        assert.equal(secret.status, 0, secret.stderr);
        assert.ok(!secret.stdout.includes('hunter2'));
    });

    test('a settings file that others may write is refused', async () => {
        const file = path.join(platform.folder, 'loose.conf');
        writeFileSync(file, 'HARKARA_GATEWAYS=2\n');
        chmodSync(file, 0o666);
        const loose = await cli('config', '--config', file);
        assert.equal(loose.code, 78);
        assert.match(loose.stderr, /nobody else may write/);
        chmodSync(file, 0o644);
        assert.equal((await cli('config', '--config', file)).code, 0);
        assert.equal((await cli('config', '--config', `${file}.not`)).code, 78);
    });
});

describe('tenants and keys', () => {
    test('a slug is taken once, and comes from the name', async () => {
        const made = await platform.harkara.json('tenant', 'create', '--name', 'Lucky  Shrub & Sons');
        assert.equal(made.slug, 'lucky-shrub-sons');
        assert.equal((await cli('tenant', 'create', '--name', 'x', '--slug', 'lucky-shrub-sons')).code, 73);
        for (const slug of ['Upper', '-a', 'a-', 'a--b', 'a_b', 'ü', 'x'.repeat(64)])
            assert.equal((await cli('tenant', 'create', '--name', 'x', `--slug=${slug}`)).code, 65, slug);
        assert.equal((await cli('tenant', 'create', '--name', '')).code, 65);
        assert.equal((await cli('tenant', 'create', '--name', 'x'.repeat(121), '--slug', 'long')).code, 65);
        const { stdout } = await cli('tenant', 'list');
        assert.match(stdout, new RegExp(`^${made.id}\\s.*lucky-shrub-sons`, 'm'));
    });

    test('a tenant weighs as much as the operator says', async () => {
        const made = await platform.harkara.json('tenant', 'create', '--name', 'Heavy');
        assert.equal(made.send_weight, 100);
        for (const weight of ['0', '10001', '-1', 'much', ''])
            assert.notEqual((await cli('tenant', 'weigh', made.slug, `--weight=${weight}`)).code, 0, weight);
        assert.notEqual((await cli('tenant', 'weigh', 'nobody-of-that-name', '--weight', '5')).code, 0);
        assert.equal((await platform.harkara.json('tenant', 'weigh', made.id, '--weight', '300')).send_weight, 300);
        const listed = (await platform.harkara.json('tenant', 'list')).find(({ id }) => id === made.id);
        assert.equal(listed.send_weight, 300);
    });

    test('a key works until it is revoked', async () => {
        const shop = await platform.workspace({ channel: false });
        const { code, stdout } = await cli('key', 'create', '--tenant', shop.slug, '--name', 'First', '--scope', 'messages:read', '--expires', '90d', '--cidr', '127.0.0.0/8');
        assert.equal(code, 0);
        assert.match(stdout, /^hk_live_[0-9a-z]{26}_\S{43}\n$/, 'nothing but the key, to be piped');
        const key = stdout.trim(), id = `key_${key.split('_')[2]}`;
        const client = new Client(platform.url, key);
        await client.must(200, 'GET', '/v1/messages');
        await client.must(403, 'GET', '/v1/channels');
        const [listed] = (await platform.harkara.json('key', 'list', '--tenant', shop.tenant)).filter((found) => found.id === id);
        assert.equal(listed.last_four, key.slice(-4));
        assert.deepEqual(listed.scopes, ['messages:read']);
        assert.ok(!JSON.stringify(listed).includes(key.slice(-43, -31)));
        assert.equal((await cli('key', 'revoke', '--tenant', shop.slug, id)).code, 0);
        await until(async () => (await client.call('GET', '/v1/messages')).json.code === 'key-revoked', 'the key to be refused');
        assert.equal((await cli('key', 'revoke', '--tenant', shop.slug, id)).code, 0, 'again is harmless');
    });

    test('what is not there or not allowed has its own exit code', async () => {
        const shop = await platform.workspace({ channel: false }), other = await platform.workspace({ channel: false });
        const create = ['key', 'create', '--tenant', shop.slug, '--name', 'x', '--scope', 'all'];
        for (const [words, code] of /** @type {[string[], number][]} */ ([
            [['key', 'list', '--tenant', 'nobody'], 67], [['key', 'list', '--tenant', `ten_${'0'.repeat(26)}`], 67],
            [['key', 'revoke', '--tenant', shop.slug, 'nonsense'], 67], [['key', 'revoke', '--tenant', shop.slug, other.keyId], 67],
            [[...create, '--cidr', '10.0.0.1/8'], 65], [[...create, '--expires', 'soon'], 65], [[...create, '--expires', '2020-01-01T00:00:00Z'], 65],
            [[...create, '--mode', 'dead'], 65], [[...create.slice(0, -1), 'everything'], 65], [create, 0],
        ]))
            assert.equal((await cli(...words)).code, code, words.join(' '));
        await other.client.must(200, 'GET', '/v1/messages'); /* a foreign tenant's revoke changed nothing */
    });

    test('a command that comes while the vault is started again waits for it', async () => {
        const [vault] = await platform.pids('vault');
        process.kill(vault, 'SIGKILL');
        const made = await platform.harkara.json('tenant', 'create', '--name', 'Patience');
        assert.match(made.id, /^ten_/);
    });

    test('another user is refused, and told why', { skip: process.getuid?.() !== 0 }, () => {
        const env = { HARKARA_STATE_DIR: platform.options.stateDir, HARKARA_RUN_DIR: platform.options.runDir };
        for (const words of [['tenant', 'list'], ['tenant', 'create', '--name', 'x'], ['status']]) {
            const run = spawnSync(platform.harkara.child.spawnfile, words, { env, uid: 65534, gid: 65534, encoding: 'utf8' });
            assert.ok([69, 77].includes(Number(run.status)), `${words.join(' ')}: ${run.status} ${run.stderr}`);
            assert.notEqual(run.stderr, '');
        }
    });
});

describe('the master key', () => {
    const kek = 'c0ffee5eed'.repeat(7).slice(0, 64);

    test('comes from the environment, and is nowhere to be seen afterwards', async () => {
        const state = path.join(platform.folder, 'by-environment');
        mkdirSync(state, { mode: 0o711 });
        const options = { ...platform.options, stateDir: state, runDir: path.join(state, 'run'), port: await freePort(), args: [], logFile: path.join(platform.folder, 'by-environment.log') };
        const server = await startHarkara({ ...options, env: { ...platform.options.env, MASTER_KEK: kek } });
        try {
            await server.ready();
            await until(async () => (await server.status()).state === 'ready', 'everything to serve');
            const { processes } = await server.status();
            for (const pid of [server.child.pid, ...processes.map((process) => process.pid)]) {
                assert.ok(!readFileSync(`/proc/${pid}/environ`, 'latin1').includes(kek.slice(0, 16)), `environment of ${pid}`);
                assert.ok(!readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(kek.slice(0, 16)));
            }
            assert.ok(!readFileSync(options.logFile, 'utf8').includes(kek.slice(0, 16)));
            await server.json('tenant', 'create', '--name', 'Sealed');
        } finally {
            await server.stop();
        }
        /* Without any, with another one, with one that is none: refused with 78, and it says why. */
        for (const [env, wanted] of /** @type {[Record<string, string>, RegExp][]} */ ([
            [{}, /there is no master key, and this database was sealed with one/],
            [{ MASTER_KEK: 'ab'.repeat(31) + 'cd' }, /is not the one that this database was sealed with/],
            [{ MASTER_KEK: 'correct horse battery staple' }, /must be 64 hexadecimal digits/],
            [{ MASTER_KEK: '0'.repeat(64) }, /must be 64 hexadecimal digits/],
        ])) {
            const logFile = path.join(platform.folder, `refused-${Object.values(env)[0]?.length ?? 0}.log`);
            const refused = await startHarkara({ ...options, logFile, env: { ...platform.options.env, ...env } });
            assert.equal((/** @type {any} */ (await refused.ended)).code, 78);
            const log = readFileSync(logFile, 'utf8');
            assert.match(log, wanted);
            if (env.MASTER_KEK !== undefined)
                assert.ok(!log.includes(env.MASTER_KEK.slice(0, 16)));
        }
        /* The same key as 32 octets in a file. */
        const file = path.join(platform.folder, 'raw.kek');
        writeFileSync(file, Buffer.from(kek, 'hex'), { mode: 0o400 });
        const again = await startHarkara({ ...options, env: { ...platform.options.env, HARKARA_MASTER_KEK_FILE: file } });
        await again.ready();
        await again.json('tenant', 'create', '--name', 'Sealed again');
        /* A closed terminal stops it in order; so does one Ctrl-C that comes as two signals. */
        again.child.kill('SIGINT');
        assert.deepEqual(await again.stop('SIGHUP'), { code: 0, signal: null });
        const said = readFileSync(options.logFile, 'utf8');
        assert.match(said, /"event":"supervisor.stopped"/);
        assert.doesNotMatch(said, /supervisor.stopping_hard/);
    });
});

describe('where little memory may be locked', () => {
    const isRoot = process.getuid?.() === 0;
    /** Root is not bound by the limit, unless it lacks the capability, as in a container. @param {number} bytes */
    const limited = (bytes) => ['prlimit', `--memlock=${bytes}:${bytes}`, ...(isRoot ? ['setpriv', '--bounding-set', '-ipc_lock', '--inh-caps', '-ipc_lock'] : [])];
    /** @param {string} name @param {number} bytes @param {Record<string, string>} more */
    async function start(name, bytes, more = {}) {
        const state = path.join(platform.folder, name);
        mkdirSync(state, { mode: 0o711 });
        const env = { ...platform.options.env, ...more };
        const logFile = path.join(platform.folder, `${name}.log`);
        return { logFile, server: await startHarkara({ ...platform.options, stateDir: state, runDir: path.join(state, 'run'), port: await freePort(), logFile, env, through: limited(bytes) }) };
    }

    test('nothing starts, and it says how much is missing', async () => {
        for (const [bytes, wanted] of [[65536, 256], [1 << 20, 6144]]) {
            const { server, logFile } = await start(`limit-${bytes}`, bytes, { HARKARA_UNLOCKED_SECRETS: '0' });
            assert.equal((/** @type {any} */ (await server.ended)).code, 78);
            assert.match(readFileSync(logFile, 'utf8'), new RegExp(`harkara: ${wanted} KiB of memory must be locked for secrets, .*ulimit -l.*HARKARA_UNLOCKED_SECRETS`));
        }
    });

    test('where that is allowed it starts without, and says so', async () => {
        const { server, logFile } = await start('limit-allowed', 1 << 20, { HARKARA_UNLOCKED_SECRETS: '1' });
        try {
            await server.ready();
            await until(async () => (await server.status()).state === 'ready', 'everything to serve');
            const kinds = Object.fromEntries((await server.status()).processes.map(({ role, memory }) => [role, memory]));
            assert.deepEqual([kinds.gateway, kinds.dispatcher, kinds.webhooks], ['unlocked', 'unlocked', 'unlocked']);
            assert.match(kinds.vault, /^(memfd_secret|mlock)$/); /* what fits is locked all the same */
            assert.match(readFileSync(logFile, 'utf8'), /"role":"gateway","event":"role.memory_unlocked","bytes":6291456/);
        } finally {
            await server.stop();
        }
    });
});

describe('files that are replaced', () => {
    test('processes that read the trusted authorities are started anew, in peace', async () => {
        const state = path.join(platform.folder, 'replaced');
        mkdirSync(state, { mode: 0o711 });
        const authorities = path.join(platform.folder, 'ca.pem');
        writeFileSync(authorities, readFileSync('/etc/ssl/certs/ca-certificates.crt'), { mode: 0o644 });
        const server = await startHarkara({ ...platform.options, stateDir: state, runDir: path.join(state, 'run'), port: await freePort(), logFile: path.join(platform.folder, 'replaced.log'),
            env: { ...platform.options.env, HARKARA_CA_FILE: authorities } });
        try {
            await server.ready();
            await until(async () => (await server.status()).state === 'ready', 'everything to serve');
            const pids = async () => Object.fromEntries((await server.status()).processes.map(({ role, pid }) => [role, pid]));
            const first = await pids();
            writeFileSync(`${authorities}.new`, readFileSync(authorities), { mode: 0o644 });
            renameSync(`${authorities}.new`, authorities);
            await until(async () => {
                const now = await server.status();
                return now.state === 'ready' && now.processes.every(({ role, pid }) => pid > 0 && (['dispatcher', 'webhooks', 'smsc'].includes(role) === (pid !== first[role])));
            }, 'dispatcher, webhooks and smsc to be started anew, and nobody else');
            const ended = (await server.status()).processes.filter(({ restarts }) => restarts > 0);
            assert.deepEqual(ended.map(({ role, last_end: how, last_end_number: number }) => [role, how, number]), [['dispatcher', 'exit', 0], ['webhooks', 'exit', 0], ['smsc', 'exit', 0]]);
        } finally {
            await server.stop();
        }
    });
});
