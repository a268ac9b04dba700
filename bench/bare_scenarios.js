// @ts-check
/** What a bare HTTP server with a bare group commit does on this machine: what the gateway is measured against. */
import { CONTENT_BYTES, checkLoad, loadWords, posts, withCosts } from './measure.js';
import { runForJson, startServer } from './platform.js';

/** @typedef {import('./measure.js').Run} Run */

const TITLES = { group: 'bare server, bare group commit', none: 'bare server, nothing committed', each: 'bare server, a commit per message by 8' };

/** @param {'group' | 'none' | 'each'} way @param {number} connections */
export const bare = (way, connections) => ({
    name: `bare_${way}_${connections}`, title: `${TITLES[way]}, ${connections} connections`,
    /** @param {Run} run */
    async run(run) {
        const { platform } = run;
        await platform.clear();
        const server = await startServer(platform.program('bare'), ['--way', way, '--connections', way === 'each' ? '8' : '1', '--content-bytes', String(CONTENT_BYTES)],
            { BARE_DATABASE: `${platform.ceilingDatabase} options='-c search_path=bare'` });
        const lines = posts(platform.workspaces.slice(0, 1)), walBefore = await platform.sql.run('select pg_current_wal_lsn()');
        let result = /** @type {any} */ (null);
        const costs = await withCosts(platform, async () => {
            result = await runForJson(platform.program('load'), loadWords(run, `bare-${way}-${connections}`, lines, connections, undefined, server.url));
            return { count: result.statuses_all['202'], load_us: result.cpu_us };
        }, new Map([['bare', [server.pid]]]));
        const wal = await platform.sql.number(`select pg_wal_lsn_diff(pg_current_wal_lsn(), '${walBefore[0]}')`);
        const { rows, commits } = await server.stop();
        await checkLoad(result, '202', async () => (way === 'none' ? rows : Number((await platform.ceilingSql?.run('select count(*) from bare.message'))?.[0])));
        const of = { ...costs, rate: result.rate, p50_us: result.p50_us, p99_us: result.p99_us, max_us: result.max_us };
        return way === 'none' ? of : { ...of, wal_bytes: wal / rows, commit_rows: rows / commits };
    },
});
