// @ts-check
/**
 * Starts a whole platform for a person or a test to work with: the simulated Graph API and `harkara serve` beside it,
 * each as a child that dies with us. Nothing here knows how Harkara works inside: it is driven by its command line.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** Where the ports begin that the system gives to connections which go out. */
function firstOutgoingPort() {
    try {
        return Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/)[0]);
    } catch {
        return 32768;
    }
}

/** Given before by this process: who got one may not have bound it yet, or may want it back. @type {Set<number>} */
const given = new Set();

/**
 * Claims a port against other processes that ask here: by a unix socket without a file, of which there is one of each name. It is
 * kept for as long as this process lives. @param {number} port @returns {Promise<boolean>}
 */
async function claim(port) {
    if (given.has(port))
        return true;
    const mark = net.createServer();
    const isOurs = await new Promise((resolve) => {
        mark.once('error', () => resolve(false));
        mark.listen(`\0harkara-port-${port}`, () => resolve(true));
    });
    mark.unref();
    if (isOurs)
        given.add(port);
    return isOurs;
}

/**
 * A TCP port of the loopback that is free now; `wanted` if it is. It is none that an outgoing connection may be given, and none that
 * was given here to another process, even for a look: so it is still free when a server binds it later, or again.
 * @param {number} [wanted] @returns {Promise<number>}
 */
export async function freePort(wanted = 0) {
    const top = firstOutgoingPort(), low = Math.max(1025, Math.min(10_000, top - 20_000));
    if (wanted !== 0 && await claim(wanted) && await bindable(wanted))
        return wanted;
    for (let tries = 0; tries < 200; tries++) {
        const port = low + Math.floor(Math.random() * (Math.max(top, low + 1000) - low));
        if (!given.has(port) && await claim(port) && await bindable(port))
            return port;
    }
    throw new Error('no free port');
}

/** @param {number} port @returns {Promise<boolean>} */
function bindable(port) {
    const server = net.createServer();
    return new Promise((resolve) => {
        server.once('error', () => resolve(false));
        server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
}

/**
 * Waits until `look` gives something; says what was waited for. The limit only ends a wait for what never comes: it is long, since a
 * machine may be busy. @template T @param {() => T | Promise<T>} look
 */
export async function until(look, what = 'a condition', timeoutMs = 90_000) {
    const end = Date.now() + timeoutMs;
    for (;;) {
        const found = await look();
        if (found)
            return found;
        if (Date.now() > end)
            throw new Error(`waited ${timeoutMs} ms for ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 25));
    }
}

/** One JSON request. @param {string} url @param {{method?: string, body?: unknown, headers?: Record<string, string>}} [options] */
export async function request(url, { method = 'GET', body, headers = {} } = {}) {
    const response = await fetch(url, {
        method,
        headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, text, json: isJson && text !== '' ? JSON.parse(text) : null };
}

/** One request over a unix socket. @param {string} socketPath @param {string} target */
export function requestUnix(socketPath, target) {
    return new Promise((resolve, reject) => {
        const call = http.get({ socketPath, path: target, headers: { host: 'admin' } }, (response) => {
            let text = '';
            response.setEncoding('utf8');
            response.on('data', (part) => (text += part));
            response.on('end', () => resolve({ status: response.statusCode, text }));
        });
        call.on('error', reject);
    });
}

/** A child whose first line of output says that it is ready, as JSON. */
async function startChild(command, args, { env, log, readyFromStdout }) {
    const child = spawn(command, args, { env, stdio: ['pipe', readyFromStdout ? 'pipe' : log, log] });
    const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    child.once('error', () => {});
    return { child, ended };
}

/** The simulated Graph API. @param {{args?: string[], log: import('node:fs').WriteStream}} options */
export async function startSandbox({ args = [], log }) {
    const { child, ended } = await startChild(process.execPath, [path.join(ROOT, 'sandbox/graph/main.js'), '--follow-stdin', ...args],
        { env: process.env, log, readyFromStdout: true });
    const ready = await new Promise((resolve, reject) => {
        let text = '';
        /** @type {import('node:stream').Readable} */ (child.stdout).on('data', (part) => {
            text += part;
            if (text.includes('\n'))
                resolve(JSON.parse(text.slice(0, text.indexOf('\n'))));
        });
        void ended.then(({ code }) => reject(new Error(`the sandbox ended with ${code}`)));
    });
    return {
        ...ready,
        child,
        /** @param {string} method @param {string} target @param {unknown} [body] */
        control: (method, target, body) => request(`${ready.url}/_sandbox${target}`, { method, body }),
        async stop() {
            child.kill('SIGTERM');
            await ended;
        },
    };
}

/**
 * `harkara serve` with its own state and sockets; `through`: a command that starts it, such as prlimit.
 * @param {{build: string, stateDir: string, runDir: string, port: number, env?: Record<string, string>,
 *          args?: string[], through?: string[], logFile: string, readyTimeoutMs?: number}} options
 */
export async function startHarkara({ build, stateDir, runDir, port, env = {}, args = ['--init-kek'], through = [], logFile, readyTimeoutMs = 90_000 }) {
    mkdirSync(path.dirname(logFile), { recursive: true });
    const log = createWriteStream(logFile, { flags: 'a' });
    await new Promise((resolve) => log.once('open', resolve));
    const settings = {
        PATH: process.env.PATH ?? '/usr/bin:/bin',
        HARKARA_STATE_DIR: stateDir,
        HARKARA_RUN_DIR: runDir,
        HARKARA_LISTEN: `127.0.0.1:${port}`,
        HARKARA_PUBLIC_URL: `http://127.0.0.1:${port}`,
        ...env,
    };
    const program = path.join(build, 'src/program/harkara/harkara');
    const [command, ...before] = [...through, program];
    const { child, ended } = await startChild(command, [...before, 'serve', ...args], { env: settings, log, readyFromStdout: false });
    const url = `http://127.0.0.1:${port}`;
    /** @type {{code: number | null, signal: string | null} | null} */
    let exit = null;
    void ended.then((how) => { exit = /** @type {any} */ (how); });
    const harkara = {
        url,
        child,
        stateDir,
        runDir,
        adminSocket: path.join(runDir, 'admin.sock'),
        get exit() { return exit; },
        ended,
        /** Runs the command line with the same settings. @param {...string} words */
        async cli(...words) {
            const run = spawn(program, words, { env: settings, stdio: ['ignore', 'pipe', 'pipe'] });
            let stdout = '', stderr = '';
            run.stdout.on('data', (part) => (stdout += part));
            run.stderr.on('data', (part) => (stderr += part));
            const code = await new Promise((resolve) => run.once('close', resolve));
            return { code, stdout, stderr };
        },
        /** As cli, with --json, and it must succeed. @param {...string} words */
        async json(...words) {
            const { code, stdout, stderr } = await harkara.cli(...words, '--json');
            if (code !== 0)
                throw new Error(`harkara ${words.slice(0, 2).join(' ')} ended with ${code}: ${stderr}`);
            return JSON.parse(stdout);
        },
        /** What runs. The command itself fails while something does not: that is for the caller to judge. */
        async status() {
            const { stdout, stderr } = await harkara.cli('status', '--json');
            try {
                return JSON.parse(stdout);
            } catch {
                throw new Error(`harkara status said ${stdout} ${stderr}`);
            }
        },
        async ready() {
            await until(async () => {
                if (exit !== null)
                    throw new Error(`harkara serve ended with ${exit.code ?? exit.signal}: see ${logFile}`);
                return fetch(`${url}/readyz`).then((response) => response.ok, () => false);
            }, 'harkara to be ready', readyTimeoutMs);
        },
        /** @param {NodeJS.Signals} [signal] */
        async stop(signal = 'SIGTERM') {
            child.kill(signal);
            return ended;
        },
    };
    return harkara;
}

/** Where the programs were built. */
export function buildFolder(given = process.env.HARKARA_BUILD) {
    const build = path.resolve(given ?? path.join(ROOT, 'build/run'));
    if (!existsSync(path.join(build, 'src/program/harkara/harkara')))
        throw new Error(`nothing is built in ${build}: run "make build" first`);
    return build;
}

/** A tenant's endpoint that keeps what it was sent. */
export async function startReceiver({ port = 0 } = {}) {
    /** @type {{headers: http.IncomingHttpHeaders, body: string, at: number, path: string}[]} */
    const received = [];
    const receiver = {
        received,
        url: '',
        /** Chooses the answer. @type {(delivery: {headers: http.IncomingHttpHeaders, body: string}) => number | {status: number, headers?: Record<string, string>}} */
        answer: () => 204,
        events: () => received.map(({ body }) => JSON.parse(body)),
        server: http.createServer((incoming, outgoing) => {
            /** @type {Buffer[]} */
            const parts = [];
            incoming.on('data', (part) => parts.push(part));
            incoming.on('end', () => {
                const delivery = { headers: incoming.headers, body: Buffer.concat(parts).toString(), at: Date.now(), path: incoming.url ?? '' };
                received.push(delivery);
                const answer = receiver.answer(delivery);
                const { status, headers = {} } = typeof answer === 'number' ? { status: answer } : answer;
                outgoing.writeHead(status, headers).end();
            });
        }),
        stop() {
            receiver.server.close();
            receiver.server.closeAllConnections();
        },
    };
    await new Promise((resolve) => receiver.server.listen(port, '127.0.0.1', () => resolve(null)));
    receiver.url = `http://127.0.0.1:${/** @type {net.AddressInfo} */ (receiver.server.address()).port}/hooks/harkara`;
    return receiver;
}
