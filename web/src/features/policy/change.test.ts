import { describe, expect, test } from 'vitest';
import { changeOf, days, faultOf, policyOf, times, type Policy } from './change';

const usual = { otp: 'unless-withdrawn', transactional: 'unless-withdrawn', service: 'unless-withdrawn', promotional: 'required' } as const;
const policy: Policy = {
    consent: { whatsapp: usual, sms: usual },
    promotional_per_day: null,
    promotional_per_week: null,
    quiet_hours: { enabled: true, india_from: '09:00', from: '00:00', until: '24:00', days: [...days], spread_minutes: 30 },
    dnd: 'when-known',
};

describe('what is sent', () => {
    test('is nothing while nothing has changed', () => {
        expect(changeOf(policy, structuredClone(policy))).toBeNull();
    });
    test('is what has changed, and no more', () => {
        expect(changeOf(policy, { ...policy, dnd: 'required', promotional_per_day: 2 })).toEqual({ dnd: 'required', promotional_per_day: 2 });
        expect(changeOf({ ...policy, promotional_per_week: 4 }, policy)).toEqual({ promotional_per_week: null });
        expect(changeOf(policy, { ...policy, quiet_hours: { ...policy.quiet_hours, until: '20:00' } })).toEqual({ quiet_hours: { ...policy.quiet_hours, until: '20:00' } });
        expect(Object.keys(changeOf(policy, { ...policy, consent: { whatsapp: usual, sms: { ...usual, service: 'required' } } }) ?? {})).toEqual(['consent']);
    });
});

test('an answer is taken whole', () => {
    expect(policyOf({ ...policy, updated_at: null })).toEqual(policy);
});

test('what makes no sense is told before it is sent', () => {
    expect(faultOf(policy)).toBeNull();
    expect(faultOf({ ...policy, quiet_hours: { ...policy.quiet_hours, days: [] } })).toBe('policy.fault.days');
    expect(faultOf({ ...policy, quiet_hours: { ...policy.quiet_hours, from: '12:00', until: '12:00' } })).toBe('policy.fault.times');
    expect(faultOf({ ...policy, promotional_per_day: 3, promotional_per_week: 2 })).toBe('policy.fault.caps');
    expect(faultOf({ ...policy, promotional_per_day: 3, promotional_per_week: 3 })).toBeNull();
});

test('a time that is no half hour can be chosen while it is set', () => {
    expect(times('09:00', '20:00')).toHaveLength(49);
    expect(times('09:15', '24:00')).toHaveLength(50);
    expect(times('09:15', '24:00')[19]).toBe('09:15');
});
