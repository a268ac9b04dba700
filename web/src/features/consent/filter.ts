export const channelKinds = ['whatsapp', 'sms'] as const;
export const states = ['granted', 'withdrawn', 'unknown'] as const;
export const sources = ['manual', 'import', 'inbound', 'api', 'provider'] as const;
export const reasons = ['keyword', 'preference', 'complaint', 'manual', 'import'] as const;
export const suppressedKinds = ['any', ...channelKinds] as const;
/** Names, the same in every language. */
export const channelNames = { whatsapp: 'WhatsApp', sms: 'SMS' } as const;
/** Purposes that a message has when it names none. */
export const usualPurposes = ['promotional', 'service', 'transactional', 'otp'];

export interface LedgerFilter { channel?: typeof channelKinds[number]; purpose?: string; state?: typeof states[number]; source?: typeof sources[number]; since?: string; until?: string }
export interface SuppressionFilter { channel?: typeof suppressedKinds[number]; reason?: typeof reasons[number] }

export const PURPOSE = /^[a-z0-9-]{1,40}$/;
export const METHOD = /^[a-z-]{1,40}$/;
export const LANGUAGE = /^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$/;

function oneOf<T extends string>(all: readonly T[], value: unknown): T | undefined {
    return all.find((each) => each === value);
}

function present<T extends object>(filter: T): T {
    return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as T;
}

function time(value: unknown): string | undefined {
    return typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? value : undefined;
}

/** From an address, which anybody may have written: what it does not understand is left out. A number never stands in one. */
export function readLedgerFilter(search: Record<string, unknown>): LedgerFilter {
    const purpose = search['purpose'];
    return present({
        channel: oneOf(channelKinds, search['channel']), purpose: typeof purpose === 'string' && PURPOSE.test(purpose) ? purpose : undefined,
        state: oneOf(states, search['state']), source: oneOf(sources, search['source']), since: time(search['since']), until: time(search['until']),
    }) as LedgerFilter;
}

export function readSuppressionFilter(search: Record<string, unknown>): SuppressionFilter {
    return present({ channel: oneOf(suppressedKinds, search['channel']), reason: oneOf(reasons, search['reason']) }) as SuppressionFilter;
}

/** As GET /v1/consents and its export want it. */
export function ledgerQuery({ since, until, ...filter }: LedgerFilter): Record<string, string> {
    return { ...filter, ...(since === undefined ? {} : { since: new Date(since).toISOString() }), ...(until === undefined ? {} : { until: new Date(until).toISOString() }) };
}

/** E.164 of what a person has typed; null when it is none. */
export function addressOf(typed: string): string | null {
    const digits = typed.replace(/[\s().-]/g, '').replace(/^00/, '+');
    const whole = digits.startsWith('+') ? digits : `+${digits}`;
    return /^\+[1-9]\d{6,14}$/.test(whole) && (digits.startsWith('+') || digits.length > 10) ? whole : null;
}

/** "****0123", as the API masks a number, for eyes. */
export function maskOf(address: string): string {
    return address.replace(/^\*+/, '•••• ');
}
