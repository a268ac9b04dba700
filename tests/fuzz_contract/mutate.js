// @ts-check
/** From a request that the contract allows to one that is a little, or entirely, wrong. */
import { ODD_TEXT } from './generate.js';

/** @typedef {import('../chaos/random.js').Random} Random */

const HUGE = [0, -1, 1, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, -(2 ** 63), 1e308, 1e-308, 0.1, -0];
const RAW_NUMBERS = ['1e999', '-1e999', '99999999999999999999999999999999', '1E400', '0.00000000000000000000000000001', '-0', '1e-400'];

/** @param {Random} random @returns {any} any value at all */
export function anything(random, depth = 0) {
    return random.weighted(/** @type {[number, () => any][]} */ ([
        [2, () => null], [2, () => random.chance(0.5)], [4, () => random.pick(HUGE)], [4, () => random.pick(ODD_TEXT)], [2, () => 'x'.repeat(random.whole(1, 5000))], [1, () => ''],
        [depth < 4 ? 2 : 0, () => Array.from({ length: random.whole(0, 5) }, () => anything(random, depth + 1))],
        [depth < 4 ? 2 : 0, () => Object.fromEntries(Array.from({ length: random.whole(0, 5) }, () => [random.pick(['to', 'type', 'id', 'content', '', '__proto__', 'a~b/c', ...ODD_TEXT]), anything(random, depth + 1)]))],
    ]))();
}

/** Every place in a value: [holder, key]. @param {any} value @param {[any, string|number][]} [found] @returns {[any, string|number][]} */
function places(value, found = []) {
    if (value !== null && typeof value === 'object')
        for (const key of Object.keys(value)) {
            found.push([value, key]);
            places(value[key], found);
        }
    return found;
}

/** A copy with one thing or several changed. @param {Random} random @param {any} value */
export function mutated(random, value) {
    const copy = structuredClone(value);
    for (let i = random.weighted([[6, 1], [2, 2], [1, 4]]); i > 0; i--) {
        const all = places(copy);
        if (all.length === 0)
            return anything(random);
        const [holder, key] = random.pick(all);
        const old = holder[key];
        random.weighted(/** @type {[number, () => void][]} */ ([
            [4, () => { delete holder[key]; }],
            [4, () => { holder[key] = anything(random); }],
            [2, () => { if (!Array.isArray(holder)) holder[random.pick(['extra', 'Type', ' to', '__proto__x', ...ODD_TEXT])] = 1; }],
            [3, () => { holder[key] = typeof old === 'string' ? random.pick([`${old}${random.pick(ODD_TEXT)}`, old.toUpperCase(), ` ${old}`, `${old} `, old.slice(0, -1), old.repeat(random.whole(2, 60)).slice(0, 60_000), '']) : String(old); }],
            [2, () => { holder[key] = typeof old === 'number' ? random.pick(HUGE) : [old]; }],
            [1, () => { holder[key] = { [String(key)]: old }; }],
            [1, () => { holder[key] = Array.isArray(old) ? Array.from({ length: random.whole(0, 300) }, () => old[0] ?? 1) : null; }],
        ]))();
    }
    return copy;
}

/** JSON with one of the faults that a serialiser never makes. @param {Random} random @param {string} json @returns {Buffer} */
export function broken(random, json) {
    const at = random.whole(0, Math.max(0, json.length - 1));
    return random.weighted(/** @type {[number, () => Buffer][]} */ ([
        [3, () => Buffer.from(json.slice(0, at))],
        [2, () => Buffer.from(json.slice(0, at) + random.pick(['"', '}', '{', ',', '\\u', '\u0000', '[', ']']) + json.slice(at))],
        [2, () => { const bytes = Buffer.from(json); if (bytes.length > 0) bytes[at % bytes.length] ^= random.whole(1, 255); return bytes; }],
        [1, () => Buffer.from(json.replace(/:(?:"[^"]*"|\d+)/, `:${random.pick(RAW_NUMBERS)}`))],
        [1, () => Buffer.from('[' .repeat(random.whole(1, 3000)))],
        [1, () => Buffer.from(`${json}${json}`)],
        [1, () => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(json)])],
        [1, () => Buffer.from(json.replace('{', '{"to":1,"to":2,'))],
        [1, () => Buffer.from('{"a":"\\ud800"}')],
        [1, () => Buffer.from(json, 'utf16le')],
        [1, () => Buffer.alloc(random.whole(0, 70_000), 0x20)],
    ]))();
}
