// @ts-check
/** The peers of bench/peers, for the bench to drive: their Redis, their database in the platform's cluster, their processes. */
import { spawn } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { linesOf, openSql } from './platform.js';

const FOLDER = path.join(path.dirname(fileURLToPath(import.meta.url)), 'peers');
export const KINDS = /** @type {const} */ (['bullmq', 'pg-boss']);

/** Whether their packages are there: only `make bench` installs them. */
export const isInstalled = () => existsSync(path.join(FOLDER, 'node_modules/bullmq'));

/** A child that ends with its standard input and prints a line when it is ready. @param {string} command @param {string[]} words */
function startChild(command, words, env = {}) {
    const child = spawn(command, words, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, NODE_ENV: 'production', ...env } });
    return { child, nextLine: linesOf(child) };
}

/** @typedef {{tenant: string, key: string, number: import('./platform.js').Sender}} PeerWorkspace */

/** Redis and the database that the peers share. */
export class PeerStores {
    /** @param {import('./platform.js').Platform} platform @param {string} fsync everysec or always */
    constructor(platform, fsync) {
        this.platform = platform;
        this.fsync = fsync;
        this.socket = path.join(platform.folder, 'redis.sock');
        /** @type {import('node:child_process').ChildProcess | null} */
        this.redis = null;
        /** @type {ReturnType<typeof openSql> | null} */
        this.openedSql = null;
    }

    get sql() { return /** @type {ReturnType<typeof openSql>} */ (this.openedSql); }
    get cluster() { return /** @type {{socketFolder: string, password: string}} */ (this.platform.cluster); }

    async start() {
        this.redis = spawn('redis-server', ['--port', '0', '--unixsocket', this.socket, '--dir', this.platform.folder, '--save', '',
            '--appendonly', 'yes', '--appendfsync', this.fsync, '--maxmemory-policy', 'noeviction', '--daemonize', 'no'], { stdio: ['ignore', 'ignore', 'inherit'] });
        const end = performance.now() + 30_000;
        while (!existsSync(this.socket)) {
            if (this.redis.exitCode !== null || performance.now() > end)
                throw new Error('redis-server does not start');
            await new Promise((resolve) => setTimeout(resolve, 20));
        }
        await this.platform.sql.run('create database harkara_peers');
        this.openedSql = openSql(this.cluster.socketFolder, this.cluster.password, 'harkara_peers');
        await this.sql.run(readFileSync(path.join(FOLDER, 'schema.sql'), 'utf8'));
        await this.sql.run('grant create on database harkara_peers to harkara_peer; set search_path = peer');
        const [workspace, hooked] = [await this.makeWorkspace(1), await this.makeWorkspace(2)];
        const receiver = /** @type {any} */ (this.platform.receiver), secret = randomBytes(24).toString('base64');
        await this.sql.run(`insert into webhook_endpoint values ('${randomUUID()}', '${hooked.tenant}', '${receiver.url}/hooks/peer', '${secret}')`);
        receiver.tell(`secret /hooks/peer ${secret}`);
        return { workspace, hooked };
    }

    /** @param {number} n @returns {Promise<PeerWorkspace>} */
    async makeWorkspace(n) {
        const tenant = randomUUID(), key = `peer_${randomBytes(32).toString('base64url')}`;
        const number = { channel: randomUUID(), phoneNumberId: `10655${String(n).padStart(10, '0')}`, accountId: `10230${String(n).padStart(10, '0')}`, secret: randomBytes(16).toString('hex') };
        await this.sql.run(`insert into tenant values ('${tenant}', 'Peer');
            insert into api_key values ('\\x${createHash('sha256').update(key).digest('hex')}', '${tenant}');
            insert into channel values ('${number.channel}', '${tenant}', '${number.phoneNumberId}', 'EAA${randomBytes(24).toString('hex')}', '${number.secret}')`);
        return { tenant, key, number };
    }

    async stop() {
        await this.openedSql?.close();
        this.openedSql = null;
        if (this.redis !== null && this.redis.exitCode === null) {
            const ended = new Promise((resolve) => this.redis?.once('exit', resolve));
            this.redis.kill('SIGTERM');
            await ended;
        }
        this.redis = null;
    }
}

/** One API process and one worker process, as such services run them; they stay up for the whole bench, warm. */
export class Peer {
    /** @param {PeerStores} stores @param {typeof KINDS[number]} kind @param {PeerWorkspace} workspace @param {PeerWorkspace} hooked whose statuses are webhooks */
    constructor(stores, kind, workspace, hooked) {
        this.stores = stores;
        this.kind = kind;
        this.workspace = workspace;
        this.hooked = hooked;
    }

    async start() {
        const { stores } = this;
        const env = { PEER_QUEUE: this.kind, PEER_REDIS: stores.socket, PEER_PGHOST: stores.cluster.socketFolder, PEER_PGPASSWORD: stores.cluster.password,
            PEER_PROVIDER: /** @type {any} */ (stores.platform.provider).url };
        this.api = startChild(process.execPath, [path.join(FOLDER, 'api.js')], env);
        const { port } = JSON.parse(await this.api.nextLine());
        this.url = `http://127.0.0.1:${port}`;
        this.worker = startChild(process.execPath, [path.join(FOLDER, 'worker.js')], env);
        await this.worker.nextLine();
    }

    /** Who of it costs what. @returns {import('./machine.js').Roles} */
    get roles() {
        const pid = (child) => (child === undefined ? [] : [/** @type {number} */ (child.pid)]);
        return new Map([['api', pid(this.api?.child)], ['worker', pid(this.worker?.child)], ['redis', this.stores.redis === null ? [] : pid(this.stores.redis)]]);
    }

    /** @param {'pause' | 'resume' | 'clear'} command */
    async tell(command) {
        const worker = /** @type {NonNullable<typeof this.worker>} */ (this.worker);
        worker.child.stdin?.write(`${command}\n`);
        if (await worker.nextLine() !== 'ok')
            throw new Error(`the peer's worker did not ${command}`);
    }

    /** Empty tables and queues; nothing is sent until it is told to. */
    async clear() {
        await this.tell('pause');
        await this.tell('clear');
        await this.stores.sql.run('truncate message, message_event, idempotency_key, webhook_delivery');
    }

    /** How many messages it has, and how many of them have this status or a later one. */
    async count(status = 'sent') {
        const rank = { accepted: 0, sent: 1, delivered: 2, read: 3 }[status];
        const [total, at] = (await this.stores.sql.run(`select count(*), count(*) filter (where status_rank >= ${rank}) from message`))[0].split('|').map(Number);
        return { total, at };
    }

    async stop() {
        for (const { child } of [this.api, this.worker].filter((each) => each !== undefined)) {
            if (child.exitCode !== null)
                continue;
            const ended = new Promise((resolve) => child.once('exit', resolve));
            child.stdin?.end();
            await ended;
        }
        this.api = this.worker = undefined;
    }
}
