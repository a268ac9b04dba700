import { expect, test } from 'vitest';
import type { SmsConnector } from '@/api/types';
import { changeBody, createBody, draftOf, faultsOf, fresh, further, isMoved, type Draft } from './form';

const shown: SmsConnector = {
    id: 'smc_0', name: 'Operator', state: 'active', state_reason: null, links: [], unrouted: { senders: 0, recipients: 0, last_at: null }, created_at: '', updated_at: '', host: 'smpp.operator.example', port: 2775, tls: true, tls_ca: '-----BEGIN CERTIFICATE-----\nx\n', system_id: 'harkara', system_type: '', address_range: '', service_type: '',
    binds: { transceivers: 0, transmitters: 1, receivers: 1 }, window: 10, per_second: 10, enquire_s: 30, answer_s: 60, encoding: { joining: 'sar', alphabet: 'gsm7', languages: ['tamil', 'hindi'] },
    addressing: { alphanumeric: { ton: 5, npi: 0 }, number: { ton: 1, npi: 1 }, short_code: { ton: 3, npi: 0 }, recipient: { ton: 1, npi: 1 } }, validity_max_s: null, receipts: { ids: 'hexadecimal', zone_minutes: 330, error_codes: 'none' }, dlt: { entity_tag: 5120, template_tag: null, chain_tag: null, ends_with_nul: true },
};
const draft = draftOf(shown);
const whole: Draft = { ...fresh, name: 'Operator', host: 'smpp.operator.example', system_id: 'harkara', password: 'secret' };

test('what is shown and not touched is no change', () => {
    expect(changeBody(draft, draft)).toBeNull();
    expect(faultsOf(draft, draft)).toEqual({});
});

test('only what is another now is sent, groups whole', () => {
    expect(changeBody(draft, { ...draft, name: ' New ', receivers: 2, template_tag: 5121, languages: ['hindi', 'tamil'] })).toEqual({ name: 'New', binds: { transceivers: 0, transmitters: 1, receivers: 2 }, dlt: { entity_tag: 5120, template_tag: 5121, chain_tag: null, ends_with_nul: true } });
    expect(changeBody(draft, { ...draft, password: 'other' })).toEqual({ password: 'other' });
    expect(changeBody(draft, { ...draft, validity_max_s: 3600 })).toEqual({ validity_max_s: 3600 });
    expect(changeBody(draft, { ...draft, country_code: 91 })?.addressing).toEqual({ ...shown.addressing, country_code: '91' });
    expect(draftOf({ ...shown, addressing: { ...shown.addressing, country_code: '44' } }).country_code).toBe(44);
    expect(changeBody(draft, { ...draft, tls: false })).toEqual({ tls: false, tls_ca: null });
});

test.each<[Partial<Draft>]>([[{ host: 'other.example' }], [{ port: 2776 }], [{ tls: false }], [{ tls_ca: '' }]])('whoever moves it shows the password: %o', (part) => {
    const moved = { ...draft, ...part };
    expect(isMoved(draft, moved)).toBe(true);
    expect(faultsOf(draft, moved)).toEqual({ password: 'sms.bad.password.moved' });
    expect(faultsOf(draft, { ...moved, password: 'secret' })).toEqual({});
});

test('a new one is sent whole, with its password', () => {
    expect(faultsOf(null, whole)).toEqual({});
    expect(createBody(whole)).toMatchObject({ name: 'Operator', port: 2775, tls: true, tls_ca: null, password: 'secret', binds: { transceivers: 1, transmitters: 0, receivers: 0 }, dlt: { entity_tag: null, template_tag: null, chain_tag: null, ends_with_nul: false }, receipts: { error_codes: 'india' } });
});

test.each<[Partial<Draft>, keyof Draft]>([
    [{ name: ' ' }, 'name'], [{ host: '' }, 'host'], [{ host: 'smpp://host' }, 'host'], [{ system_id: 'sixteen-letters-' }, 'system_id'], [{ system_id: '' }, 'system_id'], [{ password: '' }, 'password'], [{ password: 'with blank' }, 'password'], [{ port: '' }, 'port'], [{ port: 65_536 }, 'port'],
    [{ transceivers: 0, receivers: 3 }, 'transceivers'], [{ window: 0 }, 'window'], [{ answer_s: 4 }, 'answer_s'], [{ validity_max_s: 59 }, 'validity_max_s'], [{ entity_tag: 0 }, 'entity_tag'], [{ system_type: 'a b' }, 'system_type'], [{ tls_ca: 'nothing' }, 'tls_ca'],
    [{ numbering: { ...fresh.numbering, number: { ton: 256, npi: 1 } } }, 'numbering'], [{ zone_minutes: 900 }, 'zone_minutes'],
])('%o is at fault in %s', (part, field) => {
    expect(Object.keys(faultsOf(null, { ...whole, ...part }))).toEqual([field]);
});

test('what is folded away are fields of the form', () => {
    expect([...further].filter((field) => !(field in fresh))).toEqual([]);
});
