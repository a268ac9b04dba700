// @ts-check
/**
 * A mail relay that delivers nothing: what a platform beside it sends is kept in memory and shown on the log's page.
 * As much SMTP as that needs (RFC 5321), in the open, on a loopback address.
 */
import net from 'node:net';

const MAILS_MAX = 200;
const LINE_MAX = 4096;
const MAIL_BYTES_MAX = 1024 * 1024;

/** @typedef {{id: string, at: number, from: string, to: string[], subject: string, text: string, html: string, raw: string}} Mail */

/** "=?utf-8?B?...?=" and what stands between two of them (RFC 2047). @param {string} text */
function words(text) {
    return text.replace(/\?=\s+=\?/g, '?==?').replace(/=\?utf-8\?B\?([A-Za-z0-9+/=]*)\?=/gi, (_, part) => `\u0000${part}\u0000`)
        .replace(/\u0000([^\u0000]*)\u0000/g, (_, part) => Buffer.from(part, 'base64').toString('latin1'));
}

/** @param {string} text in latin1, as it came */
const utf8 = (text) => Buffer.from(text, 'latin1').toString('utf8');

/** @param {string} head @param {string} name */
function field(head, name) {
    const found = new RegExp(`^${name}:[ \\t]*([^\\r\\n]*(?:\\r\\n[ \\t][^\\r\\n]*)*)`, 'im').exec(head);
    return found === null ? '' : found[1].replace(/\r\n[ \t]/g, ' ').trim();
}

/** @param {string} head @param {string} body */
function decoded(head, body) {
    const how = field(head, 'Content-Transfer-Encoding').toLowerCase();
    if (how === 'base64')
        return utf8(Buffer.from(body, 'base64').toString('latin1'));
    return utf8(how !== 'quoted-printable' ? body
        : body.replace(/=[ \t]*\r?\n/g, '').replace(/=([0-9A-F]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16))));
}

/** What a person wants to see of a mail. @param {string} raw @returns {{subject: string, text: string, html: string}} */
export function readMail(raw) {
    const end = raw.indexOf('\r\n\r\n');
    const head = end < 0 ? raw : raw.slice(0, end), body = end < 0 ? '' : raw.slice(end + 4);
    const shown = { subject: utf8(words(field(head, 'Subject'))), text: '', html: '' };
    const boundary = /boundary="?([^";]+)"?/i.exec(field(head, 'Content-Type'))?.[1];
    const parts = boundary === undefined ? [raw] : body.split(`--${boundary}`).slice(1, -1).map((part) => part.replace(/^\r\n/, ''));
    for (const part of parts) {
        const cut = part.indexOf('\r\n\r\n');
        const partHead = cut < 0 ? '' : part.slice(0, cut);
        const text = decoded(partHead, (cut < 0 ? part : part.slice(cut + 4)).replace(/\r\n$/, '')).replace(/\r\n/g, '\n');
        if (/^text\/html/i.test(field(partHead, 'Content-Type')))
            shown.html ||= text;
        else
            shown.text ||= text;
    }
    return shown;
}

/** One client's dialogue. */
class Dialogue {
    /** @param {net.Socket} socket @param {(mail: {from: string, to: string[], raw: string}) => void} taken */
    constructor(socket, taken) {
        this.socket = socket;
        this.taken = taken;
        this.rest = '';
        this.from = '';
        /** @type {string[]} */
        this.to = [];
        /** @type {string[]|null} lines of the mail, while it comes */
        this.lines = null;
        this.bytes = 0;
        socket.setEncoding('latin1').on('data', (part) => this.#read(String(part))).on('error', () => socket.destroy());
        socket.setTimeout(60_000, () => socket.destroy());
        this.#say('220 sandbox ESMTP, delivers nothing');
    }

    /** @param {string} text */
    #say(text) {
        this.socket.write(`${text}\r\n`);
    }

    /** @param {string} part */
    #read(part) {
        this.rest += part;
        for (let end = this.rest.indexOf('\r\n'); end >= 0; end = this.rest.indexOf('\r\n')) {
            const line = this.rest.slice(0, end);
            this.rest = this.rest.slice(end + 2);
            if (this.lines === null)
                this.#command(line);
            else
                this.#line(line);
        }
        if (this.rest.length > LINE_MAX)
            this.socket.end('500 the line is too long\r\n');
    }

    /** @param {string} line */
    #line(line) {
        const lines = /** @type {string[]} */ (this.lines);
        if (line !== '.') {
            this.bytes += line.length + 2;
            if (this.bytes <= MAIL_BYTES_MAX)
                lines.push(line.startsWith('.') ? line.slice(1) : line);
            return;
        }
        this.lines = null;
        if (this.bytes > MAIL_BYTES_MAX)
            this.#say('552 the mail is too large');
        else {
            this.taken({ from: this.from, to: this.to, raw: `${lines.join('\r\n')}\r\n` });
            this.#say('250 kept');
        }
        this.#forget();
    }

    #forget() {
        this.from = '';
        this.to = [];
    }

    /** @param {string} line */
    #command(line) {
        const verb = line.slice(0, 4).toUpperCase();
        const path = /^[^<]*<([^<>\s]*)>/.exec(line)?.[1];
        if (verb === 'EHLO')
            this.#say('250-sandbox\r\n250-SMTPUTF8\r\n250 8BITMIME');
        else if (verb === 'HELO' || verb === 'NOOP')
            this.#say('250 sandbox');
        else if (verb === 'RSET') {
            this.#forget();
            this.#say('250 forgotten');
        } else if (verb === 'MAIL' && path !== undefined) {
            this.#forget();
            this.from = utf8(path);
            this.#say('250 go on');
        } else if (verb === 'RCPT' && path !== undefined && path !== '' && this.to.length < 100) {
            this.to.push(utf8(path));
            this.#say('250 go on');
        } else if (verb === 'DATA' && this.to.length > 0) {
            this.lines = [];
            this.bytes = 0;
            this.#say('354 end with a dot');
        } else if (verb === 'QUIT')
            this.socket.end('221 good day\r\n');
        else
            this.#say('502 not here');
    }
}

export class MailCatcher {
    /** @param {import('./sandbox.js').Sandbox} sandbox */
    constructor(sandbox) {
        /** Newest last. @type {Mail[]} */
        this.mails = [];
        this.count = 0;
        /** @type {Set<net.Socket>} */
        this.sockets = new Set();
        this.server = net.createServer((socket) => {
            this.sockets.add(socket);
            socket.on('close', () => this.sockets.delete(socket));
            new Dialogue(socket, ({ from, to, raw }) => {
                this.count += 1;
                const mail = { id: String(this.count), at: Date.now(), from, to, ...readMail(raw), raw: utf8(raw) };
                this.mails.push(mail);
                this.mails.splice(0, this.mails.length - MAILS_MAX);
                sandbox.count('mails');
                sandbox.bus.emit('mail', { id: mail.id });
            });
        });
    }

    /** @param {(error?: Error) => void} done */
    close(done) {
        this.server.close(done);
    }

    closeAllConnections() {
        for (const socket of this.sockets)
            socket.destroy();
    }
}
