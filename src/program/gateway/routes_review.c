/* /v1/access-reviews: who has what, and does he still need it? */
#include "domain/identity/access_review.h"
#include "program/gateway/act.h"
#include "program/gateway/mailing.h"
#include "program/gateway/people.h"
#include "wire/json/json.h"

#define REVIEW_BODY_BYTES_MAX 4096u

struct work {
    struct http_request *request;
    struct id id, member;
    struct gateway_page page;
    struct wall_time due_at;
    int64_t every_days;
    bool is_revoked;
    struct access_review review, *reviews;
    struct access_review_item *items;
    size_t count, keys;
    struct id next;
    struct audit_act act;
    struct mailing news;
};

static const struct clock *
clock_of(const struct work *work)
{
    return gateway_worker_of(work->request)->gateway->clock;
}

static json_t *
review_show(const struct access_review *review, struct wall_time now)
{
    return json_pack("{s:o, s:s, s:o, s:b, s:o, s:I, s:I, s:o, s:o}", "id", show_id(ID_REVIEW, review->id),
                     "state", review->is_open ? "open" : "closed", "due_at", show_time(review->due_at),
                     "is_overdue", (int)(review->is_open && review->due_at.us < now.us), "every_days",
                     review->every_days == 0 ? json_null() : json_integer((json_int_t)review->every_days),
                     "members", (json_int_t)review->item_count, "decided", (json_int_t)review->decided_count,
                     "created_at", show_time(review->created_at), "closed_at",
                     people_show_time(review->closed_at));
}

static json_t *
item_show(const struct access_review_item *item, const struct person *people, size_t people_count)
{
    const struct person *person = people_find(people, people_count, item->person);

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:I, s:o, s:s, s:o, s:o, s:o, s:o}", "membership_id",
                     show_id(ID_MEMBERSHIP, item->membership), "name",
                     person == NULL ? json_null() : show_text_or_null(person->name), "email",
                     person == NULL ? json_null() : show_text_or_null(person->email), "role_name",
                     show_text(item->role_name), "permissions", people_show_permissions(item->permissions),
                     "scope", membership_reach_word(item->reach), "api_keys", (json_int_t)item->key_count,
                     "last_seen_at", people_show_time(item->last_seen_at), "state",
                     membership_state_word(item->state), "keys_last_used_at",
                     people_show_time(item->keys_used_at), "decision", show_text_or_null(item->decision),
                     "decided_by", people_show_actor(item->decided_by_kind, item->decided_by), "decided_at",
                     people_show_time(item->decided_at));
}

static enum err
get_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = access_review_get(tx, work->id, &work->review);

    return err == ERR_OK ? access_review_items(tx, work->id, work->request->arena, &work->items, &work->count)
                         : err;
}

/* With everybody in it. */
static enum err
review_reply(struct http_request *request, struct http_response *response, int status,
             const struct work *work)
{
    struct id *ids = arena_array(request->arena, work->count, sizeof(*ids));
    struct person *people = NULL;
    size_t people_count = 0;

    if (ids == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < work->count; i++)
        ids[i] = work->items[i].person;
    enum err err = people_read(request, ids, work->count, &people, &people_count);
    if (err != ERR_OK)
        return err;
    json_t *shown = review_show(&work->review, clock_wall(clock_of(work))), *items = json_array();
    for (size_t i = 0; i < work->count; i++)
        show_append(&items, item_show(&work->items[i], people, people_count));
    show_set(&shown, "items", items);
    return http_reply_json(request, response, status, shown);
}

static enum err
open_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = access_review_open(tx, clock_of(work), work->due_at, work->every_days, &work->id);

    work->act.object = work->id;
    if (err == ERR_OK)
        err = audit_append(tx, clock_of(work), &work->act);
    return err == ERR_OK ? get_in(tx, work) : err;
}

static enum err
review_post(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct work work = { .request = request };
    enum err err = wall_parse(json_text_of(body, "due_at"), &work.due_at);

    (void)json_int_of(body, "every_days", &work.every_days); /* left out: 0 */
    if (err == ERR_OK && work.due_at.us <= clock_wall(clock_of(&work)).us) {
        problem_add(&request->problem, request->arena, SLICE("/due_at"), SLICE("must be in the future"));
        err = ERR_CONTRACT;
    }
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_REVIEW_OPENED, ID_REVIEW, (struct id){ { 0 } }, &work.act);
    if (err == ERR_OK)
        err = gateway_write(request, open_in, &work);
    if (err == ERR_EXISTS)
        request->problem.detail = SLICE("A review is open: close it first.");
    if (err != ERR_OK)
        return err;
    gateway_locate(request, response, "/v1/access-reviews/", ID_REVIEW, work.id);
    return review_reply(request, response, 201, &work);
}

static enum err
list_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return access_review_list(tx, work->page.cursor, work->page.limit, work->request->arena, &work->reviews,
                              &work->count);
}

static enum err
review_get_list(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_page_read(request, ID_REVIEW, &work.page);

    if (err == ERR_OK)
        err = gateway_read(request, list_in, &work);
    if (err != ERR_OK)
        return err;
    size_t shown = gateway_page_shown(&work.page, work.count);
    json_t *items = json_array();
    for (size_t i = 0; i < shown; i++)
        show_append(&items, review_show(&work.reviews[i], clock_wall(clock_of(&work))));
    return gateway_page_reply(request, response, &work.page, work.count, items);
}

static enum err
review_get_one(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_path_id(request, "review_id", ID_REVIEW, &work.id);

    if (err == ERR_OK)
        err = gateway_read(request, get_in, &work);
    return err == ERR_OK ? review_reply(request, response, 200, &work) : err;
}

static enum err
decide_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    struct authority authority;
    char detail[128], id[ID_TEXT_BYTES];
    enum err err = people_authority(tx, work->request, &authority);

    if (err == ERR_OK)
        err = access_review_decide(tx, clock_of(work), &authority, work->id, work->member, work->is_revoked,
                                   work->request->arena, &work->keys);
    int len = snprintf(detail, sizeof(detail),
                       "{\"membership_id\":\"%.*s\",\"decision\":\"%s\",\"keys_revoked\":%zu}",
                       SLICE_FMT(id_print(ID_MEMBERSHIP, work->member, id)),
                       work->is_revoked ? "revoked" : "confirmed", work->keys);
    work->act.detail = slice_of(detail, (size_t)len);
    if (err == ERR_OK)
        err = audit_append(tx, clock_of(work), &work->act);
    if (err == ERR_OK)
        err = get_in(tx, work);
    return err == ERR_OK ? mailing_put(tx, &work->news) : err;
}

static enum err
review_post_decision(struct http_request *request, struct http_response *response)
{
    const json_t *body = request_json(request);
    struct work work = { .request = request,
                         .is_revoked = slice_eq(json_text_of(body, "decision"), SLICE("revoked")) };
    enum err err = gateway_path_id(request, "review_id", ID_REVIEW, &work.id);

    if (err == ERR_OK)
        err = id_parse(ID_MEMBERSHIP, json_text_of(body, "membership_id"), &work.member);
    if (err == ERR_OK)
        err = act_begin(request, AUDIT_REVIEW_DECIDED, ID_REVIEW, work.id, &work.act);
    if (err == ERR_OK && work.is_revoked)
        err = mailing_removal(request, work.member, &work.news);
    if (err == ERR_OK)
        err = gateway_write(request, decide_in, &work);
    return err == ERR_OK ? review_reply(request, response, 200, &work) : err;
}

static enum err
close_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = access_review_close(tx, clock_of(work), work->id, &work->next);

    if (err == ERR_OK)
        err = audit_append(tx, clock_of(work), &work->act);
    return err == ERR_OK ? get_in(tx, work) : err;
}

static enum err
review_post_close(struct http_request *request, struct http_response *response)
{
    struct work work = { .request = request };
    enum err err = gateway_path_id(request, "review_id", ID_REVIEW, &work.id);

    if (err == ERR_OK)
        err = act_begin(request, AUDIT_REVIEW_CLOSED, ID_REVIEW, work.id, &work.act);
    if (err == ERR_OK)
        err = gateway_write(request, close_in, &work);
    if (err == ERR_STATE_CONFLICT)
        request->problem.detail = SLICE("It is closed already, or somebody in it is not decided.");
    return err == ERR_OK ? review_reply(request, response, 200, &work) : err;
}

const struct http_route review_routes[] = {
    { HTTP_GET, "/v1/access-reviews", review_get_list, "listAccessReviews", HTTP_ACCESS_KEY, "people:read" },
    { HTTP_POST, "/v1/access-reviews", review_post, "openAccessReview", HTTP_ACCESS_KEY, "people:manage",
      .body_bytes_max = REVIEW_BODY_BYTES_MAX },
    { HTTP_GET, "/v1/access-reviews/{review_id}", review_get_one, "getAccessReview", HTTP_ACCESS_KEY,
      "people:read" },
    { HTTP_POST, "/v1/access-reviews/{review_id}/decisions", review_post_decision, "decideAccessReview",
      HTTP_ACCESS_KEY, "people:manage", .body_bytes_max = REVIEW_BODY_BYTES_MAX, .needs_step_up = true },
    { HTTP_POST, "/v1/access-reviews/{review_id}/close", review_post_close, "closeAccessReview",
      HTTP_ACCESS_KEY, "people:manage" },
    { .handler = NULL },
};
