// @ts-check
/** What an embedded signup leaves: a code that is good once and for a short time, and the app's own token. */
import { randomBytes } from 'node:crypto';
import { GraphError, missing } from './errors.js';
import { SCOPES, putAccount } from './accounts.js';

const CODE_LIFE_MS = 30_000;

/**
 * Somebody has gone through the signup's page: an account that is not subscribed, with a number that is not registered.
 * @param {import('./sandbox.js').Sandbox} sb @param {any} input as POST accounts, and life_ms, scopes
 * @returns {{code: string|null, account: import('./types.js').Account|null, phone: import('./types.js').Phone|null, problem: string|null}}
 */
export function signUp(sb, input) {
    const { life_ms: life = CODE_LIFE_MS, granted_waba_id: granted, ...rest } = input ?? {};
    const { account, phone, problem } = putAccount(sb, { ...rest, subscribed: false, registered: false });
    if (account === null || problem !== null)
        return { code: null, account, phone, problem };
    const code = `AQ${randomBytes(40).toString('base64url')}`;
    sb.signups.set(code, { waba_id: account.waba_id, granted: granted ?? account.waba_id, expires_at: sb.now() + life });
    return { code, account, phone, problem: null };
}

/** GET /oauth/access_token. @param {import('./sandbox.js').Sandbox} sb @param {URLSearchParams} query */
export function exchangeCode(sb, query) {
    for (const name of ['client_id', 'client_secret', 'code'])
        if ((query.get(name) ?? '') === '')
            throw missing(name);
    const code = String(query.get('code'));
    const signup = sb.signups.get(code);
    const account = signup === undefined ? undefined : sb.store.accounts.get(signup.waba_id);
    if (signup === undefined || account === undefined)
        throw new GraphError(100, { subcode: 36009, message: 'This authorization code has been used.' });
    if (account.app_id !== query.get('client_id') || account.app_secret !== query.get('client_secret'))
        throw new GraphError(1, { message: 'Error validating client secret.' });
    sb.signups.delete(code);
    if (signup.expires_at < sb.now())
        throw new GraphError(100, { subcode: 36007, message: 'This authorization code has expired.' });
    const token = `EAA${randomBytes(24).toString('base64url')}`;
    account.tokens.push({ token, scopes: SCOPES, state: 'valid', ...(signup.granted === account.waba_id ? {} : { granted: signup.granted }) });
    sb.store.put('account', account.waba_id, account);
    return { access_token: token, token_type: 'bearer' };
}

/** The app's own token, `{app-id}|{app-secret}`: whether it is one. @param {import('./sandbox.js').Sandbox} sb @param {string|undefined} authorization */
export function isAppToken(sb, authorization) {
    const match = /^Bearer\s+([0-9]+)\|(\S+)\s*$/i.exec(authorization ?? '');
    return match !== null && [...sb.store.accounts.values()].some((account) => account.app_id === match[1] && account.app_secret === match[2]);
}
