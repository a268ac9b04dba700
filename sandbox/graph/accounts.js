// @ts-check
/** Accounts, their numbers and tokens; and who a token is. */
import { randomBytes } from 'node:crypto';
import { GraphError, missing } from './errors.js';
import { newId } from './wamid.js';
import { readSettings } from './sandbox.js';
import { helloWorld, normalise, templatesOf } from './templates.js';

export const SCOPES = ['whatsapp_business_messaging', 'whatsapp_business_management'];

/** Who a request comes from. @param {import('./sandbox.js').Sandbox} sb @param {string|undefined} authorization
 * @param {URLSearchParams} query @returns {{account: import('./types.js').Account, token: import('./types.js').Token}} */
export function authenticate(sb, authorization, query) {
    const match = /^(?:Bearer|OAuth)\s+(\S+)\s*$/i.exec(authorization ?? '');
    const given = match?.[1] ?? query.get('access_token');
    if (given === null || given === undefined || given === '')
        throw new GraphError(104);
    for (const account of sb.store.accounts.values()) {
        const token = account.tokens.find((candidate) => candidate.token === given);
        if (token === undefined)
            continue;
        if (stateOf(sb, token) === 'expired')
            throw new GraphError(190, { subcode: 463, message: 'Error validating access token: Session has expired.' });
        if (token.state === 'revoked')
            throw new GraphError(190, { subcode: 460, message: 'Error validating access token: The session has been invalidated because the user changed their password or Facebook has changed the session for security reasons.' });
        return { account, token };
    }
    throw new GraphError(190);
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Token} token */
const stateOf = (sb, token) => (token.state === 'valid' && token.expires_at !== undefined && sb.now() >= token.expires_at ? 'expired' : token.state);

/** GET /debug_token: whose a token is and what it may do. @param {import('./sandbox.js').Sandbox} sb @param {string|null} input */
export function debugToken(sb, input) {
    if (input === null || input === '')
        throw missing('input_token');
    for (const account of sb.store.accounts.values()) {
        const token = account.tokens.find((candidate) => candidate.token === input);
        if (token !== undefined)
            return { data: { app_id: account.app_id, type: 'SYSTEM_USER', application: 'Harkara', data_access_expires_at: 0, expires_at: Math.floor((token.expires_at ?? 0) / 1000), is_valid: stateOf(sb, token) === 'valid',
                scopes: token.scopes, granular_scopes: token.scopes.map((scope) => ({ scope, target_ids: [token.granted ?? account.waba_id] })), user_id: account.app_id } };
    }
    return { data: { is_valid: false, scopes: [], error: { code: 190, message: 'Malformed access token' } } };
}

/** @param {import('./types.js').Token} token @param {string} scope */
export function needScope(token, scope) {
    if (!token.scopes.includes(scope))
        throw new GraphError(10);
}

const FIELDS = ['waba_id', 'name', 'app_id', 'app_secret', 'access_token', 'scopes', 'callback_url', 'verify_token', 'subscribed', 'settings',
    'phone_number_id', 'display_phone_number', 'verified_name', 'registered', 'pin', 'templates', 'handshake'];

/**
 * Creates an account with a number, or changes it: what is given is set, the rest stays.
 * @param {import('./sandbox.js').Sandbox} sb @param {any} input
 * @returns {{account: import('./types.js').Account|null, phone: import('./types.js').Phone|null, problem: string|null}}
 */
export function putAccount(sb, input) {
    const problem = accountProblem(input);
    if (problem !== null)
        return { account: null, phone: null, problem };
    const wabaId = input.waba_id ?? newId();
    const old = sb.store.accounts.get(wabaId);
    const owner = input.phone_number_id === undefined ? undefined : sb.store.phones.get(input.phone_number_id)?.waba_id;
    if (owner !== undefined && owner !== wabaId)
        return { account: null, phone: null, problem: 'phone_number_id: belongs to another account' };
    const holder = [...sb.store.accounts.values()].find((other) => other.waba_id !== wabaId && other.tokens.some((token) => token.token === input.access_token));
    if (input.access_token !== undefined && holder !== undefined)
        return { account: null, phone: null, problem: 'access_token: belongs to another account' };
    /** @type {import('./types.js').Account} */
    const account = {
        waba_id: wabaId,
        name: input.name ?? old?.name ?? 'Sandbox Business',
        app_id: input.app_id ?? old?.app_id ?? newId(),
        app_secret: input.app_secret ?? old?.app_secret ?? randomBytes(16).toString('hex'),
        tokens: tokensOf(input, old),
        callback_url: input.callback_url !== undefined ? input.callback_url : old?.callback_url ?? null,
        verify_token: input.verify_token !== undefined ? input.verify_token : old?.verify_token ?? null,
        override_url: old?.override_url ?? null,
        subscribed: input.subscribed ?? old?.subscribed ?? true,
        settings: { ...old?.settings, ...input.settings },
    };
    sb.store.put('account', wabaId, account);
    if (templatesOf(sb, wabaId).length === 0) {
        const hello = helloWorld(wabaId);
        sb.store.put('template', hello.id, hello);
    }
    for (const given of input.templates ?? [])
        seedTemplate(sb, wabaId, given);
    const phone = putPhone(sb, wabaId, input, old === undefined);
    sb.bus.emit('account', account);
    return { account, phone, problem: null };
}

/** @param {any} input @param {import('./types.js').Account|undefined} old @returns {import('./types.js').Token[]} */
function tokensOf(input, old) {
    const tokens = old?.tokens ?? [];
    if (input.access_token === undefined && tokens.length > 0)
        return tokens;
    const token = input.access_token ?? 'EAA' + randomBytes(24).toString('base64url');
    const rest = tokens.filter((entry) => entry.token !== token);
    return [...rest, { token, scopes: input.scopes ?? SCOPES, state: 'valid' }];
}

/** @param {import('./sandbox.js').Sandbox} sb @param {string} wabaId @param {any} input @param {boolean} isNew @returns {import('./types.js').Phone|null} */
function putPhone(sb, wabaId, input, isNew) {
    if (input.phone_number_id === undefined && input.display_phone_number === undefined && !isNew)
        return null;
    const id = input.phone_number_id ?? newId();
    const old = sb.store.phones.get(id);
    /** @type {import('./types.js').Phone} */
    const phone = {
        id, waba_id: wabaId,
        display_phone_number: (input.display_phone_number ?? old?.display_phone_number ?? '15550783881').replace(/[^0-9]/g, ''),
        verified_name: input.verified_name ?? old?.verified_name ?? input.name ?? 'Sandbox Business',
        quality_rating: old?.quality_rating ?? 'GREEN',
        status: input.registered === false ? 'PENDING' : old?.status ?? 'CONNECTED',
        pin: input.pin ?? old?.pin ?? null,
        override_url: old?.override_url ?? null,
        profile: old?.profile ?? {},
        register_attempts: old?.register_attempts ?? [],
    };
    sb.store.put('phone', id, phone);
    return phone;
}

/** A template that is approved from the start. @param {import('./sandbox.js').Sandbox} sb @param {string} wabaId @param {any} given */
function seedTemplate(sb, wabaId, given) {
    const old = templatesOf(sb, wabaId).find((template) => template.name === given.name && template.language === given.language);
    const id = old?.id ?? newId();
    sb.store.put('template', id, { id, waba_id: wabaId, name: given.name, language: given.language, category: String(given.category ?? 'UTILITY').toUpperCase(),
        status: 'APPROVED', parameter_format: String(given.parameter_format ?? 'POSITIONAL').toUpperCase(), components: normalise(given.components) });
}

/** @param {any} input @returns {string|null} */
function accountProblem(input) {
    if (typeof input !== 'object' || input === null || Array.isArray(input))
        return 'an account is an object';
    for (const [name, value] of Object.entries(input)) {
        if (!FIELDS.includes(name))
            return `unknown: ${name}`;
        const wanted = name === 'settings' ? 'object' : ['scopes', 'templates'].includes(name) ? 'array'
            : ['subscribed', 'registered', 'handshake'].includes(name) ? 'boolean' : 'string';
        const kind = Array.isArray(value) ? 'array' : typeof value;
        if (kind !== wanted && !(value === null && ['callback_url', 'verify_token'].includes(name)))
            return `${name}: must be ${wanted === 'string' ? 'a text' : `of kind ${wanted}`}`;
        if (['waba_id', 'phone_number_id'].includes(name) && !/^[0-9]{1,32}$/.test(String(value)))
            return `${name}: digits`;
    }
    for (const given of input.templates ?? [])
        if (typeof given?.name !== 'string' || typeof given?.language !== 'string' || !Array.isArray(given?.components)
            || given.components.some((/** @type {any} */ part) => typeof part?.type !== 'string'))
            return 'templates: each is {name, language, category, components}';
    return input.settings === undefined ? null : readSettings(input.settings).problem;
}

/** An account as the control API shows it. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Account} account */
export const accountShown = (sb, account) => ({
    ...account,
    phones: [...sb.store.phones.values()].filter((phone) => phone.waba_id === account.waba_id)
        .map(({ register_attempts: _, ...phone }) => phone),
});

/** @param {import('./sandbox.js').Sandbox} sb @param {string} wabaId */
export function removeAccount(sb, wabaId) {
    for (const [kind, map] of /** @type {['phone'|'template', Map<string, {waba_id: string}>][]} */ ([['phone', sb.store.phones], ['template', sb.store.templates]]))
        for (const [id, value] of [...map])
            if (value.waba_id === wabaId)
                sb.store.remove(kind, id);
    sb.store.remove('account', wabaId);
}
