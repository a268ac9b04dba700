// @ts-check
/**
 * Faults on request: what to do wrong, to whom, how often. A fault is {on, match, skip, times, every, effect};
 * see README.md for the list. Magic numbers are faults that need no setting.
 */
import { randomUUID } from 'node:crypto';
import { GraphError } from './errors.js';
import { magicEffects } from './magic.js';

/**
 * @typedef {object} Effect
 * @property {'error'|'http'|'stall'|'cut'|'slow'|'statuses'|'webhook'|'broken'} kind
 * @property {number} [code] error: Graph code
 * @property {number} [http] error, http: HTTP status
 * @property {number} [subcode]
 * @property {string} [message]
 * @property {string} [details]
 * @property {Record<string, string>} [headers]
 * @property {string} [body] http: body as it is
 * @property {'before'|'after'} [when] stall, cut: before the message is accepted, or after
 * @property {number} [ms] slow, stall: how long; a stall without it lasts until the client goes away
 * @property {number} [fail] statuses: `failed` with this code
 * @property {string[]} [drop] statuses: these never come
 * @property {number} [duplicate] statuses: so many more of each
 * @property {boolean} [reorder] statuses: in reverse
 * @property {boolean} [add_read] statuses: a `read` though nobody reads
 * @property {number} [late_ms] statuses: all later by this
 * @property {'wrong'|'none'} [signature] webhook
 * @property {string} [how] broken: one of BROKEN_WAYS
 * @property {number} [after_bytes] cut, stall: of an upload, when so many bytes of the request have come
 *
 * @typedef {object} Fault
 * @property {string} id
 * @property {'messages'|'media'|'templates'|'numbers'|'apps'|'uploads'|'webhooks'|'any'} on
 * @property {{to?: string, phone_number_id?: string, type?: string}} match `to` may end with *
 * @property {number} skip let so many pass first
 * @property {number|null} times then strike so often; null is without end
 * @property {number} every of these, strike each nth only
 * @property {Effect} effect
 * @property {number} seen
 * @property {number} struck
 *
 * @typedef {object} Target what a request or a webhook is about
 * @property {Fault['on']} on
 * @property {string} [to]
 * @property {string} [phone_number_id]
 * @property {string} [type]
 */

const KINDS = ['error', 'http', 'stall', 'cut', 'slow', 'statuses', 'webhook', 'broken'];
/** HTTP as it should not be. On HTTP/1.1, rst_stream and goaway are a reset connection. */
export const BROKEN_WAYS = ['slow_headers', 'cut_body', 'short_length', 'long_length', 'no_http', 'rst_stream', 'goaway'];
const PLACES = ['messages', 'media', 'templates', 'numbers', 'apps', 'uploads', 'webhooks', 'any'];
const EFFECT_FIELDS = /** @type {Record<string, [string, string?]>} */ ({
    code: ['number'], http: ['number'], subcode: ['number'], message: ['string'], details: ['string'], headers: ['object'], body: ['string'],
    when: ['string'], ms: ['number'], fail: ['number'], drop: ['object'], duplicate: ['number'], reorder: ['boolean'], add_read: ['boolean'],
    late_ms: ['number'], signature: ['string'], how: ['string'], after_bytes: ['number'], kind: ['string'],
});

export class Faults {
    /** @param {import('./sandbox.js').Sandbox} sb */
    constructor(sb) {
        this.sb = sb;
        /** @type {Map<string, Fault>} */
        this.list = new Map();
        /** Tries of the numbers that fail a few times first. @type {Map<string, number>} */
        this.tries = new Map();
    }

    /** @param {any} given in the long form or the short one @returns {{fault: Fault|null, problem: string|null}} */
    add(given) {
        const input = longForm(given);
        const problem = faultProblem(input);
        if (problem !== null)
            return { fault: null, problem };
        const fault = { id: randomUUID(), on: input.on ?? 'messages', match: matchOf(input.match ?? {}), skip: input.skip ?? 0,
            times: input.times === undefined ? 1 : input.times, every: input.every ?? 1, effect: input.effect, seen: 0, struck: 0 };
        this.list.set(fault.id, fault);
        this.sb.bus.emit('fault', fault);
        return { fault, problem: null };
    }

    /** The effects for one request or webhook; each strike is counted. @param {Target} target @returns {Effect[]} */
    take(target) {
        const effects = target.on === 'messages' && target.to !== undefined
            ? magicEffects(target.to, (waId) => this.#tried(waId)).filter((effect) => effect.kind !== 'webhook') : [];
        if (target.on === 'webhooks' && target.to !== undefined)
            effects.push(...magicEffects(target.to, () => Infinity).filter((effect) => effect.kind === 'webhook'));
        for (const fault of this.list.values())
            if (covers(fault, target) && this.#strikes(fault))
                effects.push(fault.effect);
        for (const effect of effects)
            this.sb.count(`faults.${effect.kind}`);
        return effects;
    }

    clear() {
        this.list.clear();
        this.tries.clear();
    }

    /** @param {string} waId */
    #tried(waId) {
        const tries = (this.tries.get(waId) ?? 0) + 1;
        this.tries.set(waId, tries);
        return tries;
    }

    /** @param {Fault} fault */
    #strikes(fault) {
        fault.seen++;
        const turn = fault.seen - fault.skip;
        if (turn <= 0 || turn % fault.every !== 0 || (fault.times !== null && fault.struck >= fault.times))
            return false;
        fault.struck++;
        this.sb.bus.emit('fault', fault);
        return true;
    }
}

/** Numbers as digits, however they were written. @param {Fault['match']} match */
const matchOf = (match) => (match.to === undefined ? match : { ...match, to: match.to.replace(/[^0-9*]/g, '') });

/** @param {Fault} fault @param {Target} target */
function covers(fault, target) {
    if (fault.on !== 'any' && fault.on !== target.on)
        return false;
    const { to, phone_number_id: phone, type } = fault.match;
    if (to !== undefined && (target.to === undefined || !(to.endsWith('*') ? target.to.startsWith(to.slice(0, -1)) : target.to === to)))
        return false;
    return (phone === undefined || phone === target.phone_number_id) && (type === undefined || type === target.type);
}

/**
 * The short form, {to, phone_number_id, type, code, times ...}, is a refusal with that code.
 * @param {any} input
 */
function longForm(input) {
    if (typeof input !== 'object' || input === null || (input.effect !== undefined && input.code === undefined))
        return input;
    const { to, phone_number_id, type, code, ...rest } = input;
    const match = Object.fromEntries(Object.entries({ to, phone_number_id, type }).filter(([, value]) => value !== undefined));
    return { match, ...(code === undefined ? {} : { effect: { kind: 'error', code } }), ...rest };
}

/** @param {any} input @returns {string|null} */
function faultProblem(input) {
    if (typeof input !== 'object' || input === null || typeof input.effect !== 'object' || input.effect === null)
        return 'a fault is {on, match, skip, times, every, effect}';
    if (input.on !== undefined && !PLACES.includes(input.on))
        return `on: one of ${PLACES.join(', ')}`;
    if (!KINDS.includes(input.effect.kind))
        return `effect.kind: one of ${KINDS.join(', ')}`;
    for (const [name, value] of Object.entries(input.effect)) {
        if (!Object.hasOwn(EFFECT_FIELDS, name))
            return `unknown: effect.${name}`;
        if (typeof value !== EFFECT_FIELDS[name][0])
            return `effect.${name}: a ${EFFECT_FIELDS[name][0]}`;
    }
    for (const name of Object.keys(input))
        if (!['on', 'match', 'skip', 'times', 'every', 'effect'].includes(name))
            return `unknown: ${name}`;
    for (const name of Object.keys(input.match ?? {}))
        if (!['to', 'phone_number_id', 'type'].includes(name) || typeof input.match[name] !== 'string')
            return `match.${name}: a text, of to, phone_number_id, type`;
    for (const [name, low] of /** @type {[string, number][]} */ ([['skip', 0], ['times', 1], ['every', 1]]))
        if (input[name] !== undefined && !(name === 'times' && input[name] === null) && !(Number.isInteger(input[name]) && input[name] >= low))
            return `${name}: a whole number from ${low}`;
    if (input.effect.kind === 'error' && input.effect.code === undefined)
        return 'effect.code: the Graph code';
    if (input.effect.kind === 'broken' && !BROKEN_WAYS.includes(input.effect.how))
        return `effect.how: one of ${BROKEN_WAYS.join(', ')}`;
    if (input.effect.kind === 'http' && input.effect.http === undefined)
        return 'effect.http: the HTTP status';
    if (['stall', 'cut', 'broken'].includes(input.effect.kind) && !['before', 'after'].includes(input.effect.when ?? 'before'))
        return 'effect.when: before or after';
    return null;
}

/** An answer that is not ours to compose: sent as it is. */
export class RawAnswer extends Error {
    /** @param {number} http @param {string} body @param {Record<string, string>} headers */
    constructor(http, body, headers) {
        super(`raw ${http}`);
        this.http = http;
        this.body = body;
        this.headers = headers;
    }
}

/** An answer that breaks the rules of HTTP. */
export class BrokenAnswer extends Error {
    /** @param {string} how */
    constructor(how) {
        super(`broken: ${how}`);
        this.how = how;
    }
}

/** The connection ends without an answer. */
export class CutConnection extends Error {}

/**
 * Carries out the effects of one side of the acceptance. Returns when the request may go on; throws the answer, or
 * the cut, that takes its place.
 * @param {import('./sandbox.js').Sandbox} sb @param {Effect[]} effects @param {'before'|'after'} when
 * @param {AbortSignal} gone the client went away
 */
export async function strike(sb, effects, when, gone) {
    for (const effect of effects) {
        const here = (effect.when ?? 'before') === when && effect.after_bytes === undefined;
        if (effect.kind === 'slow' && when === 'before')
            await pause(sb, effect.ms ?? 1000, gone);
        else if (effect.kind === 'stall' && here) {
            await pause(sb, effect.ms ?? null, gone);
            if (effect.ms === undefined)
                throw new CutConnection();
        } else if (effect.kind === 'cut' && here)
            throw new CutConnection();
        else if (effect.kind === 'broken' && here)
            throw new BrokenAnswer(String(effect.how));
        else if (effect.kind === 'error' && when === 'before')
            throw new GraphError(effect.code ?? 1, { http: effect.http, subcode: effect.subcode, message: effect.message,
                details: effect.details, headers: effect.headers });
        else if (effect.kind === 'http' && here)
            throw new RawAnswer(effect.http ?? 500, effect.body ?? '', effect.headers ?? {});
    }
}

/** @param {import('./sandbox.js').Sandbox} sb @param {number|null} ms null: until the client goes @param {AbortSignal} gone */
function pause(sb, ms, gone) {
    return new Promise((resolve) => {
        if (gone.aborted)
            return resolve(undefined);
        const timer = ms === null ? null : sb.later(ms, () => resolve(undefined));
        gone.addEventListener('abort', () => {
            if (timer !== null) {
                clearTimeout(timer);
                sb.timers.delete(timer);
            }
            resolve(undefined);
        }, { once: true });
    });
}
