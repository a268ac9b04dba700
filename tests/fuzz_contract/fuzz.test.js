// @ts-check
/**
 * Every operation of api/openapi.yaml, asked in every way that comes to mind: as the contract allows, nearly so, and not at
 * all. What may come back is what the contract says, in time, and no failure of ours. Endpoints that are added are found by
 * themselves. HARKARA_FUZZ_REQUESTS: how many to each; HARKARA_FUZZ_SEED repeats a run; HARKARA_FUZZ_ONLY: one operation.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Random } from '../chaos/random.js';
import { document, explain, operations, requestValidator, resolve } from '../contract/contract.js';
import { checkAnswer, startPlatform, until } from '../integration/support.js';
import { matching, ODD_TEXT, valid } from './generate.js';
import { broken, anything, mutated } from './mutate.js';

const REQUESTS = Number(process.env.HARKARA_FUZZ_REQUESTS ?? 200);
/* make test asks the same each time; who asks for many wants others. */
const SEED = Number(process.env.HARKARA_FUZZ_SEED ?? (process.env.HARKARA_FUZZ_REQUESTS === undefined ? 1 : Math.floor(Math.random() * 2 ** 32)));
const ONLY = process.env.HARKARA_FUZZ_ONLY;
const AT_ONCE = 8;
const ANSWER_MS_MAX = 60_000;
const BUSY_TRIES_MAX = 40; /* a request that is answered 503 is repeated, as a client would: who is never served is a finding */
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND'];

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
/** @type {any} */
let mine, theirs;
const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });
before(async () => {
    platform = await startPlatform({ env: { HARKARA_LOG_LEVEL: 'warn', HARKARA_LANE_PER_SECOND: '1000', HARKARA_DRAIN_TIMEOUT_MS: '60000',
        ASAN_OPTIONS: 'detect_leaks=1:symbolize=1', UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1' }, sandboxArgs: ['--set', 'throughput_per_second=0'] });
    theirs = await platform.workspace({ endpoint: true });
    await theirs.client.must(202, 'POST', '/v1/messages', theirs.client.text(theirs.channel));
});
after(async () => {
    agent.destroy();
    await platform?.stop();
});

/** Ids by their kind: what the workspace has shown of itself. */
class Ids {
    constructor() {
        /** @type {Map<string, string[]>} */
        this.known = new Map();
        /** The keys in use: a fuzzer that revokes its own has little left to say. @type {Set<string>} */
        this.kept = new Set();
    }

    /** @param {string} text of an answer, or of ids */
    learn(text) {
        for (const [id, kind] of text.matchAll(/\b([a-z]{3})_[0-7][0-9a-hjkmnp-tv-z]{25}\b/g)) {
            const list = this.known.get(kind) ?? [];
            if (!this.kept.has(id) && !list.includes(id) && list.length < 50)
                this.known.set(kind, [...list, id]);
        }
    }

    /** @param {Random} random @param {string} pattern of a schema @returns {string|null} */
    pick(random, pattern) {
        const kind = /^\^([a-z]{3})_\[0-7\]/.exec(pattern)?.[1];
        const list = kind === undefined ? undefined : this.known.get(kind);
        return list === undefined || random.chance(0.1) ? null : random.pick(list);
    }
}

/**
 * @param {string} method @param {string} target @param {Record<string, string>} headers @param {Buffer|null} body
 * @returns {Promise<{status: number, headers: Headers, text: string, json: any, took_ms: number}>}
 */
function send(method, target, headers, body) {
    return new Promise((done, failed) => {
        const begun = Date.now(), url = new URL(platform.url);
        const call = http.request({ host: url.hostname, port: url.port, method, path: target, agent, headers: { ...headers, ...(body === null ? {} : { 'content-length': String(body.length) }) } });
        const timer = setTimeout(() => call.destroy(new Error('no answer in time')), ANSWER_MS_MAX);
        call.on('error', (error) => { clearTimeout(timer); failed(error); });
        call.on('response', (answer) => {
            /** @type {Buffer[]} */
            const parts = [];
            answer.on('data', (part) => parts.push(part));
            answer.on('error', (error) => { clearTimeout(timer); failed(error); });
            /* A stream has no end: how it begins is its answer. */
            const isStream = method !== 'HEAD' && /event-stream/.test(answer.headers['content-type'] ?? '');
            answer.once(isStream ? 'data' : 'end', () => {
                clearTimeout(timer);
                const text = Buffer.concat(parts).toString(), all = new Headers(Object.entries(answer.headers).map(([name, value]) => [name, String(value)]));
                const isJson = /json/.test(all.get('content-type') ?? '') && text !== '' && !/ndjson/.test(all.get('content-type') ?? '');
                try {
                    done({ status: answer.statusCode ?? 0, headers: all, text, json: isJson ? JSON.parse(text) : null, took_ms: Date.now() - begun });
                } catch (error) {
                    failed(error);
                }
                if (isStream)
                    call.destroy();
            });
        });
        call.end(body ?? undefined);
    });
}

/** The same, until it is not answered 503 any more. @param {Parameters<typeof send>} request */
async function sendUntilServed(...request) {
    for (let tries = 1; ; tries++) {
        const answer = await send(...request);
        if (answer.status !== 503 || tries === BUSY_TRIES_MAX)
            return { ...answer, repeats: tries - 1 };
        await new Promise((resolve) => setTimeout(resolve, 50 * tries));
    }
}

/** @param {Random} random @param {Ids} ids @param {any} parameter @returns {string} */
function parameterValue(random, ids, parameter) {
    const schema = resolve(parameter.schema);
    return random.weighted(/** @type {[number, () => string][]} */ ([
        [10, () => String(valid(random, schema, (_, pattern) => ids.pick(random, pattern)))],
        [1, () => random.pick(ODD_TEXT)],
        [1, () => String(anything(random))],
        [1, () => schema.pattern === undefined ? 'x'.repeat(300) : matching(random, schema.pattern).toUpperCase()],
    ]))();
}

/** One request, drawn. @param {Random} random @param {Ids} ids @param {{path: string, method: string, operation: any}} at */
function draw(random, ids, { path, method, operation }) {
    const parameters = [...(document.paths[path].parameters ?? []), ...(operation.parameters ?? [])].map(resolve);
    const foreign = random.chance(0.1) ? theirs.ids : ids;
    const target = path.replace(/\{([^}]+)\}/g, (_, name) => encodeURIComponent(parameterValue(random, foreign, parameters.find((one) => one.name === name && one.in === 'path') ?? { schema: { type: 'string' } })));
    const query = parameters.filter((one) => one.in === 'query' && random.chance(0.3)).map((one) => [one.name, parameterValue(random, foreign, one)]);
    if (random.chance(0.05))
        query.push([random.pick(['nonsense', 'limit', 'cursor', 'limit[]', ...ODD_TEXT]), random.pick(['', '1', ...ODD_TEXT])]);
    /** @type {Record<string, string>} */
    const headers = { authorization: `Bearer ${mine.key}` };
    for (const one of parameters.filter((parameter) => parameter.in === 'header' && random.chance(0.3)))
        headers[one.name.toLowerCase()] = parameterValue(random, ids, one);
    const content = operation.requestBody === undefined ? undefined : resolve(operation.requestBody).content;
    /** @type {Buffer|null} */
    let body = null;
    let value;
    const type = content === undefined ? undefined : random.pick(Object.keys(content));
    if (content !== undefined && type !== undefined) {
        headers['content-type'] = type.includes('*') ? 'application/octet-stream' : type;
        if (/json/.test(type)) {
            const media = content[type], examples = Object.values(media.examples ?? {}).map((one) => one.value);
            const right = examples.length > 0 && random.chance(0.5) ? withIds(random, ids, random.pick(examples)) : valid(random, media.schema, (_, pattern) => foreign.pick(random, pattern));
            value = random.weighted(/** @type {[number, () => any][]} */ ([[4, () => right], [5, () => mutated(random, right)], [1, () => anything(random)]]))();
            const json = JSON.stringify(value) ?? 'null';
            body = Buffer.from(json);
            if (random.chance(0.1)) {
                body = broken(random, json);
                value = undefined;
            }
        } else
            body = Buffer.from(Array.from({ length: random.whole(0, 3000) }, () => random.whole(0, 255)));
    }
    let verb = method.toUpperCase();
    random.weighted(/** @type {[number, () => void][]} */ ([
        [85, () => {}],
        [3, () => { verb = random.pick(METHODS); }],
        [2, () => { delete headers.authorization; }],
        [2, () => { headers.authorization = random.pick(['Bearer', `bearer ${mine.key}`, `Bearer ${mine.key}x`, `Basic ${mine.key}`, `Bearer ${'a'.repeat(5000)}`, 'Bearer hk_live_\u00ff']); }],
        [2, () => { headers['content-type'] = random.pick(['text/plain', 'application/json; charset=latin1', 'application/json;;', '', 'multipart/form-data']); }],
        [2, () => { headers[random.pick(['if-match', 'if-none-match', 'idempotency-key', 'traceparent', 'accept', 'accept-encoding', 'x-request-id', 'range', 'expect-not', 'x-forwarded-for'])] = random.pick(['*', '""', '"1"', 'W/"1"', '\u00ff', 'x'.repeat(2000), '00-0-0-0', ',,,']); }],
    ]))();
    return { verb, target: target + (query.length === 0 ? '' : `?${query.map((pair) => pair.map(encodeSafely).join('=')).join('&')}`), headers, body, value: verb === method.toUpperCase() ? value : undefined };
}

/** @param {string} text */
function encodeSafely(text) {
    return encodeURIComponent(text.toWellFormed());
}

/** An example of the contract with ids that there are. @param {Random} random @param {Ids} ids @param {any} example */
function withIds(random, ids, example) {
    return JSON.parse(JSON.stringify(example), (_, value) => (typeof value === 'string' && /^[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}$/.test(value)
        ? ids.pick(random, `^${value.slice(0, 3)}_[0-7]`) ?? value : value));
}

/** Asks for one of everything, so that there are ids of every kind. @param {Random} random @param {Ids} ids */
async function prime(random, ids) {
    for (const [, { path, method, operation }] of operations) {
        const parameters = [...(document.paths[path].parameters ?? []), ...(operation.parameters ?? [])].map(resolve).filter((one) => one.in === 'path');
        const target = path.replace(/\{([^}]+)\}/g, (_, name) => ids.pick(new Random(1), resolve(parameters.find((one) => one.name === name).schema).pattern ?? '') ?? '0');
        const media = operation.requestBody === undefined ? undefined : resolve(operation.requestBody).content['application/json'];
        const example = media === undefined ? undefined : Object.values(media.examples ?? { one: { value: media.example ?? resolve(media.schema).example } })[0].value;
        if (!['post', 'get'].includes(method) || (operation.requestBody !== undefined && example === undefined))
            continue;
        const headers = { authorization: `Bearer ${mine.key}`, ...(example === undefined ? {} : { 'content-type': 'application/json' }) };
        ids.learn((await send(method.toUpperCase(), target, headers, example === undefined ? null : Buffer.from(JSON.stringify(withIds(random, ids, example))))).text);
    }
}

describe(`the contract, asked at random (HARKARA_FUZZ_SEED=${SEED})`, () => {
    for (const [operationId, at] of operations) {
        if (ONLY !== undefined && ONLY !== operationId)
            continue;
        test(`${operationId}: ${REQUESTS} requests`, { timeout: 60_000 + REQUESTS * 2000 }, async () => {
            const random = new Random(SEED).fork(operationId), ids = new Ids();
            mine = await platform.workspace({ endpoint: true });
            theirs.ids ??= new Ids();
            theirs.ids.learn(`${theirs.channel} ${theirs.endpoint} ${theirs.keyId}`);
            ids.kept.add(mine.keyId);
            ids.learn(`${mine.channel} ${mine.endpoint}`);
            for (let i = 0; i < 3; i++)
                ids.learn((await mine.client.must(202, 'POST', '/v1/messages', mine.client.text(mine.channel))).id);
            ids.learn(JSON.stringify((await platform.harkara.json('key', 'create', '--tenant', mine.slug, '--name', 'Another', '--scope', 'messages:read')).id));
            await prime(random, ids);
            const content = at.operation.requestBody === undefined ? {} : resolve(at.operation.requestBody).content;
            const validate = Object.keys(content).length === 1 && content['application/json'] !== undefined ? requestValidator(operationId) : null;
            /** @type {Record<number, number>} */
            const statuses = {};
            /** @type {string[]} */
            const findings = [];
            let left = REQUESTS, slowest_ms = 0, repeats = 0;
            await Promise.all(Array.from({ length: AT_ONCE }, async () => {
                while (left-- > 0 && findings.length < 20) {
                    const { verb, target, headers, body, value } = draw(random, ids, at);
                    const told = () => `${verb} ${target.slice(0, 300)} ${JSON.stringify({ ...headers, authorization: headers.authorization === undefined ? 'none' : 'some' }).slice(0, 300)} ${body?.toString('utf8').slice(0, 700) ?? ''}`;
                    const answer = await sendUntilServed(verb, target, headers, body).catch((error) => {
                        if (error.code !== 'ERR_INVALID_CHAR' && error.code !== 'ERR_UNESCAPED_CHARACTERS' && error.code !== 'EPIPE' && error.code !== 'ECONNRESET')
                            findings.push(`${error.code ?? ''} ${error.message}: ${told()}`);
                        return null; /* Node itself would not send that; or the answer came before all was sent */
                    });
                    if (answer === null)
                        continue;
                    statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
                    slowest_ms = Math.max(slowest_ms, answer.took_ms);
                    repeats += answer.repeats;
                    ids.learn(answer.text);
                    if (answer.status >= 500)
                        findings.push(`${answer.status} ${answer.text}: ${told()}`);
                    if (answer.status < 300 && value !== undefined && validate !== null && !validate(value))
                        findings.push(`${answer.status} although ${explain(validate)}: ${told()}`);
                    try {
                        if (verb !== 'HEAD')
                            checkAnswer(verb, target, answer);
                    } catch (error) {
                        findings.push(`off the contract: ${String(/** @type {Error} */ (error).message).slice(0, 500)}: ${told()}`);
                    }
                }
            }));
            process.stdout.write(`# ${operationId.padEnd(28)} ${Object.entries(statuses).map(([status, count]) => `${status}: ${count}`).join(', ')}; slowest ${slowest_ms} ms${repeats === 0 ? '' : `, ${repeats} times 503`}\n`);
            assert.deepEqual(findings, []);
        });
    }
});

test('after all that every process still serves, none died, nothing leaked', async () => {
    await until(async () => (await platform.harkara.status()).state === 'ready', 'everything to serve');
    const status = await platform.harkara.status();
    assert.deepEqual(status.processes.filter(({ restarts }) => restarts > 0).map(({ role, restarts }) => `${role} was started ${restarts} times again`), []);
    const { code } = /** @type {any} */ (await platform.harkara.stop());
    assert.equal(code, 0, 'a stop in order');
    const log = readFileSync(platform.options.logFile, 'utf8');
    const found = /^.*(?:ERROR: (?:Address|Leak)Sanitizer|runtime error:|"event":"bug").*$(?:\n.*){0,40}/m.exec(log);
    assert.equal(found, null, found?.[0]);
});
