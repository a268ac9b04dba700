// @ts-check
/** Values that a schema of the contract allows, drawn from a Random; and strings that a pattern matches. */
import { resolve } from '../contract/contract.js';

const ODD_TEXT = ['\u0000', '\u200b', '\u202e', '\ud83d\ude00', '\u0928\u092e\u0938\u094d\u0924\u0947', 'e\u0301\u0301\u0301', '\ufeff', '\u2028', '"\\/', '<script>', '%00', "'; drop table message; --", '{{1}}', '\r\nX: y', '\u{10ffff}'];
const PLAIN = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ';
const DEPTH_MAX = 12;

export { ODD_TEXT };

/** @param {import('../chaos/random.js').Random} random @param {number} low @param {number} high */
export function text(random, low, high) {
    const length = random.whole(low, Math.min(high, low + 40));
    let out = '';
    while ([...out].length < length)
        out += random.pick([...PLAIN]);
    return out;
}

/**
 * A string that an ECMAScript pattern matches: literals, classes, groups, alternatives, the usual quantifiers. A lookahead is
 * passed over; who asks checks the result.
 * @param {import('../chaos/random.js').Random} random @param {string} pattern
 */
export function matching(random, pattern) {
    let at = 0;
    const alternatives = () => {
        const all = [];
        do
            all.push(sequence());
        while (pattern[at] === '|' && ++at);
        return () => random.pick(all)();
    };
    const sequence = () => {
        /** @type {(() => string)[]} */
        const parts = [];
        while (at < pattern.length && pattern[at] !== '|' && pattern[at] !== ')') {
            const one = atom();
            const [low, high] = quantifier();
            parts.push(() => Array.from({ length: random.whole(low, Math.min(high, low + 24)) }, one).join(''));
        }
        return () => parts.map((part) => part()).join('');
    };
    const atom = () => {
        const letter = pattern[at++];
        if (letter === '^' || letter === '$')
            return () => '';
        if (letter === '.')
            return () => random.pick([...PLAIN]);
        if (letter === '\\')
            return escape(pattern[at++]);
        if (letter === '[')
            return klass();
        if (letter !== '(')
            return () => letter;
        const isLookahead = pattern.startsWith('?!', at) || pattern.startsWith('?=', at);
        if (pattern[at] === '?')
            at += 2;
        const inner = alternatives();
        at++;
        return isLookahead ? () => '' : inner;
    };
    /** @param {string} letter */
    const escape = (letter) => (letter === 'd' ? () => String(random.whole(0, 9)) : letter === 'w' ? () => random.pick([...'abcXYZ019_']) : () => ({ n: '\n', r: '\r', t: '\t' })[letter] ?? letter);
    const klass = () => {
        const isNot = pattern[at] === '^';
        const letters = new Set();
        at += isNot ? 1 : 0;
        const one = () => (pattern[at] === '\\' ? (at += 2, ({ n: '\n', r: '\r', t: '\t' })[pattern[at - 1]] ?? pattern[at - 1]) : pattern[at++]);
        while (pattern[at] !== ']') {
            const first = one();
            if (pattern[at] === '-' && pattern[at + 1] !== ']') {
                at++;
                for (let code = first.charCodeAt(0), last = one().charCodeAt(0); code <= last; code++)
                    letters.add(String.fromCharCode(code));
            } else
                letters.add(first);
        }
        at++;
        const all = isNot ? [...PLAIN].filter((letter) => !letters.has(letter)) : [...letters];
        return () => random.pick(all);
    };
    const quantifier = () => {
        const found = /^(?:([?*+])|\{(\d+)(,(\d*))?\})/.exec(pattern.slice(at));
        if (found === null)
            return [1, 1];
        at += found[0].length;
        if (found[1] !== undefined)
            return { '?': [0, 1], '*': [0, 8], '+': [1, 8] }[found[1]] ?? [1, 1];
        return [Number(found[2]), found[3] === undefined ? Number(found[2]) : found[4] === '' ? Number(found[2]) + 8 : Number(found[4])];
    };
    return alternatives()();
}

const FORMATS = /** @type {Record<string, (random: import('../chaos/random.js').Random) => string>} */ ({
    'date-time': (random) => new Date(Date.UTC(2024 + random.whole(0, 6), random.whole(0, 11), random.whole(1, 28), random.whole(0, 23))).toISOString(),
    date: (random) => `19${random.whole(10, 99)}-0${random.whole(1, 9)}-1${random.whole(0, 9)}`,
    uri: (random) => `https://shop.example/${matching(random, '[a-z0-9]{1,12}')}`,
    email: (random) => `${matching(random, '[a-z]{1,8}')}@shop.example`,
});

/**
 * @param {import('../chaos/random.js').Random} random @param {any} given a schema @param {(name: string, pattern: string) => string|null} known a value for an id
 * @param {string} [name] of the member @param {number} [depth] @returns {any}
 */
export function valid(random, given, known, name = '', depth = 0) {
    const schema = resolve(given);
    if (schema.const !== undefined)
        return schema.const;
    if (schema.enum !== undefined)
        return random.pick(schema.enum);
    const variants = schema.oneOf ?? schema.anyOf;
    if (variants !== undefined && schema.properties !== undefined && variants.every((/** @type {any} */ one) => one.required !== undefined && one.$ref === undefined)) {
        /* Which members go together: one set of them, and nothing that only another set has. */
        const chosen = random.pick(variants), own = { ...schema, oneOf: undefined, anyOf: undefined, required: [...(schema.required ?? []), ...chosen.required], properties: { ...schema.properties, ...chosen.properties } };
        const others = variants.flatMap((/** @type {any} */ one) => one.required).filter((/** @type {string} */ member) => !own.required.includes(member));
        return Object.fromEntries(Object.entries(valid(random, own, known, name, depth)).filter(([member]) => !others.includes(member)));
    }
    if (variants !== undefined) {
        const chosen = valid(random, random.pick(variants), known, name, depth + 1);
        return schema.properties === undefined || typeof chosen !== 'object' ? chosen : { ...valid(random, { ...schema, oneOf: undefined, anyOf: undefined }, known, name, depth), ...chosen };
    }
    if (schema.allOf !== undefined) {
        const parts = [...schema.allOf, ...(schema.properties === undefined ? [] : [{ ...schema, allOf: undefined }])].map((part) => valid(random, part, known, name, depth + 1));
        return parts.every((part) => part !== null && typeof part === 'object' && !Array.isArray(part)) ? Object.assign({}, ...parts) : parts[0];
    }
    const types = Array.isArray(schema.type) ? schema.type : [schema.type ?? (schema.properties === undefined ? 'string' : 'object')];
    switch (random.pick(types)) {
    case 'object': {
        const out = /** @type {any} */ ({});
        for (const [member, inner] of Object.entries(schema.properties ?? {}))
            if ((schema.required ?? []).includes(member) || (depth < DEPTH_MAX && random.chance(0.35)))
                out[member] = valid(random, inner, known, member, depth + 1);
        if (typeof schema.additionalProperties === 'object')
            for (let i = random.whole(schema.minProperties ?? 0, 2); i > 0; i--)
                out[schema.propertyNames?.pattern === undefined ? matching(random, '[a-z]{1,8}') : matching(random, schema.propertyNames.pattern)] = valid(random, schema.additionalProperties, known, name, depth + 1);
        return out;
    }
    case 'array': {
        const low = schema.minItems ?? 0, high = Math.min(schema.maxItems ?? 4, low + 3);
        const all = Array.from({ length: random.whole(low, Math.max(low, high)) }, () => valid(random, schema.items ?? {}, known, name, depth + 1));
        return schema.uniqueItems ? [...new Map(all.map((item) => [JSON.stringify(item), item])).values()] : all;
    }
    case 'integer':
        return random.whole(schema.minimum ?? 0, Math.min(schema.maximum ?? 2 ** 31, Number.MAX_SAFE_INTEGER));
    case 'number':
        return (schema.minimum ?? -90) + random.next() * ((schema.maximum ?? 90) - (schema.minimum ?? -90));
    case 'boolean':
        return random.chance(0.5);
    case 'null':
        return null;
    default:
        return string(random, schema, known, name);
    }
}

/** @param {import('../chaos/random.js').Random} random @param {any} schema @param {(name: string, pattern: string) => string|null} known @param {string} name */
function string(random, schema, known, name) {
    const own = schema.pattern === undefined ? null : known(name, schema.pattern);
    if (own !== null)
        return own;
    if (schema.format !== undefined && FORMATS[schema.format] !== undefined)
        return FORMATS[schema.format](random);
    if (schema.pattern !== undefined)
        for (let tries = 0; tries < 20; tries++) {
            const made = matching(random, schema.pattern);
            if (new RegExp(schema.pattern, 'u').test(made) && [...made].length >= (schema.minLength ?? 0) && [...made].length <= (schema.maxLength ?? Infinity))
                return made;
        }
    const plain = text(random, schema.minLength ?? 0, schema.maxLength ?? 60);
    return random.chance(0.1) && [...plain].length > 2 ? plain.slice(0, -2) + '\u0928\u{1f600}' : plain;
}
