#include "domain/sending/fair.h"
#include "core/err.h"

/* A turn of weight 1. The largest weight divides it to less than one part in a thousand, and tags end after
 * 2^40 such turns. */
#define TURN (UINT64_C(1) << 24)

void
fair_init(struct fair *node)
{
    *node = (struct fair){ .step = TURN };
}

void
fair_weigh(struct fair *node, int64_t weight)
{
    weight = weight < 1 ? 1 : weight > FAIR_WEIGHT_MAX ? FAIR_WEIGHT_MAX : weight;
    node->step = TURN / (uint64_t)weight;
}

/* What it is changes what its parent is, and so on upwards. */
static void
settle(struct fair *node)
{
    for (;;) {
        bool can = !node->is_closed && (node->waiting > 0 || node->open_children > 0);
        if (can == node->can_be_picked)
            return;
        node->can_be_picked = can;
        struct fair *parent = node->parent;
        if (parent == NULL)
            return;
        if (can) {
            parent->open_children++;
            if (node->tag < parent->now)
                node->tag = parent->now; /* it begins at the present */
        } else {
            parent->open_children--;
        }
        node = parent;
    }
}

void
fair_join(struct fair *node, struct fair *parent, int64_t weight)
{
    if (node->parent != NULL)
        bug("a node has two parents");
    fair_weigh(node, weight);
    node->parent = parent;
    node->next = parent->first;
    parent->first = node;
    node->tag = parent->now;
    if (node->can_be_picked) {
        parent->open_children++;
        settle(parent);
    }
}

void
fair_leave(struct fair *node)
{
    struct fair *parent = node->parent, **at;

    if (parent == NULL)
        return;
    for (at = &parent->first; *at != node;)
        at = &(*at)->next;
    *at = node->next;
    node->parent = node->next = NULL;
    if (node->can_be_picked) {
        parent->open_children--;
        settle(parent);
    }
}

void
fair_wait(struct fair *leaf, size_t count)
{
    leaf->waiting = count;
    settle(leaf);
}

void
fair_close(struct fair *node, bool is_closed)
{
    node->is_closed = is_closed;
    settle(node);
}

struct fair *
fair_pick(struct fair *root)
{
    struct fair *node = root;

    if (!root->can_be_picked)
        return NULL;
    while (node->open_children > 0) {
        struct fair *best = NULL;
        for (struct fair *child = node->first; child != NULL; child = child->next)
            if (child->can_be_picked && (best == NULL || child->tag < best->tag))
                best = child;
        if (best == NULL)
            bug("a node counts children that it does not have");
        node->now = best->tag;
        best->tag += best->step;
        node = best;
    }
    node->waiting--;
    settle(node);
    return node;
}
