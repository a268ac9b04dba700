import type { components } from '@generated/schema';
import type { SmsConnector } from '@/api/types';
import type { Word } from '@/i18n/i18n';

type Create = components['schemas']['SmsConnectorCreate'];
type Update = components['schemas']['SmsConnectorUpdate'];
export type Language = components['schemas']['SmsLanguage'];
type Encoding = SmsConnector['encoding'];
export const joinings = ['udh-8', 'udh-16', 'sar', 'payload'] as const;
export const alphabets = ['gsm7', 'ascii', 'latin1'] as const;
export const receiptIds = ['as-answered', 'decimal', 'hexadecimal'] as const;
export const languages = ['bengali', 'gujarati', 'hindi', 'kannada', 'malayalam', 'oriya', 'punjabi', 'tamil', 'telugu', 'urdu', 'portuguese', 'spanish', 'turkish'] as const satisfies Language[];
export const senders = ['alphanumeric', 'number', 'short_code', 'recipient'] as const;
export type Sender = (typeof senders)[number];

/** Empty while somebody writes it. */
type Count = number | '';

/** The form's fields. The password is what is typed: nobody can read the one that is kept. */
export interface Draft {
    name: string; host: string; port: Count; tls: boolean; tls_ca: string; system_id: string; password: string;
    system_type: string; address_range: string; service_type: string;
    transceivers: Count; transmitters: Count; receivers: Count; window: Count; per_second: Count; enquire_s: Count; answer_s: Count; validity_max_s: Count;
    joining: NonNullable<Encoding['joining']>; alphabet: NonNullable<Encoding['alphabet']>; languages: Language[];
    ids: NonNullable<SmsConnector['receipts']['ids']>; zone_minutes: Count; has_india_codes: boolean;
    country_code: Count; numbering: Record<Sender, { ton: Count; npi: Count }>;
    entity_tag: Count; template_tag: Count; chain_tag: Count; ends_with_nul: boolean;
}

/** As most operators have it. */
export const fresh: Draft = {
    name: '', host: '', port: 2775, tls: true, tls_ca: '', system_id: '', password: '', system_type: '', address_range: '', service_type: '',
    transceivers: 1, transmitters: 0, receivers: 0, window: 10, per_second: 10, enquire_s: 30, answer_s: 60, validity_max_s: '', joining: 'udh-8', alphabet: 'gsm7', languages: [],
    ids: 'as-answered', zone_minutes: 0, has_india_codes: true, country_code: '',
    numbering: { alphanumeric: { ton: 5, npi: 0 }, number: { ton: 1, npi: 1 }, short_code: { ton: 3, npi: 0 }, recipient: { ton: 1, npi: 1 } },
    entity_tag: '', template_tag: '', chain_tag: '', ends_with_nul: false,
};

/** Under which operators in India usually want the registered ids. */
export const indiaTags = { entity_tag: 5120, template_tag: 5121, chain_tag: 5122 };

export function draftOf(of: SmsConnector): Draft {
    const numbering = (sender: Sender) => of.addressing[sender] ?? fresh.numbering[sender];
    return {
        ...fresh, name: of.name, host: of.host, port: of.port, tls: of.tls, tls_ca: of.tls_ca?.trim() ?? '', system_id: of.system_id, system_type: of.system_type, address_range: of.address_range, service_type: of.service_type,
        transceivers: of.binds.transceivers ?? 0, transmitters: of.binds.transmitters ?? 0, receivers: of.binds.receivers ?? 0, window: of.window, per_second: of.per_second, enquire_s: of.enquire_s, answer_s: of.answer_s, validity_max_s: of.validity_max_s ?? '',
        joining: of.encoding.joining ?? 'udh-8', alphabet: of.encoding.alphabet ?? 'gsm7', languages: of.encoding.languages ?? [], ids: of.receipts.ids ?? 'as-answered', zone_minutes: of.receipts.zone_minutes ?? 0, has_india_codes: of.receipts.error_codes !== 'none',
        country_code: of.addressing.country_code == null ? '' : Number(of.addressing.country_code),
        numbering: { alphanumeric: numbering('alphanumeric'), number: numbering('number'), short_code: numbering('short_code'), recipient: numbering('recipient') },
        entity_tag: of.dlt.entity_tag ?? '', template_tag: of.dlt.template_tag ?? '', chain_tag: of.dlt.chain_tag ?? '', ends_with_nul: of.dlt.ends_with_nul ?? false,
    };
}

/** A connector is told where it is: what it is bound by goes there. So whoever moves it shows the password. */
export function isMoved(before: Draft, now: Draft): boolean {
    return before.host !== now.host.trim() || before.port !== now.port || before.tls !== now.tls || before.tls_ca !== now.tls_ca.trim();
}

const ranges = {
    port: [1, 65535], transceivers: [0, 16], transmitters: [0, 16], receivers: [0, 16], window: [1, 500], per_second: [1, 10_000], enquire_s: [5, 600], answer_s: [5, 300], zone_minutes: [-840, 840],
} as const satisfies Partial<Record<keyof Draft, readonly [number, number]>>;
const optional = { validity_max_s: [60, 604_800], entity_tag: [1, 65_535], template_tag: [1, 65_535], chain_tag: [1, 65_535], country_code: [1, 999] } as const satisfies Partial<Record<keyof Draft, readonly [number, number]>>;
export type Ranged = keyof typeof ranges | keyof typeof optional;
export const rangeOf = (field: Ranged): readonly [number, number] => ({ ...ranges, ...optional })[field];
const isPlain = (text: string) => /^[!-~]*$/.test(text);

/** What cannot be sent as it stands, by field; `before` is null for a new one. */
export function faultsOf(before: Draft | null, now: Draft): Partial<Record<keyof Draft, Word>> {
    const faults: Partial<Record<keyof Draft, Word>> = {};
    const isOut = (value: Count, [least, most]: readonly [number, number]) => value === '' || value < least || value > most;
    for (const [field, range] of Object.entries(ranges) as [keyof typeof ranges, readonly [number, number]][])
        if (isOut(now[field], range))
            faults[field] = 'sms.bad.number';
    for (const [field, range] of Object.entries(optional) as [keyof typeof optional, readonly [number, number]][])
        if (now[field] !== '' && isOut(now[field], range))
            faults[field] = 'sms.bad.number';
    if (senders.some((sender) => isOut(now.numbering[sender].ton, [0, 255]) || isOut(now.numbering[sender].npi, [0, 255])))
        faults.numbering = 'sms.bad.number';
    if (now.name.trim() === '')
        faults.name = 'keys.name.missing';
    if (!/^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$/.test(now.host.trim()))
        faults.host = 'sms.bad.host';
    if (!/^[!-~]{1,15}$/.test(now.system_id))
        faults.system_id = 'sms.bad.system_id';
    for (const field of ['system_type', 'address_range', 'service_type'] as const)
        if (!isPlain(now[field]))
            faults[field] = 'sms.bad.plain';
    if (now.transceivers === 0 && now.transmitters === 0)
        faults.transceivers = 'sms.bad.binds';
    if (!isPlain(now.password))
        faults.password = 'sms.bad.plain';
    else if (now.password === '' && (before === null || isMoved(before, now)))
        faults.password = before === null ? 'sms.bad.password' : 'sms.bad.password.moved';
    if (now.tls && now.tls_ca.trim() !== '' && !now.tls_ca.includes('-----BEGIN CERTIFICATE-----'))
        faults.tls_ca = 'sms.bad.tls_ca';
    return faults;
}

const number = (value: Count): number => value === '' ? 0 : value;
const orNull = (value: Count): number | null => value === '' ? null : value;

/** All of it, but for the password. */
function bodyOf(draft: Draft): Omit<Create, 'password'> {
    const numbering = (sender: Sender) => ({ ton: number(draft.numbering[sender].ton), npi: number(draft.numbering[sender].npi) });
    return {
        name: draft.name.trim(), host: draft.host.trim(), port: number(draft.port), tls: draft.tls, tls_ca: draft.tls && draft.tls_ca.trim() !== '' ? draft.tls_ca.trim() : null, system_id: draft.system_id, system_type: draft.system_type, address_range: draft.address_range, service_type: draft.service_type,
        binds: { transceivers: number(draft.transceivers), transmitters: number(draft.transmitters), receivers: number(draft.receivers) }, window: number(draft.window), per_second: number(draft.per_second), enquire_s: number(draft.enquire_s), answer_s: number(draft.answer_s), validity_max_s: orNull(draft.validity_max_s),
        encoding: { joining: draft.joining, alphabet: draft.alphabet, languages: [...draft.languages].sort() }, receipts: { ids: draft.ids, zone_minutes: number(draft.zone_minutes), error_codes: draft.has_india_codes ? 'india' : 'none' },
        addressing: { country_code: draft.country_code === '' ? null : String(draft.country_code), alphanumeric: numbering('alphanumeric'), number: numbering('number'), short_code: numbering('short_code'), recipient: numbering('recipient') },
        dlt: { entity_tag: orNull(draft.entity_tag), template_tag: orNull(draft.template_tag), chain_tag: orNull(draft.chain_tag), ends_with_nul: draft.ends_with_nul },
    };
}

export function createBody(draft: Draft): Create {
    return { ...bodyOf(draft), password: draft.password };
}

/** Only what is another now; null: nothing. */
export function changeBody(before: Draft, now: Draft): Update | null {
    const old: Record<string, unknown> = bodyOf(before);
    const changed = Object.entries(bodyOf(now)).filter(([field, value]) => JSON.stringify(value) !== JSON.stringify(old[field]));
    if (now.password !== '')
        changed.push(['password', now.password]);
    return changed.length === 0 ? null : Object.fromEntries(changed);
}

/** Fields that most people never open. */
export const further: ReadonlySet<string> = new Set(['tls_ca', 'system_type', 'address_range', 'service_type', 'enquire_s', 'answer_s', 'validity_max_s', 'joining', 'alphabet', 'languages', 'ids', 'zone_minutes', 'has_india_codes', 'country_code', 'numbering']);
