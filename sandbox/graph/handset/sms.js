// @ts-check
/** Chats by SMS on the handset page: of the message centre that the sandbox may have. */
import { displayForm } from '../phone_numbers.js';
import { DLT_CODES } from '../../smsc/dlt.js';

const CHAT_MAX = 500;
const TEXT_MAX = 1600;

/** @param {string} text fit for a path */
const plain = (text) => (/^[A-Za-z0-9]+$/.test(text) ? text : `~${Buffer.from(text).toString('base64url')}`);
/** @param {string} text */
const unplain = (text) => (text.startsWith('~') ? Buffer.from(text.slice(1), 'base64url').toString() : text);

/** @param {string} systemId @param {string} address */
export const smsKey = (systemId, address) => `sms.${plain(systemId)}.${plain(address)}`;
/** @param {string} key */
export const isSmsChat = (key) => key.startsWith('sms.');
/** @param {string} key @returns {[string, string]} */
const readKey = (key) => /** @type {[string, string]} */ (key.split('.').slice(1, 3).map(unplain));

/** @param {string} systemId @param {string} address */
const businessView = (systemId, address) => ({ phone_number_id: smsKey(systemId, address), name: /^[0-9]{9,}$/.test(address) ? displayForm(address) : address,
    number: `SMS by ${systemId}`, status: 'CONNECTED', sms: true });

/** @param {import('../sandbox.js').Sandbox} sb @param {string} [waId] only of this person */
function messagesOf(sb, waId) {
    return [...sb.smsc?.messages.values() ?? []].filter((sms) => waId === undefined || sms.wa_id === waId);
}

/** Numbers that people can write to, and whoever has written to this person. @param {import('../sandbox.js').Sandbox} sb @param {string} [waId] */
function pairsOf(sb, waId) {
    const pairs = new Map();
    for (const account of sb.smsc?.accounts.values() ?? [])
        for (const number of account.numbers)
            pairs.set(smsKey(account.system_id, number), [account.system_id, number]);
    for (const { system_id: systemId, address } of messagesOf(sb, waId))
        pairs.set(smsKey(systemId, address), [systemId, address]);
    return pairs;
}

/** @param {import('../sandbox.js').Sandbox} sb */
export const smsBusinesses = (sb) => [...pairsOf(sb).values()].map(([systemId, address]) => businessView(systemId, address));

/** @param {import('../sandbox.js').Sandbox} sb @param {string} waId */
export const smsLastAt = (sb, waId) => messagesOf(sb, waId).reduce((last, sms) => Math.max(last, sms.at), 0);

/** @param {import('../../smsc/types.js').Sms} sms */
export function smsView(sms) {
    const statuses = sms.statuses.map(({ status, at, code }) => ({ status, at, ...(code === undefined ? {} : { errors: [errorOf(code)] }) }));
    const last = sms.statuses.at(-1), isWhole = sms.direction === 'in' || sms.pieces.length === sms.total;
    const failure = last?.status === 'failed' ? errorOf(last.code ?? '') : null;
    const [first] = sms.pieces;
    return { id: sms.id, phone_number_id: smsKey(sms.system_id, sms.address), wa_id: sms.wa_id, direction: sms.direction, type: 'text', at: sms.at, content: { body: sms.text },
        view: null, media: null, quoted: null, statuses, status: last?.status ?? (sms.direction === 'out' ? 'sent' : 'accepted'), failure, held: sms.held, category: null, opaque: null,
        reaction: null, visible: isWhole && (sms.direction === 'in' || last !== undefined),
        sms: { system_id: sms.system_id, encoding: sms.encoding, how: sms.how, total: sms.total, dlt: first?.dlt.template ? first.dlt : null } };
}

/** @param {string} text such as "REJECTD 633" */
function errorOf(text) {
    const [stat, err] = text.split(' ');
    return { code: text, title: DLT_CODES[Number(err)] ?? '', message: stat, error_data: { details: '' } };
}

/** @param {import('../sandbox.js').Sandbox} sb @param {string} waId */
export function smsChats(sb, waId) {
    const lasts = new Map();
    for (const sms of messagesOf(sb, waId))
        if (smsView(sms).visible)
            lasts.set(smsKey(sms.system_id, sms.address), sms);
    return [...pairsOf(sb, waId)].map(([key, [systemId, address]]) => {
        const last = lasts.get(key);
        return { ...businessView(systemId, address), unread: 0, window_until: 0,
            last: last === undefined ? null : { text: last.text.replace(/\s+/g, ' ').slice(0, 160), at: last.at, direction: last.direction, status: last.statuses.at(-1)?.status ?? null } };
    });
}

/** @param {import('../sandbox.js').Sandbox} sb @param {string} waId @param {string} key */
export function smsChatView(sb, waId, key) {
    const [systemId, address] = readKey(key);
    if (systemId === undefined || address === undefined || sb.smsc === null)
        return null;
    return { business: businessView(systemId, address), window: 'ignore', window_until: 0, typing_until: 0, user_id: null,
        sms: { system_id: systemId, can_reply: /^[0-9]+$/.test(address) },
        messages: messagesOf(sb, waId).filter((sms) => sms.system_id === systemId && sms.address === address).slice(-CHAT_MAX).map(smsView) };
}

/** A person writes. @param {import('../sandbox.js').Sandbox} sb @param {string} waId @param {string} key @param {any} body
 * @returns {{message: any, problem: string|null}} */
export function smsWrite(sb, waId, key, body) {
    const [systemId, address] = readKey(key), text = String(body.text ?? '').trim(), account = sb.smsc?.accounts.get(systemId);
    if (sb.smsc === null || account === undefined || !/^[0-9]+$/.test(address))
        return { message: null, problem: 'Nobody can write there.' };
    if (body.type !== 'text' || text === '' || text.length > TEXT_MAX)
        return { message: null, problem: 'A text is needed, of at most 1600 characters.' };
    return { message: smsView(sb.smsc.receive({ from: waId, to: address, text, account })), problem: null };
}
