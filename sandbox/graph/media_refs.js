// @ts-check
/** Media as a message points to it: by an uploaded id or by a link. */
import { invalid } from './errors.js';
import { keys, optionalBoolean, optionalText, text, webLink } from './check.js';

export const MEDIA_TYPES = ['audio', 'document', 'image', 'sticker', 'video'];

/**
 * @typedef {object} MediaRef
 * @property {string} kind
 * @property {string} [id]
 * @property {string} [link]
 */

const MEDIA_KEYS = /** @type {Record<string, string[]>} */ ({
    image: ['id', 'link', 'caption'], video: ['id', 'link', 'caption'], audio: ['id', 'link', 'voice'], sticker: ['id', 'link'],
    document: ['id', 'link', 'caption', 'filename'],
});

/** @param {string} type @param {Record<string, any>} content @param {string} [path] @returns {MediaRef} */
export function validateMedia(type, content, path = type) {
    keys(content, path, MEDIA_KEYS[type]);
    optionalText(content.caption, `${path}['caption']`, 1024);
    optionalText(content.filename, `${path}['filename']`, 240);
    optionalBoolean(content.voice, `${path}['voice']`);
    if (content.id !== undefined && content.link !== undefined)
        throw invalid(`Param ${path} must have either id or link, not both.`);
    if (content.id !== undefined)
        return { kind: type, id: text(String(content.id), `${path}['id']`, 64) };
    if (content.link !== undefined)
        return { kind: type, link: webLink(content.link, `${path}['link']`) };
    throw invalid(`The parameter ${path}['id'] or ${path}['link'] is required.`);
}
