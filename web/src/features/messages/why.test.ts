import { expect, test } from 'vitest';
import type { Message, MessageStatus } from '@/api/types';
import { messageStatuses } from './filter';
import { mayCancel, mayResend } from './state';
import { adviceFor, whyOf, whyValues } from './why';

const message = (status: string, more: Partial<Message> = {}) => ({ id: 'msg_1', direction: 'outbound', status, attempts: 1, error: null, timeline: [], ...more }) as unknown as Message;
const step = (status: string, more: object) => ({ timeline: [{ id: 'evt_1', type: `message.${status}`, at: '2026-01-01T00:00:00Z', status, ...more }] }) as unknown as Partial<Message>;

test('every status has its words, but for what has arrived', () => {
    const silent = messageStatuses.filter((status) => whyOf(message(status)) === null);
    expect(silent).toEqual(['delivered', 'read', 'received']);
});

test('what waits says for what', () => {
    expect(whyOf(message('accepted'), { state: 'paused' })?.what).toBe('why.paused');
    expect(whyOf(message('queued'), { state: 'broken' })).toMatchObject({ tone: 'bad', go: 'channel' });
    expect(whyOf(message('queued'))?.what).toBe('why.queued');
    expect(whyOf(message('queued', { error: { code: 'whatsapp-131016', title: 'x', class: 'retry' } }))).toMatchObject({ what: 'why.queued.error', advice: 'why.advice.later' });
    expect(whyOf(message('queued', step('queued', { cause: 'resent-by-policy' })))?.what).toBe('why.queued.policy');
    const held = whyOf(message('held', { send_at: '2026-02-01T09:00:00Z' }));
    expect(held?.what).toBe('why.held.until');
    expect(held === null ? null : whyValues(message('held'), (at) => `<${at}>`, held)).toEqual({ attempts: 1, when: '<2026-02-01T09:00:00Z>' });
});

test('the step that led here is told from those before it', () => {
    expect(whyOf(message('uncertain', step('uncertain', { cause: 'left-by-policy' })))?.what).toBe('why.uncertain.left');
    expect(whyOf(message('uncertain', step('uncertain', { cause: 'answer-lost' })))?.what).toBe('why.uncertain');
    expect(whyOf(message('expired', step('expired', { actor: 'provider' })))?.what).toBe('why.expired.provider');
    expect(whyOf(message('expired', step('expired', { actor: 'schedule' })))?.what).toBe('why.expired');
    expect(whyOf(message('canceled', step('canceled', { cause: 'channel-deleted' })))?.what).toBe('why.canceled.channel');
});

test.each([
    ['whatsapp-131047', 'permanent', 'why.advice.window'], ['window-closed', 'permanent', 'why.advice.window'], ['whatsapp-131026', 'permanent', 'why.advice.recipient'],
    ['whatsapp-132015', 'retry', 'why.advice.template'], ['whatsapp-131053', 'permanent', 'why.advice.media'], ['whatsapp-133010', 'retry', 'why.advice.number'],
    ['whatsapp-130429', 'throttle', 'why.advice.later'], ['whatsapp-130429-2494055', 'throttle', 'why.advice.later'], ['whatsapp-131026-2494010', 'permanent', 'why.advice.recipient'], ['whatsapp-190', 'credential', 'why.advice.credential'], ['something-new', 'permanent', 'why.advice.permanent'], ['something-new', 'retry', 'why.advice.later'],
])('%s (%s) is explained by %s', (code, kind, advice) => {
    expect(adviceFor({ code, class: kind }).advice).toBe(advice);
});

test('what may be canceled may not be sent again, and nothing that came in', () => {
    for (const status of messageStatuses as MessageStatus[]) {
        expect(mayCancel({ direction: 'outbound', status }) && mayResend({ direction: 'outbound', status }), status).toBe(false);
        expect(mayCancel({ direction: 'inbound', status }) || mayResend({ direction: 'inbound', status }), status).toBe(false);
    }
    expect(mayResend({ direction: 'outbound', status: 'sending' })).toBe(false);
});
