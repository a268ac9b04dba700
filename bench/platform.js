// @ts-check
/** The platform that is measured: a release build on its embedded PostgreSQL, workspaces, and the cheapest provider. */
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { freePort, request, startHarkara } from '../sandbox/demo/platform.js';

const SCOPES = ['messages:send', 'messages:read', 'channels:read', 'channels:manage', 'webhooks:manage', 'settings:manage', 'keys:manage'];
const HOOKED_EVENTS = ['message.sent', 'message.delivered', 'message.read'];
const ADMINISTRATOR = 'postgres';

/** Lines of a child's standard output. @param {import('node:child_process').ChildProcess} child */
export function linesOf(child) {
    /** @type {string[]} */
    const lines = [];
    /** @type {((line: string) => void)[]} */
    const waiting = [];
    /** @type {((error: Error) => void)[]} */
    const refused = [];
    let rest = '', isOver = false;
    child.stdout?.setEncoding('utf8').on('data', (part) => {
        const parts = (rest + part).split('\n');
        rest = /** @type {string} */ (parts.pop());
        for (const line of parts) {
            const take = waiting.shift();
            refused.shift();
            if (take === undefined)
                lines.push(line);
            else
                take(line);
        }
    });
    child.once('close', () => {
        isOver = true;
        refused.splice(0).forEach((refuse) => refuse(new Error(`${child.spawnfile} ended`)));
    });
    return () => new Promise((/** @type {(line: string) => void} */ resolve, reject) => {
        const line = lines.shift();
        if (line !== undefined)
            resolve(line);
        else if (isOver)
            reject(new Error(`${child.spawnfile} ended`));
        else {
            waiting.push(resolve);
            refused.push(reject);
        }
    });
}

/** A program of ours that prints one line of JSON and ends. @param {string} program @param {string[]} words @param {Record<string, string>} [env] */
export async function runForJson(program, words, env = {}) {
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH ?? '', ...env } });
    let out = '', complaint = '';
    child.stdout.on('data', (part) => (out += part));
    child.stderr.on('data', (part) => (complaint += part));
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0)
        throw new Error(`${path.basename(program)} ended with ${code}: ${complaint.trim()}`);
    return JSON.parse(out);
}

/** A superuser's psql that stays open: past row-level security, to prepare and to look. */
export function openSql(socketFolder, password, database) {
    const child = spawn('psql', ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', socketFolder, '-U', ADMINISTRATOR, '-d', database],
        { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, PGPASSWORD: password, PGOPTIONS: '-c search_path=harkara -c client_min_messages=warning' } });
    const nextLine = linesOf(child);
    return {
        /** Runs SQL; gives the rows, columns parted by |. @param {string} text */
        async run(text) {
            child.stdin.write(`${text};\n\\echo :::end\n`);
            const rows = [];
            for (let line; (line = await nextLine()) !== ':::end';)
                rows.push(line);
            return rows;
        },
        /** @param {string} text */
        async number(text) {
            return Number((await this.run(text))[0]);
        },
        async close() {
            child.stdin.end('\\q\n');
            await new Promise((resolve) => (child.exitCode === null ? child.once('close', resolve) : resolve(null)));
        },
    };
}

/**
 * A program of ours that prints {"port": ...} when it listens, and what it did when its standard input has ended.
 * @param {string} program @param {string[]} words @param {Record<string, string>} [env]
 */
export async function startServer(program, words, env = {}) {
    const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'], env: { PATH: process.env.PATH ?? '', ...env } });
    const nextLine = linesOf(child);
    const { port } = JSON.parse(await nextLine());
    return {
        url: `http://127.0.0.1:${port}`,
        pid: /** @type {number} */ (child.pid),
        /** A command that is not answered. @param {string} command */
        tell(command) { child.stdin.write(`${command}\n`); },
        /** What it did so far. */
        async count() {
            child.stdin.write('count\n');
            return JSON.parse(await nextLine());
        },
        /** Of messages that say when they were due; forgotten with it. */
        async latency() {
            child.stdin.write('latency\n');
            return JSON.parse(await nextLine());
        },
        async stop() {
            child.stdin.end();
            return JSON.parse(await nextLine());
        },
    };
}

/** @typedef {{channel: string, phoneNumberId: string, accountId: string, secret: string}} Sender, as the provider knows it */
/** @typedef {{id: string, key: string, channels: string[], numbers: Sender[]}} Workspace */

export class Platform {
    /** @param {string} build @param {Record<string, string>} env */
    constructor(build, env = {}) {
        this.build = build;
        this.env = env;
        this.folder = process.env.HARKARA_BENCH_FOLDER ?? mkdtempSync(path.join(tmpdir(), 'harkara-bench-'));
        chmodSync(this.folder, 0o755); /* the roles' own users pass through it */
        this.stateDir = path.join(this.folder, 'state');
        this.runDir = path.join(this.folder, 'run');
        /** @type {Awaited<ReturnType<typeof startHarkara>> | null} */
        this.harkara = null;
        /** @type {Awaited<ReturnType<typeof startServer>> | null} */
        this.provider = null;
        /** @type {Awaited<ReturnType<typeof startServer>> | null} */
        this.receiver = null;
        this.workspaceCount = this.numberCount = this.port = 0;
        this.before = '0'; /* xid of the last message that was accepted before the last clear */
        /** @type {ReturnType<typeof openSql> | null} */
        this.openedSql = null;
        /** @type {{socketFolder: string, password: string} | null} */
        this.cluster = null;
        /** @type {Workspace[]} */
        this.workspaces = [];
        /** @type {Workspace | null} whose statuses are webhooks */
        this.hooked = null;
        /** What SMS is measured with. @type {{operator: import('./sms.js').Operator, workspace: Awaited<ReturnType<typeof import('./sms.js').connectSms>>, kannel: import('./sms.js').Kannel | null} | null} */
        this.sms = null;
        /** @type {import('./machine.js').Roles} */
        this.roles = new Map();
    }

    get url() { return /** @type {any} */ (this.harkara).url; }
    get sql() { return /** @type {ReturnType<typeof openSql>} */ (this.openedSql); }
    program(name) { return path.join(this.build, 'bench', name); }

    /** Starts the provider and the platform; gives the milliseconds from the start to the first good /readyz. */
    async start() {
        this.provider ??= await startServer(this.program('provider'), []);
        this.receiver ??= await startServer(this.program('receiver'), []);
        this.port = this.port || await freePort();
        const began = performance.now();
        this.harkara = await startHarkara({
            build: this.build, stateDir: this.stateDir, runDir: this.runDir, port: this.port, logFile: path.join(this.folder, 'harkara.log'),
            env: { HARKARA_GRAPH_URL: this.provider.url, HARKARA_WEBHOOK_ALLOW: '127.0.0.0/8', ...this.env },
        });
        for (;;) {
            if (this.harkara.exit !== null)
                throw new Error(`harkara serve ended:\n${this.log()}`);
            if (await fetch(`${this.url}/readyz`).then((answer) => answer.ok, () => false))
                break;
            if (performance.now() - began > 90_000)
                throw new Error(`harkara is not ready:\n${this.log()}`);
            await new Promise((resolve) => setTimeout(resolve, 5));
        }
        const ms = performance.now() - began;
        /* /readyz speaks of the gateway: the others may be a moment behind it, and the command fails until all serve. */
        const status = await this.harkara.json('status', '--wait', '90');
        this.roles = new Map([['supervisor', [status.pid]]]);
        for (const { role, pid } of status.processes)
            this.roles.set(role, [...(this.roles.get(role) ?? []), pid]);
        this.roles.set('postgres', [Number(readFileSync(path.join(this.stateDir, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0])]);
        return ms;
    }

    /** The peers and the bench itself connect too: more connections than the platform's own, from the next start on. */
    configureCluster(countsStatements = false) {
        writeFileSync(path.join(this.stateDir, 'postgres/local.conf'), `max_connections = 200\n${countsStatements ? "shared_preload_libraries = 'pg_stat_statements'\n" : ''}`);
    }

    /** The last lines of its log. */
    log() {
        return readFileSync(path.join(this.folder, 'harkara.log'), 'utf8').trimEnd().split('\n').slice(-15).join('\n');
    }

    /** Connects as the superuser, and makes the database that `ceiling` fills: ours again, with nobody at work in it. */
    async prepare(tenants) {
        const socket = execFileSync('find', [this.runDir, this.stateDir, '-name', '.s.PGSQL.*', '!', '-name', '*.lock']).toString().trim();
        const password = readFileSync(path.join(this.stateDir, 'postgres-password'), 'utf8').trim();
        this.cluster = { socketFolder: path.dirname(socket), password };
        this.ceilingDatabase = `host=${path.dirname(socket)} user=${ADMINISTRATOR} password=${password} dbname=harkara_ceiling`;
        this.openedSql = openSql(path.dirname(socket), password, 'harkara');
        await this.sql.run('create database harkara_ceiling');
        this.ceilingSql = openSql(path.dirname(socket), password, 'harkara_ceiling');
        await runForJson(this.program('ceiling'), ['--prepare', '--tenants', String(tenants)], { CEILING_DATABASE: this.ceilingDatabase });
    }

    /** @param {number} count workspaces @param {number} channels of each */
    async makeWorkspaces(count, channels) {
        const harkara = /** @type {any} */ (this.harkara);
        /** @type {Workspace[]} */
        const made = [];
        for (let n = 0; n < count; n += 4)
            made.push(...await Promise.all(Array.from({ length: Math.min(4, count - n) }, async () => {
                const slug = `bench-${this.workspaceCount++}`, tenant = await harkara.json('tenant', 'create', '--name', slug, '--slug', slug);
                const key = await harkara.json('key', 'create', '--tenant', tenant.id, '--name', 'Bench', ...SCOPES.flatMap((scope) => ['--scope', scope]));
                return { id: tenant.id, key: key.key, channels: /** @type {string[]} */ ([]), numbers: /** @type {Sender[]} */ ([]) };
            })));
        for (const workspace of made)
            for (let i = 0; i < channels; i++) {
                const digits = String(++this.numberCount).padStart(10, '0'), secret = randomBytes(16).toString('hex');
                const whatsapp = {
                    waba_id: `10229${digits}`, phone_number_id: `10654${digits}`, display_phone_number: `1555${digits.slice(3)}`,
                    access_token: `EAA${randomBytes(24).toString('hex')}`, app_secret: secret, verify_token: randomBytes(12).toString('hex'),
                };
                const { id } = await this.create('channels', workspace.key, { kind: 'whatsapp', name: 'Bench', whatsapp });
                workspace.channels.push(id);
                workspace.numbers.push({ channel: id, phoneNumberId: whatsapp.phone_number_id, accountId: whatsapp.waba_id, secret });
            }
        return made;
    }

    /** @param {string} what @param {string} key @param {unknown} body */
    async create(what, key, body) {
        const answer = await request(`${this.url}/v1/${what}`, { method: 'POST', headers: { authorization: `Bearer ${key}` }, body });
        if (answer.status !== 201)
            throw new Error(`${what}: answered with ${answer.status}: ${answer.text}`);
        return answer.json;
    }

    /** Promotional messages may go to everybody, at any hour: what they cost is measured. @param {Workspace} workspace */
    async promotes(workspace) {
        const body = { consent: { whatsapp: { promotional: 'unless-withdrawn' } }, quiet_hours: { enabled: false } };
        const answer = await request(`${this.url}/v1/settings/policy`, { method: 'PATCH', headers: { authorization: `Bearer ${workspace.key}` }, body });
        if (answer.status !== 200)
            throw new Error(`settings: answered with ${answer.status}: ${answer.text}`);
    }

    /** The statuses of a workspace's messages are webhooks to `receiver` from now on. @param {Workspace} workspace */
    async hook(workspace) {
        const receiver = /** @type {NonNullable<typeof this.receiver>} */ (this.receiver), path = `/hooks/${workspace.id}`;
        const { secret } = await this.create('webhook-endpoints', workspace.key, { url: `${receiver.url}${path}`, events: HOOKED_EVENTS });
        receiver.tell(`secret ${path} ${secret.replace('whsec_', '')}`);
    }

    /** The provider posts the statuses of what these numbers send, to this port, from now on. @param {{phoneNumberId: string, accountId: string, channel: string, secret: string}[]} numbers @param {string} url */
    setStatuses(numbers, url) {
        const file = path.join(this.folder, 'numbers');
        writeFileSync(file, numbers.map(({ phoneNumberId, accountId, channel, secret }) =>
            `${[phoneNumberId, accountId, new URL(url).port, `/callbacks/whatsapp/${channel}`, secret].join('\t')}\n`).join(''), { mode: 0o600 });
        this.provider?.tell(`statuses ${file}`);
    }

    /** A file of requests for `load`, kept beside the platform because it holds keys. @param {string} name @param {string[]} lines */
    requestsFile(name, lines) {
        const file = path.join(this.folder, `${name}.requests`);
        writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
        return file;
    }

    /** No message leaves while the lanes are closed: so that accepting is measured alone. @param {boolean} isOpen */
    async setLanes(isOpen) {
        await this.sql.run(`update dispatch_lane set is_open = ${isOpen}; select pg_notify('harkara_dispatch', '')`);
    }

    /**
     * Of a cluster in use, the log's files lie ready: checkpoints keep as many as it needs. A new one makes each while a commit waits for it, some
     * 50 ms a second under load. So as many as a checkpoint keeps are written, and kept.
     */
    async layLogAhead() {
        const files = Number(await this.sql.run("select setting::int / (select setting::int / 1024 / 1024 from pg_settings where name = 'wal_segment_size') from pg_settings where name = 'min_wal_size'"));
        for (let i = 0; i < files; i++)
            await this.sql.run("select pg_logical_emit_message(false, 'bench', ''); select pg_switch_wal()");
        await this.sql.run('checkpoint');
    }

    /**
     * An empty queue for the platform, empty tables for the ceiling. The platform's own tables grow: emptied ones have no
     * statistics, and what the planner makes of those says nothing of a platform that is in use.
     */
    async clear() {
        await this.sql.run('truncate dispatch_queue');
        await this.ceilingSql?.run('truncate message, event, dispatch_queue, idempotency_key, bare.message, bare.dispatch_queue, bare.idempotency_key');
        this.before = (await this.sql.run("select told_xid from message where told_xid is not null order by told_xid desc limit 1"))[0] || '0';
    }

    /** Messages since the last clear, and those of them that were sent: by the index of what was accepted, however many were there before. */
    async countNew() {
        const [total, sent] = (await this.sql.run(`select count(*), count(*) filter (where status = 'sent') from message where told_xid > '${this.before}'`))[0].split('|').map(Number);
        return { total, sent };
    }

    async stop() {
        await this.openedSql?.close();
        await this.ceilingSql?.close();
        this.openedSql = this.ceilingSql = null;
        if (this.harkara !== null && this.harkara.exit === null)
            await this.harkara.stop();
        this.harkara = null;
    }

    /** Ends everything and leaves nothing behind. */
    async remove() {
        await this.stop();
        await this.provider?.stop();
        await this.receiver?.stop();
        this.provider = this.receiver = null;
        if (process.env.HARKARA_TEST_KEEP === undefined)
            rmSync(this.folder, { recursive: true, force: true });
    }
}
