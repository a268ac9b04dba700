// @ts-check
/** What PostgreSQL's time goes to, statement by statement (pg_stat_statements; counting costs a little itself). */
import { table } from './report.js';

const SHOWN = 12, TEXT_LENGTH = 96;

/** @param {import('./platform.js').Platform} platform */
export async function startStatements(platform) {
    await platform.sql.run('create extension if not exists pg_stat_statements');
}

/**
 * Runs `work`; gives the statements that took longest, with how often each was called for each of its messages.
 * @template T @param {import('./platform.js').Platform} platform @param {() => Promise<T>} work @returns {Promise<{result: T, text: string}>}
 */
export async function withStatements(platform, work) {
    await platform.sql.run('select pg_stat_statements_reset()');
    const result = await work();
    const rows = await platform.sql.run(`
        select calls, round(total_exec_time::numeric, 1), round((total_exec_time / calls * 1000)::numeric), rows, left(regexp_replace(query, '\\s+', ' ', 'g'), ${TEXT_LENGTH})
        from pg_stat_statements s join pg_roles r on r.oid = s.userid
        where r.rolname <> 'postgres' order by total_exec_time desc limit ${SHOWN}`);
    return { result, text: table([['statement', 'calls', 'ms', 'µs each', 'rows'], ...rows.map((row) => {
        const [calls, ms, us, count, ...query] = row.split('|');
        return [query.join('|'), calls, ms, us, count];
    })]) };
}
