import { ask } from '@/api/pending';

interface Options { ceremony_id: string; public_key: PublicKeyCredentialRequestOptionsJSON }

export const hasPasskeys = typeof PublicKeyCredential !== 'undefined' && 'parseRequestOptionsFromJSON' in PublicKeyCredential;

/** The person closed the browser's window, or was too slow: nothing went wrong. */
export function isDismissed(error: unknown): boolean {
    return error instanceof DOMException && (error.name === 'NotAllowedError' || error.name === 'AbortError');
}

/** Signs in with a passkey; `conditional`: when the person picks one in the browser's own list, which may be never. */
export async function signInWithPasskey(signal: AbortSignal, isConditional: boolean): Promise<void> {
    const options = await ask('POST', '/v1/session/passkey/options', {}) as Options;
    const credential = await navigator.credentials.get({
        signal, publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options.public_key), ...(isConditional ? { mediation: 'conditional' as const } : {}),
    });
    if (!(credential instanceof PublicKeyCredential))
        throw new DOMException('no passkey', 'NotAllowedError');
    await ask('POST', '/v1/session/passkey', { ceremony_id: options.ceremony_id, credential: credential.toJSON() as unknown });
}
