// @ts-check
/** The control API of the message centre, under /_sandbox/smsc. README.md lists it. */
import { readRegistry, DLT_CODES } from './dlt.js';
import { BEHAVIOURS, receipt } from './magic.js';
import { FORMATS } from './receipts.js';
import { readSettings } from './settings.js';

const WAIT_MAX_MS = 60_000;
const PDU_KINDS = ['transceiver', 'transmitter', 'receiver'];

/** A refusal. */
export class ControlError extends Error {
    /** @param {number} status @param {string} message */
    constructor(status, message) {
        super(message);
        this.status = status;
    }
}

/** @typedef {{centre: import('./centre.js').Centre, ids: string[], query: URLSearchParams, body: any}} Call */

/** @type {[string, (call: Call) => unknown][]} */
const ROUTES = [
    ['GET accounts', ({ centre }) => ({ data: [...centre.accounts.values()] })],
    ['POST accounts', ({ centre, body }) => putAccount(centre, body)],
    ['GET accounts/*', ({ centre, ids }) => accountOf(centre, ids[0])],
    ['PATCH accounts/*', ({ centre, ids, body }) => putAccount(centre, { ...body, system_id: accountOf(centre, ids[0]).system_id })],
    ['DELETE accounts/*', ({ centre, ids }) => removeAccount(centre, accountOf(centre, ids[0]))],
    ['GET links', ({ centre }) => ({ data: [...centre.links].map((link) => link.shown()) })],
    ['POST drops', ({ centre, body }) => drop(centre, body)],
    ['GET messages', ({ centre, query }) => listMessages(centre, query)],
    ['GET messages/*', ({ centre, ids }) => centre.messages.get(ids[0]) ?? centre.byPiece.get(ids[0]) ?? notThere('message')],
    ['POST mo', ({ centre, body }) => mo(centre, body)],
    ['POST receipts', ({ centre, body }) => tell(centre, body)],
    ['POST raw', ({ centre, body }) => raw(centre, body)],
    ['GET faults', ({ centre }) => ({ data: [...centre.faults.list.values()] })],
    ['POST faults', ({ centre, body }) => addFault(centre, body)],
    ['DELETE faults', ({ centre }) => { centre.faults.list.clear(); return { ok: true }; }],
    ['DELETE faults/*', ({ centre, ids }) => ({ ok: centre.faults.list.delete(ids[0]) })],
    ['GET dlt', ({ centre }) => centre.registry],
    ['PUT dlt', ({ centre, body }) => putRegistry(centre, body)],
    ['GET magic', () => ({ behaviours: Object.fromEntries(Object.entries(BEHAVIOURS).map(([digits, { says }]) => [`5550 3 ${digits}`, says])), formats: FORMATS, dlt_codes: DLT_CODES })],
    ['GET settings', ({ centre }) => centre.settings],
    ['PATCH settings', ({ centre, body }) => Object.assign(centre.settings, settingsOf(body))],
    ['GET pdus', ({ centre, query }) => ({ data: centre.pdus.slice(-limitOf(query)).map(({ octets, ...pdu }) => ({ ...pdu, octets: octets.toString('hex') })) })],
    ['GET counters', ({ centre }) => centre.counters],
    ['GET owed', ({ centre }) => ({ owed: centre.owed() })],
    ['GET wait', ({ centre, query }) => wait(centre, query)],
    ['POST reset', ({ centre, body }) => reset(centre, body)],
];

/**
 * @param {import('./centre.js').Centre} centre @param {string} method @param {string[]} parts of the path below /_sandbox/smsc
 * @param {URLSearchParams} query @param {any} body @returns {Promise<unknown>}
 */
export async function control(centre, method, parts, query, body) {
    for (const [pattern, run] of ROUTES) {
        const [wanted, path] = pattern.split(' '), names = path.split('/');
        if (wanted === method && names.length === parts.length && names.every((name, i) => name === '*' || name === parts[i]))
            return run({ centre, ids: parts.filter((_, i) => names[i] === '*'), query, body });
    }
    throw new ControlError(404, 'no such path; sandbox/README.md lists them');
}

/** @param {string} what @returns {never} */
function notThere(what) {
    throw new ControlError(404, `no such ${what}`);
}

/** @param {URLSearchParams} query */
function limitOf(query) {
    const limit = Number(query.get('limit') ?? 100);
    return Number.isInteger(limit) && limit > 0 && limit <= 10_000 ? limit : 100;
}

/** @param {unknown} input */
function settingsOf(input) {
    const { settings, problem } = readSettings(input);
    if (problem !== null)
        throw new ControlError(400, problem);
    return settings;
}

/** @param {import('./centre.js').Centre} centre @param {string} id */
const accountOf = (centre, id) => centre.accounts.get(id) ?? notThere('account');

/** @param {unknown} value @param {string} what @param {(text: string) => boolean} [good] */
function textsOf(value, what, good = () => true) {
    if (!Array.isArray(value) || !value.every((entry) => typeof entry === 'string' && good(entry)))
        throw new ControlError(400, what);
    return value;
}

/** @param {import('./centre.js').Centre} centre @param {any} body */
function putAccount(centre, body) {
    const { system_id: id } = body ?? {};
    if (typeof id !== 'string' || !/^[\x21-\x7e]{1,15}$/.test(id) || id.includes('/'))
        throw new ControlError(400, 'system_id: 1 to 15 visible characters');
    const had = centre.accounts.get(id);
    const password = body.password ?? had?.password ?? '';
    if (typeof password !== 'string' || !/^[\x20-\x7e]{0,16}$/.test(password))
        throw new ControlError(400, 'password: up to 16 characters');
    const account = { system_id: id, password, system_type: body.system_type === undefined ? had?.system_type ?? null : body.system_type,
        binds: textsOf(body.binds ?? had?.binds ?? PDU_KINDS, 'binds: of transceiver, transmitter, receiver', (kind) => PDU_KINDS.includes(kind)),
        senders: textsOf(body.senders ?? had?.senders ?? [], 'senders: a list'), numbers: textsOf(body.numbers ?? had?.numbers ?? [], 'numbers: digits', (number) => /^[0-9]{2,15}$/.test(number)),
        settings: { ...had?.settings, ...settingsOf(body.settings ?? {}) } };
    if (had === undefined)
        centre.accounts.set(id, account);
    else
        Object.assign(had, account); /* links that are bound keep to it */
    centre.host.put('sms_account', id, account);
    centre.bus.emit('account');
    return account;
}

/** @param {import('./centre.js').Centre} centre @param {import('./types.js').Account} account */
function removeAccount(centre, account) {
    centre.accounts.delete(account.system_id);
    centre.queues.delete(account.system_id);
    centre.host.remove('sms_account', account.system_id);
    for (const link of centre.linksOf(account.system_id))
        link.drop('fin');
    centre.bus.emit('account');
    return { ok: true };
}

/** @param {import('./centre.js').Centre} centre @param {any} body */
function linksFor(centre, body) {
    return [...centre.links].filter((link) => (body.link === undefined || link.id === body.link) && (body.system_id === undefined || link.account?.system_id === body.system_id));
}

/** @param {import('./centre.js').Centre} centre @param {any} body */
function drop(centre, body) {
    const how = body?.how ?? 'rst';
    if (!['fin', 'rst', 'unbind', 'torn'].includes(how))
        throw new ControlError(400, 'how: fin, rst, unbind or torn; which: {link} or {system_id}, else all');
    const links = linksFor(centre, body ?? {});
    for (const link of links)
        link.drop(how);
    return { dropped: links.length };
}

/** @param {import('./centre.js').Centre} centre @param {any} body */
function raw(centre, body) {
    if (typeof body?.hex !== 'string' || !/^([0-9a-f]{2})+$/i.test(body.hex))
        throw new ControlError(400, 'hex: octets to send as they are; which: {link} or {system_id}');
    const links = linksFor(centre, body);
    for (const link of links.slice(0, 1))
        link.raw(Buffer.from(body.hex, 'hex'), 'raw');
    return { sent: Math.min(1, links.length) };
}

/** @param {import('./centre.js').Centre} centre @param {URLSearchParams} query */
function listMessages(centre, query) {
    const fits = (/** @type {string} */ name, /** @type {string|undefined} */ value) => query.get(name) === null || query.get(name) === value;
    const found = [...centre.messages.values()].filter((sms) => fits('direction', sms.direction) && fits('system_id', sms.system_id) && fits('to', sms.direction === 'out' ? sms.wa_id : sms.address)
        && fits('from', sms.direction === 'out' ? sms.address : sms.wa_id) && fits('text', sms.text) && fits('status', sms.statuses.at(-1)?.status) && fits('whole', String(sms.direction === 'in' || sms.pieces.length === sms.total)));
    return { total: found.length, data: found.slice(-limitOf(query)) };
}

/** A person writes. @param {import('./centre.js').Centre} centre @param {any} body */
function mo(centre, body) {
    const { from, to, text, long, order } = body ?? {};
    const person = String(from ?? '').replace(/[^0-9]/g, '');
    if (!/^[1-9][0-9]{7,14}$/.test(person) || typeof to !== 'string' || typeof text !== 'string' || text === '')
        throw new ControlError(400, 'give {from: the number of a person, to: a number of an account, text}');
    if (long !== undefined && !['udh8', 'udh16', 'sar', 'payload'].includes(long))
        throw new ControlError(400, 'long: udh8, udh16, sar or payload');
    if (order !== undefined && !(Array.isArray(order) && order.every(Number.isInteger)))
        throw new ControlError(400, 'order: indices of the parts, from 0; one may be left out or come twice');
    const account = body.system_id === undefined ? [...centre.accounts.values()].find(({ numbers }) => numbers.includes(to)) : centre.accounts.get(body.system_id);
    return centre.receive({ from: person, to, text, account: account ?? notThere('account with that number'), long, order });
}

/** A receipt by hand. @param {import('./centre.js').Centre} centre @param {any} body */
function tell(centre, body) {
    const sms = centre.byPiece.get(String(body?.id)), piece = sms?.pieces.find(({ id }) => id === body.id);
    if (sms === undefined || piece === undefined || typeof body.stat !== 'string')
        throw new ControlError(400, 'give {id: a message_id that was answered, stat, err}');
    centre.tell(sms, piece, receipt(body.stat, String(body.err ?? '000')), 'after');
    return sms;
}

/** @param {import('./centre.js').Centre} centre @param {any} body */
function addFault(centre, body) {
    const { fault, problem } = centre.faults.add(body);
    if (fault === null)
        throw new ControlError(400, String(problem));
    return fault;
}

/** @param {import('./centre.js').Centre} centre @param {any} body */
function putRegistry(centre, body) {
    const { registry, problem } = readRegistry(body);
    if (registry === null)
        throw new ControlError(400, String(problem));
    centre.registry = registry;
    centre.host.put('sms_dlt', 'registry', registry);
    return registry;
}

/**
 * Answers when something has happened: ?for=messages (with the filters of the list), links (&system_id=), idle, or counter&name=; count=; timeout_ms=.
 * @param {import('./centre.js').Centre} centre @param {URLSearchParams} query
 */
function wait(centre, query) {
    const what = query.get('for') ?? 'messages', count = Number(query.get('count') ?? 1), timeoutMs = Math.min(WAIT_MAX_MS, Number(query.get('timeout_ms') ?? 30_000));
    if (!['messages', 'links', 'idle', 'counter'].includes(what) || !Number.isFinite(count) || !Number.isFinite(timeoutMs))
        throw new ControlError(400, 'for: messages, links, idle or counter');
    const name = query.get('name') ?? '', systemId = query.get('system_id') ?? '';
    const look = () => {
        if (what === 'idle')
            return centre.isIdle() ? { ok: true } : null;
        if (what === 'counter')
            return (centre.counters[name] ?? 0) >= count ? { value: centre.counters[name] } : null;
        if (what === 'links')
            return (count === 0 ? centre.linksOf(systemId).length === 0 : centre.linksOf(systemId).length >= count) ? { data: centre.linksOf(systemId).map((link) => link.shown()) } : null;
        const list = listMessages(centre, query);
        return list.total >= count ? list : null;
    };
    return new Promise((resolve, reject) => {
        const end = Date.now() + timeoutMs;
        const check = () => {
            const found = look();
            if (found !== null)
                resolve(found);
            else if (Date.now() >= end)
                reject(new ControlError(408, 'it did not happen in time'));
            else
                setTimeout(check, 10).unref();
        };
        check();
    });
}

/** @param {import('./centre.js').Centre} centre @param {any} body */
function reset(centre, body) {
    centre.clear();
    for (const id of [...centre.messages.keys()])
        centre.forget(id);
    centre.open.clear();
    centre.queues.clear();
    centre.refused.clear();
    centre.buckets.clear();
    centre.faults.list.clear();
    centre.pdus = [];
    centre.counters = {};
    if (body?.accounts === true)
        for (const account of [...centre.accounts.values()])
            removeAccount(centre, account);
    return { ok: true };
}
