// @ts-check
/** The Graph API: paths and methods to what they do. */
import { authenticate, debugToken, needScope } from './accounts.js';
import { GraphError, unknownObject } from './errors.js';
import { readBody, replyBytes, replyJson, originOf, goneSignal } from './http_io.js';
import { strike } from './faults.js';
import { postMessage } from './messages.js';
import { UPLOAD_MAX, downloadMedia, mediaById, mediaView, uploadMedia } from './media.js';
import { accountView, changePhone, changeProfile, deregisterPhone, listPhones, overrideFrom, phoneView, profileView, registerPhone,
    requestCode, subscriptionView, verifyCode } from './phone_numbers.js';
import { needAllowance, usageHeaders } from './usage.js';
import { exchangeCode, isAppToken } from './signup.js';
import { createTemplate, deleteTemplates, editTemplate, listTemplates, templateById, templateView } from './templates.js';
import { compareTemplates, unpauseTemplate } from './template_events.js';
import { appView, beginUpload, serveUpload } from './uploads.js';

const BODY_MAX = 3 * 1024 * 1024;

/**
 * @typedef {object} Call one request that has passed authentication
 * @property {import('./sandbox.js').Sandbox} sb
 * @property {import('./types.js').Account} account
 * @property {URLSearchParams} query
 * @property {any} body parsed; null when it was not JSON
 * @property {Buffer} raw
 * @property {string} contentType
 * @property {string} origin
 * @property {string} url of this request, without its query
 * @property {AbortSignal} gone
 *
 * @typedef {object} Route
 * @property {'m'|'w'} scope whatsapp_business_messaging or whatsapp_business_management
 * @property {import('./faults.js').Fault['on']} on
 * @property {(call: Call, node: any) => unknown} run
 */

const DONE = { success: true };

/** @type {Record<string, Record<string, Route>>} node kind, then "METHOD edge" */
const ROUTES = {
    phone: {
        'POST messages': { scope: 'm', on: 'messages', run: ({ sb, body, gone }, phone) => postMessage(sb, phone, body, gone) },
        'POST media': { scope: 'm', on: 'media', run: ({ sb, raw, contentType }, phone) => uploadMedia(sb, phone, raw, contentType) },
        'GET ': { scope: 'w', on: 'numbers', run: ({ sb, query }, phone) => phoneView(sb, phone, query.get('fields')) },
        'POST ': { scope: 'w', on: 'numbers', run: ({ sb, body }, phone) => changePhone(sb, phone, body ?? {}) },
        'POST register': { scope: 'm', on: 'numbers', run: ({ sb, body }, phone) => registerPhone(sb, phone, body ?? {}) },
        'POST deregister': { scope: 'm', on: 'numbers', run: ({ sb }, phone) => deregisterPhone(sb, phone) },
        'POST request_code': { scope: 'w', on: 'numbers', run: ({ sb, body }, phone) => requestCode(sb, phone, body ?? {}) },
        'POST verify_code': { scope: 'w', on: 'numbers', run: ({ sb, body }, phone) => verifyCode(sb, phone, body ?? {}) },
        'GET whatsapp_business_profile': { scope: 'm', on: 'numbers', run: ({ query }, phone) => profileView(phone, query.get('fields')) },
        'POST whatsapp_business_profile': { scope: 'm', on: 'numbers', run: ({ sb, account, body }, phone) => changeProfile(sb, account, phone, body ?? {}) },
    },
    waba: {
        'GET ': { scope: 'w', on: 'numbers', run: ({ account, query }) => accountView(account, query.get('fields')) },
        'GET phone_numbers': { scope: 'w', on: 'numbers', run: ({ sb, account, query, url }) => listPhones(sb, account, query, url) },
        'GET subscribed_apps': { scope: 'w', on: 'numbers', run: ({ account }) => subscriptionView(account) },
        'POST subscribed_apps': { scope: 'w', on: 'numbers', run: async ({ sb, account, body }) => {
            account.override_url = await overrideFrom(sb, body ?? {});
            account.subscribed = true;
            sb.store.put('account', account.waba_id, account);
            return DONE;
        } },
        'DELETE subscribed_apps': { scope: 'w', on: 'numbers', run: ({ sb, account }) => {
            account.subscribed = false;
            account.override_url = null;
            sb.store.put('account', account.waba_id, account);
            return DONE;
        } },
        'GET message_templates': { scope: 'w', on: 'templates', run: ({ sb, account, query, url }) => listTemplates(sb, account, query, url) },
        'POST message_templates': { scope: 'w', on: 'templates', run: ({ sb, account, body }) => createTemplate(sb, account, body ?? {}) },
        'DELETE message_templates': { scope: 'w', on: 'templates', run: ({ sb, account, query }) => deleteTemplates(sb, account, query) },
    },
    template: {
        'GET ': { scope: 'w', on: 'templates', run: ({ query }, template) => templateView(template, query.get('fields')) },
        'POST ': { scope: 'w', on: 'templates', run: ({ sb, account, body }, template) => editTemplate(sb, account, template, body ?? {}) },
        'POST unpause': { scope: 'w', on: 'templates', run: ({ sb }, template) => unpauseTemplate(sb, template) },
        'GET compare': { scope: 'w', on: 'templates', run: ({ sb, query }, template) => compareTemplates(sb, template, query) },
    },
    app: {
        'GET ': { scope: 'w', on: 'apps', run: ({ account }) => appView(account) },
        'POST uploads': { scope: 'w', on: 'uploads', run: ({ sb, account, query, body }) => beginUpload(sb, account, query, body) },
    },
    media: {
        'GET ': { scope: 'm', on: 'media', run: ({ sb, account, origin }, media) => mediaView(sb, account, media, origin) },
        'DELETE ': { scope: 'm', on: 'media', run: ({ sb }, media) => { sb.store.remove('media', media.id); return DONE; } },
    },
};

/** What an id names, if this account may see it.
 * @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Account} account @param {string} id @param {string} method
 * @param {URLSearchParams} query @returns {{kind: string, node: any}} */
function resolve(sb, account, id, method, query) {
    if (id === account.waba_id)
        return { kind: 'waba', node: account };
    if (id === account.app_id || id === 'app')
        return { kind: 'app', node: account };
    const phone = sb.store.phones.get(id);
    if (phone !== undefined && phone.waba_id === account.waba_id)
        return { kind: 'phone', node: phone };
    if (sb.store.templates.has(id))
        return { kind: 'template', node: templateById(sb, account, id, method) };
    if (sb.store.media.has(id))
        return { kind: 'media', node: mediaById(sb, account, id, method, query.get('phone_number_id')) };
    throw unknownObject(id, method);
}

/**
 * @param {import('./sandbox.js').Sandbox} sb @param {import('./http_io.js').Request} req @param {import('./http_io.js').Response} res
 * @param {URL} url
 */
export async function serveGraph(sb, req, res, url) {
    const method = String(req.method);
    const path = url.pathname.replace(/^\/v[0-9]{1,3}\.[0-9]{1,2}(?=\/|$)/, '');
    const segments = path.split('/').filter((part) => part !== '');
    if (segments.length === 1 && segments[0].startsWith('upload:')) {
        await serveUpload(sb, req, res, segments[0], url.searchParams);
        return;
    }
    const isUpload = segments[1] === 'media' && method === 'POST';
    const raw = await readBody(req, isUpload ? UPLOAD_MAX + 65536 : BODY_MAX);
    if (path === '/oauth/access_token' && method === 'GET') {
        sb.count('graph.requests');
        await strike(sb, sb.faults.take({ on: 'numbers' }), 'before', goneSignal(res));
        replyJson(res, 200, exchangeCode(sb, url.searchParams));
        return;
    }
    if (path === '/debug_token' && method === 'GET' && isAppToken(sb, req.headers.authorization)) {
        sb.count('graph.requests');
        replyJson(res, 200, debugToken(sb, url.searchParams.get('input_token')));
        return;
    }
    const { account, token } = authenticate(sb, req.headers.authorization, url.searchParams);
    sb.count('graph.requests');
    for (const [name, value] of Object.entries(usageHeaders(sb, account)))
        res.setHeader(name, value);
    if (path === '/whatsapp_business/attachments/') {
        serveDownload(sb, res, account, url.searchParams);
        return;
    }
    if (path === '/debug_token' && method === 'GET') {
        replyJson(res, 200, debugToken(sb, url.searchParams.get('input_token')));
        return;
    }
    if (segments.length === 0 || segments.length > 2 || !/^([0-9]+|app)$/.test(segments[0]))
        throw new GraphError(2500, { message: `Unknown path components: /${segments.slice(/^[0-9]+$/.test(segments[0] ?? '') ? 2 : 0).join('/')}` });
    const { kind, node } = resolve(sb, account, segments[0], method, url.searchParams);
    const route = ROUTES[kind][`${method} ${segments[1] ?? ''}`];
    if (route === undefined)
        throw segments[1] !== undefined && !['GET', 'POST', 'DELETE'].some((other) => ROUTES[kind][`${other} ${segments[1]}`])
            ? new GraphError(2500, { message: `Unknown path components: /${segments[1]}` }) : unknownObject(segments[0], method);
    needScope(token, route.scope === 'm' ? 'whatsapp_business_messaging' : 'whatsapp_business_management');
    if (route.scope === 'w')
        needAllowance(sb, account);
    const contentType = String(req.headers['content-type'] ?? '');
    const gone = goneSignal(res);
    const effects = route.on === 'messages' ? [] : sb.faults.take({ on: route.on, phone_number_id: kind === 'phone' ? node.id : undefined,
        type: route.on === 'uploads' ? 'session' : undefined });
    await strike(sb, effects, 'before', gone);
    const answer = await route.run({ sb, account, query: url.searchParams, raw, contentType, gone, origin: originOf(req),
        body: isUpload ? null : parseBody(raw, contentType, url.searchParams), url: `${originOf(req)}${url.pathname}` }, node);
    sb.store.flush(); /* what was answered survives a kill */
    await strike(sb, effects, 'after', gone);
    replyJson(res, 200, answer, { 'x-fb-trace-id': String(Math.random()).slice(2, 13) });
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./http_io.js').Response} res
 * @param {import('./types.js').Account} account @param {URLSearchParams} query */
function serveDownload(sb, res, account, query) {
    const found = downloadMedia(sb, account, query);
    if (found === null)
        replyBytes(res, 404, Buffer.alloc(0), {});
    else if (sb.setting('media_lie', account.waba_id) === 'cut') {
        const out = /** @type {import('node:http').ServerResponse} */ (res);
        out.writeHead(200, { 'content-type': found.type, 'content-length': found.bytes.length });
        out.write(found.bytes.subarray(0, found.bytes.length >> 1), () => out.destroy());
    } else
        replyBytes(res, 200, found.bytes, { 'content-type': found.type, 'content-disposition': 'attachment', 'x-content-type-options': 'nosniff' });
}

/**
 * JSON, or a form whose values may be JSON; parameters in the query string count too.
 * @param {Buffer} raw @param {string} contentType @param {URLSearchParams} query @returns {any} null: not JSON
 */
function parseBody(raw, contentType, query) {
    /** @param {URLSearchParams} parameters */
    const fromForm = (parameters) => Object.fromEntries([...parameters].filter(([name]) => name !== 'access_token')
        .map(([name, value]) => [name, /^[[{]/.test(value) ? parseJson(value) ?? value : value]));
    if (/^application\/x-www-form-urlencoded/i.test(contentType))
        return { ...fromForm(query), ...fromForm(new URLSearchParams(raw.toString('utf8'))) };
    if (raw.length === 0)
        return fromForm(query);
    return parseJson(raw);
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @param {Buffer|string} text */
function parseJson(text) {
    try {
        return JSON.parse(typeof text === 'string' ? text : utf8.decode(text));
    } catch {
        return null;
    }
}
