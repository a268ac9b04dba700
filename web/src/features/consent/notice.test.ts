import { expect, test } from 'vitest';
import { sha256Hex, termsOf, termText } from './notice';

test('the hash is that of the text in UTF-8', async () => {
    expect(await sha256Hex('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(await sha256Hex('सहमति')).toMatch(/^[0-9a-f]{64}$/);
});

test('what is empty is not said, and who is responsible is an object', () => {
    const terms = termsOf({ controller: ' Acme ', jurisdiction: 'IN', retention: '  ' });
    expect(terms).toEqual({ controller: { name: 'Acme' }, jurisdiction: 'IN' });
    expect([termText(terms, 'controller'), termText(terms, 'jurisdiction'), termText(terms, 'retention')]).toEqual(['Acme', 'IN', '']);
    expect(termText({ controller: { name: 'Acme', email: 'dpo@acme.example', since: 3 } }, 'controller')).toBe('Acme, dpo@acme.example, 3');
});
