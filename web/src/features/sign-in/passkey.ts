import { api, changingToken, setCsrfToken, unwrap } from '@/api/client';
import type { components, paths } from '@generated/schema';

type SignedIn = paths['/v1/session/passkey']['post']['requestBody']['content']['application/json']['credential'];
type Session = components['schemas']['Session'];
type Added = paths['/v1/me/passkeys']['post']['requestBody']['content']['application/json']['credential'];
type Enrolled = paths['/v1/enrolment']['post']['requestBody']['content']['application/json']['credential'];

export const hasPasskeys = typeof PublicKeyCredential !== 'undefined' && 'parseRequestOptionsFromJSON' in PublicKeyCredential;

/** The person closed the browser's window, or was too slow: nothing went wrong. */
export function isDismissed(error: unknown): boolean {
    return error instanceof DOMException && (error.name === 'NotAllowedError' || error.name === 'AbortError');
}

/** The authenticator has a passkey of this person already. */
export function isKnownHere(error: unknown): boolean {
    return error instanceof DOMException && error.name === 'InvalidStateError';
}

function made(credential: Credential | null): PublicKeyCredential {
    if (!(credential instanceof PublicKeyCredential))
        throw new DOMException('no passkey', 'NotAllowedError');
    return credential;
}

/** Signs in with a passkey; `conditional`: when the person picks one in the browser's own list, which may be never. */
export async function signInWithPasskey(signal: AbortSignal, isConditional: boolean): Promise<void> {
    const { ceremony_id, public_key } = await unwrap(api.POST('/v1/session/passkey/options'));
    const options = PublicKeyCredential.parseRequestOptionsFromJSON(public_key);
    const credential = made(await navigator.credentials.get({ signal, publicKey: options, ...(isConditional ? { mediation: 'conditional' as const } : {}) }));
    const shown = credential.toJSON() as SignedIn; /* the browser's own form, which the gateway checks */
    const session = await unwrap(api.POST('/v1/session/passkey', { body: { ceremony_id, credential: shown } }));
    setCsrfToken(session.csrf_token);
}

/** Makes a passkey for whoever holds the link, and signs them in. */
export async function enrol(token: string, name: string): Promise<void> {
    const { ceremony_id, public_key } = await unwrap(api.POST('/v1/enrolment/options', { body: { token, name } }));
    const options = PublicKeyCredential.parseCreationOptionsFromJSON(public_key as PublicKeyCredentialCreationOptionsJSON);
    const credential = made(await navigator.credentials.create({ publicKey: options }));
    const shown = credential.toJSON() as Enrolled;
    const session = await unwrap(api.POST('/v1/enrolment', { body: { token, name, ceremony_id, credential: shown } }));
    setCsrfToken(session.csrf_token);
}

/** Shows one of the person's passkeys again: the session is fresh, and goes on with another token. */
export async function stepUpWithPasskey(): Promise<Session> {
    const { ceremony_id, public_key } = await unwrap(api.POST('/v1/session/step-up/passkey/options'));
    const options = PublicKeyCredential.parseRequestOptionsFromJSON(public_key);
    const credential = made(await navigator.credentials.get({ publicKey: options }));
    const shown = credential.toJSON() as SignedIn;
    return changingToken(unwrap(api.POST('/v1/session/step-up/passkey', { body: { ceremony_id, credential: shown } })));
}

/** Makes another passkey for whoever is signed in. */
export async function addPasskey(name: string): Promise<components['schemas']['Passkey']> {
    const { ceremony_id, public_key } = await unwrap(api.POST('/v1/me/passkeys/options'));
    const options = PublicKeyCredential.parseCreationOptionsFromJSON(public_key as PublicKeyCredentialCreationOptionsJSON);
    const credential = made(await navigator.credentials.create({ publicKey: options }));
    const shown = credential.toJSON() as Added;
    return unwrap(api.POST('/v1/me/passkeys', { body: { ceremony_id, name, credential: shown } }));
}
