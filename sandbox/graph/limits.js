// @ts-check
/** Throughput of a business number and of a pair, as token buckets. */

const PAIR_BURST = 45;
const PAIR_INTERVAL_MS = 6000;
const BUCKETS_MAX = 100_000;
const DAY_MS = 24 * 3600_000;

class Bucket {
    /** @param {number} size @param {number} perMs @param {number} now */
    constructor(size, perMs, now) {
        this.size = size;
        this.perMs = perMs;
        this.level = size;
        this.at = now;
    }

    /** @param {number} now @returns {boolean} false: empty */
    take(now) {
        this.level = Math.min(this.size, this.level + (now - this.at) * this.perMs);
        this.at = now;
        if (this.level < 1)
            return false;
        this.level -= 1;
        return true;
    }
}

export class Limits {
    constructor() {
        /** @type {Map<string, Bucket>} */
        this.buckets = new Map();
        /** By account: whom it wrote to outside windows, and when first. @type {Map<string, Map<string, number>>} */
        this.users = new Map();
    }

    /** One person outside windows, of an account, in a rolling 24 hours. @param {string} wabaId @param {string} waId @param {number} max 0: no limit @param {number} now */
    takeUser(wabaId, waId, max, now) {
        if (max === 0)
            return true;
        const users = this.users.get(wabaId) ?? new Map();
        this.users.set(wabaId, users);
        for (const [user, since] of users) /* the oldest come first */
            if (now - since >= DAY_MS)
                users.delete(user);
            else
                break;
        if (!users.has(waId) && users.size >= max)
            return false;
        if (!users.has(waId))
            users.set(waId, now);
        return true;
    }

    /** One message of a number. @param {string} phoneNumberId @param {number} perSecond 0: no limit @param {number} now */
    takeThroughput(phoneNumberId, perSecond, now) {
        return perSecond === 0 || this.#bucket(`n/${phoneNumberId}/${perSecond}`, Math.max(1, perSecond), perSecond / 1000, now).take(now);
    }

    /** One message of a number to one person: 45 at once, then one each six seconds.
     * @param {string} phoneNumberId @param {string} waId @param {number} now */
    takePair(phoneNumberId, waId, now) {
        return this.#bucket(`p/${phoneNumberId}/${waId}`, PAIR_BURST, 1 / PAIR_INTERVAL_MS, now).take(now);
    }

    clear() {
        this.buckets.clear();
        this.users.clear();
    }

    /** @param {string} key @param {number} size @param {number} perMs @param {number} now */
    #bucket(key, size, perMs, now) {
        let bucket = this.buckets.get(key);
        if (bucket === undefined) {
            if (this.buckets.size >= BUCKETS_MAX)
                this.buckets.delete(/** @type {string} */ (this.buckets.keys().next().value));
            bucket = new Bucket(size, perMs, now);
            this.buckets.set(key, bucket);
        }
        return bucket;
    }
}
