// @ts-check
/** The control API under /_sandbox: accounts, messages, inbound, faults, dials, counters. README.md lists it. */
import { accountShown, putAccount, removeAccount } from './accounts.js';
import { knownCodes, webhookError } from './errors.js';
import { readBody, replyJson } from './http_io.js';
import { INBOUND_TYPES, receive, echo } from './inbound.js';
import { BEHAVIOURS } from './magic.js';
import { decideName } from './phone_numbers.js';
import { readSettings } from './sandbox.js';
import { signUp } from './signup.js';
import { emitStatus } from './statuses.js';
import { templatesOf } from './templates.js';
import { changeByHand } from './template_events.js';
import { serveFile, serveEvents, serveForeign } from './pages.js';
import { ControlError as SmscError, control as controlSmsc } from '../smsc/control.js';

const BODY_MAX = 4 * 1024 * 1024;
const WAIT_MAX_MS = 60_000;

/** A refusal of the control API. */
export class ControlError extends Error {
    /** @param {number} status @param {string} message */
    constructor(status, message) {
        super(message);
        this.status = status;
    }
}

/**
 * @typedef {object} ControlCall
 * @property {import('./sandbox.js').Sandbox} sb
 * @property {string[]} ids the parts of the path that the route leaves open
 * @property {URLSearchParams} query
 * @property {any} body
 */

/** "METHOD /path", a `*` stands for one part. @type {[string, (call: ControlCall) => unknown][]} */
const ROUTES = [
    ['GET health', () => ({ ok: true })],
    ['GET accounts', ({ sb }) => ({ data: [...sb.store.accounts.values()].map((account) => accountShown(sb, account)) })],
    ['POST accounts', ({ sb, body }) => makeAccount(sb, body)],
    ['POST signups', ({ sb, body }) => makeSignup(sb, body)],
    ['GET accounts/*', ({ sb, ids }) => accountShown(sb, accountOf(sb, ids[0]))],
    ['PATCH accounts/*', ({ sb, ids, body }) => makeAccount(sb, { ...body, waba_id: accountOf(sb, ids[0]).waba_id })],
    ['DELETE accounts/*', ({ sb, ids }) => { removeAccount(sb, accountOf(sb, ids[0]).waba_id); return { ok: true }; }],
    ['POST accounts/*/handshake', ({ sb, ids }) => handshake(sb, accountOf(sb, ids[0]))],
    ['PATCH accounts/*/tokens', ({ sb, ids, body }) => changeToken(sb, accountOf(sb, ids[0]), body)],
    ['PATCH phones/*', ({ sb, ids, body }) => changePhoneState(sb, ids[0], body)],
    ['GET messages', ({ sb, query }) => listMessages(sb, query)],
    ['GET messages/*', ({ sb, ids }) => messageOf(sb, ids[0])],
    ['DELETE messages', ({ sb }) => { sb.store.clear(['message', 'chat']); return { ok: true }; }],
    ['POST inbound', ({ sb, body }) => inject(sb, body)],
    ['POST echoes', ({ sb, body }) => injectEcho(sb, body)],
    ['POST statuses', ({ sb, body }) => pushStatus(sb, body)],
    ['POST webhook', ({ sb, body }) => pushWebhook(sb, body)],
    ['GET faults', ({ sb }) => ({ data: [...sb.faults.list.values()] })],
    ['POST faults', ({ sb, body }) => addFault(sb, body)],
    ['DELETE faults', ({ sb }) => { sb.faults.clear(); sb.bus.emit('fault', null); return { ok: true }; }],
    ['DELETE faults/*', ({ sb, ids }) => { const ok = sb.faults.list.delete(ids[0]); sb.bus.emit('fault', null); return { ok }; }],
    ['GET uploads', ({ sb }) => ({ data: [...sb.store.uploads.values()] })],
    ['GET magic', () => ({ behaviours: Object.fromEntries(Object.entries(BEHAVIOURS).map(([digits, { says }]) => [`+1 555 03 ${digits}`, says])), codes: knownCodes() })],
    ['GET settings', ({ sb }) => sb.settings],
    ['PATCH settings', ({ sb, body }) => changeSettings(sb, body)],
    ['GET templates', ({ sb, query }) => ({ data: query.get('waba_id') === null ? [...sb.store.templates.values()] : templatesOf(sb, String(query.get('waba_id'))) })],
    ['PATCH templates/*', ({ sb, ids, body }) => changeTemplate(sb, ids[0], body)],
    ['GET webhooks', ({ sb, query }) => ({ data: sb.webhooks.deliveries.slice(-limitOf(query)), waiting: sb.store.updates.size })],
    ['GET mails', ({ sb, query }) => ({ data: (sb.mail?.mails ?? []).slice(-limitOf(query)).map(({ raw: _, html: __, ...mail }) => mail), is_relay: sb.mail !== null })],
    ['GET mails/*', ({ sb, ids }) => sb.mail?.mails.find(({ id }) => id === ids[0]) ?? notThere()],
    ['GET counters', ({ sb }) => ({ ...sb.counters, 'webhooks.waiting': sb.store.updates.size })],
    ['GET wait', ({ sb, query }) => wait(sb, query)],
    ['POST reset', ({ sb, body }) => reset(sb, body)],
];

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./http_io.js').Request} req @param {import('./http_io.js').Response} res @param {URL} url */
export async function serveControl(sb, req, res, url) {
    const parts = url.pathname.replace(/^\/_sandbox\/?/, '').split('/').filter((part) => part !== '').map(decode);
    if (req.method === 'GET' && (parts.length === 0 || parts[0] === 'page')) {
        serveFile(res, 'log', parts[1] ?? 'index.html');
        return;
    }
    if (req.method === 'GET' && parts[0] === 'events') {
        serveEvents(sb, res, ['message', 'status', 'delivery', 'account', 'fault', 'template', 'mail', 'sms', 'sms_status'], () => true);
        return;
    }
    if (req.method === 'GET' && parts[0] === 'mails' && parts[2] === 'html') {
        const mail = sb.mail?.mails.find(({ id }) => id === parts[1]);
        serveForeign(res, mail?.html ?? null);
        return;
    }
    const raw = await readBody(req, BODY_MAX);
    if (parts[0] === 'smsc')
        return serveSmsc(sb, req, res, url, parts.slice(1), raw);
    const found = ROUTES.find(([pattern]) => fits(pattern, String(req.method), parts));
    try {
        if (found === undefined)
            throw new ControlError(404, 'no such path; sandbox/README.md lists them');
        const pattern = found[0].split(' ')[1].split('/');
        const ids = parts.filter((_, i) => pattern[i] === '*');
        replyJson(res, 200, await found[1]({ sb, ids, query: url.searchParams, body: bodyOf(req, raw) }));
    } catch (error) {
        if (!(error instanceof ControlError))
            throw error;
        replyJson(res, error.status, { error: error.message });
    }
}

/** The message centre's own API. @param {import('./sandbox.js').Sandbox} sb @param {import('./http_io.js').Request} req @param {import('./http_io.js').Response} res @param {URL} url @param {string[]} parts @param {Buffer} raw */
async function serveSmsc(sb, req, res, url, parts, raw) {
    try {
        if (sb.smsc === null)
            throw new SmscError(404, 'this sandbox has no message centre: start it with --smsc HOST:PORT');
        replyJson(res, 200, await controlSmsc(sb.smsc, String(req.method), parts, url.searchParams, bodyOf(req, raw)));
    } catch (error) {
        if (!(error instanceof ControlError || error instanceof SmscError))
            throw error;
        replyJson(res, error.status, { error: error.message });
    }
}

/** @returns {never} */
function notThere() {
    throw new ControlError(404, 'not there');
}

/** @param {string} part */
function decode(part) {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

/** @param {string} pattern @param {string} method @param {string[]} parts */
function fits(pattern, method, parts) {
    const [wanted, path] = pattern.split(' ');
    const names = path.split('/');
    return wanted === method && names.length === parts.length && names.every((name, i) => name === '*' || name === parts[i]);
}

/** @param {import('./http_io.js').Request} req @param {Buffer} raw */
function bodyOf(req, raw) {
    if (raw.length === 0)
        return {};
    if (!/^application\/json\b/i.test(String(req.headers['content-type'] ?? '')))
        throw new ControlError(415, 'send application/json');
    try {
        return JSON.parse(raw.toString('utf8'));
    } catch {
        throw new ControlError(400, 'not JSON');
    }
}

/** @param {URLSearchParams} query */
function limitOf(query) {
    const limit = Number(query.get('limit') ?? 100);
    return Number.isInteger(limit) && limit > 0 && limit <= 10_000 ? limit : 100;
}

/** @param {import('./sandbox.js').Sandbox} sb @param {string} wabaId */
function accountOf(sb, wabaId) {
    const account = sb.store.accounts.get(wabaId);
    if (account === undefined)
        throw new ControlError(404, 'no such account');
    return account;
}

/** @param {import('./sandbox.js').Sandbox} sb @param {string} id */
function messageOf(sb, id) {
    const message = sb.store.messages.get(id);
    if (message === undefined)
        throw new ControlError(404, 'no such message');
    return message;
}

/** @param {import('./sandbox.js').Sandbox} sb @param {any} body */
async function makeAccount(sb, body) {
    const { account, phone, problem } = putAccount(sb, body);
    if (account === null)
        throw new ControlError(400, String(problem));
    const wantsHandshake = body.handshake ?? typeof body.callback_url === 'string';
    return { ...accountShown(sb, account), phone_number_id: phone?.id ?? null, access_token: account.tokens.at(-1)?.token,
        handshake: wantsHandshake ? await handshake(sb, account) : null };
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Account} account */
async function handshake(sb, account) {
    if (account.callback_url === null)
        return { ok: false, status: null, error: 'no callback_url' };
    return sb.webhooks.handshake(account.callback_url, account.verify_token ?? '');
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Account} account @param {any} body */
function changeToken(sb, account, body) {
    const token = account.tokens.find((entry) => entry.token === body.token || body.token === undefined);
    const { expires_in_ms: life } = body;
    if (token === undefined || (body.state !== undefined && !['valid', 'expired', 'revoked'].includes(body.state)) || (life !== undefined && life !== null && !(Number.isInteger(life) && life >= 0)))
        throw new ControlError(400, 'give {token, state: valid, expired or revoked, expires_in_ms, scopes}');
    token.state = body.state ?? token.state;
    if (life !== undefined)
        token.expires_at = life === null ? undefined : sb.now() + life;
    token.scopes = Array.isArray(body.scopes) ? body.scopes.map(String) : token.scopes;
    sb.store.put('account', account.waba_id, account);
    return accountShown(sb, account);
}

/** @param {import('./sandbox.js').Sandbox} sb @param {string} id @param {any} body */
function changePhoneState(sb, id, body) {
    const phone = sb.store.phones.get(id);
    if (phone === undefined)
        throw new ControlError(404, 'no such number');
    if (body.status !== undefined && !['CONNECTED', 'PENDING'].includes(body.status))
        throw new ControlError(400, 'status: CONNECTED or PENDING');
    phone.status = body.status ?? phone.status;
    if (body.code_status !== undefined && !['VERIFIED', 'NOT_VERIFIED'].includes(body.code_status))
        throw new ControlError(400, 'code_status: VERIFIED or NOT_VERIFIED');
    phone.code_status = body.code_status ?? phone.code_status;
    if (body.name_decision !== undefined && !['APPROVED', 'REJECTED'].includes(body.name_decision))
        throw new ControlError(400, 'name_decision: APPROVED or REJECTED');
    if (body.name_decision !== undefined)
        decideName(sb, phone, body.name_decision);
    phone.quality_rating = body.quality_rating === undefined ? phone.quality_rating : String(body.quality_rating);
    sb.store.put('phone', phone.id, phone);
    return phone;
}

/** Somebody signs up: the code that a page would get. @param {import('./sandbox.js').Sandbox} sb @param {any} body */
function makeSignup(sb, body) {
    const { code, account, phone, problem } = signUp(sb, body);
    if (problem !== null || account === null)
        throw new ControlError(400, String(problem));
    return { code, waba_id: account.waba_id, phone_number_id: phone?.id, app_id: account.app_id, app_secret: account.app_secret };
}

/** @param {import('./sandbox.js').Sandbox} sb @param {URLSearchParams} query */
function listMessages(sb, query) {
    /** @param {string} name @param {string|null|undefined} value */
    const fits = (name, value) => query.get(name) === null || query.get(name) === value;
    const found = [];
    for (const message of sb.store.messages.values())
        if (fits('direction', message.direction) && fits('wa_id', message.wa_id) && fits('type', message.type) && fits('phone_number_id', message.phone_number_id)
            && fits('opaque', message.biz_opaque_callback_data) && fits('status', message.statuses.at(-1)?.status))
            found.push(message);
    return { total: found.length, data: found.slice(-limitOf(query)) };
}

/** The number that an inbound message is for; the only one there is needs no naming. @param {import('./sandbox.js').Sandbox} sb @param {any} body */
function phoneFor(sb, body) {
    const phones = [...sb.store.phones.values()];
    const phone = body.phone_number_id === undefined ? (phones.length === 1 ? phones[0] : undefined) : sb.store.phones.get(String(body.phone_number_id));
    if (phone === undefined)
        throw new ControlError(400, 'phone_number_id: which number?');
    return phone;
}

/** @param {import('./sandbox.js').Sandbox} sb @param {any} body */
function inject(sb, body) {
    const phone = phoneFor(sb, body);
    const from = String(body.from ?? '').replace(/[^0-9]/g, '');
    if (!/^[1-9][0-9]{7,14}$/.test(from))
        throw new ControlError(400, 'from: the number of a person, 8 to 15 digits');
    const type = body.type ?? 'text';
    if (!INBOUND_TYPES.includes(type))
        throw new ControlError(400, `type: one of ${INBOUND_TYPES.join(', ')}`);
    const content = type === 'text' && typeof body.text === 'string' ? { body: body.text } : body[type] ?? {};
    const copies = body.duplicates === undefined ? 0 : Number(body.duplicates);
    const message = receive(sb, phone, { from, type, content, name: body.name === undefined ? undefined : String(body.name),
        context: body.context ?? null, referral: body.referral });
    const sent = [...sb.store.updates.values()].find((update) => update.key === message.id);
    for (let i = 0; i < copies && sent !== undefined; i++)
        sb.webhooks.enqueue({ waba_id: sent.waba_id, phone_number_id: sent.phone_number_id, field: sent.field, value: sent.value, key: sent.key, wa_id: sent.wa_id });
    return message;
}

/** @param {import('./sandbox.js').Sandbox} sb @param {any} body */
function injectEcho(sb, body) {
    const to = String(body.to ?? '').replace(/[^0-9]/g, '');
    const type = body.type ?? 'text';
    if (!/^[1-9][0-9]{7,14}$/.test(to) || !INBOUND_TYPES.includes(type))
        throw new ControlError(400, `give {to: the number of a person, type: one of ${INBOUND_TYPES.join(', ')}}`);
    return echo(sb, phoneFor(sb, body), { to, type, content: type === 'text' && typeof body.text === 'string' ? { body: body.text } : body[type] ?? {} });
}

/** A status by hand: a late `read`, a second `delivered`, a `failed` with a code. @param {import('./sandbox.js').Sandbox} sb @param {any} body */
function pushStatus(sb, body) {
    const message = messageOf(sb, String(body.message_id));
    if (typeof body.status !== 'string' || message.direction !== 'out')
        throw new ControlError(400, 'give {message_id of a message sent, status, code}');
    emitStatus(sb, message, { status: body.status, after_ms: 0, ...(body.code === undefined ? {} : { errors: [webhookError(Number(body.code), body.details)] }) });
    return message;
}

/** Any change of any field, as given. @param {import('./sandbox.js').Sandbox} sb @param {any} body */
function pushWebhook(sb, body) {
    const account = accountOf(sb, String(body.waba_id));
    if (typeof body.field !== 'string' || body.value === undefined)
        throw new ControlError(400, 'give {waba_id, field, value}');
    sb.webhooks.enqueue({ waba_id: account.waba_id, phone_number_id: body.phone_number_id ?? null, field: body.field, value: body.value, timed: body.timed === true });
    return { ok: true };
}

/** @param {import('./sandbox.js').Sandbox} sb @param {any} body */
function addFault(sb, body) {
    const { fault, problem } = sb.faults.add(body);
    if (fault === null)
        throw new ControlError(400, String(problem));
    return fault;
}

/** @param {import('./sandbox.js').Sandbox} sb @param {any} body */
function changeSettings(sb, body) {
    const { settings, problem } = readSettings(body);
    if (problem !== null)
        throw new ControlError(400, problem);
    Object.assign(sb.settings, settings);
    return sb.settings;
}

/** @param {import('./sandbox.js').Sandbox} sb @param {string} id @param {any} body */
function changeTemplate(sb, id, body) {
    const template = sb.store.templates.get(id);
    if (template === undefined)
        throw new ControlError(404, 'no such template');
    const problem = changeByHand(sb, template, body);
    if (problem !== null)
        throw new ControlError(400, problem);
    return template;
}

/**
 * Answers when something has happened, so that a test need not sleep: ?for=messages (with the filters of the list),
 * idle (no webhook waits) or counter&name=; count= how many; timeout_ms=. 408 when it did not.
 * @param {import('./sandbox.js').Sandbox} sb @param {URLSearchParams} query
 */
function wait(sb, query) {
    const count = Number(query.get('count') ?? 1);
    const timeoutMs = Math.min(WAIT_MAX_MS, Number(query.get('timeout_ms') ?? 30_000));
    const what = query.get('for') ?? 'messages';
    const counter = query.get('name') ?? '';
    if (!['messages', 'idle', 'counter'].includes(what) || !Number.isFinite(count) || !Number.isFinite(timeoutMs))
        throw new ControlError(400, 'for: messages, idle or counter');
    const look = () => {
        if (what === 'idle')
            return sb.webhooks.isIdle() ? { ok: true } : null;
        if (what === 'counter')
            return (sb.counters[counter] ?? 0) >= count ? { value: sb.counters[counter] } : null;
        const list = listMessages(sb, query);
        return list.total >= count ? list : null;
    };
    return new Promise((resolve, reject) => {
        const events = ['message', 'status', 'delivery', 'settled'];
        /** @param {(() => void)} end */
        const finish = (end) => {
            clearTimeout(timer);
            sb.timers.delete(timer);
            for (const event of events)
                sb.bus.off(event, check);
            end();
        };
        const check = () => {
            const found = look();
            if (found !== null)
                finish(() => resolve(found));
        };
        const timer = sb.later(timeoutMs, () => finish(() => reject(new ControlError(408, 'it did not happen in time'))));
        for (const event of events)
            sb.bus.on(event, check);
        check();
    });
}

/** @param {import('./sandbox.js').Sandbox} sb @param {any} body */
function reset(sb, body) {
    for (const timer of sb.timers)
        clearTimeout(timer);
    sb.timers.clear();
    sb.store.clear(['message', 'chat', 'handset', 'update', 'media', 'upload', ...(body.accounts === true ? /** @type {const} */ (['account', 'phone', 'template']) : [])]);
    sb.faults.clear();
    sb.limits.clear();
    sb.typing.clear();
    sb.linkMedia.clear();
    sb.webhooks.forget();
    sb.counters = {};
    sb.bus.emit('account', null);
    return { ok: true };
}
