// @ts-check
/** Identifiers in the shapes that Meta uses. They are opaque to clients; the shape only keeps stored sizes honest. */
import { createHash, randomBytes, randomInt } from 'node:crypto';

/**
 * `wamid.` + base64 of: 1C 18 len phone 15 02 00 11|12 18 12 (18 hex digits) 00.
 * @param {string} phone digits of the person @param {'out'|'in'} direction
 */
export function newWamid(phone, direction) {
    const digits = Buffer.from(phone, 'ascii');
    const tail = Buffer.from(randomBytes(9).toString('hex').toUpperCase(), 'ascii');
    const bytes = Buffer.concat([
        Buffer.from([0x1c, 0x18, digits.length]), digits,
        Buffer.from([0x15, 0x02, 0x00, direction === 'out' ? 0x11 : 0x12, 0x18, tail.length]), tail,
        Buffer.from([0x00]),
    ]);
    return 'wamid.' + bytes.toString('base64');
}

/** A decimal Graph id of 16 digits, below 2^53: webhooks carry some as numbers. */
export const newId = () => String(randomInt(1, 9)) + String(randomInt(0, 1e14)).padStart(14, '0') + String(randomInt(0, 10));

const COUNTRIES = /** @type {[string, string][]} */ ([['91', 'IN'], ['1', 'US'], ['44', 'GB'], ['55', 'BR'], ['52', 'MX'],
    ['49', 'DE'], ['33', 'FR'], ['34', 'ES'], ['39', 'IT'], ['65', 'SG'], ['971', 'AE'], ['62', 'ID'], ['234', 'NG']]);

/** The country of a number, by its calling code; 'XX' where this small table does not know it. @param {string} digits */
export const countryOf = (digits) => COUNTRIES.find(([cc]) => digits.startsWith(cc))?.[1] ?? 'XX';

/** A business-scoped user id: the same for one person and one business account. @param {string} wabaId @param {string} waId */
export function bsuid(wabaId, waId) {
    const hash = createHash('sha256').update(`${wabaId}/${waId}`).digest();
    return `${countryOf(waId)}.${hash.readBigUInt64BE(0).toString().padStart(20, '0')}`;
}

/**
 * The `wa_id` of a recipient as written by a client. It can differ from what was written: punctuation goes, a
 * national number gets the business's country code, Brazil loses the ninth digit and Mexico gains a 1.
 * @param {string} to @param {string} businessNumber digits @returns {string|null} null: not a phone number
 */
export function waIdOf(to, businessNumber) {
    if (!/^\+?[0-9 ().-]+$/.test(to))
        return null;
    let digits = to.replace(/[^0-9]/g, '');
    if (!to.startsWith('+') && digits.length === 10) {
        if (businessNumber.startsWith('91') && /^[6-9]/.test(digits))
            digits = '91' + digits;
        else if (businessNumber.startsWith('1'))
            digits = '1' + digits;
    }
    if (digits.length < 8 || digits.length > 15 || digits.startsWith('0'))
        return null;
    const brazil = /^55([3-9][0-9])9([0-9]{8})$/.exec(digits);
    if (brazil)
        return `55${brazil[1]}${brazil[2]}`;
    return /^52[2-9][0-9]{9}$/.test(digits) ? '521' + digits.slice(2) : digits;
}
