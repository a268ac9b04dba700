// @ts-check
/** Listeners, and which part of the simulator a request is for. */
import http from 'node:http';
import http2 from 'node:http2';
import { Sandbox } from './sandbox.js';
import { serveGraph } from './graph.js';
import { serveControl } from './control.js';
import { serveHandset } from './handset/handset.js';
import { GraphError } from './errors.js';
import { BrokenAnswer, CutConnection, RawAnswer } from './faults.js';
import { replyBroken } from './broken.js';
import { BodyCut, BodyTooLarge, cutConnection, hostOf, replyBytes, replyJson } from './http_io.js';
import { MailCatcher } from './mail.js';
import { TlsDial, makeCertificates } from './tls.js';
import { Centre } from '../smsc/centre.js';
import { listen as listenForEsmes } from '../smsc/server.js';

/**
 * @typedef {object} Options
 * @property {string} [host]
 * @property {number} [port] 0: a free one
 * @property {{dir: string, port?: number}|null} [tls] a folder for the certificates
 * @property {string|null} [data]
 * @property {Partial<import('./types.js').Settings>} [settings]
 * @property {string|null} [callbackCa] PEM
 * @property {{host: string, port: number}|null} [mail] a mail relay too; port 0: a free one
 * @property {{host: string, port: number, tls?: {dir: string, port: number}|null, settings?: Partial<import('../smsc/types.js').Settings>}|null} [smsc] a message centre too, on the same phones
 *
 * @typedef {object} Running
 * @property {Sandbox} sandbox
 * @property {string} url
 * @property {string|null} tls_url
 * @property {string|null} ca_path
 * @property {string|null} mail_url
 * @property {string|null} smsc_url
 * @property {string|null} smsc_tls_url
 * @property {() => Promise<void>} stop
 */

/** @param {Options} [options] @returns {Promise<Running>} */
export async function startSandbox(options = {}) {
    const host = options.host ?? '127.0.0.1';
    const sandbox = new Sandbox({ data: options.data, settings: options.settings, callbackCa: options.callbackCa });
    const handler = (/** @type {any} */ req, /** @type {any} */ res) => {
        sandbox.count(`requests.http${req.httpVersionMajor}`);
        void serve(sandbox, req, res);
    };
    const plain = http.createServer({ keepAliveTimeout: 60_000 }, handler);
    const servers = /** @type {Closable[]} */ ([plain]);
    const url = `http://${await listen(plain, host, options.port ?? 0)}`;
    let tlsUrl = null;
    let caPath = null;
    if (options.tls) {
        const certificates = await makeCertificates(options.tls.dir, host);
        const secure = http2.createSecureServer({ allowHTTP1: true, key: certificates.key, cert: certificates.cert }, handler);
        const dial = new TlsDial(sandbox, secure, certificates, options.tls.dir);
        const sessions = /** @type {Set<http2.ServerHttp2Session>} */ (new Set());
        secure.on('session', (session) => { sessions.add(session); session.on('close', () => sessions.delete(session)); });
        const sockets = /** @type {Set<import('node:net').Socket>} */ (new Set());
        secure.prependListener('connection', (socket) => { dial.meet(socket); sockets.add(socket); socket.on('close', () => sockets.delete(socket)); });
        tlsUrl = `https://${await listen(secure, host, options.tls.port ?? 0)}`;
        caPath = certificates.caPath;
        servers.push({ close: (done) => secure.close(done), closeAllConnections: () => {
            for (const session of sessions)
                session.destroy();
            for (const socket of sockets)
                socket.destroy();
        } });
    }
    let mailUrl = null;
    if (options.mail) {
        sandbox.mail = new MailCatcher(sandbox);
        mailUrl = `smtp://${await listen(sandbox.mail.server, options.mail.host, options.mail.port)}`;
        servers.push(sandbox.mail);
    }
    let centre = null;
    if (options.smsc) {
        sandbox.smsc = new Centre(options.smsc.settings, phonesOf(sandbox));
        for (const event of ['sms', 'sms_status', 'account'])
            sandbox.smsc.bus.on(event, (value) => sandbox.bus.emit(event, value ?? null));
        centre = await listenForEsmes(sandbox.smsc, options.smsc);
        servers.push(centre);
        sandbox.smsc.resume();
    }
    sandbox.resume();
    const stop = async () => {
        sandbox.stop();
        await Promise.all(servers.map((server) => new Promise((resolve) => {
            server.close(resolve);
            server.closeAllConnections();
        })));
    };
    return { sandbox, url, tls_url: tlsUrl, ca_path: caPath, mail_url: mailUrl, smsc_url: centre?.url ?? null, smsc_tls_url: centre?.tls_url ?? null, stop };
}

/** The sandbox's own phones and store, for the message centre. @param {Sandbox} sb @returns {import('../smsc/centre.js').Host} */
const phonesOf = (sb) => ({
    put: (kind, id, value) => sb.store.put(kind, id, value),
    remove: (kind, id) => sb.store.remove(kind, id),
    all: (kind) => sb.store.maps[kind],
    phone: (waId) => sb.handset(waId),
    flush: () => sb.store.flush(),
});

/** @typedef {{close: (done: (error?: Error) => void) => unknown, closeAllConnections: () => void}} Closable */

/** @param {import('node:net').Server} server @param {string} host @param {number} port @returns {Promise<string>} host:port */
function listen(server, host, port) {
    return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
            server.off('error', reject);
            const { port: got } = /** @type {import('node:net').AddressInfo} */ (server.address());
            resolve(`${host.includes(':') ? `[${host}]` : host}:${got}`);
        });
    });
}

/** @param {Sandbox} sb @param {import('./http_io.js').Request} req @param {import('./http_io.js').Response} res */
async function serve(sb, req, res) {
    let url;
    try {
        url = new URL(String(req.url), 'http://sandbox');
    } catch {
        replyBytes(res, 400, Buffer.alloc(0), {});
        return;
    }
    try {
        if (url.pathname === '/')
            replyBytes(res, 302, Buffer.alloc(0), { location: '/handset' });
        else if (/^\/(handset|_sandbox)(\/|$)/.test(url.pathname)) {
            const refusal = crossSite(req);
            if (refusal !== null)
                replyJson(res, 403, { error: refusal });
            else if (url.pathname.startsWith('/handset'))
                await serveHandset(sb, req, res, url);
            else
                await serveControl(sb, req, res, url);
        } else
            await serveGraph(sb, req, res, url);
    } catch (error) {
        fail(sb, req, res, error);
    }
}

/**
 * The pages and the control API need no token, so another site's page must not reach them through a browser.
 * @param {import('./http_io.js').Request} req @returns {string|null}
 */
function crossSite(req) {
    const host = hostOf(req);
    const name = host.replace(/:[0-9]+$/, '');
    if (!['localhost', '[::1]'].includes(name) && !/^[0-9.]+$/.test(name))
        return 'ask by address or as localhost';
    const origin = req.headers.origin;
    if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`)
        return 'another origin';
    const site = req.headers['sec-fetch-site'];
    return site === undefined || site === 'same-origin' || site === 'none' || req.method === 'GET' ? null : 'another site';
}

/** @param {Sandbox} sb @param {import('./http_io.js').Request} req @param {import('./http_io.js').Response} res @param {unknown} error */
function fail(sb, req, res, error) {
    if (error instanceof GraphError) {
        sb.count(`graph.errors.${error.code}`);
        /** @type {Record<string, string>} */
        const challenge = error.code === 190 || error.code === 104 ? { 'www-authenticate': `OAuth "Facebook Platform" "invalid_token" "${error.message}"` } : {};
        replyJson(res, error.http, error.body(), { ...challenge, ...error.headers });
    } else if (error instanceof RawAnswer)
        replyBytes(res, error.http, Buffer.from(error.body), { 'content-type': 'application/json; charset=UTF-8', ...error.headers });
    else if (error instanceof BrokenAnswer)
        replyBroken(req, res, error.how);
    else if (error instanceof CutConnection)
        cutConnection(req);
    else if (error instanceof BodyTooLarge)
        replyJson(res, 413, new GraphError(100, { http: 413, message: 'The request is too large.' }).body());
    else if (!(error instanceof BodyCut)) {
        process.stderr.write(`${JSON.stringify({ event: 'sandbox.bug', error: String(/** @type {Error} */ (error)?.stack ?? error) })}\n`);
        sb.count('bugs');
        replyJson(res, 500, new GraphError(1, { http: 500 }).body());
    }
}
