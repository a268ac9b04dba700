// @ts-check
/** POST /P/messages: from a request to an accepted message, in the order in which Meta checks. */
import { GraphError } from './errors.js';
import { valueInvalid } from './check.js';
import { bsuid, newWamid, waIdOf } from './wamid.js';
import { validateEnvelope } from './messages_validate.js';
import { applyTemplate } from './template_send.js';
import { isFreeEntryOpen, isWindowOpen, react } from './inbound.js';
import { startStatuses } from './statuses.js';
import { mediaFailure } from './media.js';
import { chatId } from './store.js';
import { strike } from './faults.js';

const QUOTE_MS = 30 * 86_400_000;
const TYPING_MS = 25_000;

/**
 * @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone
 * @param {any} body null: it was not JSON @param {AbortSignal} gone
 */
export async function postMessage(sb, phone, body, gone) {
    sb.count('messages.requests');
    const aimedAt = typeof body?.to === 'string' || typeof body?.to === 'number' ? waIdOf(String(body.to), phone.display_phone_number) : null;
    const effects = body?.status === undefined
        ? sb.faults.take({ on: 'messages', to: aimedAt ?? undefined, phone_number_id: phone.id, type: String(body?.type ?? 'text') }) : [];
    await strike(sb, effects, 'before', gone);
    if (typeof body !== 'object' || body === null || Array.isArray(body))
        throw new GraphError(100, { message: 'Invalid parameter', details: 'The body is not a JSON object.' });
    const asked = validateEnvelope(body, sb.setting('list_body_max', phone.waba_id));
    if (asked.kind === 'read')
        return markRead(sb, phone, asked);
    const message = accept(sb, phone, asked, effects);
    const input = String(asked.to ?? asked.recipient);
    const userId = sb.setting('bsuid', phone.waba_id) ? { user_id: bsuid(phone.waba_id, message.wa_id) } : null;
    await strike(sb, effects, 'after', gone);
    return {
        messaging_product: 'whatsapp',
        contacts: [{ input, wa_id: message.wa_id, ...userId }],
        messages: [{ id: message.id, ...(message.type === 'template' ? { message_status: 'accepted' } : {}) }],
    };
}

/**
 * @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone
 * @param {import('./messages_validate.js').Outgoing} asked @param {import('./faults.js').Effect[]} effects
 */
function accept(sb, phone, asked, effects) {
    const at = sb.now();
    const waId = recipientOf(sb, phone, asked);
    for (const ref of asked.media)
        if (ref.id !== undefined && sb.store.media.get(ref.id)?.phone_number_id !== phone.id)
            throw valueInvalid(`Media id ${ref.id} does not exist for this phone number.`);
    const account = /** @type {import('./types.js').Account} */ (sb.store.accounts.get(phone.waba_id));
    if (phone.status !== 'CONNECTED')
        throw new GraphError(133010);
    const template = asked.type === 'template' ? applyTemplate(sb, account.waba_id, asked.content) : null;
    takeLimits(sb, phone, waId, at);
    const inWindow = asked.is_group || isWindowOpen(sb, phone.id, waId, at);
    if (!asked.is_group)
        sb.handset(waId);
    /** @type {import('./types.js').Message} */
    const message = {
        id: newWamid(waId, 'out'), direction: 'out', waba_id: account.waba_id, phone_number_id: phone.id, wa_id: waId, type: asked.type, at,
        content: asked.content, context: asked.context_id === null ? null : { id: asked.context_id }, biz_opaque_callback_data: asked.opaque,
        statuses: [], plan: [], category: template?.category ?? 'service', in_window: inWindow,
        ...(asked.is_group ? { is_group: true } : {}),
        free_entry: isFreeEntryOpen(sb, phone.id, waId, at), ...(template === null ? {} : { view: template.view }),
    };
    sb.store.put('message', message.id, message);
    sb.typing.delete(chatId(phone.id, waId));
    sb.count('messages.accepted');
    sb.bus.emit('message', message);
    void begin(sb, phone, message, asked, effects);
    return message;
}

/** What Meta finds out only after its answer: the window, the media, the reaction's target.
 * @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone @param {import('./types.js').Message} message
 * @param {import('./messages_validate.js').Outgoing} asked @param {import('./faults.js').Effect[]} effects */
async function begin(sb, phone, message, asked, effects) {
    /** @type {import('./statuses.js').Twist} */
    let twist = {};
    if (message.type !== 'template' && !message.in_window && !message.free_entry && sb.setting('window', phone.waba_id) === 'enforce')
        twist = { fail: 131047 };
    else if (!message.in_window && !message.free_entry && !sb.limits.takeUser(phone.waba_id, message.wa_id, sb.setting('daily_users', phone.waba_id), message.at))
        twist = { fail: 131048, fail_details: 'The messaging limit of this business is reached: so many people in 24 hours.' };
    else if (message.category === 'marketing' && message.wa_id.startsWith('1') && !sb.setting('us_marketing', phone.waba_id))
        twist = { fail: 131049 };
    else if (message.type === 'reaction')
        twist = reactionTwist(sb, message);
    else if (asked.media.length > 0) {
        const failure = await mediaFailure(sb, phone, asked.media);
        if (failure !== null)
            twist = { fail: 131053, fail_details: failure };
        if (sb.stopped)
            return;
    }
    startStatuses(sb, message, effects, twist);
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Message} message @returns {import('./statuses.js').Twist} */
function reactionTwist(sb, message) {
    const target = sb.store.messages.get(message.content.message_id);
    if (target === undefined || target.wa_id !== message.wa_id || target.type === 'reaction' || message.at - target.at > QUOTE_MS)
        return { fail: 131009, fail_details: 'The message to react to does not exist, is a reaction, or is older than 30 days.' };
    react(sb, message.content);
    return {};
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone
 * @param {import('./messages_validate.js').Outgoing} asked @returns {string} */
function recipientOf(sb, phone, asked) {
    const name = asked.to ?? asked.recipient ?? '';
    if (asked.is_group && (sb.setting('groups', phone.waba_id) !== 'any' || name === ''))
        throw new GraphError(131041);
    if (asked.is_group)
        return name;
    if (/^[A-Z]{2}\./.test(name)) {
        for (const handset of sb.store.handsets.values())
            if (bsuid(phone.waba_id, handset.wa_id) === name)
                return handset.wa_id;
        throw new GraphError(131026);
    }
    const waId = waIdOf(name, phone.display_phone_number);
    if (waId === null)
        throw valueInvalid('Recipient is not a valid phone number.');
    if (waId === phone.display_phone_number)
        throw new GraphError(131021);
    return waId;
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone @param {string} waId @param {number} at */
function takeLimits(sb, phone, waId, at) {
    const http = sb.setting('rate_limit_http', phone.waba_id);
    if (!sb.limits.takeThroughput(phone.id, sb.setting('throughput_per_second', phone.waba_id), at)) {
        sb.count('messages.throttled');
        throw new GraphError(130429, { subcode: 2494055, http });
    }
    if (sb.setting('pair_limit', phone.waba_id) === 'on' && !sb.limits.takePair(phone.id, waId, at)) {
        sb.count('messages.throttled_pair');
        throw new GraphError(131056, { http });
    }
}

/** The business has read a message, and the ones before it. @param {import('./sandbox.js').Sandbox} sb
 * @param {import('./types.js').Phone} phone @param {import('./messages_validate.js').ReadMark} asked */
function markRead(sb, phone, asked) {
    const target = sb.store.messages.get(asked.message_id);
    if (target === undefined || target.direction !== 'in' || target.phone_number_id !== phone.id || sb.now() - target.at > QUOTE_MS)
        throw new GraphError(131009, { details: 'Message id is not valid, or the message is not from a user of this number.' });
    for (const message of sb.store.messagesOf(phone.id, target.wa_id))
        if (message.direction === 'in' && message.at <= target.at && !message.statuses.some((entry) => entry.status === 'read')) {
            message.statuses.push({ status: 'read', at: sb.now() });
            sb.store.put('message', message.id, message);
            sb.bus.emit('status', message);
        }
    if (asked.typing) {
        sb.typing.set(chatId(phone.id, target.wa_id), sb.now() + TYPING_MS);
        sb.bus.emit('typing', { phone_number_id: phone.id, wa_id: target.wa_id, until: sb.now() + TYPING_MS });
    }
    sb.count('messages.read_marks');
    return { success: true };
}
