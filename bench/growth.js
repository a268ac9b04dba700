// @ts-check
/**
 * What a message costs as the tables grow: the same scenarios at each size. The rows are made by SQL, as the owner, and look like those of
 * a platform in use: messages of the last four weeks of many people, each with two events and the provider's id.
 */
import { mediansOf, table } from './report.js';

const CHUNK = 200_000;
const WEEKS = 4;
const PEOPLE = 1_000_000;
const ROUNDS = 3;
const SCENARIOS = ['accept_256', 'dispatch'];

/** @typedef {import('./platform.js').Platform} Platform */

/** CPU time of one message, everywhere. @param {{cpu_us: Record<string, number>}} figures */
const cpuOfAll = ({ cpu_us }) => Object.entries(cpu_us).reduce((sum, [role, us]) => (role.includes('.') ? sum : sum + us), 0);

/** Rows from..to; all seals are made up. @param {Platform} platform @param {number} from @param {number} to */
async function fill(platform, from, to) {
    const senders = platform.workspaces.map(({ id, channels: [channel] }) => `('${id}', '${channel}')`);
    const uuids = platform.workspaces.length;
    await platform.sql.run(`
        create temporary table if not exists sender as select row_number() over () - 1 as n, t::text, c::text from (values ${senders.join(',')}) as s (t, c);
        create temporary table fresh as
            select g.n, pg_temp.key_of(s.t) as t, pg_temp.key_of(s.c) as c, pg_temp.v7(now() - (${to} - g.n)::float8 / ${to} * interval '${WEEKS} weeks') as id, sha256(int8send(g.n)) as r
            from generate_series(${from + 1}::bigint, ${to}) as g (n) join sender s on s.n = g.n % ${uuids};
        insert into message (tenant_id, id, channel_id, direction, kind, category, status, peer_index, key_version, peer_ct, peer_iv, peer_tag, content_ct, content_iv, content_tag,
                             provider_id, attempt_count)
            select t, id, c, 'out', 'text', 'service', 'delivered', sha256(int8send(n % ${PEOPLE})), 1, substr(r, 1, 13), substr(r, 1, 12), substr(r, 1, 16), r || r || substr(r, 1, 26),
                   substr(r, 1, 12), substr(r, 1, 16), 'wamid.FILL' || n, 1 from fresh;
        insert into provider_ref (tenant_id, channel_id, provider_id, message_id) select t, c, 'wamid.FILL' || n, id from fresh;
        insert into event (tenant_id, id, xid, type, subject_id, channel_id, occurred_at, data)
            select t, pg_temp.v7(now()), '3', e.type, fresh.id, c, now(), jsonb_build_object('direction', 'outbound', 'status', e.type, 'attempt', 1)
            from fresh, (values ('message.accepted'), ('message.delivered')) as e (type);
        drop table fresh`);
    if (await platform.sql.number('select count(*) from sender s join channel c on c.tenant_id = pg_temp.key_of(s.t) and c.id = pg_temp.key_of(s.c)') !== uuids)
        throw new Error('the rows that were made are nobody\'s');
}

/** Ids of the API (chn_...) are UUIDs in Crockford's base 32. */
const FUNCTIONS = `
create or replace function pg_temp.v7(at timestamptz) returns uuid language sql volatile as $$
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid $$;
create or replace function pg_temp.key_of(id text) returns uuid language plpgsql immutable as $$
declare
    bits bit varying := '';
    digit text;
begin
    foreach digit in array regexp_split_to_array(split_part(id, '_', 2), '') loop
        bits := bits || (strpos('0123456789abcdefghjkmnpqrstvwxyz', digit) - 1)::bit(5);
    end loop;
    return (select string_agg(to_hex(substring(bits from 3 + at * 4 for 4)::bit(4)::int), '' order by at) from generate_series(0, 31) as at)::uuid;
end $$`;

/**
 * @param {import('./measure.js').Run} run @param {import('./measure.js').Scenario[]} all @param {number[]} steps millions of messages
 * @param {(text: string) => void} say
 */
export async function measureGrowth(run, all, steps, say) {
    const { platform } = run, measured = [];
    await platform.sql.run(FUNCTIONS);
    let made = 0;
    for (const step of steps) {
        const began = performance.now(), wanted = step * 1_000_000;
        for (; made < wanted; made = Math.min(wanted, made + CHUNK))
            await fill(platform, made, Math.min(wanted, made + CHUNK));
        await platform.sql.run('vacuum analyze message; vacuum analyze event; vacuum analyze provider_ref');
        const seconds = (performance.now() - began) / 1000, bytes = await platform.sql.number('select pg_database_size(current_database())');
        /** @type {Record<string, any>} */
        const figures = {};
        for (const name of SCENARIOS) {
            const scenario = /** @type {import('./measure.js').Scenario} */ (all.find((each) => each.name === name)), rounds = [];
            for (let round = 0; round < ROUNDS; round++)
                rounds.push(await scenario.run({ ...run, round: 1000 * (measured.length + 1) + round }));
            figures[name] = mediansOf(rounds);
        }
        measured.push({ millions: step, fill_s: seconds, gb: bytes / 1e9, figures });
        say(`${step} million messages: filled in ${Math.round(seconds)} s, ${(bytes / 1e9).toFixed(1)} GB; ${SCENARIOS.map((name) => `${name} ${cpuOfAll(figures[name]).toFixed(0)} us, of it PostgreSQL ${figures[name].cpu_us.postgres.toFixed(0)}`).join('; ')}`);
    }
    return measured;
}

/** @param {Awaited<ReturnType<typeof measureGrowth>>} measured */
export function growthTable(measured) {
    return table([['messages in the table', 'GB', ...SCENARIOS.flatMap((name) => [`${name} /s`, 'p99 ms', 'CPU µs', 'of it postgres'])],
        ...measured.map(({ millions, gb, figures }) => [`${millions} million`, gb.toFixed(1), ...SCENARIOS.flatMap((name) => {
            const of = figures[name];
            return [Math.round(of.rate).toLocaleString('en-US'), of.p99_us === undefined ? '' : (of.p99_us / 1000).toFixed(1), cpuOfAll(of).toFixed(0), of.cpu_us.postgres.toFixed(0)];
        })])]);
}

/** How much dearer a message is at the largest size than at the smallest. @param {Awaited<ReturnType<typeof measureGrowth>>} measured */
export function growthRatios(measured) {
    const [first, last] = [measured[0], measured[measured.length - 1]], total = ({ cpu_us }) => Object.entries(cpu_us).reduce((sum, [role, us]) => (role.includes('.') ? sum : sum + us), 0);
    return SCENARIOS.map((name) => {
        const value = cpuOfAll(last.figures[name]) / cpuOfAll(first.figures[name]);
        return { name: `CPU of ${name}: ${last.millions} / ${first.millions} million messages`, value, from: value, to: value };
    });
}
