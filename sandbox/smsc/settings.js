// @ts-check
/** The centre's dials, and how they are read from outside. */
import { FORMATS } from './receipts.js';

/** @type {import('./types.js').Settings} */
export const DEFAULTS = {
    latency_ms: 0,
    latency_jitter_ms: 0,
    throughput_per_second: 0,
    throttle_status: 88,
    window_max: 0,
    binds_max: 10,
    receipt_delay_ms: 300,
    receipt_format: 'standard',
    receipt_tlvs: 'all',
    receipt_id: 'as_given',
    receipt_when: 'after',
    id_style: 'decimal',
    clock_minutes: 330,
    alphabet: 'gsm',
    mo_long: 'udh8',
    mo_pdu: 'deliver_sm',
    deliver_window: 10,
    deliver_timeout_ms: 10_000,
    deliver_retry_ms: 1000,
    enquire_ms: 0,
    idle_ms: 0,
    bind_ms: 10_000,
    validity_max_s: 72 * 3600,
    expire_ms: 24 * 3600_000,
    version_tlv: 'right',
    dlt: 'off',
    dlt_answer: 'receipt',
    dlt_hours: 'off',
};

const CHOICES = /** @type {Record<string, unknown[]>} */ ({
    throttle_status: [88, 20], receipt_format: FORMATS, receipt_tlvs: ['all', 'none', 'id', 'conflict'], receipt_id: ['as_given', 'decimal', 'hex', 'upper', 'zeros'],
    receipt_when: ['after', 'early', 'never', 'twice'], id_style: ['decimal', 'hex', 'upper', 'uuid', 'long', 'zeros'], alphabet: ['gsm', 'latin1', 'ascii'],
    mo_long: ['udh8', 'udh16', 'sar', 'payload'], mo_pdu: ['deliver_sm', 'data_sm'], version_tlv: ['right', 'swapped', 'absent'], dlt: ['off', 'check'],
    dlt_answer: ['receipt', 'submit'], dlt_hours: ['on', 'off'],
});

/** @param {unknown} input @returns {{settings: Partial<import('./types.js').Settings>, problem: string|null}} */
export function readSettings(input) {
    const settings = /** @type {any} */ ({});
    if (typeof input !== 'object' || input === null || Array.isArray(input))
        return { settings, problem: 'settings must be an object' };
    for (const [name, value] of Object.entries(input)) {
        if (!Object.hasOwn(DEFAULTS, name))
            return { settings, problem: `unknown setting: ${name}` };
        const model = /** @type {any} */ (DEFAULTS)[name], choices = CHOICES[name];
        if (choices ? !choices.includes(value) : typeof value !== typeof model)
            return { settings, problem: `setting ${name}: ${choices ? `one of ${choices.join(', ')}` : `a ${typeof model}`}` };
        if (typeof value === 'number' && (!Number.isInteger(value) || value < (name === 'clock_minutes' ? -720 : 0)))
            return { settings, problem: `setting ${name}: a whole number` };
        settings[name] = value;
    }
    return { settings, problem: null };
}
