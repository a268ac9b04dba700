import { describe, expect, test } from 'vitest';
import { messageQuery, readMessageFilter, readNumber } from './filter';

describe('the filter in an address', () => {
    test('keeps what it understands', () => {
        const search = { status: ['failed', 'read'], direction: 'inbound', category: 'otp', to: '+919876543210', tag: 'a', after: '2026-11-22T10:00', channel: `chn_${'0'.repeat(26)}` };
        expect(readMessageFilter(search)).toEqual(search);
    });
    test('leaves out what it does not', () => {
        expect(readMessageFilter({ status: ['nonsense', 7], direction: 'up', category: '<b>', channel: 'chn_x', after: 'soon', other: 1, to: '' })).toEqual({});
    });
    test('takes one status for a list, and each once', () => {
        expect(readMessageFilter({ status: 'failed' })).toEqual({ status: ['failed'] });
        expect(readMessageFilter({ status: ['failed', 'failed'] })).toEqual({ status: ['failed'] });
    });
    test('a reference of digits is a text', () => {
        expect(readMessageFilter({ reference: 482913 })).toEqual({ reference: '482913' });
    });
    test('becomes the query of the API', () => {
        expect(messageQuery({ to: '+91 98765-43210', status: ['sent'], after: '2026-11-22T10:00:00Z' })).toEqual({ to: '+919876543210', status: ['sent'], created_after: '2026-11-22T10:00:00.000Z' });
    });
});

test.each([['+91 98765 43210', '+919876543210'], ['0091 98765 43210', '+919876543210'], ['919876543210', '+919876543210'], ['(415) 555-0123', '4155550123'], ['abc', 'abc']])('%s is read as %s', (typed, read) => {
    expect(readNumber(typed)).toBe(read);
});
