import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { allowReceipt, factsOf, factValues, rules, whyReceipt } from './receipt';
import { plain } from './rule';
import { decidedBy, type Receipt } from './state';
import { whyOf } from './why';
import type { Message } from '@/api/types';

const words = (area: string): Record<string, string> => JSON.parse(readFileSync(path.resolve(import.meta.dirname, `../../i18n/en/${area}.json`), 'utf8')) as Record<string, string>;
const known = { ...words('receipts'), ...words('messages') };
const receipt = (decision: string, rule: string | null, facts: object = {}, more: object = {}): Receipt => ({ decision, rule, title: 'As the API says.', until: null, at: '2026-02-01T04:00:00.000Z', facts, ...more } as unknown as Receipt);

describe('whatever the gate may say has words', () => {
    test.each(Object.entries(rules))('%s', (name, rule) => {
        const values = [undefined, ...(rule.facts.flatMap((fact) => factValues[fact]))];
        for (const value of values)
            for (const decision of ['block', 'hold']) {
                const told = receipt(decision, name, value === undefined ? {} : { [rule.facts[0]]: value });
                expect(known, `${name} ${value ?? ''}`).toHaveProperty([whyReceipt(told) ?? 'none']);
                expect(known).toHaveProperty([allowReceipt(told) ?? 'none']);
            }
        expect(known).toHaveProperty([`rule.${name}`]);
    });
    test.each(Object.entries(factValues))('%s', (name, values) => {
        expect(known).toHaveProperty([`receipt.fact.${name}`]);
        for (const value of values)
            if (name !== 'channel_kind')
                expect(known).toHaveProperty([`receipt.value.${name}.${value}`]);
    });
});

test('nothing that the contract names is missing', () => {
    const contract = readFileSync(path.resolve(import.meta.dirname, '../../../../api/openapi.yaml'), 'utf8');
    const schema = (name: string) => new RegExp(`^    ${name}:\\n((?:      .*\\n)+)`, 'm').exec(contract)?.[1] ?? '';
    const listed = (text: string) => (/enum: \[(.*)\]/.exec(text)?.[1] ?? '').split(', ').map((word) => word.replace(/'/g, '')).filter((word) => word !== '');
    expect(listed(schema('PolicyRule'))).toEqual(Object.keys(rules));
    const facts = [...schema('PolicyFacts').matchAll(/^        (\w+):\n((?:          .*\n)+)/gm)].map((match): [string, string[]] => [match[1] ?? '', listed(match[2] ?? '')]);
    expect(facts.length).toBeGreaterThan(15);
    expect(Object.fromEntries(facts)).toEqual(factValues);
});

test('what a person has withdrawn is told otherwise than what nobody has asked', () => {
    expect(whyReceipt(receipt('block', 'consent', { consent: 'withdrawn' }))).toBe('receipt.why.consent.withdrawn');
    expect(whyReceipt(receipt('block', 'consent', { consent: 'unknown' }))).toBe('receipt.why.consent');
    expect(allowReceipt(receipt('block', 'consent', { consent: 'withdrawn' }))).toBe('receipt.allow.consent.withdrawn');
});

test('the facts that decided come first, and each value in the form that it has', () => {
    const shown = factsOf(receipt('block', 'recipient-cap', { category: 'promotional', channel_kind: 'sms', cap_per_day: 2, sent_in_day: 2, quiet_until: '2026-02-01T09:00:00Z' }));
    expect(shown.map(({ name, isDecisive }) => ['word' in name ? name.word : name.text, isDecisive])).toEqual([['receipt.fact.sent_in_day', true], ['receipt.fact.cap_per_day', true],
        ['receipt.fact.category', false], ['receipt.fact.channel_kind', false], ['receipt.fact.quiet_until', false]]);
    expect(shown.map(({ value }) => value)).toEqual([{ count: 2 }, { count: 2 }, { word: 'receipt.value.category.promotional' }, { text: 'SMS' }, { at: '2026-02-01T09:00:00Z' }]);
});

test('rules, facts and values of a later release are told without a raw name', () => {
    const later = receipt('block', 'age-limit', { age_band: 'under-18', sender: 'on-fire', minors_seen: 3, until_day: '2026-02-01T09:00:00Z' });
    expect([whyReceipt(later), allowReceipt(later)]).toEqual([null, null]);
    expect(whyReceipt(receipt('hold', 'age-limit'))).toBe('receipt.held');
    expect(factsOf(later).map(({ name, value }) => [name, value])).toEqual([[{ word: 'receipt.fact.sender' }, { text: 'On fire' }], [{ text: 'Age band' }, { text: 'Under 18' }],
        [{ text: 'Minors seen' }, { count: 3 }], [{ text: 'Until day' }, { at: '2026-02-01T09:00:00Z' }]]);
    expect(plain('workspace-standing')).toBe('Workspace standing');
    expect(whyOf({ status: 'blocked', policy: { accepted: later, sent: null } } as unknown as Message)).toEqual({ tone: 'blocked', what: 'why.blocked', said: 'As the API says.' });
});

describe('a message says why', () => {
    const message = (status: string, accepted: Receipt | null, sent: Receipt | null = null, more: object = {}) => ({ status, policy: { accepted, sent }, ...more } as unknown as Message);
    test('of two decisions the one that stopped it counts', () => {
        const stopped = message('blocked', receipt('hold', 'quiet-hours'), receipt('block', 'suppression', { suppression: 'promotional' }));
        expect(decidedBy(stopped, 'block')?.rule).toBe('suppression');
        expect(whyOf(stopped)).toMatchObject({ what: 'receipt.why.suppression.promotional', advice: 'receipt.allow.suppression', tone: 'blocked' });
        expect(whyOf(message('blocked', null))?.what).toBe('why.blocked');
    });
    test('what is held says until when, by whom', () => {
        const at = '2026-02-01T09:12:00Z';
        expect(whyOf(message('held', receipt('hold', 'quiet-hours', {}, { until: '2026-02-01T09:00:00Z' }), null, { send_at: at }))).toMatchObject({ what: 'receipt.held.quiet-hours', at, go: 'policy' });
        expect(whyOf(message('held', receipt('allow', null), null, { send_at: at }))).toMatchObject({ what: 'why.held.until', at });
        expect(whyOf(message('held', receipt('hold', 'credit', {}, { until: at })))).toMatchObject({ what: 'receipt.held', at });
    });
});
