// @ts-check
/** What SMS is measured with: the simulated operator of the sandbox, software that submits by SMPP, and Kannel beside us. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { freePort, request } from '../sandbox/demo/platform.js';
import { until } from './measure.js';
import { kannelConfig } from './peers/kannel.js';
import { linesOf, runForJson } from './platform.js';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
/** The same for both: links to the operator, and submits without an answer on each. */
export const LINKS = 2, WINDOW = 100;
const SECRET = 'bench', SENDER = 'HRKARA';
const BEARERBOX = '/usr/sbin/bearerbox', SMSBOX = '/usr/sbin/smsbox';

export const hasKannel = () => existsSync(BEARERBOX) && existsSync(SMSBOX);

/** A child that ends with us. @param {import('node:child_process').ChildProcess} child */
async function end(child) {
    if (child.exitCode !== null || child.signalCode !== null)
        return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    child.kill('SIGTERM');
    await ended;
    clearTimeout(timer);
}

/** The sandbox's message centre: each side submits to one of its own, of the same kind. It tells no receipts. */
export class Operator {
    constructor() {
        this.port = 0;
    }

    /** At the same port again when it had been stopped. */
    async start() {
        const child = spawn(process.execPath, [path.join(ROOT, 'sandbox/smsc/main.js'), '--listen', `127.0.0.1:${this.port || await freePort()}`, '--account', `bench:${SECRET}`, '--set', 'receipt_when=never', '--follow-stdin'], { stdio: ['pipe', 'pipe', 'inherit'] });
        this.child = child;
        const { smsc_url: url, control } = JSON.parse(await linesOf(child)());
        this.port = Number(new URL(url).port);
        this.control = control;
        return this;
    }

    get roles() { return new Map([['operator', this.child === undefined ? [] : [/** @type {number} */ (this.child.pid)]]]); }

    /** Submits that it accepted since its start. */
    async taken() {
        const { json } = await request(`${this.control}/counters`);
        const refused = Object.keys(json).filter((name) => name.startsWith('submits.refused') || name === 'submits.throttled');
        if (refused.length > 0)
            throw new Error(`the operator refused submits: ${JSON.stringify(json)}`);
        return json['submits.accepted'] ?? 0;
    }

    async stop() {
        if (this.child !== undefined)
            await end(this.child);
        this.child = undefined;
    }
}

/** A workspace with a sender, its operator, and an account for software that submits by SMPP. @param {import('./platform.js').Platform} platform @param {Operator} operator */
export async function connectSms(platform, operator) {
    const [workspace] = await platform.makeWorkspaces(1, 0), { id: channel } = await platform.create('channels', workspace.key, { kind: 'sms', name: 'Bench', sms: { sender: SENDER, sender_kind: 'alphanumeric' } });
    workspace.channels.push(channel);
    const connector = await platform.create('sms/connectors', workspace.key, { name: 'Operator', host: '127.0.0.1', port: operator.port, tls: false, system_id: 'bench', password: SECRET, binds: { transceivers: LINKS }, window: WINDOW, per_second: 10_000 });
    await platform.create('sms/routes', workspace.key, { connector_id: connector.id });
    const authorization = { authorization: `Bearer ${workspace.key}` };
    await until(async () => (await request(`${platform.url}/v1/sms/connectors/${connector.id}`, { headers: authorization })).json.links?.filter((/** @type {any} */ { state }) => state === 'bound').length === LINKS, 'the operator to be bound', 60_000);
    const key = await platform.create('api-keys', workspace.key, { name: 'ESME', scopes: ['messages:send'] });
    const { status, text, json: account } = await request(`${platform.url}/v1/api-keys/${key.id}/smpp`, { method: 'PUT', headers: authorization, body: { channel_id: channel, category: 'transactional', binds_max: LINKS } });
    if (status !== 200)
        throw new Error(`no SMPP account: ${status}: ${text}`);
    await platform.setLanes(false);
    return { ...workspace, esme: { port: Number(String(account.listens_on).split(':').pop()), system_id: account.system_id, password: account.password } };
}

/** Submits so many messages by SMPP, as fast as they are answered. @param {{port: number, system_id: string, password: string}} account @param {number} count */
export const submitAll = (account, count) => runForJson(process.execPath, [path.join(ROOT, 'bench/submit.js'), '--port', String(account.port), '--links', String(LINKS), '--window', String(WINDOW), '--count', String(count)],
    { SUBMIT_ACCOUNT: `${account.system_id}:${account.password}` });

/** Kannel, as it is installed: bearerbox and smsbox, bound to an operator of the same kind; peers/README.md says what is the same and what is not. */
export class Kannel {
    /** @param {import('./platform.js').Platform} platform */
    constructor(platform) {
        this.operator = new Operator();
        this.folder = path.join(platform.folder, 'kannel');
        /** @type {import('node:child_process').ChildProcess[]} */
        this.children = [];
        this.url = '';
        this.adminPort = 0;
    }

    async start() {
        const { folder } = this, [boxPort, sendPort] = [await freePort(), await freePort()];
        this.adminPort = await freePort();
        this.url = `http://127.0.0.1:${sendPort}`;
        mkdirSync(path.join(folder, 'store'), { recursive: true });
        await this.operator.start();
        const config = path.join(folder, 'kannel.conf');
        writeFileSync(config, kannelConfig({ folder, adminPort: this.adminPort, boxPort, sendPort, operatorPort: this.operator.port, account: 'bench', password: SECRET, links: LINKS, window: WINDOW }), { mode: 0o600 });
        this.#run(BEARERBOX, config);
        await until(async () => (await this.status())?.links === LINKS, 'Kannel to be bound', 60_000);
        this.#run(SMSBOX, config);
        await until(() => fetch(`${this.url}/cgi-bin/sendsms`).then(() => true, () => false), 'smsbox to listen', 60_000);
        return this;
    }

    /** @param {string} program @param {string} config */
    #run(program, config) {
        const child = spawn(program, ['-v', '4', config], { stdio: ['ignore', 'ignore', 'ignore'] });
        child.on('error', () => {});
        this.children.push(child);
    }

    get roles() {
        const [bearerbox, smsbox] = this.children.map(({ pid }) => [/** @type {number} */ (pid)]);
        return new Map([['bearerbox', bearerbox], ['smsbox', smsbox], ...this.operator.roles]);
    }

    /** By its own word; null while it does not answer. */
    async status() {
        const text = await fetch(`http://127.0.0.1:${this.adminPort}/status.xml?password=${SECRET}`).then((answer) => answer.text(), () => '');
        const number = (/** @type {RegExp} */ pattern) => Number(pattern.exec(text)?.[1]);
        return text === '' ? null : { links: [...text.matchAll(/<status>online/g)].length, sent: number(/<sms>\s*<received>.*?<\/received>\s*<sent><total>(\d+)/s), waiting: number(/<storesize>(\d+)/) };
    }

    /** While its operator is away, it accepts and keeps. */
    async lose() {
        await this.operator.stop();
        await until(async () => (await this.status())?.links === 0, 'Kannel to have no link', 60_000);
    }

    /** The operator is back, and has all that waited. */
    async find() {
        await this.operator.start();
        await until(async () => { const status = await this.status(); return status?.links === LINKS && status.waiting === 0; }, 'Kannel to send what it has', 120_000);
    }

    /** A line of `load`: what it is asked to send. @param {string} to @param {string} text */
    request(to, text) {
        return `GET /cgi-bin/sendsms?${new URLSearchParams({ username: 'bench', password: SECRET, from: SENDER, to, text })}\t`;
    }

    async stop() {
        for (const child of this.children.splice(0).reverse())
            await end(child);
        await this.operator.stop();
    }
}

/** @param {() => Promise<unknown>} work @returns {Promise<number>} its microseconds */
export async function timed(work) {
    const began = performance.now();
    await work();
    return (performance.now() - began) * 1000;
}
