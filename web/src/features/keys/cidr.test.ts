import { expect, test } from 'vitest';
import { hasSpareBits, rangeOf, readRange } from './cidr';

test.each(['203.0.113.0/24', '0.0.0.0/0', '10.0.0.1', '2001:db8::/32', '::1', '::', '1:2:3:4:5:6:7:8/128', '::ffff'])('%s is a range', (text) => {
    expect(readRange(text)).not.toBeNull();
});
test.each(['', '1.2.3', '1.2.3.256', '01.2.3.4', '1.2.3.4/33', '1.2.3.4/-1', '1.2.3.4/8/8', '1.2.3.4/', ':::', '1::2::3', '12345::', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7::8', 'g::', '2001:db8::/129'])('%s is none', (text) => {
    expect(readRange(text)).toBeNull();
});
test('bits beyond the length are seen', () => {
    expect(['10.0.0.1/8', '2001:db8::1/32'].map((text) => { const range = readRange(text); return range !== null && hasSpareBits(range); })).toEqual([true, true]);
    expect(['10.0.0.0/8', '10.0.0.1', '0.0.0.0/0'].map((text) => { const range = readRange(text); return range !== null && hasSpareBits(range); })).toEqual([false, false, false]);
});
test('an address is held by the first range that has it', () => {
    const ranges = ['203.0.113.0/24', '2001:db8::/32', '0.0.0.0/0'];
    expect(rangeOf('203.0.113.7', ranges)).toBe('203.0.113.0/24');
    expect(rangeOf('198.51.100.1', ranges)).toBe('0.0.0.0/0');
    expect(rangeOf('2001:db8:1::5', ranges)).toBe('2001:db8::/32');
    expect(rangeOf('2001:db9::5', ranges)).toBeNull();
    expect(rangeOf('203.0.113.0/24', ranges)).toBeUndefined();
    expect(rangeOf('here', ranges)).toBeUndefined();
});
