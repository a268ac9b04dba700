-- Whether the edit under way counts for WhatsApp's caps is decided when it is asked for: news of the review that it starts
-- may come before its own answer.
set local role harkara_owner;
set local search_path = harkara;

alter table template add column is_edit_counted boolean not null default false;
grant update (is_edit_counted) on template to harkara_gateway, harkara_dispatcher;
