import { expect, test } from 'vitest';
import type { SmsConnector, SmsLink } from '@/api/types';
import { adviceOf, figuresOf, healthOf, linkState, whyOf } from './health';

const link = (part: Partial<SmsLink> = {}): SmsLink => ({ number: 0, kind: 'transceiver', state: 'bound', is_stale: false, since: '2026-11-22T07:40:00.000Z', detail: null, next_try_at: null, per_second: 20, in_flight: 0, ...part });
type Of = Pick<SmsConnector, 'state' | 'binds' | 'links' | 'window'>;
const of = (part: Partial<Of> = {}): Of => ({ state: 'active', binds: { transceivers: 2 }, links: [link(), link({ number: 1 })], window: 10, ...part });

test.each<[string, Partial<Of>]>([
    ['bound', {}],
    ['partly', { links: [link(), link({ state: 'waiting' })] }],
    ['partly', { links: [link()] }],
    ['partly', { links: [link(), link({ is_stale: true })] }],
    ['waiting', { links: [link({ state: 'waiting' }), link({ state: 'connecting' })] }],
    ['connecting', { links: [link({ state: 'connecting' }), link({ state: 'closed' })] }],
    ['connecting', { links: [] }],
    ['stale', { links: [link({ is_stale: true }), link({ is_stale: true })] }],
    ['paused', { state: 'paused' }],
    ['broken', { state: 'broken', links: [link({ state: 'refused' })] }],
])('%s', (health, part) => {
    expect(healthOf(of(part))).toBe(health);
});

test('a link whose news are old is not shown as bound', () => {
    expect([linkState(link()), linkState(link({ is_stale: true })), linkState(link({ state: 'closed' }))]).toEqual(['bound', 'stale', 'unbound']);
});

test('only what sends has a window and a pace', () => {
    expect(figuresOf(of({ binds: { transmitters: 1, receivers: 1 }, links: [link({ kind: 'receiver', per_second: null, in_flight: 1 }), link({ kind: 'transmitter', in_flight: 3 })] }))).toEqual({ bound: 2, wanted: 2, inFlight: 3, window: 10, pace: 20 });
    expect(figuresOf(of({ links: [link({ state: 'waiting', in_flight: 2 }), link({ is_stale: true, in_flight: 2 })] }))).toEqual({ bound: 0, wanted: 2, inFlight: 0, window: 0, pace: null });
});

test.each([
    ["The host's name has no address.", 'sms.why.no_address'], ['The operator refused the account (ESME_RINVPASWD).', 'sms.why.password'], ['The operator refused the account (ESME_RBINDFAIL).', 'sms.why.account'],
    ['The operator refused the bind (ESME_RBINDFAIL).', 'sms.why.bind'], ['The session ended (peer_gone).', 'sms.why.peer_gone'], ['The session ended (stalled).', 'sms.why.silent'], ['Connection refused', 'sms.why.closed_port'],
])('%s', (detail, word) => {
    expect(whyOf(detail)).toMatchObject({ word });
});

test('what has no words of ours is shown as it was told, and nothing is nothing', () => {
    expect(whyOf('certificate verify failed')).toEqual({ told: 'certificate verify failed' });
    expect(whyOf('The session ended (no_memory).')).toEqual({ told: 'The session ended (no_memory).' });
    expect([whyOf(null), whyOf('')]).toEqual([null, null]);
    expect(whyOf('The operator refused the bind (ESME_RALYBND).')).toMatchObject({ values: { code: 'ESME_RALYBND' } });
});

test('what to do depends on what was refused', () => {
    expect(['RINVPASWD', 'RINVSYSID', 'RINVSYSTYP', 'RUNKNOWNERR'].map((code) => adviceOf(`The operator refused the account (ESME_${code}).`))).toEqual(['sms.broken.password', 'sms.broken.system_id', 'sms.broken.system_type', 'sms.broken.account']);
    expect(adviceOf(null)).toBe('sms.broken.account');
});
