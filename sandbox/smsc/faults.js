// @ts-check
/** Faults that a test or a person sets: which requests are struck, how often, and what is unlike usual then. */

const ANSWERS = ['right', 'none', 'cut', 'nack', 'bare', 'twice', 'stray', 'torn'];

/**
 * @typedef {object} Fault
 * @property {string} id
 * @property {'submit'|'bind'|'enquire'} on
 * @property {{to?: string, from?: string, system_id?: string}} match digits or a header; may end with *
 * @property {number} skip
 * @property {number} every
 * @property {number|null} times null: without end
 * @property {number} seen requests that fitted
 * @property {number} struck
 * @property {import('./magic.js').Effect} effect
 */

export class Faults {
    constructor() {
        /** @type {Map<string, Fault>} */
        this.list = new Map();
        this.count = 0;
    }

    /** @param {any} input @returns {{fault: Fault|null, problem: string|null}} */
    add(input) {
        const problem = (/** @type {string} */ words) => ({ fault: null, problem: words });
        const { on = 'submit', match = {}, skip = 0, every = 1, times = 1, effect } = input ?? {};
        if (!['submit', 'bind', 'enquire'].includes(on))
            return problem('on: submit, bind or enquire');
        if (typeof match !== 'object' || match === null || !Object.entries(match).every(([name, value]) => ['to', 'from', 'system_id'].includes(name) && typeof value === 'string'))
            return problem('match: {to, from, system_id}, each a text that may end with *');
        if (![skip, every].every((value) => Number.isInteger(value) && value >= 0) || every < 1 || (times !== null && !(Number.isInteger(times) && times > 0)))
            return problem('skip from 0, every from 1, times from 1 or null');
        const bad = effectProblem(effect);
        if (bad !== null)
            return problem(bad);
        this.count += 1;
        const fault = { id: `f${this.count}`, on, match, skip, every, times, seen: 0, struck: 0, effect };
        this.list.set(fault.id, fault);
        return { fault, problem: null };
    }

    /** @param {'submit'|'bind'|'enquire'} on @param {{to?: string, from?: string, system_id: string}} request @returns {import('./magic.js').Effect|null} */
    strike(on, request) {
        for (const fault of this.list.values()) {
            if (fault.on !== on || !Object.entries(fault.match).every(([name, value]) => fits(value, /** @type {any} */ (request)[name] ?? '')))
                continue;
            fault.seen += 1;
            if ((fault.times !== null && fault.struck >= fault.times) || fault.seen <= fault.skip || (fault.seen - fault.skip - 1) % fault.every !== 0)
                continue;
            fault.struck += 1;
            return fault.effect;
        }
        return null;
    }
}

/** @param {string} wanted @param {string} value */
const fits = (wanted, value) => (wanted.endsWith('*') ? value.startsWith(wanted.slice(0, -1)) : value === wanted);

/** @param {any} effect @returns {string|null} */
function effectProblem(effect) {
    if (typeof effect !== 'object' || effect === null)
        return 'effect: {status, answer, lost, latency_ms, receipts, when}';
    for (const [name, value] of Object.entries(effect)) {
        const isRight = name === 'status' ? Number.isInteger(value) && value > 0
            : name === 'answer' ? ANSWERS.includes(value)
                : name === 'lost' ? typeof value === 'boolean'
                    : name === 'latency_ms' ? Number.isInteger(value) && value >= 0
                        : name === 'when' ? ['after', 'early', 'never', 'twice'].includes(value)
                            : name === 'receipts' && Array.isArray(value) && value.every((entry) => typeof entry?.stat === 'string');
        if (!isRight)
            return `effect: ${name} is not as it should be`;
    }
    if (Array.isArray(effect.receipts))
        effect.receipts = effect.receipts.map((/** @type {any} */ entry) => ({ err: '000', after_ms: 0, ...entry }));
    return null;
}
