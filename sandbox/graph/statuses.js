// @ts-check
/**
 * The life of a message after its acceptance: sent, delivered, read, or failed; each a webhook. A message carries
 * the plan of what is still to come, so that a restart takes it up where it was.
 */
import { webhookError } from './errors.js';
import { bsuid } from './wamid.js';
import { conversationOf, pricingOf } from './pricing.js';

const PARTICIPANT = '15550000001'; /* a group's statuses come by participant; ours have one */

/**
 * @typedef {object} Twist how this message differs from the usual
 * @property {number} [fail] fails with this code
 * @property {string} [fail_details]
 * @property {boolean} [delivered_first] the failure comes after sent
 */

/**
 * Plans the statuses of a message just accepted and starts them.
 * @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Message} message
 * @param {import('./faults.js').Effect[]} effects @param {Twist} twist
 */
export function startStatuses(sb, message, effects, twist) {
    const delay = sb.setting('statuses_delay_ms', message.waba_id);
    const tweaks = effects.filter((effect) => effect.kind === 'statuses');
    const fail = twist.fail ?? tweaks.find((effect) => effect.fail !== undefined)?.fail;
    const late = tweaks.reduce((sum, effect) => sum + (effect.late_ms ?? 0), 0);
    message.duplicates = tweaks.reduce((sum, effect) => sum + (effect.duplicate ?? 0), 0);
    /** @type {import('./types.js').Step[]} */
    let plan;
    if (fail !== undefined)
        plan = [{ status: 'failed', after_ms: delay, errors: [webhookError(fail, twist.fail_details)] }];
    else if (message.type === 'reaction')
        plan = [{ status: 'sent', after_ms: delay }]; /* a reaction has no other */
    else {
        plan = [{ status: 'sent', after_ms: delay }, { status: 'delivered', after_ms: delay }];
        if (wantsRead(sb, message) || tweaks.some((effect) => effect.add_read))
            plan.push({ status: 'read', after_ms: delay });
    }
    if (tweaks.some((effect) => effect.reorder))
        plan.reverse();
    plan = plan.map((step) => ({ ...step, silent: tweaks.some((effect) => effect.drop?.includes(step.status)) || undefined }));
    plan[0].after_ms += late;
    message.plan = plan;
    sb.store.put('message', message.id, message);
    advance(sb, message);
}

/** @param {import('./sandbox.js').Sandbox} sb */
export function resumeStatuses(sb) {
    for (const message of sb.store.messages.values())
        if (message.plan.length > 0 && !message.held)
            advance(sb, message);
}

/** The person's phone came online: what waited is delivered. @param {import('./sandbox.js').Sandbox} sb @param {string} waId */
export function releaseHeld(sb, waId) {
    for (const message of sb.store.messages.values())
        if (message.wa_id === waId && message.held) {
            message.held = false;
            advance(sb, message);
        }
}

/**
 * The person reads a chat: every message that was not read gets `read`, and first what it had not had yet.
 * @param {import('./sandbox.js').Sandbox} sb @param {string} phoneNumberId @param {string} waId @returns {number} how many
 */
export function markChatRead(sb, phoneNumberId, waId) {
    let count = 0;
    for (const message of sb.store.messagesOf(phoneNumberId, waId)) {
        const had = new Set(message.statuses.map((entry) => entry.status));
        if (message.direction !== 'out' || message.type === 'reaction' || had.has('read') || had.has('failed'))
            continue;
        if (!had.has('delivered')) {
            if (!message.held && !message.plan.some((step) => step.status === 'read'))
                message.plan.push({ status: 'read', after_ms: 0 }); /* follows its delivery */
            continue;
        }
        message.plan = [];
        emitStatus(sb, message, { status: 'read', after_ms: 0 });
        count++;
    }
    return count;
}

/** Sends one status, by plan or by hand. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Message} message
 * @param {import('./types.js').Step} step */
export function emitStatus(sb, message, step) {
    const at = sb.now();
    const value = statusValue(sb, message, step, at);
    message.statuses.push({ status: step.status, at, ...(step.errors ? { errors: step.errors } : {}) });
    if (sb.store.messages.has(message.id))
        sb.store.put('message', message.id, message);
    sb.count(`statuses.${step.status}`);
    if (!step.silent)
        for (let i = 0; i <= (message.duplicates ?? 0); i++)
            sb.webhooks.enqueue({ waba_id: message.waba_id, phone_number_id: message.phone_number_id, field: 'messages', value,
                key: message.id, wa_id: message.wa_id });
    sb.bus.emit('status', message);
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Message} message */
function wantsRead(sb, message) {
    return sb.store.handsets.get(message.wa_id)?.auto_read ?? sb.setting('auto_read', message.waba_id);
}

/** Waits for the next step of the plan and takes it. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Message} message */
function advance(sb, message) {
    const step = message.plan[0];
    if (step === undefined)
        return;
    sb.later(step.after_ms, () => {
        if (message.plan[0] !== step)
            return; /* something else took over meanwhile */
        const offline = sb.store.handsets.get(message.wa_id)?.online === false;
        if (offline && step.status !== 'sent' && step.status !== 'failed') {
            message.held = true;
            sb.store.put('message', message.id, message);
            return;
        }
        message.plan.shift();
        emitStatus(sb, message, step);
        advance(sb, message);
    });
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Message} message
 * @param {import('./types.js').Step} step @param {number} at */
function statusValue(sb, message, step, at) {
    const phone = sb.store.phones.get(message.phone_number_id);
    const had = new Set(message.statuses.map((entry) => entry.status));
    const isPriced = step.status === 'sent' || step.status === 'delivered' || (step.status === 'read' && !had.has('delivered'));
    const hasConversation = isPriced && (sb.setting('webhook_version', message.waba_id) <= 23 || message.free_entry);
    const withIds = sb.setting('bsuid', message.waba_id) && !message.is_group;
    const userId = bsuid(message.waba_id, message.wa_id);
    return {
        messaging_product: 'whatsapp',
        metadata: { display_phone_number: phone?.display_phone_number ?? '', phone_number_id: message.phone_number_id },
        ...(withIds && step.status !== 'failed' ? { contacts: [{ profile: { name: sb.store.handsets.get(message.wa_id)?.name ?? '' },
            wa_id: message.wa_id, user_id: userId }] } : {}),
        statuses: [{
            id: message.id,
            status: step.status,
            timestamp: String(Math.floor(at / 1000)),
            recipient_id: message.wa_id,
            ...(message.is_group ? { recipient_type: 'group', recipient_participant_id: PARTICIPANT } : {}),
            ...(withIds ? { recipient_user_id: userId } : {}),
            ...(message.biz_opaque_callback_data === null ? {} : { biz_opaque_callback_data: message.biz_opaque_callback_data }),
            ...(hasConversation ? { conversation: conversationOf(message, step.status === 'sent') } : {}),
            ...(isPriced ? { pricing: pricingOf(message, at) } : {}),
            ...(step.errors ? { errors: step.errors } : {}),
        }],
    };
}
