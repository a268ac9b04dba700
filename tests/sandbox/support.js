/** What the tests of the simulator share: a running one, an account in it, and a callback that checks signatures. */
import http from 'node:http';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { startSandbox } from '../../sandbox/graph/server.js';

export const TOKEN = 'EAAtesttoken';
export const SECRET = '0123456789abcdef0123456789abcdef';
export const WABA = '102290129340398';
export const PHONE = '106540352242922';
export const PERSON = '16505551234';

const deferred = new WeakMap();

/** Undoes things after a test, the last one first; one that fails does not keep the others from being undone. */
export function defer(t, undo) {
    if (!deferred.has(t)) {
        const stack = [];
        deferred.set(t, stack);
        t.after(async () => {
            const failures = [];
            for (const run of stack.reverse())
                await Promise.resolve().then(run).catch((error) => failures.push(error));
            if (failures.length > 0)
                throw failures[0];
        });
    }
    deferred.get(t).push(undo);
}

/** A callback as a careful receiver writes it: handshake, signature over the raw bytes, then JSON. */
export class Callback {
    constructor() {
        this.posts = [];
        this.badSignatures = 0;
        this.verifyToken = 'verify-me';
        /** Chooses the HTTP status of each POST. */
        this.answer = () => 200;
        this.waiting = [];
        this.server = http.createServer((req, res) => void this.#serve(req, res));
    }

    async start() {
        this.server.listen(0, '127.0.0.1');
        await once(this.server, 'listening');
        this.url = `http://127.0.0.1:${this.server.address().port}/hook`;
        return this;
    }

    stop() {
        this.server.close();
        this.server.closeAllConnections();
    }

    /** Every status and message that came, in order of arrival. */
    get statuses() { return this.#values().flatMap((value) => value.statuses ?? []); }
    get inbound() { return this.#values().flatMap((value) => value.messages ?? []); }

    changes() {
        return this.posts.flatMap((post) => post.json.entry.flatMap((entry) => entry.changes));
    }

    /** Resolves when the condition holds; looked at after each POST. */
    until(condition, what = 'the webhook') {
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => reject(new Error(`waited for ${what}`)), 60_000);
            const look = () => {
                const found = condition(this);
                if (found) {
                    clearTimeout(timer);
                    this.waiting = this.waiting.filter((other) => other !== look);
                    resolve(found);
                }
            };
            this.waiting.push(look);
            look();
        });
    }

    #values() {
        return this.changes().filter((change) => change.field === 'messages').map((change) => change.value);
    }

    async #serve(req, res) {
        if (req.method === 'GET') {
            const query = new URL(req.url, 'http://x').searchParams;
            const good = query.get('hub.mode') === 'subscribe' && query.get('hub.verify_token') === this.verifyToken;
            res.writeHead(good ? 200 : 403).end(good ? query.get('hub.challenge') : '');
            return;
        }
        const parts = [];
        for await (const part of req)
            parts.push(part);
        const raw = Buffer.concat(parts);
        const given = Buffer.from(String(req.headers['x-hub-signature-256'] ?? ''));
        const wanted = Buffer.from('sha256=' + createHmac('sha256', SECRET).update(raw).digest('hex'));
        if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
            this.badSignatures++;
            res.writeHead(401).end();
        } else {
            const post = { raw: raw.toString('latin1'), json: JSON.parse(raw.toString('utf8')), headers: req.headers };
            const status = await this.answer(post, this.posts.length);
            if (status === 200)
                this.posts.push(post);
            res.writeHead(status).end();
        }
        for (const look of [...this.waiting])
            look();
    }
}

/** A simulator with one account, a callback, and short ways to ask. */
export async function startWorld(t, { settings = {}, account = {}, ...options } = {}) {
    const callback = await new Callback().start();
    const running = await startSandbox({ settings: { statuses_delay_ms: 1, window: 'ignore', template_review_ms: 1, ...settings }, ...options });
    defer(t, async () => {
        await running.stop();
        callback.stop();
    });
    const world = {
        ...running, callback,
        graph: (path, init = {}) => ask(`${running.url}${path}`, { token: TOKEN, ...init }),
        control: (path, body, method = body === undefined ? 'GET' : 'POST') => ask(`${running.url}/_sandbox/${path}`, { body, method }),
        send: (message, init = {}) => ask(`${running.url}/v23.0/${PHONE}/messages`, { token: TOKEN, method: 'POST', ...init,
            body: { messaging_product: 'whatsapp', to: PERSON, ...message } }),
    };
    const made = await world.control('accounts', { waba_id: WABA, phone_number_id: PHONE, display_phone_number: '15550783881', access_token: TOKEN,
        app_secret: SECRET, callback_url: callback.url, verify_token: callback.verifyToken, ...account });
    world.made = made.body;
    return world;
}

/** @returns {Promise<{status: number, body: any, headers: Headers}>} */
export async function ask(url, { token, body, method, headers = {} } = {}) {
    const isText = typeof body === 'string' || body instanceof FormData || body instanceof URLSearchParams || body instanceof Uint8Array;
    const response = await fetch(url, {
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...(body !== undefined && !isText ? { 'content-type': 'application/json' } : {}), ...headers },
        body: body === undefined || isText ? body : JSON.stringify(body),
    });
    const text = await response.text();
    let parsed = text;
    try {
        parsed = JSON.parse(text);
    } catch { /* some answers are not JSON on purpose */ }
    return { status: response.status, body: parsed, headers: response.headers };
}
