import { expect, test } from 'vitest';
import { addressOf, ledgerQuery, maskOf, readLedgerFilter, readSuppressionFilter } from './filter';

test('an address brings back what it says, and nothing else', () => {
    const filter = { channel: 'sms', purpose: 'newsletter', state: 'withdrawn', source: 'import', since: '2026-01-02T03:04' } as const;
    expect(readLedgerFilter({ ...filter, address: '+14155550123' })).toEqual(filter);
    expect(readLedgerFilter({ channel: 'pigeon', purpose: 'No!', state: 3, source: [], since: 'soon', until: '' })).toEqual({});
    expect(readSuppressionFilter({ channel: 'any', reason: 'keyword' })).toEqual({ channel: 'any', reason: 'keyword' });
    expect(readSuppressionFilter({ channel: 'fax', reason: 'mood' })).toEqual({});
});

test('times go with their zone', () => { expect(ledgerQuery({ state: 'granted', until: '2026-01-02T03:04:05Z' })).toEqual({ state: 'granted', until: '2026-01-02T03:04:05.000Z' }); });

test.each([['+91 98765 43210', '+919876543210'], ['0091-98765-43210', '+919876543210'], ['919876543210', '+919876543210'], ['9876543210', null], ['+0123456789', null], ['', null], ['somebody', null], ['+1234567890123456', null]])('%s', (typed, address) => {
    expect(addressOf(typed)).toBe(address);
});

test('a number that is masked is seen to be', () => {
    expect(maskOf('****0123')).toBe('•••• 0123');
    expect(maskOf('+14155550123')).toBe('+14155550123');
});
