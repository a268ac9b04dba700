// @ts-check
/** A mail relay that is not ours, which keeps what it was given and can be told to refuse. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { makeCertificates } from '../../sandbox/graph/tls.js';
import { until } from './support.js';

const HOST = '127.0.0.2'; /* a loopback address that Harkara knows no more of than of any other: so TLS is asked for */
const USER = 'harkara', PASSWORD = 'a password of the relay';

/** With STARTTLS and a name to sign in by, and the settings that lead there. */
export async function startRelay() {
    const folder = mkdtempSync(path.join(tmpdir(), 'harkara-relay-'));
    chmodSync(folder, 0o755);
    const { caPath, key, cert } = await makeCertificates(path.join(folder, 'tls'), HOST);
    chmodSync(path.join(folder, 'tls'), 0o755);
    chmodSync(caPath, 0o644);
    const passwordFile = path.join(folder, 'password');
    writeFileSync(passwordFile, `${PASSWORD}\n`, { mode: 0o400 });
    const relay = {
        /** What was taken, as a mail program reads it. @type {any[]} */
        mails: [],
        /** Said to the next recipients. @type {number[]} */
        replies: [],
        /** Sessions in which somebody wanted to sign in without TLS. */
        bare: 0,
        recipients: /** @type {string[]} */ ([]),
        env: {},
        /** The newest mail to an address. @param {string} address @param {(mail: any) => boolean} [which] */
        async to(address, which = () => true) {
            return until(() => relay.mails.findLast((mail) => mail.envelope === address && which(mail)), `a mail to ${address}`, 30_000);
        },
        /** @param {string} address */
        count: (address) => relay.mails.filter((mail) => mail.envelope === address).length,
        async stop() {
            await new Promise((done) => server.close(() => done(null)));
            rmSync(folder, { recursive: true, force: true });
        },
    };
    const server = new SMTPServer({
        key, cert, authMethods: ['PLAIN', 'LOGIN'], closeTimeout: 1000,
        onAuth({ username, password }, session, done) {
            relay.bare += session.secure ? 0 : 1;
            done(username === USER && password === PASSWORD && session.secure ? null : Object.assign(new Error('no'), { responseCode: 535 }), { user: username });
        },
        onRcptTo({ address }, _session, done) {
            relay.recipients.push(address);
            const reply = relay.replies.shift();
            done(reply === undefined || reply === 250 ? null : Object.assign(new Error('as the test says'), { responseCode: reply }));
        },
        onData(stream, session, done) {
            /** @type {Buffer[]} */
            const parts = [];
            stream.on('data', (part) => parts.push(part));
            stream.on('end', () => {
                const raw = Buffer.concat(parts);
                simpleParser(raw).then((mail) => {
                    relay.mails.push(Object.assign(mail, { raw: raw.toString('latin1'), envelope: session.envelope.rcptTo[0].address, secure: session.secure, user: session.user }));
                    done();
                }, done);
            });
        },
    });
    await new Promise((done) => server.listen(0, HOST, () => done(null)));
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.server.address());
    relay.env = { HARKARA_MAIL_RELAY: `smtp://${HOST}:${port}`, HARKARA_MAIL_FROM: 'हरकारा <no-reply@harkara.example>', HARKARA_MAIL_USER: USER, HARKARA_MAIL_PASSWORD_FILE: passwordFile, HARKARA_CA_FILE: caPath };
    return relay;
}
