// @ts-check
/** The envelope of POST /P/messages and the plain message types. */
import { GraphError, invalid, missing } from './errors.js';
import { array, choice, keys, number, object, optionalBoolean, optionalText, partMissing, text, valueInvalid, webLink } from './check.js';
import { MEDIA_TYPES, validateMedia } from './media_refs.js';
import { validateInteractive } from './interactive_validate.js';

const TYPES = [...MEDIA_TYPES, 'contacts', 'interactive', 'location', 'reaction', 'template', 'text'];
const OPAQUE_MAX = 512;

/**
 * @typedef {import('./media_refs.js').MediaRef} MediaRef
 *
 * @typedef {object} Outgoing a message as it was asked for, its fields checked
 * @property {'message'} kind
 * @property {string} type
 * @property {any} content
 * @property {string|null} to
 * @property {string|null} recipient a business-scoped user id
 * @property {boolean} is_group
 * @property {string|null} context_id
 * @property {string|null} opaque
 * @property {MediaRef[]} media
 *
 * @typedef {object} ReadMark
 * @property {'read'} kind
 * @property {string} message_id
 * @property {boolean} typing
 */

/** @param {any} body @param {number} listBodyMax Meta's pages disagree on it @returns {Outgoing|ReadMark} */
export function validateEnvelope(body, listBodyMax) {
    choice(body.messaging_product, 'messaging_product', ['whatsapp']);
    if (body.status !== undefined)
        return readMark(body);
    const type = body.type === undefined ? 'text' : choice(body.type, 'type', TYPES);
    const recipientType = body.recipient_type === undefined ? 'individual' : choice(body.recipient_type, 'recipient_type', ['individual', 'group']);
    const { content, media } = validateContent(type, body[type], listBodyMax);
    let contextId = null;
    if (body.context !== undefined && body.context !== null) {
        contextId = text(object(body.context, 'context').message_id, "context['message_id']", 512);
        if (type === 'reaction')
            throw valueInvalid('Reaction messages cannot have a context.');
    }
    const opaque = optionalText(body.biz_opaque_callback_data, 'biz_opaque_callback_data', OPAQUE_MAX) ?? null;
    const recipient = optionalText(body.recipient, 'recipient', 256) ?? null;
    const to = body.to === undefined || body.to === null ? null : String(body.to);
    if ((to === null || to === '') && recipient === null)
        throw missing('to');
    return { kind: 'message', type, content, to: to === '' ? null : to, recipient, is_group: recipientType === 'group',
        context_id: contextId, opaque, media };
}

/** @param {any} body @returns {ReadMark} */
function readMark(body) {
    choice(body.status, 'status', ['read']);
    const messageId = text(body.message_id, 'message_id', 512);
    const typing = body.typing_indicator !== undefined;
    if (typing)
        choice(object(body.typing_indicator, 'typing_indicator').type, "typing_indicator['type']", ['text']);
    return { kind: 'read', message_id: messageId, typing };
}

/** @param {string} type @param {any} value @param {number} listBodyMax @returns {{content: any, media: MediaRef[]}} */
function validateContent(type, value, listBodyMax) {
    if (type === 'contacts')
        return { content: validateContacts(value), media: [] };
    const content = object(value, type);
    switch (type) {
        case 'text':
            validateText(content);
            return { content, media: [] };
        case 'location':
            validateLocation(content, 'location');
            return { content, media: [] };
        case 'reaction':
            validateReaction(content);
            return { content, media: [] };
        case 'interactive':
            return { content, media: validateInteractive(content, listBodyMax) };
        case 'template':
            return { content, media: validateTemplateShape(content) };
        default:
            return { content, media: [validateMedia(type, content)] };
    }
}

/** @param {Record<string, any>} content */
function validateText(content) {
    keys(content, 'text', ['body', 'preview_url']);
    const body = text(content.body, "text['body']", 4096);
    if (body.trim() === '')
        throw missing("text['body']");
    optionalBoolean(content.preview_url, "text['preview_url']");
}

/** @param {Record<string, any>} content @param {string} path */
export function validateLocation(content, path) {
    keys(content, path, ['latitude', 'longitude', 'name', 'address']);
    number(content.latitude, `${path}['latitude']`, -90, 90);
    number(content.longitude, `${path}['longitude']`, -180, 180);
    optionalText(content.name, `${path}['name']`, 1000);
    optionalText(content.address, `${path}['address']`, 1000);
}

/** @param {Record<string, any>} content */
function validateReaction(content) {
    keys(content, 'reaction', ['message_id', 'emoji']);
    text(content.message_id, "reaction['message_id']", 512);
    if (content.emoji === undefined)
        throw missing("reaction['emoji']");
    const emoji = optionalText(content.emoji, "reaction['emoji']", 32) ?? '';
    const parts = [...new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(emoji)];
    if (emoji !== '' && (parts.length !== 1 || !/\p{Emoji}/u.test(emoji) || /^[\x20-\x7e]+$/.test(emoji)))
        throw valueInvalid("reaction['emoji'] must be one emoji, or empty to remove the reaction.");
}

/** @param {any} value */
function validateContacts(value) {
    const list = array(value, 'contacts', 1, 257);
    list.forEach((item, i) => {
        const path = `contacts[${i}]`;
        const card = object(item, path);
        keys(card, path, ['name', 'birthday', 'addresses', 'emails', 'org', 'phones', 'urls']);
        const name = object(card.name, `${path}['name']`);
        text(name.formatted_name, `${path}['name']['formatted_name']`, 1024);
        if (!['first_name', 'last_name', 'middle_name', 'suffix', 'prefix'].some((part) => typeof name[part] === 'string' && name[part] !== ''))
            throw partMissing(`${path}['name'] needs at least one of first_name, last_name, middle_name, suffix, prefix besides formatted_name.`);
        if (card.birthday !== undefined && !/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(card.birthday))
            throw valueInvalid(`${path}['birthday'] must be YYYY-MM-DD.`);
        for (const part of ['addresses', 'emails', 'phones', 'urls'])
            if (card[part] !== undefined)
                array(card[part], `${path}['${part}']`, 0, 100).forEach((entry, j) => object(entry, `${path}['${part}'][${j}]`));
    });
    return list;
}

/** Shape only: whether it fits the approved template is checked later. @param {Record<string, any>} content @returns {MediaRef[]} */
function validateTemplateShape(content) {
    keys(content, 'template', ['name', 'language', 'components', 'namespace', 'category']);
    text(content.name, "template['name']", 512);
    const language = object(content.language, "template['language']");
    text(language.code, "template['language']['code']", 16);
    if (language.policy !== undefined && language.policy !== 'deterministic')
        throw invalid(`Param template['language']['policy'] must be one of {DETERMINISTIC} - got "${String(language.policy).slice(0, 64)}".`);
    const media = /** @type {MediaRef[]} */ ([]);
    const components = content.components === undefined ? [] : array(content.components, "template['components']", 0, 30);
    components.forEach((component, i) => templateComponent(component, `template['components'][${i}]`, media));
    return media;
}

const COMPONENT_TYPES = ['header', 'body', 'footer', 'button', 'carousel', 'limited_time_offer', 'tap_target_configuration', 'order_status', 'buttons'];

/** @param {any} item @param {string} path @param {MediaRef[]} media */
function templateComponent(item, path, media) {
    const component = object(item, path);
    const type = choice(component.type, `${path}['type']`, COMPONENT_TYPES);
    if (type === 'button') {
        text(component.sub_type, `${path}['sub_type']`, 64);
        number(component.index, `${path}['index']`, 0, 9);
    }
    if (type === 'carousel') {
        array(component.cards, `${path}['cards']`, 1, 10).forEach((card, i) => {
            const parts = array(object(card, `${path}['cards'][${i}]`).components, `${path}['cards'][${i}]['components']`, 1, 10);
            parts.forEach((part, j) => templateComponent(part, `${path}['cards'][${i}]['components'][${j}]`, media));
        });
        return;
    }
    const parameters = component.parameters === undefined ? [] : array(component.parameters, `${path}['parameters']`, 0, 100);
    parameters.forEach((parameter, i) => {
        const value = object(parameter, `${path}['parameters'][${i}]`);
        const kind = text(value.type, `${path}['parameters'][${i}]['type']`, 64);
        if (MEDIA_TYPES.includes(kind)) {
            const held = object(value[kind], `${path}['parameters'][${i}]['${kind}']`);
            if (held.id === undefined && held.link === undefined)
                throw new GraphError(131008, { details: `${path}['parameters'][${i}]['${kind}'] needs an id or a link.` });
            media.push(held.id === undefined ? { kind, link: webLink(held.link, `${path}['parameters'][${i}]['${kind}']['link']`) } : { kind, id: String(held.id) });
        }
    });
}
