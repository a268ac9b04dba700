// @ts-check
/** The `pricing` and `conversation` objects of statuses, by the rules of per-message pricing. */
import { createHash } from 'node:crypto';

/** From then on service messages, and utility inside the window, are charged. */
const SERVICE_CHARGED_FROM = Date.UTC(2026, 9, 1);

/** @param {import('./types.js').Message} message @param {number} now */
export function pricingOf(message, now) {
    const category = message.category ?? 'service';
    const charged = now >= SERVICE_CHARGED_FROM;
    if (message.free_entry)
        return { billable: false, pricing_model: 'PMP', type: 'free_entry_point', category };
    const free = !charged && (category === 'service' || (category === 'utility' && message.in_window === true));
    return { billable: !free, pricing_model: 'PMP', type: free ? 'free_customer_service' : 'regular', category };
}

/** Only for webhooks of version 23 and lower, and in an open free entry point.
 * @param {import('./types.js').Message} message @param {boolean} isSent */
export function conversationOf(message, isSent) {
    const day = Math.floor(message.at / 86_400_000);
    const origin = message.free_entry ? 'referral_conversion' : message.category ?? 'service';
    const id = createHash('md5').update(`${message.phone_number_id}/${message.wa_id}/${origin}/${day}`).digest('hex');
    return { id, ...(isSent ? { expiration_timestamp: String(Math.floor(message.at / 1000) + 86_400) } : {}), origin: { type: origin } };
}
