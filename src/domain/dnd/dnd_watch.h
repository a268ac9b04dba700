/*
 * The registry as a process that runs has it: opened at the start, and again whenever another one lies in its
 * place. A thread of its own looks every two seconds, as reading a whole registry is nothing for a loop.
 */
#ifndef DOMAIN_DND_DND_WATCH_H
#define DOMAIN_DND_DND_WATCH_H
#include "domain/dnd/dnd_registry.h"

#define DND_WATCH_MS 2000

struct dnd_watch;

/*
 * Looks once, then starts the thread; after the lock-in, whose rules let `folder` be read (it need not be
 * there). No registry, or one that is damaged, is no failure: then there is none, and that is logged.
 * ERR_NO_MEMORY, ERR_SYSTEM.
 */
MUST_CHECK enum err dnd_watch_new(const char *folder, const struct clock *clock, struct dnd_watch **out);
/* The registry of this moment, for dnd_registry_unref; NULL: there is none. Of any thread. */
struct dnd_registry *dnd_watch_take(struct dnd_watch *watch);
/* Ends the thread. Accepts NULL. */
void dnd_watch_free(struct dnd_watch *watch);
/* For tests: ends the thread, and then does what it does each time. Whether another registry is there now. */
void dnd_watch_pause(struct dnd_watch *watch);
bool dnd_watch_look(struct dnd_watch *watch);

#endif
