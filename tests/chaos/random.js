// @ts-check
/** Numbers that look random and come again from the same seed: a storm is planned with nothing else. */

export class Random {
    /** @param {number} seed */
    constructor(seed) {
        this.state = seed >>> 0;
    }

    /** From 0 up to 1, without 1 (mulberry32). */
    next() {
        this.state = (this.state + 0x6d2b79f5) >>> 0;
        let t = this.state;
        t = Math.imul(t ^ (t >>> 15), t | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    }

    /** A whole number, both ends included. @param {number} low @param {number} high */
    whole(low, high) {
        return low + Math.floor(this.next() * (high - low + 1));
    }

    /** @param {number} share */
    chance(share) {
        return this.next() < share;
    }

    /** @template T @param {readonly T[]} list @returns {T} */
    pick(list) {
        return list[Math.floor(this.next() * list.length)];
    }

    /** One of [weight, thing]. @template T @param {readonly (readonly [number, T])[]} list @returns {T} */
    weighted(list) {
        let at = this.next() * list.reduce((sum, [weight]) => sum + weight, 0);
        for (const [weight, thing] of list)
            if ((at -= weight) < 0)
                return thing;
        return list[list.length - 1][1];
    }

    /** A generator of its own for one purpose, so that what another draws does not shift it. @param {string} purpose */
    fork(purpose) {
        let seed = this.state ^ 0x9e3779b9;
        for (const letter of purpose)
            seed = Math.imul(seed ^ letter.charCodeAt(0), 0x01000193);
        return new Random(seed);
    }
}
