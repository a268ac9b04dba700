import type { Channel, Message } from '@/api/types';
import type { Values, Word } from '@/i18n/i18n';
import { allowReceipt, ruleOf, whyReceipt } from './receipt';
import { decidedBy } from './state';

/** Why a message stands where it stands, and what somebody can do about it. */
export interface Why {
    tone: 'waits' | 'doubt' | 'bad' | 'blocked' | 'over';
    what: Word;
    /** Times of `what`, as they stand in the message. */
    at?: string;
    advice?: Word;
    /** Where the advice is followed. */
    go?: 'channel' | 'templates' | 'settings' | 'consent' | 'policy' | 'usage' | 'dlt';
    /** The rule that decided it, in the API's own words, when it is one of a later release. */
    said?: string;
}

type Advice = Pick<Why, 'advice' | 'go'>;

/** WhatsApp's codes by what a person can do about them; the provider's own words are shown beside. */
const advices: [RegExp, Advice][] = [
    [/^(whatsapp-131047|window-closed)$/, { advice: 'why.advice.window', go: 'templates' }],
    [/^whatsapp-(131026|131021|131030|131062|137000)$/, { advice: 'why.advice.recipient' }],
    [/^whatsapp-(131050|130403)$/, { advice: 'why.advice.opted_out' }],
    [/^whatsapp-(131049|130472)$/, { advice: 'why.advice.held_back' }],
    [/^whatsapp-(131048|131064|368|131031|130497)$/, { advice: 'why.advice.quality', go: 'channel' }],
    [/^whatsapp-(131042|131044|134011)$/, { advice: 'why.advice.payment' }],
    [/^whatsapp-(132\d{3}|1341\d\d)$/, { advice: 'why.advice.template', go: 'templates' }],
    [/^(whatsapp-13105[23]|media-unknown|media-gone)$/, { advice: 'why.advice.media' }],
    [/^whatsapp-(131037|131045|1330\d\d)$/, { advice: 'why.advice.number', go: 'channel' }],
    [/^whatsapp-(130429|131056|131057|131016|131000)$/, { advice: 'why.advice.later' }],
    [/^outcome-unknown$/, { advice: 'why.advice.unknown', go: 'settings' }],
];

export function adviceFor(error: { code: string; class: string }): Advice {
    const code = error.code.replace(/^(whatsapp-\d+)-\d+$/, '$1'); /* a subcode says nothing that changes what to do */
    const found = advices.find(([form]) => form.test(code));
    if (found !== undefined)
        return found[1];
    if (error.class === 'credential')
        return { advice: 'why.advice.credential', go: 'channel' };
    return error.class === 'permanent' ? { advice: 'why.advice.permanent' } : { advice: 'why.advice.later' };
}

/** The last step that led to where the message stands. */
function lastOf(message: Message) {
    return (message.timeline ?? []).findLast((entry) => entry.status === message.status);
}

function waiting(message: Message, channel: Pick<Channel, 'state'> | undefined): Why {
    if (channel?.state === 'paused')
        return { tone: 'waits', what: 'why.paused', advice: 'why.advice.resume', go: 'channel' };
    if (channel?.state === 'broken')
        return { tone: 'bad', what: 'why.broken', advice: 'why.advice.credential', go: 'channel' };
    if (message.status !== 'queued')
        return { tone: 'waits', what: 'why.accepted' };
    const { cause } = lastOf(message) ?? {};
    if (cause === 'resent-by-policy')
        return { tone: 'waits', what: 'why.queued.policy', go: 'settings' };
    return message.error === null ? { tone: 'waits', what: 'why.queued' } : { tone: 'waits', what: 'why.queued.error', ...adviceFor(message.error) };
}

function blocked(message: Message): Why {
    const receipt = decidedBy(message, 'block');
    if (receipt === null)
        return { tone: 'blocked', what: 'why.blocked' };
    const advice = allowReceipt(receipt), go = ruleOf(receipt.rule)?.go, what = whyReceipt(receipt);
    return { tone: 'blocked', what: what ?? 'why.blocked', ...(advice === null ? {} : { advice }), ...(go === undefined ? {} : { go }), ...(what !== null || receipt.title === null ? {} : { said: receipt.title }) };
}

function held(message: Message): Why {
    const receipt = decidedBy(message, 'hold');
    const at = message.send_at ?? receipt?.until;
    if (at == null)
        return { tone: 'waits', what: 'why.held' };
    if (receipt === null)
        return { tone: 'waits', what: 'why.held.until', at };
    const rule = ruleOf(receipt.rule);
    return { tone: 'waits', what: whyReceipt(receipt) ?? 'receipt.held', at, ...(rule?.name === 'quiet-hours' ? { advice: 'receipt.allow.quiet-hours', go: 'policy' } : rule === null && receipt.title !== null ? { said: receipt.title } : {}) };
}

/** Null for what needs no words: it arrived, came in, or has just been handed on. */
export function whyOf(message: Message, channel?: Pick<Channel, 'state'>): Why | null {
    const { cause, actor } = lastOf(message) ?? {};
    switch (message.status) {
    case 'accepted': case 'queued': return waiting(message, channel);
    case 'held': return held(message);
    case 'sending': return { tone: 'waits', what: 'why.sending' };
    case 'sent': return { tone: 'waits', what: 'why.sent', advice: 'why.advice.sent' };
    case 'uncertain': return { tone: 'doubt', what: cause === 'left-by-policy' ? 'why.uncertain.left' : 'why.uncertain', advice: 'why.advice.uncertain', go: 'settings' };
    case 'failed': return { tone: 'bad', what: message.attempts > 1 ? 'why.failed.attempts' : 'why.failed', ...(message.error === null ? {} : adviceFor(message.error)) };
    case 'expired': return { tone: 'over', what: actor === 'provider' ? 'why.expired.provider' : 'why.expired', advice: 'why.advice.expired' };
    case 'canceled': return cause === 'channel-deleted' ? { tone: 'over', what: 'why.canceled.channel' } : { tone: 'over', what: 'why.canceled', advice: 'why.advice.canceled' };
    case 'blocked': return blocked(message);
    case 'delivered': case 'read': case 'received': return null;
    }
}

/** What is put into `what`. */
export function whyValues(message: Message, when: (at: string) => string, why: Why): Values {
    return { attempts: message.attempts, ...(why.at === undefined ? {} : { when: when(why.at) }) };
}
