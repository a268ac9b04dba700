// @ts-check
/**
 * A passkey authenticator in software, an application for one-time codes, and a browser around them: what WebAuthn Level 3
 * and RFC 6238 say that they do, with knobs to do it wrong. It shares no code with the server.
 */
import { createHash, createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { Client } from './support.js';

const head = (major, number) => {
    if (number < 24)
        return Buffer.from([major << 5 | number]);
    if (number < 256)
        return Buffer.from([major << 5 | 24, number]);
    return Buffer.from([major << 5 | 25, number >> 8, number & 255]);
};
/** CBOR of what authenticators say: integers, bytes, text and maps. A Map keeps its order. @returns {Buffer} */
export function cbor(value) {
    if (typeof value === 'number')
        return value >= 0 ? head(0, value) : head(1, -1 - value);
    if (typeof value === 'string')
        return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
    if (Buffer.isBuffer(value))
        return Buffer.concat([head(2, value.length), value]);
    if (value instanceof Map)
        return Buffer.concat([head(5, value.size), ...[...value].flatMap(([key, of]) => [cbor(key), cbor(of)])]);
    throw new Error('not a value that an authenticator says');
}
const octets = (text) => Buffer.from(text, 'base64url');
const sha256 = (data) => createHash('sha256').update(data).digest();

const KINDS = {
    ES256: () => {
        const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
        const { x, y } = pair.publicKey.export({ format: 'jwk' });
        return { pair, cose: new Map([[1, 2], [3, -7], [-1, 1], [-2, octets(x)], [-3, octets(y)]]), sign: (data) => sign('sha256', data, pair.privateKey) };
    },
    EdDSA: () => {
        const pair = generateKeyPairSync('ed25519');
        const { x } = pair.publicKey.export({ format: 'jwk' });
        return { pair, cose: new Map([[1, 1], [3, -8], [-1, 6], [-2, octets(x)]]), sign: (data) => sign(null, data, pair.privateKey) };
    },
    RS256: () => {
        const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
        const { n, e } = pair.publicKey.export({ format: 'jwk' });
        return { pair, cose: new Map([[1, 3], [3, -257], [-1, octets(n)], [-2, octets(e)]]), sign: (data) => sign('sha256', data, pair.privateKey) };
    },
};

/** One passkey. */
export class Passkey {
    /** @param {'ES256' | 'EdDSA' | 'RS256'} kind */
    constructor(kind = 'ES256') {
        this.key = KINDS[kind]();
        this.id = randomBytes(20);
        this.count = 0;
        this.userHandle = Buffer.alloc(0);
    }

    /** @param {any} options @param {any} [wrong] */
    data(options, { rpId = options.rpId ?? options.rp.id, flags = 0x05, count = undefined, more = Buffer.alloc(0) } = {}) {
        this.count += 1;
        const counter = Buffer.alloc(4);
        counter.writeUInt32BE(count ?? this.count);
        return Buffer.concat([sha256(rpId), Buffer.from([flags]), counter, more]);
    }

    /** @param {any} options @param {string} origin @param {any} [wrong] */
    create(options, origin, wrong = {}) {
        const id = Buffer.alloc(2);
        id.writeUInt16BE(this.id.length);
        const more = Buffer.concat([Buffer.alloc(16), id, this.id, cbor(this.key.cose)]);
        const data = this.data(options, { flags: 0x45, ...wrong, more });
        this.userHandle = octets(options.user.id);
        return {
            ...this.#outer(),
            response: {
                clientDataJSON: this.#client('webauthn.create', options, origin, wrong),
                attestationObject: cbor(new Map(/** @type {any} */ ([['fmt', 'none'], ['attStmt', new Map()], ['authData', data]]))).toString('base64url'),
                transports: ['internal'],
            },
        };
    }

    /** @param {any} options @param {string} origin @param {any} [wrong] */
    get(options, origin, wrong = {}) {
        const data = this.data(options, wrong);
        const client = this.#client('webauthn.get', options, origin, wrong);
        return {
            ...this.#outer(),
            response: {
                clientDataJSON: client,
                authenticatorData: data.toString('base64url'),
                signature: this.key.sign(Buffer.concat([data, sha256(octets(client))])).toString('base64url'),
                userHandle: (wrong.userHandle ?? this.userHandle).toString('base64url') || null,
            },
        };
    }

    #outer() {
        return { id: this.id.toString('base64url'), rawId: this.id.toString('base64url'), type: 'public-key', clientExtensionResults: {}, authenticatorAttachment: 'platform' };
    }

    #client(type, options, origin, wrong) {
        return Buffer.from(JSON.stringify({ type: wrong.type ?? type, challenge: wrong.challenge ?? options.challenge, origin: wrong.origin ?? origin, crossOrigin: wrong.crossOrigin ?? false })).toString('base64url');
    }
}

/** RFC 6238, as an authenticator application works it out. @param {string} secret @param {number} step */
export function code(secret, step) {
    const bits = [...secret].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
    const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((octet) => parseInt(octet, 2)));
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const mac = createHmac('sha1', key).update(counter).digest();
    return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** Somebody new who owns a workspace, in a browser, just signed in. @param {any} platform @param {string} tenant */
export async function ownerOf(platform, tenant) {
    const { enrolment_url: url } = await platform.harkara.json('tenant', 'enrol', tenant);
    const page = new Browser(new Client(platform.url, null), new URL(url).origin);
    const passkey = new Passkey();
    await page.enrol(url, passkey, 'An owner');
    return { page, passkey };
}

/** A browser: keeps cookies as set, says its Origin, and shows the session's CSRF token. */
export class Browser {
    /** @param {any} client a Client without a key @param {string} origin */
    constructor(client, origin) {
        this.client = client;
        this.origin = origin;
        /** @type {Map<string, string>} */
        this.cookies = new Map();
        /** @type {any} */
        this.session = null;
    }

    /** @param {string} method @param {string} target @param {unknown} [body] @param {Record<string, string | undefined>} [more] undefined takes a header away */
    async call(method, target, body, more = {}) {
        /** @type {Record<string, any>} */
        const headers = { origin: this.origin, cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '), 'user-agent': 'Mozilla/5.0 (test)' };
        if (this.session !== null)
            headers['x-csrf-token'] = this.session.csrf_token;
        Object.assign(headers, more);
        for (const [name, value] of Object.entries(headers))
            if (value === undefined || value === '')
                delete headers[name];
        const answer = await this.client.call(method, target, body, headers);
        for (const cookie of answer.headers.getSetCookie()) {
            const [, name, value] = /** @type {RegExpMatchArray} */ (/^([^=]+)=([^;]*)/.exec(cookie));
            if (value === '')
                this.cookies.delete(name);
            else
                this.cookies.set(name, value);
        }
        if (answer.json?.csrf_token !== undefined && answer.status < 300)
            this.session = answer.json;
        return answer;
    }

    /** @param {number} status @param {string} method @param {string} target @param {unknown} [body] @param {Record<string, string | undefined>} [headers] */
    async must(status, method, target, body, headers) {
        const answer = await this.call(method, target, body, headers);
        if (answer.status !== status)
            throw new Error(`${method} ${target} answered ${answer.status}: ${answer.text.slice(0, 800)}`);
        return answer.json;
    }

    /** Opens a link and becomes somebody. @param {string} url @param {Passkey} passkey @param {string} name */
    async enrol(url, passkey, name) {
        const token = new URL(url).hash.slice(1);
        const asked = await this.must(200, 'POST', '/v1/enrolment/options', { token, name });
        return this.must(200, 'POST', '/v1/enrolment', { token, ceremony_id: asked.ceremony_id, name, credential: passkey.create(asked.public_key, this.origin) });
    }

    /** @param {Passkey} passkey @param {any} [wrong] */
    async trySignIn(passkey, wrong = {}) {
        const asked = await this.must(200, 'POST', '/v1/session/passkey/options');
        return this.call('POST', '/v1/session/passkey', { ceremony_id: asked.ceremony_id, credential: passkey.get(asked.public_key, this.origin, wrong) });
    }

    /** @param {Passkey} passkey */
    async signIn(passkey) {
        const answer = await this.trySignIn(passkey);
        if (answer.status !== 200)
            throw new Error(`signing in answered ${answer.status}: ${answer.text}`);
        return answer.json;
    }

    /** @param {Passkey} passkey */
    async stepUp(passkey) {
        const asked = await this.must(200, 'POST', '/v1/session/step-up/passkey/options');
        return this.must(200, 'POST', '/v1/session/step-up/passkey', { ceremony_id: asked.ceremony_id, credential: passkey.get(asked.public_key, this.origin) });
    }

    /** @param {Passkey} passkey @param {string} name */
    async addPasskey(passkey, name) {
        const asked = await this.must(200, 'POST', '/v1/me/passkeys/options');
        return this.must(201, 'POST', '/v1/me/passkeys', { ceremony_id: asked.ceremony_id, name, credential: passkey.create(asked.public_key, this.origin) });
    }
}
