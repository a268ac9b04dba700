#!/usr/bin/env node
// @ts-check
/** The message centre by itself, with its control API: options in, one line of JSON out when it is ready, until SIGTERM. */
import http from 'node:http';
import { parseArgs } from 'node:util';
import { readBody, replyJson } from '../graph/http_io.js';
import { Centre } from './centre.js';
import { ControlError, control } from './control.js';
import { listen } from './server.js';
import { readSettings } from './settings.js';

const USAGE = `usage: node sandbox/smsc/main.js [options]
  --listen HOST:PORT        SMPP (default 127.0.0.1:0; port 0 is a free one)
  --tls DIR                 SMPP over TLS too; CA and keys go to DIR
  --tls-port PORT           its port (default 0)
  --control HOST:PORT       HTTP of the control API (default 127.0.0.1:0)
  --account ID:PASSWORD     an account; may be repeated
  --set NAME=VALUE          a setting of README.md; may be repeated
  --follow-stdin            stop when standard input ends, as when the parent dies
`;

/** @param {string} text */
function hostPort(text) {
    const found = /^(.+):([0-9]{1,5})$/.exec(text);
    if (found === null || Number(found[2]) > 65535)
        throw new TypeError(`HOST:PORT, not ${text}`);
    return { host: found[1].replace(/^\[|\]$/g, ''), port: Number(found[2]) };
}

/** @param {string} text */
function pair(text) {
    const at = text.search(/[=:]/);
    const value = text.slice(at + 1);
    return /** @type {[string, string|number]} */ ([text.slice(0, at), /^-?[0-9]+$/.test(value) ? Number(value) : value]);
}

/** @param {Centre} centre @param {import('node:http').IncomingMessage} req @param {import('node:http').ServerResponse} res */
async function serve(centre, req, res) {
    const url = new URL(String(req.url), 'http://sandbox');
    try {
        const parts = url.pathname.split('/').filter((part) => part !== '').map(decodeURIComponent);
        const raw = await readBody(req, 4 * 1024 * 1024);
        if (parts[0] !== '_sandbox' || parts[1] !== 'smsc' || req.headers.origin !== undefined || (raw.length > 0 && !/^application\/json\b/i.test(String(req.headers['content-type'] ?? ''))))
            throw new ControlError(404, 'JSON under /_sandbox/smsc, and not for pages');
        replyJson(res, 200, await control(centre, String(req.method), parts.slice(2), url.searchParams, raw.length === 0 ? {} : JSON.parse(raw.toString('utf8'))));
    } catch (error) {
        replyJson(res, error instanceof ControlError ? error.status : 400, { error: String(/** @type {Error} */ (error).message) });
    }
}

try {
    const { values } = parseArgs({ options: { listen: { type: 'string', default: '127.0.0.1:0' }, tls: { type: 'string' }, 'tls-port': { type: 'string', default: '0' },
        control: { type: 'string', default: '127.0.0.1:0' }, account: { type: 'string', multiple: true }, set: { type: 'string', multiple: true }, 'follow-stdin': { type: 'boolean' }, help: { type: 'boolean' } } });
    if (values.help) {
        process.stdout.write(USAGE);
        process.exit(0);
    }
    const { settings, problem } = readSettings(Object.fromEntries((values.set ?? []).map(pair)));
    if (problem !== null)
        throw new TypeError(problem);
    const centre = new Centre(settings);
    for (const text of values.account ?? []) {
        const [id, password] = pair(text);
        await control(centre, 'POST', ['accounts'], new URLSearchParams(), { system_id: id, password: String(password) });
    }
    const listening = await listen(centre, { ...hostPort(values.listen), tls: values.tls === undefined ? null : { dir: values.tls, port: Number(values['tls-port']) } });
    const { host, port } = hostPort(values.control);
    const server = http.createServer((req, res) => void serve(centre, req, res));
    await new Promise((resolve, reject) => server.once('error', reject).listen(port, host, () => resolve(null)));
    const address = /** @type {import('node:net').AddressInfo} */ (server.address());
    const stop = () => process.exit(0);
    process.on('SIGTERM', stop).on('SIGINT', stop);
    if (values['follow-stdin'])
        process.stdin.on('end', stop).on('error', stop).resume();
    process.stdout.write(JSON.stringify({ ready: true, smsc_url: listening.url, smsc_tls_url: listening.tls_url, ca: listening.ca_path, control: `http://${host}:${address.port}/_sandbox/smsc`, pid: process.pid }) + '\n');
} catch (error) {
    process.stderr.write(`smsc: ${/** @type {Error} */ (error).message}\n${USAGE}`);
    process.exit(2);
}
