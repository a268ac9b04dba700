// @ts-check
/** One simulator: its store, its dials, its clock and what waits to happen. Everything else gets it as `sb`. */
import { EventEmitter } from 'node:events';
import { Store, chatId } from './store.js';
import { Faults } from './faults.js';
import { Limits } from './limits.js';
import { WebhookSender } from './webhooks.js';
import { acknowledge } from './inbound.js';
import { resumeStatuses } from './statuses.js';
import { resumeReviews } from './templates.js';

/** @type {import('./types.js').Settings} */
export const DEFAULTS = {
    statuses_delay_ms: 300,
    auto_read: false,
    window: 'enforce',
    throughput_per_second: 80,
    rate_limit_http: 400,
    pair_limit: 'off',
    daily_users: 0,
    app_usage: 0,
    account_usage: 0,
    regain_minutes: 0,
    tls: 'good',
    groups: 'none',
    template_review_ms: 2000,
    links: 'loopback',
    list_body_max: 1024,
    media_url_ttl_ms: 5 * 60_000,
    media_lie: 'none',
    upload_life_ms: 24 * 3600_000,
    webhook_version: 24,
    bsuid: true,
    us_marketing: true,
    batch_max: 1,
    batch_wait_ms: 0,
    webhook_concurrency: 8,
    webhook_timeout_ms: 10_000,
    retry_first_ms: 1000,
    retry_max_ms: 60_000,
    retry_for_ms: 36 * 3600_000,
};

const CHOICES = /** @type {Record<string, unknown[]>} */ ({
    window: ['enforce', 'ignore'], rate_limit_http: [400, 429], pair_limit: ['on', 'off'], groups: ['none', 'any'], tls: ['good', 'alert', 'expired', 'wrong_name'], links: ['loopback', 'fetch', 'ignore'], media_lie: ['none', 'sha256', 'host', 'cut'],
});

/**
 * Checks dials from outside. @param {unknown} input @returns {{settings: Partial<import('./types.js').Settings>, problem: string|null}}
 */
export function readSettings(input) {
    const settings = /** @type {any} */ ({});
    if (typeof input !== 'object' || input === null || Array.isArray(input))
        return { settings, problem: 'settings must be an object' };
    for (const [name, value] of Object.entries(input)) {
        if (!Object.hasOwn(DEFAULTS, name))
            return { settings, problem: `unknown setting: ${name}` };
        const model = /** @type {any} */ (DEFAULTS)[name];
        const choices = CHOICES[name];
        if (choices ? !choices.includes(value) : typeof value !== typeof model)
            return { settings, problem: `setting ${name}: ${choices ? `one of ${choices.join(', ')}` : `a ${typeof model}`}` };
        if (typeof value === 'number' && (!Number.isFinite(value) || value < 0))
            return { settings, problem: `setting ${name}: a number from 0` };
        settings[name] = value;
    }
    return { settings, problem: null };
}

const TIMER_MS_MAX = 2 ** 31 - 1; /* beyond it, Node fires at once */

export class Sandbox {
    /** @param {{data?: string|null, settings?: Partial<import('./types.js').Settings>, callbackCa?: string|null}} [options] */
    constructor(options = {}) {
        this.store = new Store(options.data ?? null);
        this.settings = { ...DEFAULTS, ...options.settings };
        /** Where pages listen: 'message', 'status', 'typing', 'handset', 'delivery', 'account', 'fault', 'mail'. */
        this.bus = new EventEmitter().setMaxListeners(0);
        /** @type {Record<string, number>} */
        this.counters = {};
        /** @type {Set<NodeJS.Timeout>} */
        this.timers = new Set();
        /** Until when a business seems to type, by chat id. @type {Map<string, number>} */
        this.typing = new Map();
        this.stopped = false;
        /** Where there is a mail relay. @type {import('./mail.js').MailCatcher|null} */
        this.mail = null;
        /** Where there is a message centre. @type {import('../smsc/centre.js').Centre|null} */
        this.smsc = null;
        /** Codes of embedded signups that were not exchanged yet. @type {Map<string, {waba_id: string, granted: string, expires_at: number}>} */
        this.signups = new Map();
        /** Media fetched by link, so that the handset can show it. @type {Map<string, string>} */
        this.linkMedia = new Map();
        this.faults = new Faults(this);
        this.limits = new Limits();
        this.webhooks = new WebhookSender(this, options.callbackCa ?? null);
        this.bus.on('heard', (update) => acknowledge(this, update));
    }

    /** Takes up again what a stop had interrupted. */
    resume() {
        this.webhooks.resume();
        resumeStatuses(this);
        resumeReviews(this);
    }

    now() {
        return Date.now();
    }

    /** @param {string} name @param {number} [by] */
    count(name, by = 1) {
        this.counters[name] = (this.counters[name] ?? 0) + by;
    }

    /** Runs later, unless the simulator stops first. @param {number} ms @param {() => void} run */
    later(ms, run) {
        const timer = setTimeout(() => { this.timers.delete(timer); run(); }, Math.min(ms, TIMER_MS_MAX));
        this.timers.add(timer);
        return timer;
    }

    /** @template {keyof import('./types.js').Settings} K
     * @param {K} name @param {string} [wabaId] @returns {import('./types.js').Settings[K]} */
    setting(name, wabaId) {
        const own = wabaId === undefined ? undefined : this.store.accounts.get(wabaId)?.settings[name];
        return /** @type {any} */ (own ?? this.settings[name]);
    }

    /** The chat of a business number and a person, made when first needed.
     * @param {string} phoneNumberId @param {string} waId @returns {import('./types.js').Chat} */
    chat(phoneNumberId, waId) {
        const id = chatId(phoneNumberId, waId);
        return this.store.chats.get(id) ?? { id, phone_number_id: phoneNumberId, wa_id: waId, last_inbound_at: 0,
            free_entry_offered_at: 0, free_entry_until: 0 };
    }

    /** The person's phone, made when first needed. @param {string} waId @returns {import('./types.js').Handset} */
    handset(waId) {
        let handset = this.store.handsets.get(waId);
        if (handset === undefined) {
            handset = { wa_id: waId, name: '', online: true, auto_read: null, seen_at: 0 };
            this.store.put('handset', waId, handset);
            this.bus.emit('handset', handset);
        }
        return handset;
    }

    stop() {
        this.stopped = true;
        for (const timer of this.timers)
            clearTimeout(timer);
        this.timers.clear();
        this.webhooks.stop();
        this.smsc?.clear();
        this.store.flush();
    }
}
