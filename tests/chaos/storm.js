// @ts-check
/**
 * A storm: a platform under load while things go wrong at random, then calm until everything has come to its end, then the
 * account. The seed decides what is sent and what goes wrong in which order; how the processes race with that is their own.
 */
import { chmodSync, createWriteStream, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startSandbox } from '../../sandbox/demo/platform.js';
import { freePort, startPlatform, until } from '../integration/support.js';
import { account, inTheEnd, whoWaits } from './account.js';
import { Clocks } from './clock.js';
import { Database, Disk, faketimeLibrary, mountSmall, unmount } from './database.js';
import { DISTURBANCES } from './disturbances.js';
import { Proxy } from './proxy.js';
import { Random } from './random.js';
import { OF_OPERATORS, Sms } from './sms.js';
import { Traffic } from './traffic.js';

const SHOPS = 2;
const CALM_STILL_MS_MAX = 90_000; /* nothing has moved for so long: it will not */
const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Short leases and waits, so that what the dead leave is taken over within the test. */
const ENV = { HARKARA_SEND_LEASE_MS: '5000', HARKARA_SEND_TIMEOUT_MS: '2000', HARKARA_UNCERTAIN_WAIT_MS: '2500', HARKARA_WEBHOOK_TIMEOUT_MS: '2000',
    HARKARA_WEBHOOK_SCHEDULE_PERCENT: '1', HARKARA_LANE_PER_SECOND: '1000', HARKARA_ENDPOINT_IN_FLIGHT_MAX: '24', HARKARA_LOG_LEVEL: 'info', HARKARA_SMPP_ALLOW: '127.0.0.0/8', HARKARA_GATEWAYS: '2', HARKARA_DISPATCHERS: '2' };

export class Storm {
    /** @param {{seed: number, seconds: number, isLong: boolean, kind: 'embedded'|'external', rate: number, say: (line: string) => void}} options */
    constructor(options) {
        this.options = options;
        this.random = new Random(options.seed);
        /** @type {{provider?: Proxy, callbacks?: Proxy, receiver?: Proxy, database?: Proxy}} */
        this.proxies = {};
        /** @type {Database|null} */
        this.database = null;
        /** @type {Disk|null} */
        this.disk = null;
        /** Of our own processes. @type {Clocks|null} */
        this.clocks = null;
        /** What could not be done here, and why. @type {string[]} */
        this.skipped = [];
        /** @type {any[]} */
        this.shops = [];
        this.traffic = new Traffic(this);
        this.sms = new Sms(this);
        /** Clocks that were turned: from when to when, in ms, and how far ahead at the most. @type {{from: number, to: number, ahead_s: number}[]} */
        this.skews = [];
        /** @type {string[]} */
        this.findings = [];
        /** @type {Record<string, number>} */
        this.struck = {};
        this.isOver = false;
        /** Nothing answers any more: who still waits gives up. */
        this.isEnded = false;
        /** Log events of level error, after the account. @type {Record<string, number>|undefined} */
        this.errors = undefined;
        this.release = () => {};
        /** Of the provider and of a database of our own. @type {string|undefined} */
        this.folder = undefined;
    }

    async start() {
        try {
            this.clocks = new Clocks();
        } catch (error) {
            this.skipped.push(`clocks of roles: ${/** @type {Error} */ (error).message}`);
        }
        const port = await freePort();
        const sandboxFolder = mkdtempSync(path.join(tmpdir(), 'harkara-chaos-'));
        this.folder = sandboxFolder;
        this.sandboxArgs = ['--listen', `127.0.0.1:${port}`, '--data', path.join(sandboxFolder, 'provider.jsonl'), '--statuses-delay-ms', '20', '--auto-read',
            '--set', 'throughput_per_second=0', '--set', 'retry_first_ms=100', '--set', 'retry_max_ms=1000', '--set', 'batch_max=20', '--set', 'webhook_timeout_ms=3000', ...await this.sms.sandboxArgs()];
        this.sandboxLog = createWriteStream(path.join(sandboxFolder, 'provider.log'));
        await new Promise((done) => this.sandboxLog?.once('open', done));
        this.proxies.provider = await new Proxy('127.0.0.1', port).start();
        const env = { ...ENV, HARKARA_GRAPH_URL: `http://127.0.0.1:${this.proxies.provider.port}` };
        if (this.options.kind === 'external')
            Object.assign(env, { DATABASE_URL: await this.#externalDatabase(path.join(sandboxFolder, 'database')) });
        this.platform = await startPlatform({ env, sandboxArgs: this.sandboxArgs, prepare: (folder) => {
            if (this.options.kind === 'external')
                return () => {};
            mkdirSync(path.join(folder, 'state'), { mode: 0o711 });
            return this.#smallDisk(path.join(folder, 'state'));
        } });
        this.provider = this.platform.sandbox;
        this.proxies.callbacks = await new Proxy('127.0.0.1', Number(new URL(this.platform.url).port)).start();
        for (let i = 0; i < SHOPS; i++)
            this.shops.push(await this.#shop());
        await this.sms.connect(this.shops[0]);
        return this;
    }

    async stop() {
        this.isOver = this.isEnded = true;
        this.disk?.empty();
        await this.platform?.stop();
        this.provider?.child.kill('SIGKILL');
        Object.values(this.proxies).forEach((proxy) => proxy.stop());
        this.sms.stop();
        await this.database?.stop();
        this.release();
        if (process.env.HARKARA_TEST_KEEP === undefined && this.folder !== undefined)
            rmSync(this.folder, { recursive: true, force: true });
    }

    /** @param {string} folder @returns {() => void} undoes it */
    #smallDisk(folder) {
        const reason = mountSmall(folder);
        if (reason !== null) {
            this.skipped.push(`disk full: ${reason}`);
            return () => {};
        }
        this.disk = new Disk(folder);
        return () => unmount(folder);
    }

    /** @param {string} folder @returns {Promise<string>} the administrator's URL, through the proxy */
    async #externalDatabase(folder) {
        mkdirSync(folder, { recursive: true });
        for (const each of [path.dirname(folder), folder])
            chmodSync(each, 0o755);
        this.release = this.#smallDisk(folder);
        const library = faketimeLibrary();
        if (library === null)
            this.skipped.push('clock of PostgreSQL: libfaketime is not installed');
        this.database = new Database(path.join(folder, 'cluster'), { library });
        await this.database.create();
        this.proxies.database = await new Proxy('127.0.0.1', this.database.port).start();
        return `postgresql://harkara_dba:chaos@127.0.0.1:${this.proxies.database.port}/harkara?sslmode=disable&connect_timeout=3`;
    }

    async #shop() {
        const platform = /** @type {NonNullable<Storm['platform']>} */ (this.platform);
        const shop = await platform.workspace({ settings: {} });
        await shop.client.promotes();
        shop.receiver = await platform.receiver();
        const random = this.random.fork('receiver');
        shop.receiver.acknowledged = new Set();
        shop.receiver.answer = ({ headers }) => {
            const status = this.isOver ? 204 : random.weighted([[92, 204], [5, 500], [3, 503]]);
            if (status === 204)
                shop.receiver.acknowledged.add(headers['webhook-id']);
            return status;
        };
        this.proxies.receiver ??= await new Proxy('127.0.0.1', Number(new URL(shop.receiver.url).port)).start();
        const port = shop.receiver.url.replace(/:\d+/, `:${this.shops.length === 0 ? this.proxies.receiver.port : new URL(shop.receiver.url).port}`);
        /* What happened before there was an endpoint, as the first syncs of the number, is told to nobody. */
        shop.eventsBefore = new Set(this.sql(`select e.id from harkara.event e join harkara.tenant t using (tenant_id) where t.slug = '${shop.slug}'`).split('\n'));
        const shown = await shop.client.must(201, 'POST', '/v1/webhook-endpoints', { url: port, events: ['*'] });
        shop.secret = shown.secret;
        const callback = new URL(shop.callback);
        callback.port = String(this.proxies.callbacks?.port);
        const { status, text } = await this.control('PATCH', `/accounts/${shop.account.waba_id}`, { callback_url: callback.href });
        if (status !== 200)
            throw new Error(`the provider refused the callback: ${text}`);
        /* So that template messages are held against what is known of their template. */
        const { id } = await shop.client.must(202, 'POST', `/v1/channels/${shop.channel}/templates/sync`);
        await until(async () => (await shop.client.must(200, 'GET', `/v1/operations/${id}`)).state === 'succeeded', 'the templates');
        return shop;
    }

    /** @param {string} role @returns {Promise<number[]>} none while nobody can say */
    async pids(role) {
        return this.platform === undefined ? [] : this.platform.pids(role).catch(() => []);
    }

    /** The provider's control API; it may be away just now. @param {string} method @param {string} target @param {unknown} [body] */
    async control(method, target, body) {
        for (;;) {
            const answer = await this.platform?.sandbox.control(method, target, body).catch(() => null);
            if (answer != null)
                return answer;
            if (this.isEnded)
                throw new Error('the storm has ended');
            await pause(100);
        }
    }

    /** kill -9, and a new one on the same journal and port. */
    async killProvider() {
        const { child } = /** @type {any} */ (this.provider);
        const ended = new Promise((resolve) => (child.exitCode === null && child.signalCode === null ? child.once('exit', resolve) : resolve(null)));
        child.kill('SIGKILL');
        await ended;
        this.provider = await startSandbox({ args: this.sandboxArgs, log: /** @type {any} */ (this.sandboxLog) });
    }

    /** kill -9 of the supervisor, which takes every process along, and a new start on the same state. */
    async killSupervisor() {
        const platform = /** @type {any} */ (this.platform);
        platform.harkara.child.kill('SIGKILL');
        await platform.harkara.ended;
        for (let tries = 0; ; tries++)
            try {
                await platform.restart();
                return;
            } catch (error) {
                if (tries >= 10 || platform.harkara.exit === null)
                    throw error;
                await pause(500); /* the database is away, or the old one's processes are still ending */
            }
    }

    /** Somebody's clock is so far ahead, until what is returned is called. @param {number} seconds @returns {() => void} */
    skewed(seconds) {
        const skew = { from: Date.now(), to: Infinity, ahead_s: seconds };
        this.skews.push(skew);
        return () => { skew.to = Date.now() + 2000; }; /* libfaketime looks once a second; and what was judged by the wrong clock is under way */
    }

    /** @param {any} shop */
    async mendToken(shop) {
        await this.control('PATCH', `/accounts/${shop.account.waba_id}/tokens`, { state: 'valid' });
        for (;;) {
            const answer = await shop.client.call('PATCH', `/v1/channels/${shop.channel}`, { state: 'active' }).catch(() => ({ status: 0 }));
            if (answer.status === 200)
                return;
            if (this.isEnded)
                throw new Error('the storm has ended');
            await pause(200);
        }
    }

    /** As the superuser. @param {string} query */
    sql(query) {
        return this.database === null ? /** @type {any} */ (this.platform).sql(query) : this.database.sql(query);
    }

    /** Load and disturbances for the time given, then calm, then the account. */
    async run() {
        const until_ms = Date.now() + this.options.seconds * 1000;
        /* All of them to their end, also when one fails: none works on when the storm is stopped. */
        const load = [this.traffic.run(until_ms), this.sms.run(until_ms)];
        void Promise.allSettled(load).then(() => { this.isOver = true; });
        const ends = await Promise.allSettled([...load, this.#hand('left', until_ms), this.#hand('right', until_ms), this.#hand('operators', until_ms, OF_OPERATORS), this.#mend(until_ms)]);
        for (const end of ends)
            if (end.status === 'rejected')
                throw end.reason;
        await this.#calm();
        return account(this);
    }

    /**
     * As somebody would who looks after it: an answer that was on its way when a channel was mended breaks it again, and whoever still
     * sends through it would wait for ever. @param {number} untilMs
     */
    async #mend(untilMs) {
        await pause(Math.max(0, untilMs - Date.now()));
        while (!this.isOver) {
            for (const shop of this.shops)
                await this.mendToken(shop);
            await pause(1000);
        }
    }

    /** Does one bad thing after the other. @param {string} name @param {number} untilMs @param {import('./disturbances.js').Disturbance[]} [of] */
    async #hand(name, untilMs, of = DISTURBANCES) {
        const random = this.random.fork(`hand ${name}`);
        const fitting = of.filter(({ fits }) => fits === undefined || fits(this));
        for (;;) {
            const gap = random.whole(100, 1500), draw = random.fork(String(gap));
            const disturbance = random.weighted(fitting.map((each) => [each.weight, each]));
            await pause(gap);
            if (Date.now() >= untilMs)
                return;
            this.struck[disturbance.name] = (this.struck[disturbance.name] ?? 0) + 1;
            this.options.say(`${((this.options.seconds * 1000 - (untilMs - Date.now())) / 1000).toFixed(1)} s ${name}: ${disturbance.name}`);
            const struck = await disturbance.strike(this, draw);
            if (struck !== null) {
                await pause(Math.min(struck.for_ms, Math.max(0, untilMs - Date.now())));
                await struck.undo();
            }
        }
    }

    /**
     * Everything works again. What would wait for minutes is made due, since the test cannot wait for hours; and so are leases that
     * PostgreSQL's clock gave while it was some minutes ahead. Those that lie further ahead are left: they must be over by themselves.
     */
    async #calm() {
        Object.values(this.proxies).forEach((proxy) => proxy.set('pass'));
        this.disk?.empty();
        this.database?.turnClock(0);
        this.clocks?.turnBack();
        await this.control('DELETE', '/faults');
        await this.sms.calm();
        await until(() => fetch(`${/** @type {any} */ (this.platform).url}/readyz`).then(({ ok }) => ok, () => false), 'readiness after the storm', 90_000);
        for (const shop of this.shops)
            await this.mendToken(shop);
        let pressed_at = 0, said = '', moved_at = Date.now();
        for (;;) {
            if (Date.now() - pressed_at > 3000) {
                pressed_at = Date.now();
                this.sql(`update harkara.dispatch_queue set due_at = now() where state = 'ready' and due_at > now();
                    update harkara.dispatch_queue set due_at = now() + interval '3 s' where state = 'uncertain' and due_at > now() + interval '3 s';
                    update harkara.dispatch_queue set lease_until = now() + interval '3 s' where lease_until between now() + interval '61 s' and now() + interval '2 min';
                    update harkara.dispatch_lane set not_before = now() where not_before > now();
                    update harkara.provider_batch set due_at = now() where error is not null and due_at > now();
                    update harkara.webhook_endpoint set not_before = now() where not_before > now();
                    update harkara.webhook_delivery set due_at = now() where state = 'pending' and due_at > now();
                    update harkara.provider_task set due_at = now() where state = 'waiting' and due_at > now();
                    update harkara.provider_task set lease_until = now() where state = 'leased' and lease_until between now() + interval '3 min' and now() + interval '15 min';
                    select pg_notify('harkara_webhook', '')`);
            }
            const left = await inTheEnd(this);
            if (left === null)
                return;
            if (left !== said) {
                this.options.say(`calm: ${said = left}`);
                moved_at = Date.now();
            }
            if (Date.now() - moved_at > CALM_STILL_MS_MAX) {
                this.findings.push(`not at its end, and nothing moves any more: ${left}`, ...whoWaits(this));
                return;
            }
            await pause(500);
        }
    }
}
