/* Shares, by thousands of random trees and loads: nobody gets more than a turn beyond its part. */
#include "core/unit.h"
#include "domain/sending/fair.h"
#include <inttypes.h>
#include <string.h>

#define SEEDS     3000
#define NODES_MAX 12

static uint64_t seed;

static uint64_t
next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static uint64_t
below(uint64_t bound)
{
    return next_random() % bound;
}

static void
begin_seed(unsigned n)
{
    seed = 0x9e3779b97f4a7c15u * (n + 1);
    for (int i = 0; i < 4; i++)
        (void)next_random();
}

static int64_t
random_weight(void)
{
    static const int64_t weights[] = { 1, 2, 3, 10, 16, 64, 100, 150, 1000, 10000 };

    return weights[below(COUNT_OF(weights))];
}

struct tree {
    struct fair root, mid[NODES_MAX], leaf[NODES_MAX][4];
    int64_t mid_weight[NODES_MAX], leaf_weight[NODES_MAX][4];
    uint64_t got[NODES_MAX], leaf_got[NODES_MAX][4];
    size_t mids, leaves[NODES_MAX];
};

static void
tree_plant(struct tree *tree)
{
    memset(tree, 0, sizeof(*tree));
    fair_init(&tree->root);
    tree->mids = 2 + below(NODES_MAX - 2);
    for (size_t m = 0; m < tree->mids; m++) {
        fair_init(&tree->mid[m]);
        fair_join(&tree->mid[m], &tree->root, tree->mid_weight[m] = random_weight());
        tree->leaves[m] = 1 + below(4);
        for (size_t i = 0; i < tree->leaves[m]; i++) {
            fair_init(&tree->leaf[m][i]);
            fair_join(&tree->leaf[m][i], &tree->mid[m], tree->leaf_weight[m][i] = random_weight());
        }
    }
}

static bool
tree_pick(struct tree *tree, size_t *mid_out, size_t *leaf_out)
{
    struct fair *picked = fair_pick(&tree->root);

    for (size_t m = 0; picked != NULL && m < tree->mids; m++)
        for (size_t i = 0; i < tree->leaves[m]; i++)
            if (picked == &tree->leaf[m][i]) {
                *mid_out = m;
                *leaf_out = i;
                tree->got[m]++;
                tree->leaf_got[m][i]++;
                return true;
            }
    assert_null(picked);
    return false;
}

/* |a / wa - b / wb| <= 1 / wa + 1 / wb, in whole numbers. */
static void
assert_shared(uint64_t a, int64_t wa, uint64_t b, int64_t wb)
{
    int64_t left = (int64_t)a * wb, right = (int64_t)b * wa, far = left > right ? left - right : right - left;

    if (far > (wa + wb) * 101 / 100 + 1) /* a hundredth for weights that do not divide a turn */
        fail_msg("%" PRIu64 " turns of weight %" PRId64 " beside %" PRIu64 " of weight %" PRId64, a, wa, b,
                 wb);
}

static void
who_always_waits_gets_its_share_within_one_turn(void **state UNUSED)
{
    static struct tree tree;
    size_t mid, leaf;

    for (unsigned n = 0; n < SEEDS; n++) {
        begin_seed(n);
        tree_plant(&tree);
        for (size_t m = 0; m < tree.mids; m++)
            for (size_t i = 0; i < tree.leaves[m]; i++)
                fair_wait(&tree.leaf[m][i], 1000000);
        size_t picks = 1 + below(600);
        for (size_t p = 0; p < picks; p++)
            assert_true(tree_pick(&tree, &mid, &leaf));
        for (size_t m = 0; m < tree.mids; m++) {
            for (size_t k = 0; k < m; k++)
                assert_shared(tree.got[m], tree.mid_weight[m], tree.got[k], tree.mid_weight[k]);
            for (size_t i = 0; i < tree.leaves[m]; i++)
                for (size_t k = 0; k < i; k++)
                    assert_shared(tree.leaf_got[m][i], tree.leaf_weight[m][i], tree.leaf_got[m][k],
                                  tree.leaf_weight[m][k]);
        }
    }
}

/* Whatever comes, goes, opens and closes: as long as something waits that is open, something is picked, and
 * never what is closed or empty. */
static void
nothing_is_left_undone_and_nothing_closed_is_picked(void **state UNUSED)
{
    static struct tree tree;
    static size_t waits[NODES_MAX][4];
    static bool mid_closed[NODES_MAX], leaf_closed[NODES_MAX][4];
    size_t mid = 0, leaf = 0;

    for (unsigned n = 0; n < SEEDS; n++) {
        begin_seed(n);
        tree_plant(&tree);
        memset(waits, 0, sizeof(waits));
        memset(mid_closed, 0, sizeof(mid_closed));
        memset(leaf_closed, 0, sizeof(leaf_closed));
        for (int step = 0; step < 300; step++) {
            size_t m = below(tree.mids), i = below(tree.leaves[m]), can = 0;
            switch (below(6)) {
            case 0:
                fair_wait(&tree.leaf[m][i], waits[m][i] = below(4));
                break;
            case 1:
                fair_close(&tree.mid[m], mid_closed[m] = !mid_closed[m]);
                break;
            case 2:
                fair_close(&tree.leaf[m][i], leaf_closed[m][i] = !leaf_closed[m][i]);
                break;
            case 3: /* it goes, and comes back, with all below it */
                fair_leave(&tree.mid[m]);
                fair_join(&tree.mid[m], &tree.root, tree.mid_weight[m]);
                break;
            default:
                for (size_t a = 0; a < tree.mids; a++)
                    for (size_t b = 0; b < tree.leaves[a]; b++)
                        can += !mid_closed[a] && !leaf_closed[a][b] ? waits[a][b] : 0;
                assert_int_equal(tree_pick(&tree, &mid, &leaf), can > 0);
                if (can == 0)
                    break;
                assert_false(mid_closed[mid] || leaf_closed[mid][leaf]);
                assert_true(waits[mid][leaf]-- > 0);
            }
        }
    }
}

/* One that comes into a flood does not wait for it, and what it did not use before does not count for it. */
static void
a_newcomer_waits_for_no_more_than_one_turn_of_each(void **state UNUSED)
{
    static struct tree tree;
    size_t mid = 0, leaf = 0;

    for (unsigned n = 0; n < SEEDS; n++) {
        begin_seed(n);
        tree_plant(&tree);
        for (size_t m = 0; m < tree.mids; m++)
            fair_weigh(&tree.mid[m], 100);
        for (size_t m = 1; m < tree.mids; m++)
            fair_wait(&tree.leaf[m][0], 1000000);
        for (size_t p = below(3000); p > 0; p--)
            assert_true(tree_pick(&tree, &mid, &leaf));
        memset(tree.got, 0, sizeof(tree.got));
        fair_wait(&tree.leaf[0][0], 2);
        size_t picks = 0;
        for (; tree.got[0] == 0; picks++)
            assert_true(tree_pick(&tree, &mid, &leaf));
        assert_true(picks <= tree.mids);
        for (; tree.got[0] < 2; picks++)
            assert_true(tree_pick(&tree, &mid, &leaf));
        for (size_t m = 1; m < tree.mids; m++)
            assert_true(tree.got[m] >= 1); /* its second turn is not before theirs */
    }
}

/* However much the others weigh. */
static void
the_lightest_is_never_starved(void **state UNUSED)
{
    struct fair root, heavy[3], light;
    size_t of_light = 0;

    fair_init(&root);
    fair_init(&light);
    fair_join(&light, &root, 1);
    fair_wait(&light, 100);
    for (size_t i = 0; i < COUNT_OF(heavy); i++) {
        fair_init(&heavy[i]);
        fair_join(&heavy[i], &root, 64);
        fair_wait(&heavy[i], 1000000);
    }
    for (int p = 0; p < 10 * (3 * 64 + 1); p++)
        of_light += fair_pick(&root) == &light;
    assert_in_range(of_light, 9, 11);
}

UNIT_MAIN(cmocka_unit_test(who_always_waits_gets_its_share_within_one_turn),
          cmocka_unit_test(nothing_is_left_undone_and_nothing_closed_is_picked),
          cmocka_unit_test(a_newcomer_waits_for_no_more_than_one_turn_of_each),
          cmocka_unit_test(the_lightest_is_never_starved))
