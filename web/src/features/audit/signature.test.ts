import { generateKeyPairSync, sign } from 'node:crypto';
import { expect, test } from 'vitest';
import { checkpointText, checkSignature, isKeyKnown } from './signature';

const WORKSPACE = 'ten_01jd8h3c5tfy8n2k7w4q9v6r0e';
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('hex');
const keys = [{ generation: 1, public_key: raw, created_at: '2026-01-01T00:00:00.000Z' }];
const body = { size: 12, root: 'ab'.repeat(32), at: '2026-01-02T03:04:05.678Z', generation: 1 };
const text = `harkara-audit/1\n${WORKSPACE}\n12\n${Buffer.from(body.root, 'hex').toString('base64')}\n${body.at}\n`;
const signed = { ...body, signature: sign(null, Buffer.from(text), privateKey).toString('hex') };

test('what is signed is what the contract says', () => {
    expect(checkpointText(WORKSPACE, signed)).toBe(text);
});

test('a signature holds for its checkpoint, workspace and key, and for no other', async () => {
    expect(await checkSignature(WORKSPACE, signed, keys)).toBe('valid');
    for (const changed of [{ size: 13 }, { root: `ac${body.root.slice(2)}` }, { at: '2026-01-02T03:04:05.679Z' }, { signature: signed.signature.replace(/^../, (pair) => (pair === '00' ? '01' : '00')) }])
        expect(await checkSignature(WORKSPACE, { ...signed, ...changed }, keys)).toBe('invalid');
    expect(await checkSignature(WORKSPACE.replace(/e$/, 'f'), signed, keys)).toBe('invalid');
    expect(await checkSignature(WORKSPACE, { ...signed, generation: 2 }, keys)).toBe('unknown-key');
    expect(await checkSignature(WORKSPACE, signed, keys.map((key) => ({ ...key, public_key: 'cd'.repeat(32) })))).toBe('invalid');
});

test('a key is known from the first time on, and another in its place is not', () => {
    const kept = new Map<string, string>();
    const store = { getItem: (name: string) => kept.get(name) ?? null, setItem: (name: string, value: string) => { kept.set(name, value); } };
    expect([isKeyKnown(WORKSPACE, 1, 'aa', store), isKeyKnown(WORKSPACE, 1, 'aa', store), isKeyKnown(WORKSPACE, 1, 'bb', store), isKeyKnown(WORKSPACE, 1, 'aa', store), isKeyKnown(WORKSPACE, 2, 'bb', store)]).toEqual([true, true, false, true, true]);
});
