// @ts-check
/**
 * A PostgreSQL server of the test's own, which Harkara uses as an external one: behind a proxy, killed and started again by
 * the storm, on a file system of its own that can be filled, and with a clock that can be turned (libfaketime).
 */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { freePort, until } from '../integration/support.js';

const PROGRAMS = process.env.HARKARA_POSTGRES_BIN ?? '/usr/lib/postgresql/15/bin';
const DISK_MIB = 420;
const WAL_MIB_MAX = 96;
export const isRoot = process.getuid?.() === 0;

/** Where Debian keeps it; null: the clock cannot be turned here. */
export function faketimeLibrary() {
    const arch = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[process.arch] ?? '';
    const found = `/usr/lib/${arch}/faketime/libfaketime.so.1`;
    return existsSync(found) ? found : null;
}

/** A small file system on a folder, which root may mount; else the reason why not. @param {string} folder @returns {string|null} */
export function mountSmall(folder) {
    if (!isRoot)
        return 'only root can mount a small file system';
    try {
        execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m,mode=755`, 'harkara-chaos', folder], { stdio: ['ignore', 'ignore', 'pipe'] });
        return null;
    } catch (error) {
        return `no small file system could be mounted: ${String(/** @type {any} */ (error).stderr).trim()}`;
    }
}

/** @param {string} folder */
export function unmount(folder) {
    execFileSync('umount', ['-l', folder]);
}

/** A disk that is filled by a file and emptied by its removal. */
export class Disk {
    /** @param {string} folder */
    constructor(folder) {
        this.folder = folder;
        this.ballast = path.join(folder, 'ballast');
    }

    /** Leaves a few KiB. */
    fill() {
        const { bavail, bsize } = statfsSync(this.folder);
        try {
            execFileSync('fallocate', ['-l', String(Math.max(4096, bavail * bsize - 16384)), this.ballast], { stdio: 'ignore' });
        } catch {
            /* others wrote meanwhile: then it is full already */
        }
    }

    empty() {
        rmSync(this.ballast, { force: true });
    }
}

export class Database {
    /** @param {string} folder @param {{library: string|null}} options */
    constructor(folder, { library }) {
        this.folder = folder;
        this.data = path.join(folder, 'data');
        this.log = path.join(folder, 'server.log');
        this.clockFile = path.join(folder, 'clock');
        this.library = library;
        this.port = 0;
        /** @type {import('node:child_process').ChildProcess|null} */
        this.child = null;
        this.isWanted = false;
        this.starts = 0;
    }

    #user() {
        if (!isRoot)
            return {};
        const [uid, gid] = ['-u', '-g'].map((what) => Number(execFileSync('id', [what, 'harkara-postgres']).toString()));
        return { uid, gid };
    }

    async create() {
        const { uid, gid } = this.#user();
        mkdirSync(this.folder, { recursive: true });
        this.turnClock(0);
        if (uid !== undefined && gid !== undefined)
            execFileSync('chown', ['-R', `${uid}:${gid}`, this.folder]);
        execFileSync(path.join(PROGRAMS, 'initdb'), ['-D', this.data, '-A', 'trust', '-U', 'postgres', '-k', '--no-sync', '-E', 'UTF8', '--locale=C.UTF-8'], { stdio: 'ignore', cwd: '/', ...this.#user() });
        writeFileSync(path.join(this.data, 'postgresql.auto.conf'), [`unix_socket_directories = '${this.folder}'`, "listen_addresses = '127.0.0.1'",
            'max_connections = 60', 'shared_buffers = 32MB', `max_wal_size = ${WAL_MIB_MAX}MB`, 'min_wal_size = 32MB', 'wal_recycle = off', 'log_min_messages = warning',
            'tcp_keepalives_idle = 2', 'restart_after_crash = on', ''].join('\n'));
        this.port = await freePort();
        await this.start();
        for (const statement of ["create role harkara_dba login createrole password 'chaos'", 'create database harkara owner harkara_dba'])
            this.sql(statement, 'postgres');
    }

    /** Runs until stop; what kills it meanwhile does not keep it down. */
    async start() {
        this.isWanted = true;
        this.#spawn();
        await until(() => this.answers(), 'PostgreSQL to start', 60_000);
    }

    #spawn() {
        this.starts++;
        const out = openSync(this.log, 'a');
        const clock = this.library === null ? {} : { LD_PRELOAD: this.library, FAKETIME_TIMESTAMP_FILE: this.clockFile, FAKETIME_CACHE_DURATION: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_DONT_RESET: '1' };
        const child = spawn(path.join(PROGRAMS, 'postgres'), ['-D', this.data, '-p', String(this.port)],
            { stdio: ['ignore', out, out], cwd: '/', env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', ...clock }, ...this.#user() });
        this.child = child;
        child.once('exit', () => {
            if (this.isWanted && this.child === child)
                setTimeout(() => { if (this.isWanted && this.child === child) this.#spawn(); }, 300);
        });
    }

    /** Every process of the server at once, as when the machine's memory ran out. */
    kill() {
        const { pid } = this.child ?? {};
        if (pid === undefined)
            return 0;
        return signalAll(familyOf(pid), 'SIGKILL');
    }

    /** @param {number} seconds ahead of the true time */
    turnClock(seconds) {
        writeFileSync(this.clockFile, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}s\n`);
        chmodSync(this.clockFile, 0o644);
    }

    answers() {
        try {
            return this.sql('select 1', 'postgres') === '1';
        } catch {
            return false;
        }
    }

    /** As the superuser. @param {string} query @param {string} [name] */
    sql(query, name = 'harkara') {
        return execFileSync('psql', ['-X', '-q', '-A', '-t', '-h', this.folder, '-p', String(this.port), '-U', 'postgres', '-d', name, '-c', query],
            { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, PGCONNECT_TIMEOUT: '5' }, maxBuffer: 256 * 1024 * 1024 }).toString().trim();
    }

    async stop() {
        this.isWanted = false;
        const child = this.child;
        if (child === null || child.exitCode !== null || child.signalCode !== null)
            return;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGINT');
        await ended;
    }
}

/** A process and its children. @param {number} pid */
export function familyOf(pid) {
    return [pid, ...readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === pid).map(Number)];
}

/** @param {number[]} pids @param {NodeJS.Signals} signal @returns {number} how many were there to hear it */
export function signalAll(pids, signal) {
    let heard = 0;
    for (const pid of pids)
        try {
            process.kill(pid, signal);
            heard++;
        } catch {
            /* it ended by itself */
        }
    return heard;
}

/** @param {string} pid */
function parentOf(pid) {
    try {
        const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
        return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
    } catch {
        return 0;
    }
}
