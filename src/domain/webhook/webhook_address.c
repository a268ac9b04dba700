#include "domain/webhook/webhook_address.h"

enum err
webhook_guard_init(struct address_guard *guard, struct slice allow)
{
    static const uint16_t ports[] = { 443, 8443 };
    enum err err = address_guard_init(guard, allow);

    for (size_t i = 0; err == ERR_OK && i < COUNT_OF(ports); i++)
        guard->ports[guard->port_count++] = ports[i];
    return err;
}
