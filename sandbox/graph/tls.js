// @ts-check
/** A certificate authority of the sandbox's own and a server certificate, by the openssl command. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { X509Certificate } from 'node:crypto';

const run = promisify(execFile);
const DAY_MS = 86_400_000;

/**
 * Makes what is missing or about to end; what is good stays, so that a client may keep the authority it was given.
 * @param {string} dir @param {string} host listened on, besides the loopback names and graph.facebook.com
 * @returns {Promise<{caPath: string, key: Buffer, cert: Buffer}>}
 */
export async function makeCertificates(dir, host) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const path = /** @param {string} name */ (name) => join(dir, name);
    if (!lives(path('ca.pem')) || !existsSync(path('ca.key'))) {
        await openssl(['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '3650', '-subj', '/CN=Harkara sandbox CA',
            '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign', '-keyout', path('ca.key'), '-out', path('ca.pem')]);
        renameIfThere(path('server.pem'), path('server.old.pem')); /* signed by the one before */
    }
    if (!lives(path('server.pem')) || !names(path('server.pem'), host)) {
        const address = /^[0-9.]+$|:/.test(host) ? `IP:${host}` : `DNS:${host}`;
        writeFileSync(path('server.ext'), 'basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n'
            + `subjectAltName=DNS:localhost,DNS:graph.facebook.com,IP:127.0.0.1,IP:::1,${address}\n`);
        await openssl(['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=Harkara sandbox',
            '-keyout', path('server.key'), '-out', path('server.csr')]);
        await openssl(['x509', '-req', '-in', path('server.csr'), '-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-CAcreateserial', '-days', '397',
            '-extfile', path('server.ext'), '-out', path('server.pem')]);
    }
    return { caPath: path('ca.pem'), key: readFileSync(path('server.key')), cert: readFileSync(path('server.pem')) };
}

/** A fatal alert, handshake_failure, as a TLS 1.2 record (RFC 5246, 7.2). */
const ALERT = Buffer.from([0x15, 3, 3, 0, 2, 2, 40]);

/** What the server shows in place of its good certificate while the setting `tls` says so. */
export class TlsDial {
    /** @param {import('./sandbox.js').Sandbox} sb @param {import('node:tls').Server} server @param {{key: Buffer, cert: Buffer}} good @param {string} dir */
    constructor(sb, server, good, dir) {
        this.sb = sb;
        this.server = server;
        this.good = good;
        this.dir = dir;
        this.shown = 'good';
        /** @type {Map<string, {key: Buffer, cert: Buffer}>} */
        this.others = new Map();
    }

    /** Before the handshake of a connection. @param {import('node:net').Socket} socket */
    meet(socket) {
        const { tls } = this.sb.settings;
        if (tls === 'alert') {
            socket.on('error', () => {});
            socket.end(ALERT);
        } else if (tls !== this.shown) {
            this.server.setSecureContext(tls === 'good' ? this.good : this.#other(tls));
            this.shown = tls;
        }
    }

    /** @param {'expired'|'wrong_name'} which */
    #other(which) {
        let found = this.others.get(which);
        if (found === undefined) {
            const path = /** @param {string} name */ (name) => join(this.dir, name);
            writeFileSync(path('other.ext'), `basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=${which === 'wrong_name' ? 'DNS:elsewhere.example' : 'DNS:localhost,IP:127.0.0.1'}\n`);
            execFileSync('openssl', ['x509', '-req', '-in', path('server.csr'), '-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-CAcreateserial', '-days', which === 'expired' ? '-1' : '30',
                '-extfile', path('other.ext'), '-out', path(`${which}.pem`)], { stdio: 'ignore' });
            this.others.set(which, found = { key: this.good.key, cert: readFileSync(path(`${which}.pem`)) });
        }
        return found;
    }
}

/** @param {string[]} args */
async function openssl(args) {
    await run('openssl', args, { timeout: 30_000 });
}

/** @param {string} from @param {string} to */
function renameIfThere(from, to) {
    if (existsSync(from))
        renameSync(from, to);
}

/** Valid for two days at least. @param {string} path */
function lives(path) {
    return existsSync(path) && Date.parse(new X509Certificate(readFileSync(path)).validTo) > Date.now() + 2 * DAY_MS;
}

/** @param {string} path @param {string} host */
function names(path, host) {
    const certificate = new X509Certificate(readFileSync(path));
    return certificate.checkIP(host) !== undefined || certificate.checkHost(host) !== undefined;
}
