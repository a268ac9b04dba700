-- What the policy gate blocked is counted beside what was sent. Figures of before say zero of it.
set local role harkara_owner;
set local search_path = harkara;

alter table message_figure add column blocked bigint not null default 0;
grant update (blocked) on message_figure to harkara_gateway;
