// @ts-check
/**
 * What the integration tests share: one platform per test file (real processes under their own users, embedded
 * PostgreSQL, the simulated Graph API), workspaces in it, and a client that holds every answer against the contract.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, chmodSync, readFileSync, rmSync, createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { randomBytes } from 'node:crypto';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';
import { buildFolder, freePort, requestUnix, startHarkara, startReceiver, startSandbox, until } from '../../sandbox/demo/platform.js';

export { requestUnix, until, freePort };
export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const PERSON = '+14155550123';

/** The contract, as any client would read it. */
export const contract = parse(readFileSync(path.join(ROOT, 'api/openapi.yaml'), 'utf8'));
/** All that a key may do. */
export const SCOPES = contract.components.schemas.Scope.enum;

const ajv = new Ajv2020.default({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema({ ...contract, $id: 'contract' });
const pointerPart = (text) => text.replaceAll('~', '~0').replaceAll('/', '~1');
/** @type {Map<string, import('ajv').ValidateFunction>} */
const validators = new Map();

/** Every path of the contract as a pattern. */
const paths = Object.keys(contract.paths).map((template) => ({
    template,
    pattern: new RegExp(`^${template.replace(/\{[^}]+\}/g, '[^/]+')}$`),
}));

function resolve(value) {
    if (value?.$ref === undefined)
        return value;
    return value.$ref.slice(2).split('/').reduce((at, part) => at[part], contract);
}

/** Fails the test when an answer is not what the contract says. */
export function checkAnswer(method, target, answer) {
    const pathname = new URL(target, 'http://x').pathname;
    const found = paths.find(({ pattern }) => pattern.test(pathname));
    const operation = found === undefined ? undefined : contract.paths[found.template][method.toLowerCase()];
    const type = (answer.headers.get('content-type') ?? '').split(';')[0];
    if (answer.status >= 400)
        assert.equal(type, 'application/problem+json', `${method} ${pathname} ${answer.status} answers a problem`);
    assert.match(answer.headers.get('x-request-id') ?? '', /^req_[0-9a-z]{26}$/);
    if (operation === undefined)
        return;
    const key = operation.responses[answer.status] === undefined ? 'default' : String(answer.status);
    const response = resolve(operation.responses[key]);
    for (const header of ['ETag', 'Location'])
        assert.equal(answer.headers.get(header) !== null, response.headers?.[header] !== undefined, `${operation.operationId} ${key}: ${header}`);
    if (answer.status === 201)
        assert.equal(answer.headers.get('location'), `${pathname}/${answer.json.id}`);
    const media = response.content?.[type] ?? response.content?.['application/octet-stream']; /* bytes: in whatever type they were uploaded */
    if (answer.text === '') {
        assert.equal(response.content, undefined, `${operation.operationId} ${key} has a body in the contract`);
        return;
    }
    assert.ok(media, `${operation.operationId} ${key} may answer ${type}`);
    if (!/[/+]json$/.test(type))
        return;
    const name = `${operation.operationId} ${key} ${type}`;
    if (!validators.has(name)) {
        const at = operation.responses[key].$ref ??
            `#/paths/${pointerPart(/** @type {any} */ (found).template)}/${method.toLowerCase()}/responses/${key}`;
        validators.set(name, ajv.compile({ $ref: `contract${at}/content/${pointerPart(type)}/schema` }));
    }
    const validate = /** @type {any} */ (validators.get(name));
    assert.ok(validate(answer.json), `${name}: ${JSON.stringify(validate.errors)} in ${answer.text.slice(0, 600)}`);
}

/** An id of the same form that is not this one. @param {string} id */
export const otherThan = (id) => id.replace(/.$/, (last) => (last === '0' ? '1' : '0'));

/** Of an answer that goes on. */
async function firstPart(response) {
    const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
    const { value } = await reader.read();
    await reader.cancel();
    return new TextDecoder().decode(value);
}

/** A client of one workspace's key. */
export class Client {
    /** @param {string} url @param {string | null} key */
    constructor(url, key) {
        this.url = url;
        this.key = key;
    }

    /** @param {string} method @param {string} target @param {unknown} [body] @param {Record<string, string>} [headers] */
    async call(method, target, body, headers = {}) {
        return this.raw(method, target, body === undefined ? undefined : JSON.stringify(body),
            body === undefined ? headers : { 'content-type': 'application/json', ...headers });
    }

    /** The body as it stands. @param {string} method @param {string} target @param {string | Buffer | undefined} body @param {Record<string, string>} headers */
    async raw(method, target, body, headers = {}) {
        const response = await fetch(`${this.url}${target}`, {
            method, body, redirect: 'manual',
            headers: { ...(this.key === null ? {} : { authorization: `Bearer ${this.key}` }), ...headers },
        });
        const type = response.headers.get('content-type') ?? '';
        const text = type.startsWith('text/event-stream') ? await firstPart(response) : await response.text();
        const answer = { status: response.status, headers: response.headers, text, json: /[/+]json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : null };
        checkAnswer(method, target, answer);
        return answer;
    }

    /** As call; any other status fails the test. @param {number} status @param {string} method @param {string} target @param {unknown} [body] @param {Record<string, string>} [headers] */
    async must(status, method, target, body, headers) {
        const answer = await this.call(method, target, body, headers);
        assert.equal(answer.status, status, `${method} ${target}: ${answer.text.slice(0, 800)}`);
        return answer.json;
    }

    /** Promotional messages to everybody but who has refused, at any hour: for tests of something else. */
    async promotes() {
        await this.must(200, 'PATCH', '/v1/settings/policy', { consent: { whatsapp: { promotional: 'unless-withdrawn' } }, quiet_hours: { enabled: false } });
    }

    /** Media that can be sent. @param {string} type @param {string | Buffer} bytes @param {string} [query] */
    async upload(type, bytes, query = '') {
        const answer = await this.raw('POST', `/v1/media${query}`, bytes, { 'content-type': type });
        assert.equal(answer.status, 201, answer.text);
        return answer.json;
    }

    /** @param {string} channel @param {Record<string, unknown>} [more] */
    text(channel, more = {}) {
        return { channel_id: channel, to: PERSON, content: { type: 'text', text: { body: 'Hello' } }, ...more };
    }

    /** @param {string} id @param {string[]} statuses */
    async follow(id, statuses, timeoutMs = 90_000) {
        return until(async () => {
            const message = await this.must(200, 'GET', `/v1/messages/${id}`);
            return statuses.includes(message.status) && message;
        }, `${id} to be ${statuses.join(' or ')}`, timeoutMs);
    }
}

/** Holds rows of the database so that what wants to change them waits there. @param {any} of @param {string} query */
export async function hold(of, query) {
    const password = readFileSync(path.join(of.options.stateDir, 'postgres-password'), 'utf8').trim();
    const child = spawn('psql', ['-X', '-q', '-A', '-t', '-h', path.join(of.options.runDir, 'postgres'), '-U', 'postgres', '-d', 'harkara'],
        { env: { ...process.env, PGPASSWORD: password }, stdio: ['pipe', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (part) => (said += part));
    child.stdin.on('error', () => {}); /* the database was killed meanwhile */
    child.stdin.write(`begin; ${query}; select 'held';\n`);
    await until(() => said.includes('held'), 'the rows', 20_000);
    return async () => {
        const ended = new Promise((resolve) => child.once('close', resolve));
        child.stdin.end('rollback;\n');
        await ended;
    };
}

/** A command that is killed when something has come to be. @param {any} of @param {() => any} when @param {...string} words */
export async function killedWhen(of, when, ...words) {
    const run = spawn(path.join(of.options.build, 'src/program/harkara/harkara'), words, { env: { PATH: process.env.PATH, HARKARA_STATE_DIR: of.options.stateDir, HARKARA_RUN_DIR: of.options.runDir, HARKARA_UNLOCKED_SECRETS: '1', ...of.options.env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    run.stderr.on('data', (part) => (said += part));
    const ended = new Promise((resolve) => run.once('close', (_code, signal) => resolve(signal)));
    await until(async () => {
        assert.equal(run.exitCode, null, `it has not ended by itself: ${said}`);
        return when();
    }, 'the moment', 60_000);
    run.kill('SIGKILL');
    assert.equal(await ended, 'SIGKILL');
}

let phones = 0;

/** A platform for the tests of one file; `tls`: a folder for the simulator's authority, which then speaks TLS; `prepare`: what to do with
 * its folder before anything starts; it returns what to do after all has ended. @param {{env?: Record<string, string>, sandboxArgs?: string[], tls?: string, args?: string[], prepare?: (folder: string, env: Record<string, string>) => (() => void)}} [options] */
export async function startPlatform({ env = {}, args = undefined, sandboxArgs = [], tls, prepare = () => () => {} } = {}) {
    const build = buildFolder(); // first, and nothing is left running where nothing is built
    const folder = mkdtempSync(path.join(tmpdir(), 'harkara-test-'));
    chmodSync(folder, 0o755); // the roles' own users pass through it
    env = { ...env };
    const unprepare = prepare(folder, env);
    const log = createWriteStream(path.join(folder, 'sandbox.log'));
    await new Promise((done) => log.once('open', done));
    const sandbox = await startSandbox({ args: ['--listen', '127.0.0.1:0', '--statuses-delay-ms', '20', '--auto-read', ...(tls === undefined ? [] : ['--tls', tls]), ...sandboxArgs], log });
    const port = await freePort();
    const options = {
        build, stateDir: path.join(folder, 'state'), runDir: path.join(folder, 'run'), port,
        logFile: path.join(folder, 'harkara.log'), args,
        env: { HARKARA_GRAPH_URL: tls === undefined ? sandbox.url : sandbox.tls_url, ...(tls === undefined ? {} : { HARKARA_CA_FILE: sandbox.ca }), HARKARA_WEBHOOK_ALLOW: '127.0.0.0/8', HARKARA_LOG_LEVEL: 'debug', HARKARA_UNLOCKED_SECRETS: '1', ...env },
    };
    let harkara = await startHarkara(options);
    const receivers = [];
    const platform = {
        folder, sandbox, options,
        get harkara() { return harkara; },
        get url() { return harkara.url; },
        log: () => readFileSync(options.logFile, 'utf8'),
        /** Starts it again on the same state. @param {Record<string, unknown>} [changes] */
        async restart(changes = {}) {
            harkara = await startHarkara({ ...options, ...changes });
            await harkara.ready();
        },
        /** Waits until every process serves: /readyz, which a start waits for, speaks of the gateway and what it needs. */
        async whole() {
            await until(async () => (await harkara.status()).state === 'ready', 'everything to serve');
        },
        async stop() {
            if (harkara.exit === null)
                await harkara.stop();
            await sandbox.stop();
            receivers.forEach((receiver) => receiver.stop());
            unprepare();
            if (process.env.HARKARA_TEST_KEEP === undefined)
                rmSync(folder, { recursive: true, force: true });
        },
        /** The processes of a role, by the supervisor's own word. @param {string} role @returns {Promise<number[]>} */
        async pids(role) {
            const status = await harkara.status();
            return status.processes.filter((process) => process.role === role && process.pid > 0).map((process) => process.pid);
        },
        /** A workspace with a key of every scope, and if wanted a connected number and an endpoint. */
        async workspace({ channel = true, endpoint = false, settings = {} } = {}) {
            const slug = `w-${randomBytes(6).toString('hex')}`;
            const tenant = await harkara.json('tenant', 'create', '--name', `Workspace ${slug}`, '--slug', slug);
            const key = await harkara.json('key', 'create', '--tenant', tenant.id, '--name', 'Test', ...SCOPES.flatMap((scope) => ['--scope', scope]));
            const client = new Client(harkara.url, key.key);
            const made = { tenant: tenant.id, slug, key: key.key, keyId: key.id, client, channel: '', account: /** @type {any} */ (null), receiver: /** @type {any} */ (null), endpoint: '', secret: '' };
            if (channel)
                Object.assign(made, await platform.connect(client, settings));
            if (endpoint) {
                made.receiver = await startReceiver();
                receivers.push(made.receiver);
                const shown = await client.must(201, 'POST', '/v1/webhook-endpoints', { url: made.receiver.url, events: ['*'] });
                made.endpoint = shown.id;
                made.secret = shown.secret;
            }
            return made;
        },
        /** Connects a number of its own to a workspace. @param {Client} client */
        async connect(client, settings = {}) {
            phones += 1;
            const secrets = { access_token: `EAA${randomBytes(24).toString('hex')}`, app_secret: randomBytes(16).toString('hex'), verify_token: randomBytes(12).toString('hex') };
            const ids = { waba_id: `10229${String(phones).padStart(10, '0')}`, phone_number_id: `10654${String(phones).padStart(10, '0')}`, display_phone_number: `1555${String(phones).padStart(7, '0')}` };
            const account = { ...ids, ...secrets };
            /* The token is good before the channel is made, as with WhatsApp: what is known of the number is read at once. */
            assert.ok((await sandbox.control('POST', '/accounts', { ...account, settings: { window: 'ignore', ...settings } })).status < 300);
            const channel = await client.must(201, 'POST', '/v1/channels', { kind: 'whatsapp', name: 'Test number', whatsapp: { ...ids, ...secrets } });
            const answer = await sandbox.control('POST', '/accounts', {
                ...account, callback_url: channel.callback_url, settings: { window: 'ignore', ...settings },
            });
            assert.ok(answer.status < 300, `the sandbox takes the account: ${answer.text}`);
            assert.equal(answer.json.handshake?.ok ?? true, true, `the handshake succeeds: ${answer.text}`);
            await until(async () => {
                const { data } = await client.must(200, 'GET', `/v1/channels/${channel.id}/operations`);
                return data.length === 2 && data.every(({ state }) => state === 'succeeded');
            }, 'the first syncs');
            return { channel: channel.id, account, callback: channel.callback_url };
        },
        receiver: async () => {
            const receiver = await startReceiver();
            receivers.push(receiver);
            return receiver;
        },
        /** A query as the database's superuser, past row-level security: to look, never to change what is tested. */
        sql(query) {
            const password = readFileSync(path.join(options.stateDir, 'postgres-password'), 'utf8').trim();
            const socket = execFileSync('sh', ['-c', `find ${options.runDir} ${options.stateDir} -name '.s.PGSQL.*' ! -name '*.lock' 2>/dev/null | head -n 1`]).toString().trim();
            const [, portText] = /\.s\.PGSQL\.(\d+)$/.exec(socket) ?? [];
            return execFileSync('psql', ['-X', '-q', '-A', '-t', '-h', path.dirname(socket), '-p', portText, '-U', 'postgres', '-d', 'harkara', '-c', query],
                { env: { ...process.env, PGPASSWORD: password }, maxBuffer: 256 * 1024 * 1024 }).toString().trim();
        },
    };
    try {
        await harkara.ready();
        await platform.whole();
    } catch (error) {
        process.stderr.write(`${platform.log().split('\n').slice(-30).join('\n')}\n`);
        await platform.stop();
        throw error;
    }
    return platform;
}
