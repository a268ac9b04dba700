// @ts-check
/**
 * What goes through a platform during a storm, each kind as a careful client of it works: it repeats a request until it has an
 * answer, and keeps what was acknowledged for the account.
 */
import { createHash } from 'node:crypto';

const CATEGORIES = ['otp', 'transactional', 'service', 'promotional'];
const OUTSTANDING_MAX = 150;
const BATCH_MAX = 1000;
const UPLOAD_USES_MAX = 6;
/** Answers after which the same request is made again: none, in work, too many, the platform is partly away. */
const AGAIN = [0, 409, 429, 502, 503, 504];
const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));
const sha256 = (/** @type {Buffer} */ bytes) => createHash('sha256').update(bytes).digest('hex');
const isoTime = (/** @type {number} */ ms) => new Date(ms).toISOString();

/** @typedef {import('./random.js').Random} Random */
/** @typedef {'text'|'batch'|'scheduled'|'ttl'|'media'|'template'|'sms'|'fallback'} Kind; the last two: sms.js */
/**
 * @typedef {object} Accepted A message that was accepted, and what else was acknowledged about it.
 * @property {Kind} kind @property {string} reference @property {string} id @property {number} tries @property {number} asked_at
 * @property {number} [not_before] ms: it may not be sent earlier
 * @property {boolean} [is_canceled] its cancel was acknowledged
 * @property {boolean} [may_expire]
 * @property {string} [media_sha256]
 */
/** @typedef {{shop: any, operation: string, message: string}} ReadMark */
/** @typedef {{shop: any, provider_id: string, sha256: string}} InboundMedia */

/** An image by its first bytes; nothing looks further. @param {Random} random @param {number} size */
function picture(random, size) {
    const bytes = Buffer.alloc(size, 0x5a);
    Buffer.from([0xff, 0xd8, 0xff, 0xe0]).copy(bytes);
    for (let at = 4; at < 36; at += 4)
        bytes.writeUInt32BE(random.whole(0, 2 ** 32 - 1), at);
    return bytes;
}

export class Traffic {
    /** @param {import('./storm.js').Storm} storm */
    constructor(storm) {
        this.storm = storm;
        /** @type {Accepted[]} */
        this.accepted = [];
        /** @type {ReadMark[]} */
        this.readMarks = [];
        /** @type {InboundMedia[]} */
        this.inboundMedia = [];
        this.uploads = 0;
        /** Per workspace: what is uploaded and may still be sent. @type {Map<any, Promise<{id: string, sha256: string}>[]>} */
        this.uploaded = new Map();
    }

    /** @param {number} untilMs */
    async run(untilMs) {
        await Promise.all([this.#load(untilMs), this.#visitors(untilMs), ...this.storm.shops.map((shop, i) => this.#reader(shop, i, untilMs))]);
    }

    /** @param {number} untilMs */
    async #load(untilMs) {
        const { storm } = this, { shops, options } = storm, random = storm.random.fork('load');
        /** @type {Set<Promise<unknown>>} */
        const outstanding = new Set();
        let isFirstBatch = true;
        for (let i = 0; Date.now() < untilMs; i++) {
            const shop = shops[i % shops.length], own = random.fork(`message ${i}`);
            const kind = random.weighted(/** @type {[number, Kind][]} */ ([[64, 'text'], [10, 'scheduled'], [9, 'ttl'], [8, 'media'], [8, 'template'], [1, 'batch']]));
            const count = kind !== 'batch' ? 1 : !options.isLong ? own.whole(2, 60) : isFirstBatch ? BATCH_MAX : own.whole(2, 300);
            isFirstBatch &&= kind !== 'batch';
            const one = this.#one(kind, shop, `storm-${i}`, own, count).catch((error) => storm.findings.push(`${kind} storm-${i}: ${error.stack}`));
            outstanding.add(one);
            void one.finally(() => outstanding.delete(one));
            await pause((1000 / options.rate) * (0.5 + random.next()) * (count > 100 ? 1 : count)); /* many at once are a load of their own, not the rate's */
            while (outstanding.size >= OUTSTANDING_MAX)
                await Promise.race(outstanding);
        }
        await Promise.all(outstanding);
    }

    /** @param {Kind} kind @param {any} shop @param {string} reference @param {Random} random @param {number} count */
    async #one(kind, shop, reference, random, count) {
        const body = { ...shop.client.text(shop.channel, { reference, category: random.pick(CATEGORIES) }), to: this.#person(random) };
        switch (kind) {
        case 'text':
            return this.send(kind, shop, body, random.chance(0.05));
        case 'batch':
            return this.#batch(shop, reference, random, count);
        case 'scheduled':
            return this.#scheduled(shop, body, random);
        case 'ttl':
            return Object.assign(await this.send(kind, shop, { ...body, ttl_s: random.whole(1, 8) }), { may_expire: true });
        case 'media': {
            const { id, sha256: digest } = await this.#upload(shop, random);
            return Object.assign(await this.send(kind, shop, { ...body, content: { type: 'image', image: { id, caption: 'Look' } } }), { media_sha256: digest });
        }
        case 'template': {
            const { category: _, ...rest } = body; /* the template has its own */
            return this.send(kind, shop, { ...rest, content: { type: 'template', template: { name: 'hello_world', language: { code: 'en_US' } } } });
        }
        }
    }

    /** @param {Random} random */
    #person(random) {
        return `+1415555${String(random.whole(0, 9999)).padStart(4, '0')}`;
    }

    /**
     * The same request until it has one of the answers wanted; any other than those that ask for another try is a finding.
     * @param {string} what @param {number[]} wanted @param {() => Promise<any>} ask
     */
    async insist(what, wanted, ask) {
        for (let tries = 0; ; tries++) {
            const answer = await ask().catch((error) => {
                if (error?.code === 'ERR_ASSERTION')
                    this.storm.findings.push(`an answer off the contract: ${error.message}`);
                return { status: 0 };
            });
            if (wanted.includes(answer.status))
                return { ...answer, tries };
            if (!AGAIN.includes(answer.status))
                this.storm.findings.push(`${what}: ${answer.status} ${answer.text}`);
            if (this.storm.isEnded)
                throw new Error('the storm has ended');
            await pause(50 + tries * 10);
        }
    }

    /** Until it is accepted. @param {Kind} kind @param {any} shop @param {any} body @param {boolean} [isTwin] the same request twice at once @returns {Promise<Accepted>} */
    async send(kind, shop, body, isTwin = false) {
        const asked_at = Date.now();
        const once = async () => {
            const { json, tries } = await this.insist(body.reference, [202], () => shop.client.call('POST', '/v1/messages', body, { 'idempotency-key': body.reference }));
            return { id: json.id, tries };
        };
        const ids = await Promise.all(Array.from({ length: isTwin ? 2 : 1 }, once));
        if (new Set(ids.map(({ id }) => id)).size !== 1)
            this.storm.findings.push(`${body.reference}: two answers for one idempotency key`);
        const accepted = { kind, reference: body.reference, asked_at, ...ids[0] };
        this.accepted.push(accepted);
        return accepted;
    }

    /** Until each of it is accepted: the whole is repeated under its key. @param {any} shop @param {string} reference @param {Random} random @param {number} count */
    async #batch(shop, reference, random, count) {
        const asked_at = Date.now();
        const messages = Array.from({ length: count }, (_, i) => ({ ...shop.client.text(shop.channel, { reference: `${reference}-${i}`, category: random.pick(CATEGORIES) }), to: this.#person(random) }));
        /** @type {(string|undefined)[]} */
        const ids = Array.from({ length: count });
        let again = 0;
        for (;; again++) {
            const { json, tries } = await this.insist(reference, [202], () => shop.client.call('POST', '/v1/messages/batch', { messages }, { 'idempotency-key': reference }));
            again += tries;
            json.results.forEach((/** @type {any} */ result, /** @type {number} */ i) => {
                if (result.status === 202) {
                    if (ids[i] !== undefined && ids[i] !== result.id)
                        this.storm.findings.push(`${reference}-${i}: two ids under one key: ${ids[i]}, ${result.id}`);
                    ids[i] = result.id;
                } else if (!AGAIN.includes(result.status))
                    this.storm.findings.push(`${reference}-${i}: ${JSON.stringify(result)}`);
            });
            if (!ids.includes(undefined))
                break;
            await pause(100);
        }
        ids.forEach((id, i) => this.accepted.push({ kind: 'batch', reference: `${reference}-${i}`, id: String(id), tries: i === 0 ? again : 0, asked_at }));
    }

    /** For a time some seconds ahead; then it is left, withdrawn or moved. @param {any} shop @param {any} body @param {Random} random */
    async #scheduled(shop, body, random) {
        const sendAt = Date.now() + random.whole(1500, 8000);
        const accepted = await this.send('scheduled', shop, { ...body, send_at: isoTime(sendAt) });
        accepted.not_before = sendAt;
        const fate = random.pick(['stay', 'cancel', 'move']);
        await pause(random.whole(0, 3000));
        if (fate === 'cancel') {
            const { status } = await this.insist(`the cancel of ${body.reference}`, [200, 409], () => shop.client.call('POST', `/v1/messages/${accepted.id}/cancel`));
            accepted.is_canceled = status === 200;
        } else if (fate === 'move') {
            const later = Date.now() + random.whole(500, 5000);
            const answer = await this.insist(`the move of ${body.reference}`, [200, 409, 422], () => shop.client.call('PATCH', `/v1/messages/${accepted.id}`, { send_at: isoTime(later) }));
            if (answer.status === 422 && answer.json.code !== 'time-order') /* by the gateway's clock, or at last by every clock, it is over */
                this.storm.findings.push(`the move of ${body.reference}: ${answer.text}`);
            accepted.not_before = answer.status === 200 ? later : Math.min(sendAt, later); /* else one before it, whose answer was lost, may have moved it */
        }
    }

    /** A picture of ours that is there; each is sent a few times. @param {any} shop @param {Random} random */
    async #upload(shop, random) {
        const list = this.uploaded.get(shop) ?? [];
        this.uploaded.set(shop, list);
        if (list.length < 1 || random.chance(1 / UPLOAD_USES_MAX)) {
            const bytes = picture(random, random.whole(1_000, 400_000));
            list.push(this.insist('an upload', [201], () => shop.client.raw('POST', '/v1/media', bytes, { 'content-type': 'image/jpeg' })).then(({ json }) => {
                this.uploads++;
                if (json.sha256 !== sha256(bytes))
                    this.storm.findings.push(`${json.id} is not what was uploaded`);
                return { id: json.id, sha256: sha256(bytes) };
            }));
        }
        return list[list.length - 1];
    }

    /** People who write to the shops, and send pictures. @param {number} untilMs */
    async #visitors(untilMs) {
        const { storm } = this, random = storm.random.fork('visitors');
        while (Date.now() < untilMs) {
            await pause(random.whole(100, 700));
            const shop = random.pick(storm.shops), own = random.fork(String(random.next()));
            const to = { from: `1415777${own.whole(1000, 9999)}`, phone_number_id: shop.account.phone_number_id };
            if (own.chance(0.3)) {
                const bytes = picture(own, own.whole(1_000, 300_000)), id = await this.#theirs(shop, bytes);
                await storm.control('POST', '/inbound', { ...to, type: 'image', image: { id, mime_type: 'image/jpeg', sha256: sha256(bytes) } });
                this.inboundMedia.push({ shop, provider_id: id, sha256: sha256(bytes) });
            } else
                await storm.control('POST', '/inbound', { ...to, text: 'Are you open?', duplicates: own.chance(0.2) ? 1 : 0 });
        }
    }

    /** A file on the provider's side, as a person's app puts it there. @param {any} shop @param {Buffer} bytes @returns {Promise<string>} */
    async #theirs(shop, bytes) {
        for (;;) {
            const form = new FormData();
            form.set('messaging_product', 'whatsapp');
            form.set('type', 'image/jpeg');
            form.set('file', new Blob([bytes], { type: 'image/jpeg' }), 'picture.jpg');
            const answer = await fetch(`${this.storm.platform?.sandbox.url}/v25.0/${shop.account.phone_number_id}/media`, { method: 'POST', body: form,
                headers: { authorization: `Bearer ${shop.account.access_token}` } }).catch(() => null);
            const json = answer?.ok ? await answer.json().catch(() => null) : null;
            if (typeof json?.id === 'string')
                return json.id;
            if (this.storm.isEnded)
                throw new Error('the storm has ended');
            await pause(200);
        }
    }

    /** Somebody in the shop, who reads some of what comes in. @param {any} shop @param {number} place @param {number} untilMs */
    async #reader(shop, place, untilMs) {
        const random = this.storm.random.fork(`reader ${place}`);
        const seen = new Set();
        for (let at = 0; Date.now() < untilMs; await pause(100))
            for (; at < shop.receiver.received.length; at++) {
                const { headers, body } = shop.receiver.received[at], event = JSON.parse(body);
                if (event.type !== 'message.received' || event.data.channel_id !== shop.channel || seen.has(headers['webhook-id']))
                    continue;
                seen.add(headers['webhook-id']);
                if (!random.chance(0.4))
                    continue;
                const message = event.data.message_id;
                const { json } = await this.insist(`the read mark of ${message}`, [202], () => shop.client.call('POST', `/v1/messages/${message}/read`, { typing: random.chance(0.3) }));
                this.readMarks.push({ shop, operation: json.id, message });
            }
    }
}
