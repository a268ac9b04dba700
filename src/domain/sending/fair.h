/*
 * Whose turn it is: weighted fair queueing over a tree, here workspaces, their lanes, and the categories of a
 * lane. Pure: knows no clock, no database. Belongs to one thread.
 *
 * Each node has a virtual time, and each child a tag on it. The child with the smallest tag is next, and its
 * tag moves on by 1 / weight: start-time fair queueing (Goyal, Vin, Cheng 1996). One that has waited for
 * nothing begins at the present, so nobody saves up turns. Between two children that both wait all the time,
 * what they got per weight never differs by more than one turn of each; no child that waits is passed over
 * for ever; and while anything waits that is open, something is picked.
 */
#ifndef DOMAIN_SENDING_FAIR_H
#define DOMAIN_SENDING_FAIR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAIR_WEIGHT_MAX 10000

/* Lies in what it stands for. Only the functions below touch it. */
struct fair {
    struct fair *parent, *first, *next; /* borrowed: a node leaves its parent before it goes */
    uint64_t tag, now;                  /* among its siblings; of its children */
    uint64_t step;                      /* what one turn costs: 1 / weight */
    size_t open_children;               /* of them, those that could be picked */
    size_t waiting;                     /* of a leaf */
    bool is_closed, can_be_picked;
};

void fair_init(struct fair *node);
/* Weights are 1 to FAIR_WEIGHT_MAX. */
void fair_join(struct fair *node, struct fair *parent, int64_t weight);
/* Takes it out with all that lies below it; does nothing without a parent. */
void fair_leave(struct fair *node);
void fair_weigh(struct fair *node, int64_t weight);
/* So many wait in this leaf. */
void fair_wait(struct fair *leaf, size_t count);
/* While it is closed nothing of it is picked; it does not catch up afterwards. */
void fair_close(struct fair *node, bool is_closed);
/* The leaf whose turn it is, charged for it, with one less that waits. NULL: nothing waits that is open. */
struct fair *fair_pick(struct fair *root);

#endif
