// @ts-check
/** Business phone numbers: fields, registration, profile, and the account's own fields. */
import { randomInt } from 'node:crypto';
import { GraphError, invalid, missing } from './errors.js';
import { array, choice, object, optionalText, text } from './check.js';
import { pageOf, pickFields } from './paging.js';
import { sampleUrl, uploadOf } from './uploads.js';

const REGISTER_MAX = 10;
const REGISTER_WINDOW_MS = 72 * 3600_000;
const VERTICALS = ['OTHER', 'AUTO', 'BEAUTY', 'APPAREL', 'EDU', 'ENTERTAIN', 'EVENT_PLAN', 'FINANCE', 'GROCERY', 'GOVT', 'HOTEL', 'HEALTH', 'NONPROFIT',
    'PROF_SERVICES', 'RETAIL', 'TRAVEL', 'RESTAURANT', 'ALCOHOL', 'ONLINE_GAMBLING', 'PHYSICAL_GAMBLING', 'OTC_DRUGS'];

/** +CC then the rest, as the platform shows numbers. @param {string} digits */
export function displayForm(digits) {
    if (/^1[0-9]{10}$/.test(digits))
        return `+1 ${digits.slice(1, 4)}-${digits.slice(4, 7)}-${digits.slice(7)}`;
    if (/^91[0-9]{10}$/.test(digits))
        return `+91 ${digits.slice(2, 7)} ${digits.slice(7)}`;
    return `+${digits}`;
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone */
function phoneFields(sb, phone) {
    const account = sb.store.accounts.get(phone.waba_id);
    return {
        verified_name: phone.verified_name,
        code_verification_status: phone.code_status ?? 'VERIFIED',
        display_phone_number: displayForm(phone.display_phone_number),
        quality_rating: phone.quality_rating,
        platform_type: phone.status === 'CONNECTED' ? 'CLOUD_API' : 'NOT_APPLICABLE',
        throughput: { level: phone.status === 'CONNECTED' ? (sb.setting('throughput_per_second', phone.waba_id) > 80 ? 'HIGH' : 'STANDARD') : 'NOT_APPLICABLE' },
        status: phone.status,
        name_status: 'APPROVED',
        ...(phone.requested_name ? { new_display_name: phone.requested_name, new_name_status: 'PENDING_REVIEW' } : {}),
        account_mode: 'LIVE',
        is_official_business_account: false,
        is_on_biz_app: false,
        messaging_limit_tier: 'TIER_250',
        whatsapp_business_manager_messaging_limit: 'TIER_2K',
        health_status: { can_send_message: phone.status === 'CONNECTED' ? 'AVAILABLE' : 'BLOCKED', entities: [
            { entity_type: 'PHONE_NUMBER', id: phone.id, can_send_message: phone.status === 'CONNECTED' ? 'AVAILABLE' : 'BLOCKED' },
            { entity_type: 'WABA', id: phone.waba_id, can_send_message: 'AVAILABLE' }] },
        webhook_configuration: {
            ...(phone.override_url ? { phone_number: phone.override_url } : {}),
            ...(account?.override_url ? { whatsapp_business_account: account.override_url } : {}),
            ...(account?.callback_url ? { application: account.callback_url } : {}),
        },
        id: phone.id,
    };
}

const PHONE_DEFAULT = 'verified_name,code_verification_status,display_phone_number,quality_rating,platform_type,throughput,webhook_configuration';

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone @param {string|null} fields */
export const phoneView = (sb, phone, fields) => pickFields(phoneFields(sb, phone), fields ?? PHONE_DEFAULT);

/** GET /W/phone_numbers. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Account} account
 * @param {URLSearchParams} query @param {string} base */
export function listPhones(sb, account, query, base) {
    const phones = [...sb.store.phones.values()].filter((phone) => phone.waba_id === account.waba_id);
    return pageOf(phones.map((phone) => ({ key: phone.id, value: phoneView(sb, phone, query.get('fields')) })), query, base);
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone @param {any} body */
export function registerPhone(sb, phone, body) {
    choice(body.messaging_product, 'messaging_product', ['whatsapp']);
    const pin = text(body.pin === undefined ? undefined : String(body.pin), 'pin', 64);
    takeAttempt(sb, phone);
    if (!/^[0-9]{6}$/.test(pin))
        throw new GraphError(100, { details: 'pin must be 6 digits' });
    if ((phone.code_status ?? 'VERIFIED') !== 'VERIFIED')
        throw new GraphError(133006);
    if (phone.pin !== null && phone.pin !== pin)
        throw new GraphError(133005);
    phone.pin = pin;
    phone.status = 'CONNECTED';
    sb.store.put('phone', phone.id, phone);
    return { success: true };
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone */
export function deregisterPhone(sb, phone) {
    takeAttempt(sb, phone);
    phone.status = 'PENDING';
    sb.store.put('phone', phone.id, phone);
    return { success: true };
}

/** Ten attempts in 72 hours. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone */
function takeAttempt(sb, phone) {
    const now = sb.now();
    phone.register_attempts = phone.register_attempts.filter((at) => now - at < REGISTER_WINDOW_MS);
    if (phone.register_attempts.length >= REGISTER_MAX)
        throw new GraphError(133016);
    phone.register_attempts.push(now);
    sb.store.put('phone', phone.id, phone);
}

const CODE_REQUESTS_MAX = 5;
const CODE_WINDOW_MS = 3600_000;

/** POST /P/request_code: the code shows in the control API. @param {import('./sandbox.js').Sandbox} sb
 * @param {import('./types.js').Phone} phone @param {any} body */
export function requestCode(sb, phone, body) {
    choice(body.code_method, 'code_method', ['sms', 'voice']);
    text(body.language, 'language', 16);
    const now = sb.now();
    phone.code_requests = (phone.code_requests ?? []).filter((at) => now - at < CODE_WINDOW_MS);
    if (phone.code_requests.length >= CODE_REQUESTS_MAX)
        throw new GraphError(613, { http: 422 });
    phone.code_requests.push(now);
    phone.code = String(randomInt(1_000_000)).padStart(6, '0');
    sb.store.put('phone', phone.id, phone);
    return { success: true };
}

/** POST /P/verify_code. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone @param {any} body */
export function verifyCode(sb, phone, body) {
    if (!/^[0-9]{6}$/.test(String(body.code)) || phone.code === undefined || phone.code !== String(body.code))
        throw new GraphError(136025, { message: 'Verify code error', details: 'The code is not the one that was sent.' });
    phone.code = undefined;
    phone.code_status = 'VERIFIED';
    sb.store.put('phone', phone.id, phone);
    return { success: true, id: phone.id };
}

/** The review of a requested name ends, and is told. @param {import('./sandbox.js').Sandbox} sb
 * @param {import('./types.js').Phone} phone @param {'APPROVED'|'REJECTED'} decision */
export function decideName(sb, phone, decision) {
    const requested = phone.requested_name ?? phone.verified_name;
    if (decision === 'APPROVED')
        phone.verified_name = requested;
    phone.requested_name = undefined;
    sb.store.put('phone', phone.id, phone);
    sb.webhooks.enqueue({ waba_id: phone.waba_id, phone_number_id: null, field: 'phone_number_name_update', timed: true, value: {
        display_phone_number: phone.display_phone_number, decision, requested_verified_name: requested,
        rejection_reason: decision === 'APPROVED' ? null : 'NAME_NOT_RELATED' } });
}

/** POST /P: the PIN of two-step verification, or the number's own callback.
 * @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone @param {any} body */
export async function changePhone(sb, phone, body) {
    if (body.pin !== undefined) {
        if (!/^[0-9]{6}$/.test(String(body.pin)))
            throw new GraphError(100, { details: 'pin must be 6 digits' });
        phone.pin = String(body.pin);
    } else if (body.webhook_configuration !== undefined) {
        const wanted = object(body.webhook_configuration, 'webhook_configuration');
        phone.override_url = await overrideFrom(sb, wanted);
    } else if (body.new_display_name !== undefined)
        phone.requested_name = text(body.new_display_name, 'new_display_name', 75);
    else
        throw missing('pin');
    sb.store.put('phone', phone.id, phone);
    return { success: true };
}

/** A callback of a number or of an account: the handshake comes first. An empty text clears it.
 * @param {import('./sandbox.js').Sandbox} sb @param {any} body @returns {Promise<string|null>} */
export async function overrideFrom(sb, body) {
    if (body.override_callback_uri === undefined || body.override_callback_uri === '')
        return null;
    const url = text(body.override_callback_uri, 'override_callback_uri', 200);
    const result = await sb.webhooks.handshake(url, text(body.verify_token, 'verify_token', 512));
    if (!result.ok)
        throw new GraphError(2200, { message: `Callback verification failed with the following errors: ${result.error}` });
    return url;
}

/** @param {import('./types.js').Phone} phone @param {string|null} fields */
export function profileView(phone, fields) {
    const { id: _, ...picked } = pickFields({ messaging_product: 'whatsapp', ...phone.profile }, fields ?? 'messaging_product');
    return { data: [{ ...picked, messaging_product: 'whatsapp' }] };
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Account} account @param {import('./types.js').Phone} phone @param {any} body */
export function changeProfile(sb, account, phone, body) {
    choice(body.messaging_product, 'messaging_product', ['whatsapp']);
    const profile = { ...phone.profile };
    for (const [name, max] of /** @type {[string, number][]} */ ([['about', 139], ['address', 256], ['description', 512], ['email', 128]])) {
        const value = optionalText(body[name], name, max);
        if (value !== undefined)
            profile[name] = value;
    }
    if (body.about === '')
        throw invalid('Param about must be at least 1 characters long.');
    if (body.websites !== undefined) {
        for (const site of array(body.websites, 'websites', 0, 2))
            if (typeof site !== 'string' || !/^https?:\/\//.test(site) || site.length > 256)
                throw invalid('Param websites must hold URLs with http:// or https://.');
        profile.websites = body.websites;
    }
    if (body.vertical !== undefined && body.vertical !== '') {
        if (!VERTICALS.includes(body.vertical))
            throw invalid(`Param vertical must be one of {${VERTICALS.join(', ')}} - got "${String(body.vertical).slice(0, 64)}".`);
        profile.vertical = body.vertical;
    }
    if (body.profile_picture_handle !== undefined)
        profile.profile_picture_url = sampleUrl(uploadOf(sb, account, body.profile_picture_handle, /^image\//, 'profile_picture_handle'));
    phone.profile = profile;
    sb.store.put('phone', phone.id, phone);
    return { success: true };
}

/** GET /W. @param {import('./types.js').Account} account @param {string|null} fields */
export const accountView = (account, fields) => pickFields({
    id: account.waba_id, name: account.name, currency: 'INR', timezone_id: '71', message_template_namespace: `sandbox_${account.waba_id}`,
    account_review_status: 'APPROVED', business_verification_status: 'verified', ownership_type: 'CLIENT_OWNED',
}, fields ?? 'id,name,currency,timezone_id,message_template_namespace');

/** GET /W/subscribed_apps. @param {import('./types.js').Account} account */
export const subscriptionView = (account) => ({
    data: account.subscribed ? [{ whatsapp_business_api_data: { id: account.app_id, name: 'Harkara', link: `https://www.facebook.com/games/?app_id=${account.app_id}` },
        ...(account.override_url ? { override_callback_uri: account.override_url } : {}) }] : [],
});
