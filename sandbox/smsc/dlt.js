// @ts-check
/** What an operator's registry says of a message to India: one of its error codes, or that it may go. */
import { createHash } from 'node:crypto';

/**
 * @typedef {'active'|'inactive'|'blacklisted'|'suspended'} State
 * @typedef {object} Registry
 * @property {{id: string, state?: State}[]} entities
 * @property {{header: string, entity: string, state?: State}[]} headers
 * @property {{id: string, entity: string, headers: string[], text: string, category?: string, state?: State}[]} templates
 * @property {{entity: string, telemarketers: string[], state?: State}[]} chains if there are any, messages must name one
 * @property {string[]} blocked numbers, digits, that promotional messages do not reach
 */

/** @returns {Registry} */
export const emptyRegistry = () => ({ entities: [], headers: [], templates: [], chains: [], blocked: [] });

export const DLT_CODES = /** @type {Record<number, string>} */ ({
    195: 'a TLV is missing', 600: 'ENTITY_NOT_FOUND', 602: 'ENTITY_INACTIVE', 603: 'ENTITY_BLACKLISTED', 604: 'INVALID_ENTITY_ID', 613: 'TELEMARKETER_NOT_ALLOWED_FOR_ENTITY',
    614: 'PE_TM_HASH_NOT_RECEIVED', 615: 'PE_TM_HASH_NOT_REGISTERED', 616: 'PE_TM_HASH_INACTIVE', 617: 'PE_TM_HASH_BLACKLISTED', 618: 'PE_TM_HASH_SUSPENDED',
    620: 'HEADER_NOT_FOUND', 621: 'HEADER_INACTIVE', 622: 'HEADER_BLACKLISTED', 623: 'PEID_NOT_MATCHED_WITH_HEADER', 624: 'HEADER_SUSPENDED', 630: 'TEMPLATE_NOT_FOUND',
    631: 'TEMPLATE_INACTIVE', 632: 'TEMPLATE_BLACKLISTED', 633: 'TEMPLATE_NOT_MATCHED', 634: 'HEADER_NOT_REGISTERED_FOR_TEMPLATE', 635: 'TEMPLATE_VARIABLE_EXCEEDED_MAX_LENGTH',
    637: 'INVALID_TEMPLATE_ID', 650: 'PREFERENCE_NOT_MATCHED', 651: 'EC_INVALID_PROMO_TIME',
});

const VARIABLE = /\{#[a-z]+#\}/;
const VARIABLE_MAX = 30;
const IST_MS = 330 * 60_000;

/**
 * Whether a text is what a template allows, by the set of places that the text can have been read to. @param {string} template @param {string} text
 * @param {number} longest of a variable
 */
function fits(template, text, longest) {
    const letters = [...text];
    const literals = template.split(VARIABLE).map((literal) => [...literal]);
    let places = [0];
    for (const [index, literal] of literals.entries()) {
        if (index > 0) {
            const reached = new Set();
            for (const place of places)
                for (let end = place + 1; end <= Math.min(letters.length, place + longest); end++)
                    reached.add(end);
            places = [...reached];
        }
        places = places.filter((place) => literal.every((letter, i) => letters[place + i] === letter)).map((place) => place + literal.length);
    }
    return places.includes(letters.length);
}

/** @param {string} entity @param {string[]} telemarketers */
export const chainHash = (entity, telemarketers) => createHash('sha256').update([entity, ...telemarketers].join(',')).digest('hex');

/**
 * What can be said of one PDU. @param {Registry} registry @param {{entity: string|null, template: string|null, chain: string|null}} ids @param {string} header
 * @returns {number} a code, 0: nothing against it
 */
export function checkIds(registry, { entity, template, chain }, header) {
    if (entity === null || template === null)
        return 195;
    if (!/^[0-9]{1,50}$/.test(entity))
        return 604;
    if (!/^[0-9]{1,50}$/.test(template))
        return 637;
    const owner = registry.entities.find(({ id }) => id === entity);
    if (owner === undefined || owner.state === 'inactive' || owner.state === 'blacklisted')
        return owner === undefined ? 600 : owner.state === 'inactive' ? 602 : 603;
    return checkChain(registry, entity, chain) || checkHeader(registry, entity, header) || checkTemplate(registry, entity, template, header);
}

/** @param {Registry} registry @param {string} entity @param {string|null} chain */
function checkChain(registry, entity, chain) {
    if (registry.chains.length === 0)
        return 0;
    if (chain === null)
        return 614;
    const found = registry.chains.find((entry) => chainHash(entry.entity, entry.telemarketers) === chain);
    if (found === undefined)
        return 615;
    return found.entity !== entity ? 613 : { active: 0, inactive: 616, blacklisted: 617, suspended: 618 }[found.state ?? 'active'];
}

/** @param {Registry} registry @param {string} entity @param {string} header */
function checkHeader(registry, entity, header) {
    const found = registry.headers.find((entry) => entry.header === header);
    if (found === undefined)
        return 620;
    return { active: found.entity === entity ? 0 : 623, inactive: 621, blacklisted: 622, suspended: 624 }[found.state ?? 'active'];
}

/** @param {Registry} registry @param {string} entity @param {string} id @param {string} header */
function checkTemplate(registry, entity, id, header) {
    const found = registry.templates.find((entry) => entry.id === id && entry.entity === entity);
    if (found === undefined)
        return 630;
    return { active: found.headers.includes(header) ? 0 : 634, inactive: 631, blacklisted: 632, suspended: 631 }[found.state ?? 'active'];
}

/**
 * What can be said once the whole text is there. @param {Registry} registry @param {string|null} template @param {string} text @param {string} person digits
 * @param {{hours: boolean, now: number}} when @returns {number}
 */
export function checkText(registry, template, text, person, { hours, now }) {
    const found = registry.templates.find(({ id }) => id === template);
    if (found === undefined)
        return 630;
    if (!fits(found.text, text, VARIABLE_MAX))
        return fits(found.text, text, Number.POSITIVE_INFINITY) ? 635 : 633;
    if (found.category !== 'promotional')
        return 0;
    if (registry.blocked.includes(person))
        return 650;
    const hour = new Date(now + IST_MS).getUTCHours();
    return hours && (hour < 10 || hour >= 21) ? 651 : 0;
}

/** @param {any} input @returns {{registry: Registry|null, problem: string|null}} */
export function readRegistry(input) {
    const problem = (/** @type {string} */ words) => ({ registry: null, problem: words });
    if (typeof input !== 'object' || input === null)
        return problem('an object with entities, headers, templates, chains, blocked');
    const registry = emptyRegistry();
    for (const [name, value] of Object.entries(input)) {
        if (!Object.hasOwn(registry, name) || !Array.isArray(value))
            return problem(`${name}: lists named entities, headers, templates, chains, blocked`);
        Object.assign(registry, { [name]: value });
    }
    const texts = (/** @type {unknown[]} */ values) => values.every((value) => typeof value === 'string');
    if (!registry.entities.every(({ id }) => texts([id])) || !registry.headers.every(({ header, entity }) => texts([header, entity])) || !texts(registry.blocked)
        || !registry.templates.every(({ id, entity, headers, text }) => texts([id, entity, text]) && Array.isArray(headers) && texts(headers))
        || !registry.chains.every(({ entity, telemarketers }) => texts([entity]) && Array.isArray(telemarketers) && texts(telemarketers)))
        return problem('entities {id}, headers {header, entity}, templates {id, entity, headers, text, category}, chains {entity, telemarketers}, each with a state; blocked: numbers');
    return { registry, problem: null };
}
