-- Our statements are short and prepared once; where a server compiles them (jit, on by default), each connection pays a second
-- or more for its first plans on partitioned tables, and again after each change of plan. The embedded server has it off.
alter role harkara_admin set jit = off;
alter role harkara_gateway set jit = off;
alter role harkara_dispatcher set jit = off;
alter role harkara_webhooks set jit = off;
alter role harkara_scheduler set jit = off;
