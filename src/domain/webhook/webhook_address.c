#include "domain/webhook/webhook_address.h"
#include "core/num.h"

static enum err
ports_read(struct slice list, struct address_guard *guard)
{
    int port;

    while (list.len > 0) {
        if (guard->port_count == ADDRESS_PORTS_MAX ||
            num_int_parse(slice_trim(slice_take_until(&list, ',')), 1, 65535, &port) != ERR_OK)
            return ERR_CONFIG;
        guard->ports[guard->port_count++] = (uint16_t)port;
    }
    return guard->port_count == 0 ? ERR_CONFIG : ERR_OK; /* none listed would mean any */
}

static enum err
names_read(struct slice list, struct address_guard *guard)
{
    while (list.len > 0) {
        struct slice name = slice_trim(slice_take_until(&list, ','));
        if (guard->refused_count == ADDRESS_NAMES_MAX || name.len == 0)
            return ERR_CONFIG;
        guard->refused[guard->refused_count++] = name;
    }
    return ERR_OK;
}

enum err
webhook_guard_init(struct address_guard *guard, struct slice allow, struct slice ports, struct slice refuse,
                   struct slice public_url)
{
    enum err err = address_guard_init(guard, allow);

    if (err == ERR_OK)
        err = ports_read(ports, guard);
    if (err == ERR_OK)
        err = names_read(refuse, guard);
    return err == ERR_OK ? address_guard_refuse_own(guard, public_url) : err;
}
