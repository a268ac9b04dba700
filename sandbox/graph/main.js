#!/usr/bin/env node
// @ts-check
/** The command line of the simulator: options in, one line of JSON out when it is ready, until SIGTERM. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startSandbox } from './server.js';
import { readSettings } from './sandbox.js';
import { readSettings as readSmscSettings } from '../smsc/settings.js';

const USAGE = `usage: node sandbox/graph/main.js [options]
  --listen HOST:PORT        plain HTTP (default 127.0.0.1:0; port 0 is a free one)    SANDBOX_LISTEN
  --tls DIR                 HTTPS too (HTTP/2 and HTTP/1.1); CA and keys go to DIR     SANDBOX_TLS
  --tls-port PORT           its port (default 0)                                       SANDBOX_TLS_PORT
  --data FILE               keep the state in FILE                                     SANDBOX_DATA
  --mail HOST:PORT          a mail relay that delivers nothing (port 0 is a free one)  SANDBOX_MAIL
  --smsc HOST:PORT          an SMS message centre (SMPP; port 0 is a free one)         SANDBOX_SMSC
  --smsc-tls-port PORT      over TLS too, with the certificates of --tls               SANDBOX_SMSC_TLS_PORT
  --smsc-set NAME=VALUE     a setting of the message centre; may be repeated
  --statuses-delay-ms N     pause before each of sent, delivered, read (default 300)   SANDBOX_STATUSES_DELAY_MS
  --auto-read               every delivered message gets read                          SANDBOX_AUTO_READ=1
  --set NAME=VALUE          any other setting of README.md; may be repeated            SANDBOX_SET="NAME=VALUE ..."
  --follow-stdin            stop when standard input ends, as when the parent dies
  --callback-ca FILE        PEM to trust for https callbacks                           SANDBOX_CALLBACK_CA
`;

/** A mistake of the person who started us. */
class UsageError extends Error {}

/** @param {string} text @param {string} what @param {number} max */
function wholeNumber(text, what, max) {
    if (!/^[0-9]{1,9}$/.test(text) || Number(text) > max)
        throw new UsageError(`${what}: a whole number up to ${max}`);
    return Number(text);
}

/** @param {string} text */
function settingOf(text) {
    const match = /^([a-z_]+)=(.*)$/.exec(text);
    if (match === null)
        throw new UsageError(`--set: NAME=VALUE, not ${text}`);
    const value = match[2] === 'true' ? true : match[2] === 'false' ? false : /^[0-9]+$/.test(match[2]) ? Number(match[2]) : match[2];
    return { [match[1]]: value };
}

/** @param {string} text @param {string} what */
function hostPort(text, what) {
    const match = /^(.+):([0-9]{1,5})$/.exec(text);
    if (match === null)
        throw new UsageError(`${what}: HOST:PORT`);
    return { host: match[1].replace(/^\[|\]$/g, ''), port: wholeNumber(match[2], what, 65535) };
}

function readOptions() {
    const { values } = parseArgs({ options: {
        listen: { type: 'string' }, tls: { type: 'string' }, 'tls-port': { type: 'string' }, data: { type: 'string' }, mail: { type: 'string' },
        smsc: { type: 'string' }, 'smsc-tls-port': { type: 'string' }, 'smsc-set': { type: 'string', multiple: true },
        'statuses-delay-ms': { type: 'string' }, 'auto-read': { type: 'boolean' }, set: { type: 'string', multiple: true },
        'callback-ca': { type: 'string' }, 'follow-stdin': { type: 'boolean' }, help: { type: 'boolean' },
    } });
    const env = process.env;
    const listen = hostPort(values.listen ?? env.SANDBOX_LISTEN ?? '127.0.0.1:0', '--listen');
    const mail = values.mail ?? env.SANDBOX_MAIL;
    const delay = values['statuses-delay-ms'] ?? env.SANDBOX_STATUSES_DELAY_MS;
    const given = Object.assign({}, ...[...(env.SANDBOX_SET ?? '').split(/\s+/).filter((part) => part !== ''), ...(values.set ?? [])].map(settingOf),
        delay === undefined ? {} : { statuses_delay_ms: wholeNumber(delay, '--statuses-delay-ms', 86_400_000) },
        values['auto-read'] || env.SANDBOX_AUTO_READ === '1' ? { auto_read: true } : {});
    const { settings, problem } = readSettings(given);
    if (problem !== null)
        throw new UsageError(problem);
    const centre = values.smsc ?? env.SANDBOX_SMSC, centrePort = values['smsc-tls-port'] ?? env.SANDBOX_SMSC_TLS_PORT;
    const dials = readSmscSettings(Object.assign({}, ...(values['smsc-set'] ?? []).map(settingOf)));
    if (dials.problem !== null)
        throw new UsageError(dials.problem);
    const tlsDir = values.tls ?? env.SANDBOX_TLS;
    const ca = values['callback-ca'] ?? env.SANDBOX_CALLBACK_CA;
    return { help: values.help === true, followStdin: values['follow-stdin'] === true, ...listen, settings,
        mail: mail === undefined ? null : hostPort(mail, '--mail'),
        smsc: centre === undefined ? null : { ...hostPort(centre, '--smsc'), settings: dials.settings,
            tls: centrePort === undefined || tlsDir === undefined ? null : { dir: tlsDir, port: wholeNumber(centrePort, '--smsc-tls-port', 65535) } },
        data: values.data ?? env.SANDBOX_DATA ?? null, callbackCa: ca === undefined ? null : readFileSync(ca, 'utf8'),
        tls: tlsDir === undefined ? null : { dir: tlsDir, port: wholeNumber(values['tls-port'] ?? env.SANDBOX_TLS_PORT ?? '0', '--tls-port', 65535) } };
}

try {
    const options = readOptions();
    if (options.help) {
        process.stdout.write(USAGE);
        process.exit(0);
    }
    const running = await startSandbox(options);
    let stopping = false;
    const stop = () => {
        if (stopping)
            return;
        stopping = true;
        running.stop().then(() => process.exit(0), () => process.exit(1));
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    if (options.followStdin)
        process.stdin.on('end', stop).on('error', stop).resume();
    process.stdout.write(JSON.stringify({ ready: true, url: running.url, tls_url: running.tls_url, ca: running.ca_path, mail_url: running.mail_url, smsc_url: running.smsc_url, smsc_tls_url: running.smsc_tls_url,
        handset: `${running.url}/handset`, log: `${running.url}/_sandbox`, pid: process.pid }) + '\n');
} catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    process.stderr.write(`sandbox: ${message}\n`);
    if (error instanceof UsageError || String(code).startsWith('ERR_PARSE_ARGS'))
        process.stderr.write(USAGE);
    process.exit(2);
}
