-- A claim changes nothing that an index holds: with room in the page it stays there, and no index has a new entry.
set local role harkara_owner;
set local search_path = harkara;

alter table provider_event set (fillfactor = 60);
