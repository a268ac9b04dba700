// @ts-check
/**
 * What can go wrong, each as {name, weight, strike}: `strike` does it and returns how to undo it and after how long.
 * Everything random in it comes from the Random that it is given.
 */
import { familyOf, signalAll } from './database.js';

/** @typedef {import('./storm.js').Storm} Storm */
/** @typedef {import('./random.js').Random} Random */
/** @typedef {{for_ms: number, undo: () => unknown} | null} Struck null: there is nothing to undo */
/** @typedef {{name: string, weight: number, fits?: (storm: Storm) => boolean, strike: (storm: Storm, random: Random) => Promise<Struck>}} Disturbance */

const ROLES = ['gateway', 'dispatcher', 'webhooks', 'vault', 'scheduler', 'smsc'];
/** Less than a provider task is patient for: who thinks that an hour has passed gives up an upload, and rightly. */
const ROLE_CLOCK_S_MAX = 2400;
const RETRY_CODES = [1, 2, 4, 130429, 131000, 131016, 131048, 131056, 131057, 80007];

/** Faults of the provider: each strikes a few requests. */
const PROVIDER_FAULTS = /** @type {[number, (random: Random) => object][]} */ ([
    [6, (random) => ({ effect: { kind: 'error', code: random.pick(RETRY_CODES) } })],
    [3, () => ({ effect: { kind: 'error', code: 131026 } })],
    [4, () => ({ effect: { kind: 'cut', when: 'before' } })],
    [5, () => ({ effect: { kind: 'cut', when: 'after' } })],
    [2, () => ({ effect: { kind: 'stall', when: 'before' } })],
    [3, () => ({ effect: { kind: 'stall', when: 'after' } })],
    [3, (random) => ({ effect: { kind: 'slow', ms: random.whole(200, 2500) } })],
    [3, (random) => ({ effect: { kind: 'http', http: random.pick([500, 502, 503]), body: random.pick(['', '<html>Sorry</html>', '{"error":']), when: random.pick(['before', 'after']) } })],
    [2, () => ({ effect: { kind: 'http', http: 200, body: '{"messaging_product":"whatsapp","contacts":[{"inp', when: 'after' } })],
    [3, (random) => ({ effect: { kind: 'statuses', duplicate: random.whole(1, 3) } })],
    [3, () => ({ effect: { kind: 'statuses', reorder: true } })],
    [2, (random) => ({ effect: { kind: 'statuses', late_ms: random.whole(200, 6000) } })],
    [2, () => ({ effect: { kind: 'statuses', fail: 131026 } })],
    [2, () => ({ on: 'media', effect: { kind: 'cut', when: 'before' } })],
    [2, () => ({ on: 'media', effect: { kind: 'cut', when: 'after' } })],
    [1, (random) => ({ on: 'media', effect: { kind: 'slow', ms: random.whole(200, 2500) } })],
    [2, (random) => ({ on: 'media', effect: { kind: 'http', http: random.pick([500, 502, 503]) } })],
    [2, (random) => ({ on: 'webhooks', effect: { kind: 'webhook', signature: random.pick(['wrong', 'none']) } })],
]);

/** @param {string} role @returns {Disturbance} */
const kill = (role) => ({ name: `kill -9 ${role}`, weight: role === 'dispatcher' ? 8 : 4, strike: async (storm) => {
    signalAll(await storm.pids(role), 'SIGKILL');
    return null;
} });

/** Longer than a lease or shorter. @param {string} role @returns {Disturbance} */
const stop = (role) => ({ name: `stall ${role}`, weight: role === 'dispatcher' ? 5 : 2, strike: async (storm, random) => {
    const pids = await storm.pids(role);
    signalAll(pids, 'SIGSTOP');
    return { for_ms: random.whole(200, 6000), undo: () => signalAll(pids, 'SIGCONT') };
} });

/** @param {keyof Storm['proxies']} which @param {string} name @returns {Disturbance} */
const network = (which, name) => ({ name: `network ${name}`, weight: 6, fits: (storm) => storm.proxies[which] !== undefined, strike: async (storm, random) => {
    const proxy = /** @type {import('./proxy.js').Proxy} */ (storm.proxies[which]);
    proxy.set(random.pick(/** @type {const} */ (['cut', 'stall', 'deaf', 'drip'])));
    return { for_ms: random.whole(100, 4000), undo: () => proxy.set('pass') };
} });

/** @type {Disturbance[]} */
export const DISTURBANCES = [
    ...ROLES.map(kill),
    ...ROLES.map(stop),
    network('provider', 'dispatcher - provider'),
    network('callbacks', 'provider - gateway'),
    network('receiver', 'webhooks - receiver'),
    network('database', 'roles - PostgreSQL'),
    { name: 'kill -9 PostgreSQL', weight: 3, strike: async (storm) => {
        if (storm.database !== null)
            storm.database.kill();
        else
            signalAll((await storm.pids('postgres')).flatMap(familyOf), 'SIGKILL');
        return null;
    } },
    { name: 'stall PostgreSQL', weight: 2, strike: async (storm, random) => {
        const top = storm.database === null ? await storm.pids('postgres') : [storm.database.child?.pid ?? 0].filter((pid) => pid > 0);
        const pids = top.flatMap(familyOf);
        signalAll(pids, 'SIGSTOP');
        return { for_ms: random.whole(200, 5000), undo: () => signalAll(pids, 'SIGCONT') };
    } },
    { name: 'kill -9 provider', weight: 2, strike: async (storm) => {
        await storm.killProvider();
        return null;
    } },
    { name: 'kill -9 supervisor', weight: 1, strike: async (storm) => {
        await storm.killSupervisor();
        return null;
    } },
    { name: 'provider faults', weight: 14, strike: async (storm, random) => {
        const fault = { times: random.whole(1, 12), every: random.whole(1, 3), ...random.weighted(PROVIDER_FAULTS)(random) };
        await storm.control('POST', '/faults', fault);
        return null;
    } },
    { name: 'token refused', weight: 1, strike: async (storm, random) => {
        const shop = random.pick(storm.shops);
        await storm.control('PATCH', `/accounts/${shop.account.waba_id}/tokens`, { state: 'expired' });
        return { for_ms: random.whole(200, 2000), undo: () => storm.mendToken(shop) };
    } },
    { name: 'disk full', weight: 2, fits: (storm) => storm.disk !== null, strike: async (storm, random) => {
        const disk = /** @type {import('./database.js').Disk} */ (storm.disk);
        disk.fill();
        return { for_ms: random.whole(300, 4000), undo: () => disk.empty() };
    } },
    { name: 'clock of a role', weight: 6, fits: (storm) => storm.clocks !== null, strike: async (storm, random) => {
        const role = random.pick(ROLES), seconds = random.whole(3, ROLE_CLOCK_S_MAX) * (random.chance(0.5) ? 1 : -1);
        const pids = (await storm.pids(role)).filter((pid) => storm.clocks?.turn(pid, seconds));
        const over = storm.skewed(seconds);
        return { for_ms: random.whole(500, 6000), undo: () => { pids.forEach((pid) => storm.clocks?.turn(pid, 0)); over(); } };
    } },
    { name: 'clock of PostgreSQL', weight: 3, fits: (storm) => storm.database?.library != null, strike: async (storm, random) => {
        const seconds = random.whole(3, 7200) * (random.chance(0.5) ? 1 : -1);
        storm.database?.turnClock(seconds);
        const over = storm.skewed(seconds);
        return { for_ms: random.whole(1500, 6000), undo: () => { storm.database?.turnClock(0); over(); } };
    } },
];
