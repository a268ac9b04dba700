import type { PolicySettings } from '@/api/types';

export const days = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;
export const categories = ['otp', 'transactional', 'service', 'promotional'] as const;
export const channelKinds = ['whatsapp', 'sms'] as const;

/** Names, the same in every language. */
export const channelNames = { whatsapp: 'WhatsApp', sms: 'SMS' } as const;

type Kind = (typeof channelKinds)[number];
type Rule = 'required' | 'unless-withdrawn';

/** What a workspace decides, without when it did. */
export interface Policy {
    consent: Record<Kind, Record<(typeof categories)[number], Rule>>;
    promotional_per_day: number | null;
    promotional_per_week: number | null;
    quiet_hours: Required<PolicySettings['quiet_hours']>;
    dnd: PolicySettings['dnd'];
}

/** An answer has all of it, though the contract, which is that of changes too, does not say so of each part. */
export function policyOf(settings: PolicySettings): Policy {
    const consent = (kind: Kind) => Object.fromEntries(categories.map((category) => [category, settings.consent[kind][category] ?? 'required'])) as Record<(typeof categories)[number], Rule>;
    return {
        consent: { whatsapp: consent('whatsapp'), sms: consent('sms') },
        promotional_per_day: settings.promotional_per_day,
        promotional_per_week: settings.promotional_per_week,
        quiet_hours: { enabled: true, india_from: '10:00', from: '00:00', until: '24:00', days: [...days], spread_minutes: 30, ...settings.quiet_hours },
        dnd: settings.dnd,
    };
}

/** Half hours from 00:00 to 24:00, and the times that are set, though they be none. */
export function times(...set: string[]): string[] {
    const all = Array.from({ length: 49 }, (_, i) => `${String(Math.floor(i / 2)).padStart(2, '0')}:${i % 2 === 0 ? '00' : '30'}`);
    return [...new Set([...all, ...set])].sort();
}

/** What of it has changed, as a request says it: null when nothing has. */
export function changeOf(before: Policy, after: Policy): Partial<Policy> | null {
    const change: Partial<Policy> = {};
    if (JSON.stringify(before.consent) !== JSON.stringify(after.consent))
        change.consent = after.consent;
    if (JSON.stringify(before.quiet_hours) !== JSON.stringify(after.quiet_hours))
        change.quiet_hours = after.quiet_hours;
    if (before.promotional_per_day !== after.promotional_per_day)
        change.promotional_per_day = after.promotional_per_day;
    if (before.promotional_per_week !== after.promotional_per_week)
        change.promotional_per_week = after.promotional_per_week;
    if (before.dnd !== after.dnd)
        change.dnd = after.dnd;
    return Object.keys(change).length === 0 ? null : change;
}

/** Why it cannot be saved, as a word; null: it can. */
export function faultOf(policy: Policy): 'policy.fault.days' | 'policy.fault.times' | 'policy.fault.caps' | null {
    if (policy.quiet_hours.days.length === 0)
        return 'policy.fault.days';
    if (policy.quiet_hours.from >= policy.quiet_hours.until)
        return 'policy.fault.times';
    if (policy.promotional_per_day !== null && policy.promotional_per_week !== null && policy.promotional_per_day > policy.promotional_per_week)
        return 'policy.fault.caps';
    return null;
}
