// @ts-check
/** Media: upload, metadata, download by a URL that lives some minutes, and links that Meta would fetch. */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { GraphError, invalid, missing, unknownObject } from './errors.js';
import { choice } from './check.js';
import { newId } from './wamid.js';
import { parseMultipart } from './multipart.js';

const DAY_MS = 86_400_000;
const LIFE_MS = 30 * DAY_MS;
const INBOUND_LIFE_MS = 7 * DAY_MS;
export const UPLOAD_MAX = 100 * 1024 * 1024;
const LINK_CACHE_MS = 10 * 60_000;
const MB = 1024 * 1024;

/** Type: the kind that a message may use it as, and the most bytes. */
const KINDS = /** @type {Record<string, [string, number]>} */ ({
    'audio/aac': ['audio', 16 * MB], 'audio/amr': ['audio', 16 * MB], 'audio/mpeg': ['audio', 16 * MB], 'audio/mp4': ['audio', 16 * MB],
    'audio/ogg': ['audio', 16 * MB], 'audio/opus': ['audio', 16 * MB],
    'image/jpeg': ['image', 5 * MB], 'image/png': ['image', 5 * MB], 'image/webp': ['sticker', 500 * 1024],
    'video/mp4': ['video', 16 * MB], 'video/3gpp': ['video', 16 * MB],
    'text/plain': ['document', 100 * MB], 'application/pdf': ['document', 100 * MB], 'application/msword': ['document', 100 * MB],
    'application/vnd.ms-excel': ['document', 100 * MB], 'application/vnd.ms-powerpoint': ['document', 100 * MB],
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document': ['document', 100 * MB],
    'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': ['document', 100 * MB],
    'application/vnd.openxmlformats-officedocument.presentationml.presentation': ['document', 100 * MB],
});

const hashKey = randomBytes(32); /* of this run: a download URL does not outlive it */

/**
 * POST /P/media. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone
 * @param {Buffer} body @param {string} contentType
 */
export function uploadMedia(sb, phone, body, contentType) {
    const parts = parseMultipart(body, contentType);
    if (parts === null)
        throw invalid('The request must be multipart/form-data.');
    /** @param {string} name */
    const field = (name) => parts.find((part) => part.name === name && part.filename === null)?.bytes.toString('utf8');
    choice(field('messaging_product'), 'messaging_product', ['whatsapp']);
    const file = parts.find((part) => part.name === 'file');
    if (file === undefined)
        throw missing('file');
    const type = (field('type') ?? file.type ?? '').split(';')[0].trim().toLowerCase();
    const rule = KINDS[type] ?? KINDS[file.type ?? ''];
    if (rule === undefined)
        throw new GraphError(100, { message: `Param file must be a file with one of the following types: ${Object.keys(KINDS).join(', ')}. Received file of type '${file.type ?? ''}'.` });
    if (file.bytes.length === 0)
        throw new GraphError(131053, { details: 'The file is empty.' });
    if (file.bytes.length > rule[1])
        throw new GraphError(100, { message: `Param file exceeds the maximum size of ${rule[1]} bytes for ${type}.` });
    return { id: keepMedia(sb, phone.id, KINDS[type] ? type : String(file.type), file.bytes, { filename: file.filename ?? undefined }).id };
}

/**
 * @param {import('./sandbox.js').Sandbox} sb @param {string} phoneNumberId @param {string} mimeType @param {Buffer} bytes
 * @param {{filename?: string, inbound?: boolean}} more @returns {import('./types.js').Media}
 */
export function keepMedia(sb, phoneNumberId, mimeType, bytes, more) {
    const now = sb.now();
    const media = { id: newId(), phone_number_id: phoneNumberId, mime_type: mimeType, file_size: bytes.length, created_at: now,
        sha256: createHash('sha256').update(bytes).digest('hex'), expires_at: now + (more.inbound ? INBOUND_LIFE_MS : LIFE_MS), ...more };
    sb.store.putMediaBytes(media.id, bytes);
    sb.store.put('media', media.id, media);
    sb.count('media.kept');
    return media;
}

/**
 * The media of an id, if the account may see it. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Account} account
 * @param {string} id @param {string} method @param {string|null} phoneNumberId must belong to it, when given
 */
export function mediaById(sb, account, id, method, phoneNumberId = null) {
    const media = sb.store.media.get(id);
    const owner = media === undefined ? undefined : sb.store.phones.get(media.phone_number_id)?.waba_id;
    if (media === undefined || owner !== account.waba_id || media.expires_at < sb.now() || (phoneNumberId !== null && phoneNumberId !== media.phone_number_id))
        throw unknownObject(id, method);
    return media;
}

/** GET /M. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Account} account @param {import('./types.js').Media} media
 * @param {string} origin */
export function mediaView(sb, account, media, origin) {
    const lie = sb.setting('media_lie', account.waba_id);
    return { messaging_product: 'whatsapp', url: mediaUrl(sb, account.waba_id, media.id, lie === 'host' ? 'https://media.example.org' : origin),
        mime_type: media.mime_type, sha256: lie === 'sha256' ? createHash('sha256').update(media.sha256).digest('hex') : media.sha256,
        file_size: String(media.file_size), id: media.id };
}

/** @param {import('./sandbox.js').Sandbox} sb @param {string} wabaId @param {string} id @param {string} origin */
export function mediaUrl(sb, wabaId, id, origin) {
    const ext = String(Math.floor((sb.now() + sb.setting('media_url_ttl_ms', wabaId)) / 1000));
    return `${origin}/whatsapp_business/attachments/?mid=${id}&ext=${ext}&hash=${urlHash(id, ext)}`;
}

/** @param {string} id @param {string} ext */
const urlHash = (id, ext) => createHmac('sha256', hashKey).update(`${id}.${ext}`).digest('base64url').slice(0, 32);

/**
 * The bytes behind a download URL. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Account} account
 * @param {URLSearchParams} query @returns {{bytes: Buffer, type: string}|null} null: 404, ask for a new URL
 */
export function downloadMedia(sb, account, query) {
    const id = query.get('mid') ?? '';
    const ext = query.get('ext') ?? '';
    const media = sb.store.media.get(id);
    if (media === undefined || query.get('hash') !== urlHash(id, ext) || Number(ext) * 1000 <= sb.now()
        || sb.store.phones.get(media.phone_number_id)?.waba_id !== account.waba_id)
        return null;
    const bytes = sb.store.getMediaBytes(id);
    return bytes === null ? null : { bytes, type: media.mime_type };
}

/**
 * Whether the media of a message can be sent, as Meta finds out after it has answered 200.
 * @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone @param {import('./media_refs.js').MediaRef[]} refs
 * @returns {Promise<string|null>} why not, for a `failed` 131053
 */
export async function mediaFailure(sb, phone, refs) {
    for (const ref of refs) {
        if (ref.id !== undefined) {
            const media = sb.store.media.get(ref.id);
            const kind = KINDS[media?.mime_type ?? '']?.[0];
            if (media === undefined || (kind !== ref.kind && ref.kind !== 'document'))
                return `Media file of type ${media?.mime_type} cannot be sent as ${ref.kind}.`;
        } else {
            const failure = await linkFailure(sb, phone, ref);
            if (failure !== null)
                return failure;
        }
    }
    return null;
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Phone} phone @param {import('./media_refs.js').MediaRef} ref */
async function linkFailure(sb, phone, ref) {
    const url = new URL(String(ref.link));
    const mode = sb.setting('links', phone.waba_id);
    const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
    if (mode === 'ignore' || (mode === 'loopback' && !isLoopback))
        return null;
    const cached = sb.store.media.get(sb.linkMedia.get(String(ref.link)) ?? '');
    if (cached !== undefined && sb.now() - cached.created_at < LINK_CACHE_MS)
        return typeFailure(cached.mime_type, ref.kind);
    try {
        const answer = await fetch(url, { redirect: isLoopback ? 'error' : 'follow', signal: AbortSignal.timeout(10_000) });
        if (answer.status !== 200)
            return `Downloading media from weblink failed with http code ${answer.status}, status message ${answer.statusText}`;
        const type = (answer.headers.get('content-type') ?? '').split(';')[0].trim().toLowerCase();
        const bytes = Buffer.from(await answer.arrayBuffer());
        const failure = typeFailure(type, ref.kind);
        if (failure !== null)
            return failure;
        if (bytes.length > KINDS[type][1])
            return `Downloading media from weblink failed: the file is larger than ${KINDS[type][1]} bytes`;
        sb.linkMedia.set(String(ref.link), keepMedia(sb, phone.id, type, bytes, {}).id);
        return null;
    } catch {
        return 'Downloading media from weblink failed: the host cannot be reached';
    }
}

/** @param {string} type @param {string} kind @returns {string|null} */
function typeFailure(type, kind) {
    const rule = KINDS[type];
    return rule === undefined || (rule[0] !== kind && kind !== 'document')
        ? `Downloading media from weblink failed: unsupported type ${type === '' ? 'unknown' : type} for ${kind}` : null;
}
