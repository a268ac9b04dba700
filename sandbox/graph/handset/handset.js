// @ts-check
/** What the handset page asks for: phones, chats, live events; and what a person does there. */
import { readBody, replyBytes, replyJson } from '../http_io.js';
import { WINDOW_MS, receive } from '../inbound.js';
import { keepMedia } from '../media.js';
import { serveEvents, serveFile } from '../pages.js';
import { displayForm } from '../phone_numbers.js';
import { markChatRead, releaseHeld } from '../statuses.js';
import { bsuid } from '../wamid.js';
import { chatId } from '../store.js';
import { messageView, preview } from './message_view.js';
import { isSmsChat, smsBusinesses, smsChatView, smsChats, smsKey, smsLastAt, smsView, smsWrite } from './sms.js';

const BODY_MAX = 256 * 1024;
const UPLOAD_MAX = 16 * 1024 * 1024;
const CHAT_MAX = 500;
const HANDSETS_SHOWN = 200;

class PageError extends Error {
    /** @param {number} status @param {string} message */
    constructor(status, message) {
        super(message);
        this.status = status;
    }
}

/**
 * @param {import('../sandbox.js').Sandbox} sb @param {import('../http_io.js').Request} req @param {import('../http_io.js').Response} res
 * @param {URL} url
 */
export async function serveHandset(sb, req, res, url) {
    const parts = url.pathname.split('/').slice(2).filter((part) => part !== '');
    if (req.method === 'GET' && (parts.length === 0 || parts[0] === 'page'))
        return serveFile(res, 'handset', parts[1] ?? 'index.html');
    if (req.method === 'GET' && parts[0] === 'media')
        return serveMedia(sb, res, parts[1] ?? '');
    if (req.method === 'GET' && parts[0] === 'api' && parts[1] === 'events')
        return streamEvents(sb, res, url.searchParams.get('wa_id'));
    try {
        const isUpload = parts[4] === 'media';
        const raw = await readBody(req, isUpload ? UPLOAD_MAX : BODY_MAX);
        const type = String(req.headers['content-type'] ?? '');
        replyJson(res, 200, parts[0] === 'api' ? act(sb, String(req.method), parts.slice(1), raw, type, url.searchParams) : notFound());
    } catch (error) {
        if (!(error instanceof PageError))
            throw error;
        replyJson(res, error.status, { error: error.message });
    }
}

/** @returns {never} */
function notFound() {
    throw new PageError(404, 'not found');
}

/** @param {import('../sandbox.js').Sandbox} sb @param {string} method @param {string[]} parts @param {Buffer} raw @param {string} type
 * @param {URLSearchParams} query */
function act(sb, method, parts, raw, type, query) {
    const [what, waId, phoneNumberId, edge] = parts;
    if (method === 'GET' && what === 'state')
        return stateView(sb);
    if (method === 'POST' && what === 'handsets' && waId === undefined)
        return makeHandset(sb, jsonOf(raw, type));
    if (waId === undefined || !/^[1-9][0-9]{7,14}$/.test(waId))
        return notFound();
    if (method === 'PATCH' && what === 'handsets')
        return changeHandset(sb, waId, jsonOf(raw, type));
    if (what !== 'chats')
        return notFound();
    if (method === 'GET' && phoneNumberId === undefined)
        return chatsView(sb, waId);
    if (isSmsChat(phoneNumberId ?? ''))
        return smsAct(sb, method, waId, String(phoneNumberId), edge, raw, type);
    const phone = sb.store.phones.get(phoneNumberId ?? '') ?? notFound();
    if (method === 'GET' && edge === undefined)
        return chatView(sb, phone, waId);
    if (method === 'POST' && edge === 'messages')
        return write(sb, phone, waId, jsonOf(raw, type));
    if (method === 'POST' && edge === 'media')
        return attach(sb, phone, waId, raw, type, query);
    if (method === 'POST' && edge === 'read')
        return { read: markChatRead(sb, phone.id, waId) };
    return notFound();
}

/** The same of a chat by SMS. @param {import('../sandbox.js').Sandbox} sb @param {string} method @param {string} waId @param {string} key @param {string|undefined} edge @param {Buffer} raw
 * @param {string} type */
function smsAct(sb, method, waId, key, edge, raw, type) {
    if (method === 'GET' && edge === undefined)
        return smsChatView(sb, waId, key) ?? notFound();
    if (method !== 'POST' || edge !== 'messages')
        return notFound();
    const { message, problem } = smsWrite(sb, waId, key, jsonOf(raw, type));
    if (message === null)
        throw new PageError(400, String(problem));
    return message;
}

/** @param {Buffer} raw @param {string} type */
function jsonOf(raw, type) {
    if (!/^application\/json\b/i.test(type))
        throw new PageError(415, 'send application/json');
    try {
        const value = JSON.parse(raw.toString('utf8'));
        return typeof value === 'object' && value !== null ? value : {};
    } catch {
        throw new PageError(400, 'not JSON');
    }
}

/** @param {import('../sandbox.js').Sandbox} sb */
function stateView(sb) {
    const handsets = [...sb.store.handsets.values()].map((handset) => handsetView(sb, handset)).sort((a, b) => b.last_at - a.last_at).slice(0, HANDSETS_SHOWN);
    return { handsets, businesses: [...[...sb.store.phones.values()].map((phone) => businessView(phone)), ...smsBusinesses(sb)] };
}

/** @param {import('../sandbox.js').Sandbox} sb @param {import('../types.js').Handset} handset */
function handsetView(sb, handset) {
    let lastAt = Math.max(handset.seen_at, smsLastAt(sb, handset.wa_id));
    let unread = 0;
    for (const phone of sb.store.phones.values())
        for (const message of sb.store.messagesOf(phone.id, handset.wa_id)) {
            lastAt = Math.max(lastAt, message.at);
            unread += isUnread(message) ? 1 : 0;
        }
    return { ...handset, number: displayForm(handset.wa_id), last_at: lastAt, unread };
}

/** @param {import('../types.js').Phone} phone */
const businessView = (phone) => ({ phone_number_id: phone.id, name: phone.verified_name, number: displayForm(phone.display_phone_number), status: phone.status });

/** @param {import('../types.js').Message} message */
function isUnread(message) {
    const last = message.statuses.map((entry) => entry.status);
    return message.direction === 'out' && message.type !== 'reaction' && last.includes('delivered') && !last.includes('read');
}

/** @param {import('../sandbox.js').Sandbox} sb @param {string} waId */
function chatsView(sb, waId) {
    const chats = [...sb.store.phones.values()].map((phone) => {
        const messages = sb.store.messagesOf(phone.id, waId);
        const shown = messages.filter((message) => messageView(sb, message).visible);
        const last = shown.at(-1);
        return { ...businessView(phone), last: last === undefined ? null : { text: preview(last), at: last.at, direction: last.direction, status: last.statuses.at(-1)?.status ?? null },
            unread: messages.filter(isUnread).length, window_until: windowUntil(sb, phone, waId) };
    });
    return { data: [...chats, ...smsChats(sb, waId)].sort((a, b) => (b.last?.at ?? 0) - (a.last?.at ?? 0)) };
}

/** @param {import('../sandbox.js').Sandbox} sb @param {import('../types.js').Phone} phone @param {string} waId */
const windowUntil = (sb, phone, waId) => sb.chat(phone.id, waId).last_inbound_at + WINDOW_MS;

/** @param {import('../sandbox.js').Sandbox} sb @param {import('../types.js').Phone} phone @param {string} waId */
function chatView(sb, phone, waId) {
    const messages = sb.store.messagesOf(phone.id, waId).slice(-CHAT_MAX);
    return { business: businessView(phone), window: sb.setting('window', phone.waba_id), window_until: windowUntil(sb, phone, waId),
        typing_until: sb.typing.get(chatId(phone.id, waId)) ?? 0, user_id: bsuid(phone.waba_id, waId), messages: messages.map((message) => messageView(sb, message)) };
}

/** @param {import('../sandbox.js').Sandbox} sb @param {any} body */
function makeHandset(sb, body) {
    const waId = String(body.wa_id ?? '').replace(/[^0-9]/g, '');
    if (!/^[1-9][0-9]{7,14}$/.test(waId))
        throw new PageError(400, 'A number has 8 to 15 digits and begins with the country code.');
    const handset = sb.handset(waId);
    handset.name = String(body.name ?? handset.name).slice(0, 60);
    handset.seen_at = sb.now();
    sb.store.put('handset', waId, handset);
    sb.bus.emit('handset', handset);
    return handsetView(sb, handset);
}

/** @param {import('../sandbox.js').Sandbox} sb @param {string} waId @param {any} body */
function changeHandset(sb, waId, body) {
    const handset = sb.handset(waId);
    if (typeof body.name === 'string')
        handset.name = body.name.slice(0, 60);
    if (typeof body.online === 'boolean')
        handset.online = body.online;
    if (typeof body.auto_read === 'boolean' || body.auto_read === null)
        handset.auto_read = body.auto_read;
    sb.store.put('handset', waId, handset);
    if (body.online === true)
        releaseHeld(sb, waId);
    sb.bus.emit('handset', handset);
    return handsetView(sb, handset);
}

/**
 * A person writes: a text, a tap on a button or a row, a reaction, a location. A tap is checked against the message
 * that it is on, so that only what was offered can be chosen.
 * @param {import('../sandbox.js').Sandbox} sb @param {import('../types.js').Phone} phone @param {string} waId @param {any} body
 */
function write(sb, phone, waId, body) {
    const quoted = typeof body.reply_to === 'string' ? sb.store.messages.get(body.reply_to) : undefined;
    if (body.reply_to !== undefined && (quoted === undefined || quoted.wa_id !== waId || quoted.phone_number_id !== phone.id))
        throw new PageError(400, 'The message to answer is not in this chat.');
    const context = quoted === undefined ? null : { from: quoted.direction === 'out' ? phone.display_phone_number : waId, id: quoted.id };
    const { type, content, withContext } = contentOf(body, quoted);
    markChatRead(sb, phone.id, waId);
    const message = receive(sb, phone, { from: waId, type, content, context: withContext ? context : null });
    return messageView(sb, message);
}

/** @param {any} body @param {import('../types.js').Message|undefined} quoted @returns {{type: string, content: any, withContext: boolean}} */
function contentOf(body, quoted) {
    switch (body.type) {
        case 'text': {
            const text = String(body.text ?? '').trim();
            if (text === '' || text.length > 65536)
                throw new PageError(400, 'A text is needed.');
            return { type: 'text', content: { body: text }, withContext: true };
        }
        case 'button': {
            const button = quoted?.view?.buttons?.[body.index];
            if (button?.type !== 'QUICK_REPLY')
                throw new PageError(400, 'No such button.');
            return { type: 'button', content: { payload: button.payload, text: button.text }, withContext: true };
        }
        case 'button_reply': {
            const reply = quoted?.content?.action?.buttons?.find((/** @type {any} */ button) => button.reply?.id === body.id)?.reply;
            if (reply === undefined)
                throw new PageError(400, 'No such button.');
            return { type: 'interactive', content: { type: 'button_reply', button_reply: { id: reply.id, title: reply.title } }, withContext: true };
        }
        case 'list_reply': {
            const rows = (quoted?.content?.action?.sections ?? []).flatMap((/** @type {any} */ section) => section.rows ?? []);
            const row = rows.find((/** @type {any} */ entry) => entry.id === body.id);
            if (row === undefined)
                throw new PageError(400, 'No such row.');
            return { type: 'interactive', content: { type: 'list_reply', list_reply: { id: row.id, title: row.title,
                ...(row.description ? { description: row.description } : {}) } }, withContext: true };
        }
        case 'reaction':
            if (quoted === undefined)
                throw new PageError(400, 'A reaction is to a message.');
            return { type: 'reaction', content: { message_id: quoted.id, ...(body.emoji ? { emoji: String(body.emoji).slice(0, 32) } : {}) }, withContext: false };
        case 'location': {
            const latitude = Number(body.latitude);
            const longitude = Number(body.longitude);
            if (!(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180))
                throw new PageError(400, 'Latitude is -90 to 90, longitude -180 to 180.');
            return { type: 'location', content: { latitude, longitude, ...(body.name ? { name: String(body.name).slice(0, 1000) } : {}),
                ...(body.address ? { address: String(body.address).slice(0, 1000) } : {}) }, withContext: true };
        }
        default:
            throw new PageError(400, 'type: text, button, button_reply, list_reply, reaction or location');
    }
}

/** @param {import('../sandbox.js').Sandbox} sb @param {import('../types.js').Phone} phone @param {string} waId @param {Buffer} raw
 * @param {string} contentType @param {URLSearchParams} query */
function attach(sb, phone, waId, raw, contentType, query) {
    const mime = contentType.split(';')[0].trim().toLowerCase();
    if (raw.length === 0 || !/^[a-z0-9.+-]+\/[a-z0-9.+-]+$/.test(mime))
        throw new PageError(400, 'A file is needed.');
    const kind = mime === 'image/webp' ? 'sticker' : ['image', 'audio', 'video'].includes(mime.split('/')[0]) ? mime.split('/')[0] : 'document';
    const filename = query.get('filename')?.slice(0, 240) ?? undefined;
    const media = keepMedia(sb, phone.id, mime, raw, { filename, inbound: true });
    const caption = query.get('caption')?.slice(0, 1024);
    markChatRead(sb, phone.id, waId);
    const content = { id: media.id, mime_type: mime, sha256: Buffer.from(media.sha256, 'hex').toString('base64'), ...(caption ? { caption } : {}),
        ...(kind === 'document' && filename ? { filename } : {}), ...(kind === 'audio' ? { voice: false } : {}), ...(kind === 'sticker' ? { animated: false } : {}) };
    return messageView(sb, receive(sb, phone, { from: waId, type: kind, content }));
}

/** Types that a browser may show by itself; anything else is a download, so that no uploaded page runs here. */
const SHOWN = /^(image\/(jpeg|png|webp|gif)|audio\/[a-z0-9.+-]+|video\/(mp4|3gpp|webm))$/;

/** @param {import('../sandbox.js').Sandbox} sb @param {import('../http_io.js').Response} res @param {string} id */
function serveMedia(sb, res, id) {
    const media = sb.store.media.get(id);
    const bytes = media === undefined ? null : sb.store.getMediaBytes(id);
    if (media === undefined || bytes === null)
        return replyBytes(res, 404, Buffer.alloc(0), {});
    const isShown = SHOWN.test(media.mime_type);
    replyBytes(res, 200, bytes, { 'content-type': isShown ? media.mime_type : 'application/octet-stream', 'x-content-type-options': 'nosniff',
        'content-security-policy': "default-src 'none'; sandbox", 'cache-control': 'private, max-age=3600',
        ...(isShown ? {} : { 'content-disposition': `attachment; filename="${(media.filename ?? id).replace(/[^A-Za-z0-9._ -]/g, '_')}"` }) });
}

/** @param {import('../sandbox.js').Sandbox} sb @param {import('../http_io.js').Response} res @param {string|null} waId */
function streamEvents(sb, res, waId) {
    serveEvents(sb, res, ['message', 'status', 'sms', 'sms_status', 'typing', 'handset', 'account'], (event, value) => event === 'handset' || event === 'account' || value.wa_id === waId,
        (event, value) => {
            if (event === 'sms' || event === 'sms_status')
                return { phone_number_id: smsKey(value.system_id, value.address), message: smsView(value) };
            if (event === 'message' || event === 'status')
                return { phone_number_id: value.phone_number_id, message: messageView(sb, value) };
            return event === 'handset' ? handsetView(sb, value) : event === 'account' ? {} : value;
        });
}
