// @ts-check
/**
 * Resumable uploads of an app: samples of template headers and profile pictures. A session is made with the file's size
 * and type; its bytes come in any number of requests, each from the offset that the session has reached; the last one
 * is answered with a handle.
 */
import { createHash, randomBytes } from 'node:crypto';
import { GraphError, invalid, missing, unknownObject } from './errors.js';
import { cutConnection, goneSignal, replyJson } from './http_io.js';
import { authenticate } from './accounts.js';
import { strike } from './faults.js';
import { UPLOAD_MAX } from './media.js';

/** The types that can be uploaded, and how a file of each begins (from the byte that is named). @type {Record<string, [string, number]>} */
const TYPES = { 'application/pdf': ['%PDF-', 0], 'image/jpeg': ['\xff\xd8\xff', 0], 'image/jpg': ['\xff\xd8\xff', 0],
    'image/png': ['\x89PNG\r\n\x1a\n', 0], 'video/mp4': ['ftyp', 4] };

/** What may stand in a header of each format. @type {Record<string, RegExp>} */
const SAMPLES = { IMAGE: /^image\//, VIDEO: /^video\//, DOCUMENT: /^application\/pdf$/, GIF: /^video\// };

/** GET /app and GET /A. @param {import('./types.js').Account} account */
export const appView = (account) => ({ category: 'Business and pages', link: `https://www.facebook.com/games/?app_id=${account.app_id}`, name: 'Harkara', id: account.app_id });

/** POST /A/uploads. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Account} account
 * @param {URLSearchParams} query @param {any} body parameters may stand in either */
export function beginUpload(sb, account, query, body) {
    /** @param {string} name */
    const given = (name) => query.get(name) ?? (body?.[name] === undefined ? null : String(body[name]));
    const length = given('file_length');
    const type = given('file_type');
    if (length === null)
        throw missing('file_length');
    if (type === null)
        throw missing('file_type');
    if (!/^[1-9][0-9]{0,11}$/.test(length) || Number(length) > UPLOAD_MAX)
        throw invalid(`Param file_length must be from 1 to ${UPLOAD_MAX}.`);
    if (!Object.hasOwn(TYPES, type))
        throw invalid(`Param file_type must be one of {${Object.keys(TYPES).join(', ')}} - got "${type.slice(0, 64)}".`);
    /** @type {import('./types.js').Upload} */
    const upload = { id: `upload:${Buffer.from(`attachment:${randomBytes(16).toString('hex')}`).toString('base64url')}`, sig: randomBytes(12).toString('base64url'),
        app_id: account.app_id, file_name: given('file_name') ?? '', type, length: Number(length), offset: 0, asked: [],
        expires_at: sb.now() + sb.setting('upload_life_ms', account.waba_id) };
    sb.store.put('upload', upload.id, upload);
    sb.count('uploads.begun');
    return { id: `${upload.id}?sig=${upload.sig}` };
}

/**
 * POST and GET /upload:... The bytes that have come stay, whatever becomes of the connection.
 * @param {import('./sandbox.js').Sandbox} sb @param {import('./http_io.js').Request} req @param {import('./http_io.js').Response} res
 * @param {string} id @param {URLSearchParams} query
 */
export async function serveUpload(sb, req, res, id, query) {
    if (!/^OAuth\s/i.test(req.headers.authorization ?? '')) /* neither Bearer nor the query will do here */
        throw new GraphError(104);
    const { account } = authenticate(sb, req.headers.authorization, new URLSearchParams());
    sb.count('graph.requests');
    const upload = sb.store.uploads.get(id);
    if (upload === undefined || upload.app_id !== account.app_id || upload.sig !== query.get('sig') || upload.expires_at <= sb.now())
        throw unknownObject(id, String(req.method));
    const gone = goneSignal(res);
    if (req.method === 'GET') {
        await strike(sb, sb.faults.take({ on: 'uploads', type: 'offset' }), 'before', gone);
        replyJson(res, 200, { id: `${upload.id}?sig=${upload.sig}`, file_offset: upload.offset });
        return;
    }
    if (req.method !== 'POST')
        throw unknownObject(id, String(req.method));
    const effects = sb.faults.take({ on: 'uploads', type: 'bytes' });
    await strike(sb, effects, 'before', gone);
    const offset = String(req.headers.file_offset ?? '');
    if (!/^[0-9]{1,12}$/.test(offset))
        throw missing('file_offset');
    if (Number(offset) !== upload.offset)
        throw invalid(`The file offset does not match: ${upload.offset} bytes have come.`);
    upload.asked.push(upload.offset);
    if (!await takeBytes(sb, req, upload, effects.find((effect) => effect.after_bytes !== undefined)))
        return;
    if (upload.offset === upload.length && upload.handle === undefined)
        finish(sb, upload);
    sb.store.flush();
    await strike(sb, effects, 'after', gone);
    replyJson(res, 200, upload.handle === undefined ? { id: `${upload.id}?sig=${upload.sig}`, file_offset: upload.offset } : { h: upload.handle });
}

/**
 * Adds what comes to the session. @param {import('./sandbox.js').Sandbox} sb @param {import('./http_io.js').Request} req
 * @param {import('./types.js').Upload} upload @param {import('./faults.js').Effect} [effect] what happens after so many bytes of this request
 * @returns {Promise<boolean>} false: the request did not come to its end, and there is nobody to answer
 */
function takeBytes(sb, req, upload, effect) {
    const parts = [sb.store.getMediaBytes(upload.id) ?? Buffer.alloc(0)];
    let left = effect?.after_bytes ?? Infinity;
    let isWhole = false;
    const keep = () => {
        const bytes = Buffer.concat(parts);
        upload.offset = bytes.length;
        sb.store.putMediaBytes(upload.id, bytes);
        sb.store.put('upload', upload.id, upload);
    };
    let room = upload.length - upload.offset;
    let isTooLong = false;
    return new Promise((resolve, reject) => {
        req.on('data', (/** @type {Buffer} */ part) => {
            const taken = part.subarray(0, Math.min(part.length, left, room));
            isTooLong ||= part.length > room;
            parts.push(taken);
            left -= taken.length;
            room -= taken.length;
            if (left > 0)
                return;
            keep();
            req.pause();
            req.removeAllListeners('data');
            if (effect?.kind === 'cut') {
                cutConnection(req);
                resolve(false);
            }
        });
        req.on('end', () => {
            isWhole = true;
            keep();
            if (isTooLong)
                reject(invalid('There are more bytes than file_length.'));
            resolve(true);
        });
        req.on('close', () => {
            if (!isWhole && left > 0)
                keep();
            resolve(isWhole);
        });
        req.on('error', () => {}); /* close follows */
    });
}

/** All its bytes are there. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Upload} upload */
function finish(sb, upload) {
    const bytes = sb.store.getMediaBytes(upload.id) ?? Buffer.alloc(0);
    const [magic, at] = TYPES[upload.type];
    sb.store.removeMediaBytes(upload.id);
    if (bytes.subarray(at, at + magic.length).toString('latin1') !== magic) {
        sb.store.remove('upload', upload.id);
        throw invalid(`The file is not of type ${upload.type}.`);
    }
    upload.sha256 = createHash('sha256').update(bytes).digest('hex');
    upload.handle = `4::${Buffer.from(upload.type).toString('base64')}:ARZ${randomBytes(24).toString('base64url')}:e:${Math.floor(upload.expires_at / 1000)}:${upload.app_id}:1`;
    sb.store.put('upload', upload.id, upload);
    sb.count('uploads.whole');
}

/**
 * The upload of a handle, if it is one of this account's app, of such a type and not over.
 * @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Account} account @param {unknown} handle @param {RegExp} type @param {string} path
 */
export function uploadOf(sb, account, handle, type, path) {
    const found = [...sb.store.uploads.values()].find((upload) => upload.handle === handle && upload.app_id === account.app_id && upload.expires_at > sb.now());
    if (typeof handle !== 'string' || found === undefined || !type.test(found.type))
        throw new GraphError(100, { message: 'Invalid parameter', userTitle: 'Invalid upload handle', transient: false,
            userMsg: `${path} must be the handle of an upload of this app, of a type that fits.` });
    return found;
}

/** Samples in headers, of the template and of its cards. @param {import('./sandbox.js').Sandbox} sb
 * @param {import('./types.js').Account} account @param {any[]} components as they came @returns {any[]} as they come back */
export function takeSamples(sb, account, components) {
    return components.map((component, i) => {
        if (component?.type === 'CAROUSEL' && Array.isArray(component.cards))
            return { ...component, cards: component.cards.map((/** @type {any} */ card) => (Array.isArray(card?.components)
                ? { ...card, components: takeSamples(sb, account, card.components) } : card)) };
        const format = String(component?.format ?? '').toUpperCase();
        if (String(component?.type).toUpperCase() !== 'HEADER' || SAMPLES[format] === undefined)
            return component;
        const given = component.example?.header_handle;
        const path = `components[${i}]['example']['header_handle']`;
        const found = uploadOf(sb, account, Array.isArray(given) ? given[0] : given, SAMPLES[format], path);
        return { ...component, example: { ...component.example, header_handle: [sampleUrl(found)] } };
    });
}

/** Where Meta shows an upload afterwards. @param {import('./types.js').Upload} upload */
export const sampleUrl = (upload) => `https://scontent.whatsapp.net/v/t61.29466-34/${upload.sha256}_n.bin`;
