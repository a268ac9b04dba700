// @ts-check
/** PostgreSQL as such a service uses it: a pool, prepared statements, a transaction per unit of work, its tenant set for row-level security. */
import { createHash } from 'node:crypto';
import pg from 'pg';

const CACHED_MS = 30_000;

/** A superuser who has become harkara_peer is bound by its grants and by row-level security. */
export const connection = (more = '') => ({
    host: process.env.PEER_PGHOST, user: 'postgres', password: process.env.PEER_PGPASSWORD, database: 'harkara_peers',
    options: `-c role=harkara_peer -c search_path=peer${more}`,
});

export const pool = new pg.Pool({
    ...connection(), max: Number(process.env.PEER_POOL ?? 10), idleTimeoutMillis: 0,
    pipeline: true, // statements of a transaction leave together: one round trip
});
pool.on('error', (error) => process.stderr.write(`${error.message}\n`));

/**
 * One transaction for a tenant, in one round trip: nothing in it needs an earlier answer. Gives the answers of `queries`; a
 * failed one fails all, and PostgreSQL makes the commit a rollback.
 * @param {string} tenant @param {{name: string, text: string, values: unknown[]}[]} queries
 */
export async function inTenant(tenant, queries) {
    const client = await pool.connect();
    try {
        const answers = await Promise.allSettled([
            client.query('begin'),
            client.query({ name: 'tenant', text: "select set_config('peer.tenant', $1, true)", values: [tenant] }),
            ...queries.map((query) => client.query(query)),
            client.query('commit'),
        ]);
        for (const answer of answers)
            if (answer.status === 'rejected')
                throw answer.reason;
        return answers.slice(2, -1).map((answer) => /** @type {any} */ (answer).value);
    } finally {
        client.release();
    }
}

/** What hardly ever changes is asked for once in a while. @template T @param {(key: string) => Promise<T>} look */
function cached(look) {
    /** @type {Map<string, {until: number, value: Promise<T>}>} */
    const known = new Map();
    return (/** @type {string} */ key) => {
        const found = known.get(key);
        if (found !== undefined && found.until > Date.now())
            return found.value;
        const value = look(key);
        known.set(key, { until: Date.now() + CACHED_MS, value });
        value.catch(() => known.delete(key));
        return value;
    };
}

const digestOf = (/** @type {string} */ text) => createHash('sha256').update(text).digest();

/** The tenant of an API key; null: there is none. */
export const tenantOfKey = cached(async (key) => {
    const { rows } = await pool.query({ name: 'key', text: 'select tenant_id from api_key where digest = $1', values: [digestOf(key)] });
    return /** @type {string | null} */ (rows[0]?.tenant_id ?? null);
});

export const channelById = cached(async (id) => {
    const { rows } = await pool.query({ name: 'channel', text: 'select id, tenant_id, phone_number_id, access_token, app_secret from channel where id = $1', values: [id] });
    return rows[0] ?? null;
});

export const endpointsOf = cached(async (tenant) => {
    const { rows } = await pool.query({ name: 'endpoints', text: 'select id, url, secret from webhook_endpoint where tenant_id = $1', values: [tenant] });
    return rows;
});
