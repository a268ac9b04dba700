-- Plans are made once and kept, by what the planner knows of a table: while a queue was short, one that reads all of it was the
-- best. A campaign that comes in makes it a hundred times as long within a second, and until autovacuum has looked at it (10 s
-- here, a minute where nobody has changed that) each round of sending, and each batch of reports, reads all that the workspace
-- has queued. So what has grown to twice what was known is looked at at once: that alone ends the plans that were kept.
set local role harkara_owner;
set local search_path = harkara;

-- Looks at one such table, of those that have grown by most; its name, or null when there is none. Whoever works on it just
-- now, as autovacuum does, need not be waited for: then the next one is taken. A sample of a fifth of the usual does: it is how
-- many rows there are that matters, and autovacuum comes with a better one. A table that is short may be read whole. By its
-- pages, and by what processes have told of their rows: those of a queue come to where earlier ones have gone, and are told a
-- second after they came or went, so that a short queue may seem longer than it is.
create function analyze_grown_table() returns text language plpgsql
    security definer set search_path = harkara, pg_temp set default_statistics_target = 20 as $$
declare
    few_pages constant integer := 128;
    few_rows constant integer := 5000;
    grown regclass;
begin
    for grown in
        select t.oid::regclass
            from (select c.oid, c.relpages, c.reltuples, pg_stat_get_live_tuples(c.oid) as rows,
                         pg_relation_size(c.oid) / current_setting('block_size')::integer as pages
                      from pg_class c where c.relnamespace = 'harkara'::regnamespace and c.relkind = 'r') t
            where t.pages > 2 * greatest(few_pages, t.relpages) or t.rows > 2 * greatest(few_rows, t.reltuples)
            order by t.rows - t.reltuples desc
    loop
        begin
            execute format('lock table %s in share update exclusive mode nowait', grown);
            execute format('analyze %s', grown);
            return grown::text;
        exception when lock_not_available then
            null;
        end;
    end loop;
    return null;
end
$$;
grant execute on function analyze_grown_table() to harkara_scheduler;
