// @ts-check
/** Listeners of the message centre. */
import net from 'node:net';
import tls from 'node:tls';
import { makeCertificates } from '../graph/tls.js';
import { Session } from './session.js';

/**
 * @typedef {object} Listening
 * @property {string} url smpp://HOST:PORT
 * @property {string|null} tls_url ssmpp://HOST:PORT
 * @property {string|null} ca_path
 * @property {(done: (error?: Error) => void) => void} close
 * @property {() => void} closeAllConnections
 */

/** @param {import('./centre.js').Centre} centre @param {{host: string, port: number, tls?: {dir: string, port: number}|null}} options @returns {Promise<Listening>} */
export async function listen(centre, { host, port, tls: secure = null }) {
    const sockets = /** @type {Set<net.Socket>} */ (new Set());
    const take = (/** @type {net.Socket} */ socket, /** @type {boolean} */ isTls) => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
        centre.links.add(new Session(centre, socket, isTls));
    };
    const servers = /** @type {net.Server[]} */ ([net.createServer((socket) => take(socket, false))]);
    const url = `smpp://${await open(servers[0], host, port)}`;
    let tlsUrl = null, caPath = null;
    if (secure !== null) {
        const certificates = await makeCertificates(secure.dir, host);
        servers.push(tls.createServer({ key: certificates.key, cert: certificates.cert }, (socket) => take(socket, true)));
        servers[1].on('tlsClientError', () => centre.count('tls.failed'));
        tlsUrl = `ssmpp://${await open(servers[1], host, secure.port)}`;
        caPath = certificates.caPath;
    }
    return { url, tls_url: tlsUrl, ca_path: caPath,
        close: (done) => {
            centre.close();
            let left = servers.length;
            for (const server of servers)
                server.close(() => { if (--left === 0) done(); });
        },
        closeAllConnections: () => {
            for (const socket of sockets)
                socket.destroy();
        } };
}

/** @param {net.Server} server @param {string} host @param {number} port @returns {Promise<string>} */
function open(server, host, port) {
    return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
            server.off('error', reject);
            const { port: got } = /** @type {net.AddressInfo} */ (server.address());
            resolve(`${host.includes(':') ? `[${host}]` : host}:${got}`);
        });
    });
}
