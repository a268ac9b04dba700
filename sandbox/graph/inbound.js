// @ts-check
/** Messages from a person to a business number, and the service window that they open. */
import { bsuid, newWamid } from './wamid.js';

export const WINDOW_MS = 24 * 3600_000;
const FREE_ENTRY_MS = 72 * 3600_000;

/** The kinds that a person can send. */
export const INBOUND_TYPES = ['text', 'image', 'audio', 'video', 'document', 'sticker', 'location', 'contacts', 'reaction', 'button',
    'interactive', 'order', 'system', 'unsupported', 'request_welcome', 'edit', 'revoke'];

/**
 * @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone
 * @param {{from: string, name?: string, type: string, content: any, context?: {id?: string, from?: string}|null, referral?: any}} input
 * @returns {import('./types.js').Message}
 */
export function receive(sb, phone, input) {
    const at = sb.now();
    const handset = sb.handset(input.from);
    if (input.name !== undefined && input.name !== handset.name)
        sb.store.put('handset', handset.wa_id, Object.assign(handset, { name: input.name }));
    /** @type {import('./types.js').Message} */
    const message = {
        id: newWamid(input.from, 'in'), direction: 'in', waba_id: phone.waba_id, phone_number_id: phone.id, wa_id: input.from,
        type: input.type, at, content: input.content, context: input.context ?? null, biz_opaque_callback_data: null, statuses: [], plan: [],
    };
    sb.store.put('message', message.id, message);
    openWindow(sb, phone, input, at);
    if (input.type === 'reaction')
        react(sb, input.content);
    sb.count('messages.inbound');
    sb.webhooks.enqueue({ waba_id: phone.waba_id, phone_number_id: phone.id, field: 'messages', key: message.id, wa_id: input.from,
        value: inboundValue(sb, phone, message, handset.name, input.referral) });
    sb.bus.emit('message', message);
    return message;
}

/** The business writes from its own WhatsApp app, which shares the number: the callback hears of it as an echo.
 * @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone @param {{to: string, type: string, content: any}} input
 * @returns {{id: string}} */
export function echo(sb, phone, input) {
    const id = newWamid(input.to, 'out');
    sb.count('messages.echoes');
    sb.webhooks.enqueue({ waba_id: phone.waba_id, phone_number_id: phone.id, field: 'smb_message_echoes', key: null, wa_id: input.to, value: {
        messaging_product: 'whatsapp',
        metadata: { display_phone_number: phone.display_phone_number, phone_number_id: phone.id },
        message_echoes: [{ from: phone.display_phone_number, to: input.to, id, timestamp: String(Math.floor(sb.now() / 1000)), type: input.type,
            [input.type]: input.content }],
    } });
    return { id };
}

/** The callback took an inbound message: its second tick. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Update} update */
export function acknowledge(sb, update) {
    const message = update.key === null ? undefined : sb.store.messages.get(update.key);
    if (message === undefined || message.direction !== 'in' || message.statuses.some((entry) => entry.status === 'delivered'))
        return;
    message.statuses.unshift({ status: 'delivered', at: sb.now() });
    sb.store.put('message', message.id, message);
    sb.bus.emit('status', message);
}

/** A reaction shows on the message it is for. @param {import('./sandbox.js').Sandbox} sb @param {{message_id: string, emoji?: string}} content */
export function react(sb, content) {
    const target = sb.store.messages.get(content.message_id);
    if (target === undefined)
        return;
    target.reaction = content.emoji || undefined;
    sb.store.put('message', target.id, target);
    sb.bus.emit('status', target);
}

/** @param {import('./sandbox.js').Sandbox} sb @param {string} phoneNumberId @param {string} waId @param {number} at */
export const isWindowOpen = (sb, phoneNumberId, waId, at) => at - sb.chat(phoneNumberId, waId).last_inbound_at < WINDOW_MS;

/** The business writes: a free entry point that was offered within a day begins.
 * @param {import('./sandbox.js').Sandbox} sb @param {string} phoneNumberId @param {string} waId @param {number} at @returns {boolean} open */
export function isFreeEntryOpen(sb, phoneNumberId, waId, at) {
    const chat = sb.chat(phoneNumberId, waId);
    if (chat.free_entry_offered_at > 0 && at - chat.free_entry_offered_at < WINDOW_MS && chat.free_entry_until < at) {
        chat.free_entry_until = at + FREE_ENTRY_MS;
        chat.free_entry_offered_at = 0;
        sb.store.put('chat', chat.id, chat);
    }
    return chat.free_entry_until > at;
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone
 * @param {{from: string, referral?: any}} input @param {number} at */
function openWindow(sb, phone, input, at) {
    const chat = sb.chat(phone.id, input.from);
    chat.last_inbound_at = at;
    if (input.referral)
        chat.free_entry_offered_at = at;
    sb.store.put('chat', chat.id, chat);
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone @param {import('./types.js').Message} message
 * @param {string} name @param {any} referral */
function inboundValue(sb, phone, message, name, referral) {
    const ids = sb.setting('bsuid', phone.waba_id) ? { user_id: bsuid(phone.waba_id, message.wa_id) } : null;
    return {
        messaging_product: 'whatsapp',
        metadata: { display_phone_number: phone.display_phone_number, phone_number_id: phone.id },
        contacts: [{ profile: { name: name === '' ? message.wa_id : name }, wa_id: message.wa_id, ...ids }],
        messages: [{
            ...(message.context === null ? {} : { context: message.context }),
            from: message.wa_id,
            ...(ids === null ? {} : { from_user_id: ids.user_id }),
            id: message.id,
            timestamp: String(Math.floor(message.at / 1000)),
            type: message.type,
            ...(message.type === 'unsupported' ? message.content : { [message.type]: message.content }),
            ...(referral ? { referral } : {}),
        }],
    };
}
