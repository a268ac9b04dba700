#include "program/smsc/bundle.h"
#include <stdio.h>
#include <stdlib.h>

enum err
bundle_new(struct keeper_connector *connector, struct stream_tls *system_tls, struct bundle **out)
{
    const struct sms_connector *settings = &connector->settings;
    struct bundle *bundle = calloc(1, sizeof(*bundle));
    enum err err = ERR_OK;

    *out = NULL;
    if (bundle == NULL) {
        keeper_connector_free(connector);
        return ERR_NO_MEMORY;
    }
    bundle->connector = connector;
    if (settings->has_tls && settings->tls_ca.len > 0)
        err = stream_tls_pem(settings->tls_ca, &bundle->tls);
    else if (settings->has_tls)
        bundle->tls = stream_tls_ref(system_tls);
    if (err != ERR_OK) {
        bundle_free(bundle);
        return err;
    }
    *out = bundle;
    return ERR_OK;
}

static enum err
links_begin(struct bundle *bundle, const struct bundle_links *with, enum link_kind kind, size_t count,
            struct mono_time now)
{
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < count && bundle->count < CARRIER_BINDS_MAX; i++) {
        err = link_new(&(struct link_config){ .settings = &bundle->connector->settings,
                                              .tenant = bundle->connector->tenant,
                                              .kind = kind,
                                              .number = (unsigned)bundle->count,
                                              .password = bundle->connector->password,
                                              .tls = bundle->tls,
                                              .guard = with->guard,
                                              .clock = with->clock,
                                              .calls = with->calls,
                                              .ctx = with->ctx },
                       now, &bundle->links[bundle->count]);
        bundle->count += err == ERR_OK;
    }
    return err;
}

enum err
bundle_begin_links(struct bundle *bundle, const struct bundle_links *with, struct mono_time now)
{
    const struct sms_connector *settings = &bundle->connector->settings;
    enum err err = links_begin(bundle, with, LINK_TRANSCEIVER, settings->transceivers, now);

    if (err == ERR_OK)
        err = links_begin(bundle, with, LINK_TRANSMITTER, settings->transmitters, now);
    return err == ERR_OK ? links_begin(bundle, with, LINK_RECEIVER, settings->receivers, now) : err;
}

void
bundle_retire(struct bundle *bundle, struct mono_time now)
{
    bundle->is_retired = true;
    for (size_t i = 0; i < bundle->count; i++)
        link_end(bundle->links[i], now);
}

void
bundle_free(struct bundle *bundle)
{
    if (bundle == NULL)
        return;
    for (size_t i = 0; i < bundle->count; i++)
        link_free(bundle->links[i]);
    stream_tls_unref(bundle->tls);
    keeper_connector_free(bundle->connector);
    free(bundle);
}

bool
bundle_is_over(const struct bundle *bundle)
{
    for (size_t i = 0; i < bundle->count; i++)
        if (link_state(bundle->links[i]) != LINK_CLOSED && link_state(bundle->links[i]) != LINK_REFUSED)
            return false;
    return bundle->is_retired;
}

struct bundle *
bundles_of(struct bundle *bundles, const struct link *link)
{
    for (struct bundle *bundle = bundles; bundle != NULL; bundle = bundle->next)
        for (size_t i = 0; i < bundle->count; i++)
            if (bundle->links[i] == link)
                return bundle;
    return NULL;
}

struct bundle *
bundles_find(struct bundle *bundles, struct id connector)
{
    for (struct bundle *bundle = bundles; bundle != NULL; bundle = bundle->next)
        if (!bundle->is_retired && id_eq(bundle->connector->settings.id, connector))
            return bundle;
    return NULL;
}

uint64_t
bundles_changes(const struct bundle *bundles)
{
    uint64_t changes = 0;

    for (const struct bundle *bundle = bundles; bundle != NULL; bundle = bundle->next)
        for (size_t i = 0; i < bundle->count; i++)
            changes += link_changes(bundle->links[i]) + 1;
    return changes;
}

static void
link_fill(const struct link *link, struct carrier *carrier, const struct clock *clock,
          struct keeper_link *out, struct mono_time now)
{
    const struct link_config *config = link_config(link);
    struct wall_time wall = clock_wall(clock);

    *out = (struct keeper_link){ .tenant = config->tenant,
                                 .connector = config->settings->id,
                                 .number = config->number,
                                 .kind = link_kind_word(config->kind),
                                 .state = link_state_word(link_state(link)),
                                 .since = link_since(link),
                                 .per_second = carrier_per_second(carrier, config->settings->id, now),
                                 .in_flight = (int64_t)link_in_flight(link) };
    if (link_state(link) == LINK_WAITING)
        out->next_try_at.us = wall.us + link_next_try(link).us - now.us;
    snprintf(out->detail, sizeof(out->detail), "%s", link_detail(link));
}

static int
link_order(const void *a, const void *b)
{
    return memcmp(((const struct keeper_link *)a)->tenant.bytes,
                  ((const struct keeper_link *)b)->tenant.bytes, ID_BYTES);
}

struct keeper_task *
bundles_task(const struct bundle *bundles, struct carrier *carrier, const struct clock *clock,
             struct mono_time now, size_t *bound_out)
{
    struct keeper_task *task = keeper_task_new(KEEPER_LINKS, (struct id){ { 0 } }, (struct id){ { 0 } });

    *bound_out = 0;
    if (task == NULL || (task->links = calloc(BUNDLES_LINKS_MAX, sizeof(*task->links))) == NULL) {
        keeper_task_free(task);
        return NULL;
    }
    for (const struct bundle *bundle = bundles; bundle != NULL; bundle = bundle->next)
        for (size_t i = 0; !bundle->is_retired && i < bundle->count && task->link_count < BUNDLES_LINKS_MAX;
             i++) {
            *bound_out += link_state(bundle->links[i]) == LINK_BOUND;
            link_fill(bundle->links[i], carrier, clock, &task->links[task->link_count++], now);
        }
    qsort(task->links, task->link_count, sizeof(*task->links), link_order);
    return task;
}
