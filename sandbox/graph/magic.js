// @ts-check
/**
 * Recipients that misbehave by their number, so that a failure can be had without setting a fault. The ranges lie
 * in +1 555 01..04, which belong to nobody. CCCCC are the last five digits of a Graph code: 31026 means 131026, 00190
 * means 190, 88019 means 2388019.
 *
 *     +1 555 01 CCCCC   accepted, then a `failed` status with that code
 *     +1 555 02 CCCCC   refused at once with that code
 *     +1 555 03 NNNNN   behaves as in BEHAVIOURS below
 *     +1 555 04 CCCCC   refused with that code twice, then accepted (counted for each number)
 */
import { codeOfDigits } from './errors.js';

/** @typedef {import('./faults.js').Effect} Effect */

/** @type {Record<string, {says: string, effects: Effect[]}>} */
export const BEHAVIOURS = {
    '00001': { says: 'sent, and never delivered', effects: [{ kind: 'statuses', drop: ['delivered', 'read'] }] },
    '00002': { says: 'sent, then read without delivered', effects: [{ kind: 'statuses', drop: ['delivered'], add_read: true }] },
    '00003': { says: 'every status comes twice', effects: [{ kind: 'statuses', duplicate: 1 }] },
    '00004': { says: 'read, delivered, sent: in reverse', effects: [{ kind: 'statuses', reorder: true, add_read: true }] },
    '00005': { says: 'every status is 5 s late', effects: [{ kind: 'statuses', late_ms: 5000 }] },
    '00006': { says: 'no status at all', effects: [{ kind: 'statuses', drop: ['sent', 'delivered', 'read'] }] },
    '00007': { says: 'accepted, and the answer never comes', effects: [{ kind: 'stall', when: 'after' }] },
    '00008': { says: 'not accepted, and no answer comes', effects: [{ kind: 'stall', when: 'before' }] },
    '00009': { says: 'connection cut, not accepted', effects: [{ kind: 'cut', when: 'before' }] },
    '00010': { says: 'accepted, then the connection is cut', effects: [{ kind: 'cut', when: 'after' }] },
    '00011': { says: 'accepted after 3 s', effects: [{ kind: 'slow', ms: 3000 }] },
    '00012': { says: 'HTTP 500 without a body', effects: [{ kind: 'http', http: 500, body: '' }] },
    '00013': { says: 'HTTP 502 with a page of HTML', effects: [{ kind: 'http', http: 502,
        headers: { 'content-type': 'text/html; charset=utf-8' }, body: '<!DOCTYPE html><html><body>Sorry, something went wrong.</body></html>' }] },
    '00014': { says: 'HTTP 200 with half a JSON document', effects: [{ kind: 'http', http: 200, body: '{"messaging_product":"whatsapp","contacts":[{"inp' }] },
    '00015': { says: 'HTTP 429 with Retry-After: 2', effects: [{ kind: 'error', code: 130429, http: 429, headers: { 'retry-after': '2' } }] },
    '00016': { says: 'webhooks of this number have a wrong signature', effects: [{ kind: 'webhook', signature: 'wrong' }] },
    '00017': { says: 'webhooks of this number have no signature', effects: [{ kind: 'webhook', signature: 'none' }] },
    '00018': { says: 'accepted, then half an answer', effects: [{ kind: 'broken', how: 'cut_body', when: 'after' }] },
    '00019': { says: 'accepted, then headers that never end', effects: [{ kind: 'broken', how: 'slow_headers', when: 'after' }] },
    '00020': { says: 'accepted, then an answer shorter than it says', effects: [{ kind: 'broken', how: 'long_length', when: 'after' }] },
    '00021': { says: 'accepted, then an answer longer than it says', effects: [{ kind: 'broken', how: 'short_length', when: 'after' }] },
    '00022': { says: 'not accepted; RST_STREAM, or a reset on HTTP/1.1', effects: [{ kind: 'broken', how: 'rst_stream', when: 'before' }] },
    '00023': { says: 'not accepted; GOAWAY, or a reset on HTTP/1.1', effects: [{ kind: 'broken', how: 'goaway', when: 'before' }] },
};

/**
 * The effects that a number has by itself. @param {string} waId
 * @param {(waId: string) => number} attempts how often this number was tried before, counting this time
 * @returns {Effect[]}
 */
export function magicEffects(waId, attempts) {
    const match = /^15550([1-4])([0-9]{5})$/.exec(waId);
    if (match === null)
        return [];
    const [, range, digits] = match;
    if (range === '3')
        return BEHAVIOURS[digits]?.effects ?? [];
    const code = codeOfDigits(digits);
    if (code === null)
        return [];
    if (range === '1')
        return [{ kind: 'statuses', fail: code }];
    if (range === '2')
        return [{ kind: 'error', code }];
    return attempts(waId) <= 2 ? [{ kind: 'error', code }] : [];
}
