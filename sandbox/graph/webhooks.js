// @ts-check
/**
 * Webhooks out: signed, batched, retried. Updates of one key (one message) leave in order as long as each is
 * accepted at the first try; an update that has to be retried does not hold up the others, as with Meta.
 */
import http from 'node:http';
import https from 'node:https';
import { createHmac, randomInt, randomUUID } from 'node:crypto';
import { sign, webhookBytes } from './signature.js';

const DELIVERIES_MAX = 1000;
const BODY_MAX = 3 * 1024 * 1024;
const ANSWER_MAX = 64 * 1024;
const LOGGED_MAX = 64 * 1024; /* of each body, for the log */

/**
 * @typedef {object} Delivery One POST, kept for the log.
 * @property {string} id
 * @property {number} at
 * @property {string} url
 * @property {number} attempt
 * @property {number} updates
 * @property {string} what
 * @property {number|null} status
 * @property {string|null} error
 * @property {number} took_ms
 * @property {string} body
 * @property {string|null} signature
 */

export class WebhookSender {
    /** @param {import('./sandbox.js').Sandbox} sb @param {string|null} ca PEM of callbacks' own certificate authority */
    constructor(sb, ca) {
        this.sb = sb;
        this.agents = {
            http: new http.Agent({ keepAlive: true, maxSockets: 64 }),
            https: new https.Agent({ keepAlive: true, maxSockets: 64, ...(ca === null ? {} : { ca }) }),
        };
        /** What is ready to go, by callback URL. @type {Map<string, Fifo<import('./types.js').Update>>} */
        this.queues = new Map();
        /** Keys of which an update is ready or in flight, with the ones behind it. @type {Map<string, import('./types.js').Update[]>} */
        this.behind = new Map();
        /** @type {Map<string, number>} */
        this.inFlight = new Map();
        /** @type {Map<string, NodeJS.Timeout>} */
        this.lingering = new Map();
        /** @type {Delivery[]} */
        this.deliveries = [];
        this.stopped = false;
    }

    /**
     * Where the updates of a number go: its own callback, the account's, or the app's.
     * @param {string} wabaId @param {string|null} phoneNumberId @returns {string|null} null: nobody listens
     */
    callbackOf(wabaId, phoneNumberId) {
        const account = this.sb.store.accounts.get(wabaId);
        if (account === undefined || !account.subscribed)
            return null;
        const phone = phoneNumberId === null ? undefined : this.sb.store.phones.get(phoneNumberId);
        return phone?.override_url ?? account.override_url ?? account.callback_url;
    }

    /**
     * Sends one change. @param {{waba_id: string, phone_number_id?: string|null, field: string, value: any,
     * key?: string|null, wa_id?: string|null, timed?: boolean}} update
     */
    enqueue(update) {
        const full = { id: randomUUID(), phone_number_id: null, key: null, wa_id: null, ...update, at: this.sb.now(), attempt: 0 };
        this.sb.count('webhooks.updates');
        this.sb.store.put('update', full.id, full);
        this.#ready(full);
    }

    /** After a restart: everything not yet accepted is due. */
    resume() {
        for (const update of [...this.sb.store.updates.values()])
            this.#ready(update);
    }

    stop() {
        this.stopped = true;
        for (const timer of this.lingering.values())
            clearTimeout(timer);
        this.agents.http.destroy();
        this.agents.https.destroy();
    }

    /** Drops what waits; what is in flight ends by itself. */
    forget() {
        this.queues.clear();
        this.behind.clear();
        this.deliveries = [];
    }

    /** Waits for nothing: nothing is queued, in flight or waiting for a retry. */
    isIdle() {
        return this.sb.store.updates.size === 0;
    }

    /** @param {import('./types.js').Update} update */
    #ready(update) {
        const url = this.callbackOf(update.waba_id, update.phone_number_id);
        if (url === null) {
            this.sb.count('webhooks.unheard');
            this.sb.store.remove('update', update.id);
            this.sb.bus.emit('settled', update);
            return;
        }
        if (update.key !== null) {
            const behind = this.behind.get(update.key);
            if (behind !== undefined) {
                behind.push(update);
                return;
            }
            this.behind.set(update.key, []);
        }
        let queue = this.queues.get(url);
        if (queue === undefined)
            this.queues.set(url, queue = new Fifo());
        queue.push(update);
        this.#pump(url);
    }

    /** An update was taken, or will be tried again later: the next of its key may go. @param {import('./types.js').Update} update */
    #release({ key }) {
        if (key === null)
            return;
        const behind = this.behind.get(key) ?? [];
        this.behind.delete(key);
        for (const next of behind)
            this.#ready(next); /* the first goes, the others line up behind it */
    }

    /** @param {string} url */
    #pump(url) {
        const queue = this.queues.get(url);
        for (let first = queue?.first(); !this.stopped && queue !== undefined && first !== undefined; first = queue.first()) {
            const max = Math.min(1000, Math.max(1, this.sb.setting('batch_max', first.waba_id)));
            const linger = this.sb.setting('batch_wait_ms', first.waba_id);
            if ((this.inFlight.get(url) ?? 0) >= this.sb.setting('webhook_concurrency', first.waba_id))
                return;
            if (max > 1 && linger > 0 && queue.size < max && this.sb.now() - first.at < linger) {
                if (!this.lingering.has(url))
                    this.lingering.set(url, setTimeout(() => { this.lingering.delete(url); this.#pump(url); }, linger));
                return;
            }
            void this.#deliver(url, takeBatch(queue, max));
        }
    }

    /** @param {string} url @param {import('./types.js').Update[]} batch */
    async #deliver(url, batch) {
        this.inFlight.set(url, (this.inFlight.get(url) ?? 0) + 1);
        for (const update of batch)
            update.attempt++;
        const accepted = await this.#post(url, batch);
        this.inFlight.set(url, (this.inFlight.get(url) ?? 1) - 1);
        for (const update of batch) {
            if (this.stopped || !this.sb.store.updates.has(update.id))
                continue; /* a reset came between */
            if (accepted) {
                this.sb.store.remove('update', update.id);
                this.sb.bus.emit('heard', update);
                this.sb.bus.emit('settled', update);
            } else
                this.#retryLater(update);
            this.#release(update);
        }
        this.#pump(url);
    }

    /** @param {import('./types.js').Update} update */
    #retryLater(update) {
        if (this.sb.now() - update.at > this.sb.setting('retry_for_ms', update.waba_id)) {
            this.sb.count('webhooks.given_up');
            this.sb.store.remove('update', update.id);
            this.sb.bus.emit('settled', update);
            return;
        }
        this.sb.count('webhooks.retries');
        this.sb.store.put('update', update.id, update);
        const first = this.sb.setting('retry_first_ms', update.waba_id);
        const gap = update.attempt <= 1 ? 0 : Math.min(this.sb.setting('retry_max_ms', update.waba_id), first * 2 ** (update.attempt - 2));
        this.sb.later(gap, () => this.#ready(update));
    }

    /** @param {string} url @param {import('./types.js').Update[]} batch @returns {Promise<boolean>} answered 200 */
    async #post(url, batch) {
        const account = this.sb.store.accounts.get(batch[0].waba_id);
        if (account === undefined)
            return true; /* deleted meanwhile */
        const bytes = webhookBytes(envelope(batch));
        const signature = this.#signature(account.app_secret, bytes, batch);
        const started = this.sb.now();
        const { status, error } = await this.#request(url, bytes, signature, this.sb.setting('webhook_timeout_ms', account.waba_id));
        const delivery = { id: randomUUID(), at: started, url, attempt: batch[0].attempt, updates: batch.length, what: batch.map(summary).join(', '),
            status, error, took_ms: this.sb.now() - started, body: bytes.subarray(0, LOGGED_MAX).toString('ascii'), signature };
        this.deliveries.push(delivery);
        if (this.deliveries.length > DELIVERIES_MAX)
            this.deliveries.shift();
        this.sb.count('webhooks.posts');
        this.sb.count(status === 200 ? 'webhooks.accepted' : 'webhooks.refused');
        this.sb.bus.emit('delivery', delivery);
        return status === 200;
    }

    /** @param {string} appSecret @param {Buffer} bytes @param {import('./types.js').Update[]} batch @returns {string|null} */
    #signature(appSecret, bytes, batch) {
        for (const update of batch)
            for (const effect of this.sb.faults.take({ on: 'webhooks', to: update.wa_id ?? undefined, phone_number_id: update.phone_number_id ?? undefined })) {
                if (effect.kind === 'webhook' && effect.signature === 'none')
                    return null;
                if (effect.kind === 'webhook' && effect.signature === 'wrong')
                    return 'sha256=' + createHmac('sha256', 'not the app secret').update(bytes).digest('hex');
            }
        return sign(appSecret, bytes);
    }

    /** @param {string} url @param {Buffer} bytes @param {string|null} signature @param {number} timeoutMs
     * @returns {Promise<{status: number|null, error: string|null}>} */
    #request(url, bytes, signature, timeoutMs) {
        return request(url, this.agents, { method: 'POST', body: bytes, timeoutMs, headers: {
            'content-type': 'application/json', 'user-agent': 'facebookexternalua', accept: '*/*',
            ...(signature === null ? {} : { 'x-hub-signature-256': signature }),
        } });
    }

    /**
     * The subscription handshake. @param {string} url @param {string} verifyToken
     * @returns {Promise<{ok: boolean, status: number|null, error: string|null}>}
     */
    async handshake(url, verifyToken) {
        let target;
        try {
            target = new URL(url);
        } catch {
            return { ok: false, status: null, error: 'not a URL' };
        }
        const challenge = String(randomInt(1e8, 2 ** 31));
        target.searchParams.set('hub.mode', 'subscribe');
        target.searchParams.set('hub.challenge', challenge);
        target.searchParams.set('hub.verify_token', verifyToken);
        const { status, error, text } = await request(target.href, this.agents, { method: 'GET', timeoutMs: 10_000,
            headers: { 'user-agent': 'facebookplatform/1.0 (+http://developers.facebook.com)', accept: '*/*' } });
        if (status !== 200)
            return { ok: false, status, error: error ?? `HTTP Status Code = ${status}` };
        return text === challenge ? { ok: true, status, error: null } : { ok: false, status, error: 'the answer is not the challenge' };
    }
}

/** First in, first out, without moving what waits: a callback that is down leaves long queues. @template T */
class Fifo {
    constructor() {
        /** @type {T[]} */
        this.items = [];
        this.head = 0;
    }

    get size() {
        return this.items.length - this.head;
    }

    /** @returns {T|undefined} */
    first() {
        return this.items[this.head];
    }

    /** @param {T} item */
    push(item) {
        this.items.push(item);
    }

    take() {
        const item = this.items[this.head++];
        if (this.head > 1024 && this.head * 2 > this.items.length) {
            this.items = this.items.slice(this.head);
            this.head = 0;
        }
        return item;
    }
}

/** The first updates of the queue, of one account, as many as fit one POST.
 * @param {Fifo<import('./types.js').Update>} queue @param {number} max */
function takeBatch(queue, max) {
    const batch = [queue.take()];
    let bytes = 0;
    for (let next = queue.first(); batch.length < max && next?.waba_id === batch[0].waba_id; next = queue.first()) {
        bytes += JSON.stringify(next?.value).length;
        if (bytes > BODY_MAX / 2)
            break;
        batch.push(queue.take());
    }
    return batch;
}

/** @param {import('./types.js').Update} update */
function summary(update) {
    const { value } = update;
    if (value?.statuses?.[0])
        return `status ${value.statuses[0].status}`;
    if (value?.messages?.[0])
        return `inbound ${value.messages[0].type}`;
    return update.field;
}

/** One body for several updates of one account. @param {import('./types.js').Update[]} batch */
function envelope(batch) {
    const timed = batch.some((update) => update.timed);
    return {
        object: 'whatsapp_business_account',
        entry: [{
            id: batch[0].waba_id,
            ...(timed ? { time: Math.floor(batch[0].at / 1000) } : {}),
            changes: batch.map(({ field, value }) => ({ value, field })),
        }],
    };
}

/**
 * @param {string} url @param {{http: http.Agent, https: https.Agent}} agents
 * @param {{method: string, headers: Record<string, string>, body?: Buffer, timeoutMs: number}} options
 * @returns {Promise<{status: number|null, error: string|null, text: string}>}
 */
function request(url, agents, { method, headers, body, timeoutMs }) {
    return new Promise((resolve) => {
        const secure = url.startsWith('https:');
        const all = body === undefined ? headers : { ...headers, 'content-length': String(body.length) };
        let call;
        try {
            call = (secure ? https : http).request(url, { method, headers: all, agent: secure ? agents.https : agents.http });
        } catch (error) {
            resolve({ status: null, error: String(/** @type {Error} */ (error).message), text: '' });
            return;
        }
        const timer = setTimeout(() => call.destroy(new Error('timeout')), timeoutMs);
        /** @param {number|null} status @param {string|null} error @param {string} text */
        const end = (status, error, text) => { clearTimeout(timer); resolve({ status, error, text }); };
        call.on('error', (error) => end(null, error.message || String(/** @type {any} */ (error).code), ''));
        call.on('response', (answer) => {
            let text = '';
            answer.setEncoding('utf8');
            answer.on('data', (part) => { if (text.length < ANSWER_MAX) text += part; });
            answer.on('end', () => end(answer.statusCode ?? null, null, text));
            answer.on('error', (error) => end(null, error.message, ''));
        });
        call.end(body);
    });
}
