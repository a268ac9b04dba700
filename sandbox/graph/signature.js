// @ts-check
/**
 * The bytes of a webhook and their signature. Meta signs the octets that it sends, and sends JSON with every
 * non-ASCII code unit as \uXXXX in lower-case hex and with `/` as `\/`: a receiver that parses and serialises
 * again computes another signature, which is the mistake that this form is here to catch.
 */
import { createHmac } from 'node:crypto';

/** @param {unknown} value @returns {Buffer} ASCII only */
export function webhookBytes(value) {
    const text = JSON.stringify(value)
        .replace(/\//g, '\\/')
        .replace(/[\u0080-\uffff]/g, (unit) => '\\u' + unit.charCodeAt(0).toString(16).padStart(4, '0'));
    return Buffer.from(text, 'ascii');
}

/** @param {string} appSecret @param {Buffer} body @returns {string} the value of X-Hub-Signature-256 */
export const sign = (appSecret, body) => 'sha256=' + createHmac('sha256', appSecret).update(body).digest('hex');
