import type { components } from '@generated/schema';
import type { Message } from '@/api/types';

export type Receipt = components['schemas']['PolicyReceipt'];

/** The receipt of the decision that stands, of the two that a message may have. */
export function decidedBy(message: Pick<Message, 'policy'>, decision: Receipt['decision']): Receipt | null {
    return [message.policy?.sent, message.policy?.accepted].find((receipt) => receipt?.decision === decision) ?? null;
}

/** Whether it has come to its end, as far as it gets by itself: only then it may be sent again. */
export function mayResend(message: Pick<Message, 'direction' | 'status'>): boolean {
    return message.direction === 'outbound' && ['sent', 'uncertain', 'delivered', 'read', 'blocked', 'failed', 'expired', 'canceled'].includes(message.status);
}

export function mayCancel(message: Pick<Message, 'direction' | 'status'>): boolean {
    return message.direction === 'outbound' && ['accepted', 'queued', 'held'].includes(message.status);
}
