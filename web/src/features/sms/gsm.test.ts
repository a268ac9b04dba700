import { expect, test } from 'vitest';
import { codePoint, runsOf, unicodeIn } from './gsm';
import { isSender } from './sender';

test('the 7-bit alphabet, with what it has as two, makes nothing Unicode', () => {
    expect(unicodeIn('Hello, £5 or €6 [net] {now}\nÆ ñ Ω @ _ ~')).toEqual([]);
});

test('each other character is named once, in its order; one beyond U+FFFF is one', () => {
    expect(unicodeIn('“Hi” — it’s ₹10 😀 “again”').map(codePoint)).toEqual(['U+201C', 'U+201D', 'U+2014', 'U+2019', 'U+20B9', 'U+1F600']);
    expect(unicodeIn('`')).toEqual(['`']);
});

test('runs put together are the text', () => {
    const text = 'Rs ₹₹10 “नमस्ते” ok';
    expect(runsOf(text).map((run) => run.text).join('')).toBe(text);
    expect(runsOf(text).slice(0, 3)).toEqual([{ text: 'Rs ', isUnicode: false }, { text: '₹₹', isUnicode: true }, { text: '10 ', isUnicode: false }]);
    expect(runsOf('')).toEqual([]);
});

test.each([['alphanumeric', 'HRKARA', true], ['alphanumeric', 'TWELVECHARSX', false], ['alphanumeric', '', false], ['alphanumeric', 'É', false], ['number', '919812345678', true], ['number', '123456', false], ['short-code', '56161', true], ['short-code', '123456789', false]] as const)('%s "%s": %s', (kind, sender, is) => {
    expect(isSender(kind, sender)).toBe(is);
});
