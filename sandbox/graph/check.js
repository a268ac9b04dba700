// @ts-check
/** Checks of one parameter, each with the words that the Graph API has for it. */
import { GraphError, invalid, missing } from './errors.js';

/** Characters as people count them would need segmentation; Meta counts code points. @param {string} text */
export const lengthOf = (text) => [...text].length;

/** @param {unknown} value @param {string} path @returns {Record<string, any>} */
export function object(value, path) {
    if (value === undefined || value === null)
        throw missing(path);
    if (typeof value !== 'object' || Array.isArray(value))
        throw invalid(`Param ${path} must be a JSON object.`);
    return value;
}

/** @param {unknown} value @param {string} path @param {number} min @param {number} max @returns {any[]} */
export function array(value, path, min, max) {
    if (value === undefined || value === null)
        throw missing(path);
    if (!Array.isArray(value))
        throw invalid(`Param ${path} must be an array.`);
    if (value.length < min)
        throw invalid(`Param ${path} must have at least ${min} item${min === 1 ? '' : 's'}.`);
    if (value.length > max)
        throw invalid(`Param ${path} must have at most ${max} items.`);
    return value;
}

/** A text that must be there. @param {unknown} value @param {string} path @param {number} max @returns {string} */
export function text(value, path, max) {
    if (value === undefined || value === null || value === '')
        throw missing(path);
    return optionalText(value, path, max) ?? '';
}

/** @param {unknown} value @param {string} path @param {number} max @returns {string|undefined} */
export function optionalText(value, path, max) {
    if (value === undefined || value === null)
        return undefined;
    if (typeof value !== 'string')
        throw invalid(`Param ${path} must be a string.`);
    if (lengthOf(value) > max)
        throw invalid(`Param ${path} must be at most ${max} characters long.`);
    return value;
}

/** @param {unknown} value @param {string} path */
export function optionalBoolean(value, path) {
    if (value !== undefined && typeof value !== 'boolean' && value !== 'true' && value !== 'false')
        throw invalid(`Param ${path} must be a boolean.`);
}

/** A number, or a text that is one: Graph takes both. @param {unknown} value @param {string} path @param {number} low @param {number} high */
export function number(value, path, low, high) {
    if (value === undefined || value === null || value === '')
        throw missing(path);
    const n = typeof value === 'string' ? Number(value) : value;
    if (typeof n !== 'number' || !Number.isFinite(n))
        throw invalid(`Param ${path} must be a number.`);
    if (n < low || n > high)
        throw valueInvalid(`${path} must be between ${low} and ${high}.`);
    return n;
}

/** @param {Record<string, any>} value @param {string} path @param {string[]} allowed */
export function keys(value, path, allowed) {
    for (const key of Object.keys(value))
        if (!allowed.includes(key))
            throw invalid(`Unexpected key "${key.slice(0, 64)}" on param "${path}".`);
}

/** @param {unknown} value @param {string} path @param {string[]} choices @returns {string} */
export function choice(value, path, choices) {
    if (value === undefined || value === null)
        throw missing(path);
    if (typeof value !== 'string' || !choices.includes(value.toLowerCase()))
        throw invalid(`Param ${path} must be one of {${choices.map((word) => word.toUpperCase()).join(', ')}} - got "${String(value).slice(0, 64)}".`);
    return value.toLowerCase();
}

/** @param {unknown} value @param {string} path @returns {string} */
export function webLink(value, path) {
    const link = text(value, path, 2000);
    let url;
    try {
        url = new URL(link);
    } catch {
        throw invalid(`Param ${path} is not a valid URL.`);
    }
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
        throw invalid(`Param ${path} is not a valid URL.`);
    return link;
}

/** The parameter is there and of the right kind, but not a value that can be. @param {string} details */
export const valueInvalid = (details) => new GraphError(131009, { details });

/** Something inside an object is missing. @param {string} details */
export const partMissing = (details) => new GraphError(131008, { details });
