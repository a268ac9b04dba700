// @ts-check
/** Lists in pages by cursor, and the choice of fields. */
import { GraphError, invalid } from './errors.js';

const LIMIT_DEFAULT = 25;
const LIMIT_MAX = 100;

/** @param {string} key */
const cursorOf = (key) => Buffer.from(`c:${key}`).toString('base64url');

/** @param {string} cursor @param {{key: string}[]} items @returns {number} the index of the item it names */
function indexOf(cursor, items) {
    const text = Buffer.from(cursor, 'base64url').toString();
    const index = text.startsWith('c:') ? items.findIndex((item) => item.key === text.slice(2)) : -1;
    if (index < 0)
        throw new GraphError(131059);
    return index;
}

/**
 * @template T
 * @param {{key: string, value: T}[]} items @param {URLSearchParams} query @param {string} base the URL of the list
 * @returns {{data: T[], paging?: object}}
 */
export function pageOf(items, query, base) {
    const wanted = query.get('limit');
    if (wanted !== null && !/^[0-9]{1,6}$/.test(wanted))
        throw invalid('Param limit must be an integer.');
    const limit = Math.max(1, Math.min(LIMIT_MAX, wanted === null ? LIMIT_DEFAULT : Number(wanted)));
    const after = query.get('after');
    const before = query.get('before');
    let from = after ? indexOf(after, items) + 1 : 0;
    let end = Math.min(items.length, from + limit);
    if (before && !after) {
        end = indexOf(before, items);
        from = Math.max(0, end - limit);
    }
    const page = items.slice(from, end);
    if (page.length === 0)
        return { data: [] };
    const link = /** @param {'after'|'before'} name @param {string} key */ (name, key) => {
        const next = new URLSearchParams(query);
        for (const old of ['after', 'before', 'access_token'])
            next.delete(old);
        next.set('limit', String(limit));
        next.set(name, cursorOf(key));
        return `${base}?${next}`;
    };
    return {
        data: page.map((item) => item.value),
        paging: {
            cursors: { before: cursorOf(page[0].key), after: cursorOf(page[page.length - 1].key) },
            ...(end < items.length ? { next: link('after', page[page.length - 1].key) } : {}),
            ...(from > 0 ? { previous: link('before', page[0].key) } : {}),
        },
    };
}

/**
 * `?fields=a,b{c}`: only these, and always the id. Nested choices are taken as the whole field.
 * @param {Record<string, any>} value @param {string|null} fields
 */
export function pickFields(value, fields) {
    if (fields === null)
        return value;
    const wanted = fields.replace(/\{[^}]*\}/g, '').split(',').map((field) => field.trim().split('.')[0]).filter((field) => field !== '');
    const picked = /** @type {Record<string, any>} */ ({});
    for (const field of wanted)
        if (value[field] !== undefined)
            picked[field] = value[field];
    picked.id = value.id;
    return picked;
}
