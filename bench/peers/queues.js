// @ts-check
/**
 * The queues, by BullMQ on Redis or by pg-boss on PostgreSQL: send (to the provider), status (what it said), webhook (to the
 * customer). Jobs carry all that their worker needs, and are removed when they are done.
 */
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import PgBoss from 'pg-boss';
import { connection } from './database.js';

export const NAMES = ['send', 'status', 'webhook'];
const ATTEMPTS = 12;
const FIRST_RETRY_MS = { send: 2000, status: 200, webhook: 2000 };

/** @typedef {{id: string, data: any}} Job */
/** @typedef {{add: (name: string, jobs: Job[]) => Promise<void>, work: (name: string, concurrency: number, run: (data: any) => Promise<void>) => Promise<void>,
 *   pause: (name: string) => Promise<void>, resume: (name: string) => Promise<void>, clear: () => Promise<void>}} Queues */

const complain = (/** @type {Error} */ error) => { process.stderr.write(`${error.stack}\n`); };

/** @returns {Queues} */
function bullmq() {
    /* A Lua script of BullMQ's per job; what is called in one turn of the loop leaves in one write. */
    const redis = () => new Redis(/** @type {string} */ (process.env.PEER_REDIS), { maxRetriesPerRequest: null, enableAutoPipelining: true });
    const shared = redis();
    const queues = Object.fromEntries(NAMES.map((name) => [name, new Queue(name, {
        connection: shared,
        defaultJobOptions: { attempts: ATTEMPTS, backoff: { type: 'exponential', delay: FIRST_RETRY_MS[name] }, removeOnComplete: true, removeOnFail: 1000 },
    })]));
    /** @type {Map<string, Worker>} */
    const workers = new Map();
    return {
        async add(name, jobs) {
            if (jobs.length === 1)
                await queues[name].add(name, jobs[0].data, { jobId: jobs[0].id });
            else
                await queues[name].addBulk(jobs.map(({ id, data }) => ({ name, data, opts: { jobId: id } })));
        },
        async work(name, concurrency, run) {
            const worker = new Worker(name, (job) => run(job.data), { connection: redis(), concurrency });
            worker.on('error', complain).on('failed', (job, error) => { if ((job?.attemptsMade ?? 0) >= 3) complain(error); });
            workers.set(name, worker);
        },
        pause: async (name) => { await workers.get(name)?.pause(); },
        resume: async (name) => { workers.get(name)?.resume(); },
        clear: async () => { await Promise.all(Object.values(queues).map((queue) => queue.obliterate({ force: true }).then(() => queue.resume()))); },
    };
}

/** @returns {Promise<Queues>} */
async function pgBoss() {
    const boss = new PgBoss({ ...connection(), options: undefined, schema: 'pgboss', max: Number(process.env.PEER_POOL ?? 10) });
    boss.on('error', complain);
    await boss.start();
    for (const name of NAMES)
        await boss.createQueue(name);
    /** @type {Map<string, () => Promise<void>>} */
    const starts = new Map();
    return {
        async add(name, jobs) {
            if (jobs.length === 1)
                await boss.send(name, jobs[0].data, { id: jobs[0].id, retryLimit: ATTEMPTS, retryBackoff: true });
            else
                await boss.insert(jobs.map(({ id, data }) => ({ id, name, data, retryLimit: ATTEMPTS, retryBackoff: true })));
        },
        async work(name, concurrency, run) {
            /* It fetches in batches, at most twice a second by itself; a batch is done when all of it is. Several such workers, so that one slow job does not hold the rest. */
            starts.set(name, async () => {
                for (let i = 0; i < 4; i++)
                    await boss.work(name, { batchSize: concurrency, pollingIntervalSeconds: 0.5 }, (jobs) => Promise.all(jobs.map((job) => run(job.data))));
            });
            await starts.get(name)?.();
        },
        pause: async (name) => { await boss.offWork(name); },
        resume: async (name) => { await starts.get(name)?.(); },
        clear: async () => { await boss.clearStorage(); },
    };
}

export const queues = process.env.PEER_QUEUE === 'pg-boss' ? await pgBoss() : bullmq();
