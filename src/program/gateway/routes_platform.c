/*
 * /v1/platform: for people with a role of the platform (person_gate.c lets nobody else in). The request's
 * tenant is Harkara itself; of workspaces it shows which there are and how they stand, and nothing that is in
 * them.
 */
#include "domain/identity/platform_role.h"
#include "domain/tenant/tenant.h"
#include "program/gateway/act.h"
#include "program/gateway/gateway.h"
#include "program/gateway/person_gate.h"

static json_t *
workspace_show(const struct tenant *tenant)
{
    return json_pack("{s:o, s:o, s:o, s:s, s:o}", "id", show_id(ID_TENANT, tenant->id), "name",
                     show_text(tenant->name), "slug", show_text(tenant->slug), "state",
                     tenant_state_word(tenant->state), "created_at", show_time(tenant->created_at));
}

struct look {
    struct id person;
    enum platform_role role;
};

static enum err
role_in(struct db_tx *tx, void *ctx)
{
    struct look *look = ctx;

    return platform_role_get(tx, look->person, &look->role);
}

static enum err
platform_get(struct http_request *request, struct http_response *response)
{
    struct look look = { .person = gateway_person(request)->session.person };
    json_t *permissions = json_array();
    enum err err = platform_read(request, role_in, &look);

    if (err != ERR_OK) {
        json_decref(permissions);
        return err == ERR_NOT_FOUND ? ERR_SCOPE : err;
    }
    for (unsigned i = 0; i < PLATFORM_PERMISSION_COUNT; i++)
        if (platform_role_may(look.role, (enum platform_permission)i))
            show_append(&permissions, json_string(platform_permission_word((enum platform_permission)i)));
    return http_reply_json(
        request, response, 200,
        json_pack("{s:s, s:o}", "role", platform_role_word(look.role), "permissions", permissions));
}

static enum err
workspaces_get(struct http_request *request, struct http_response *response)
{
    struct tenant *tenants = NULL;
    struct gateway_page page;
    size_t count = 0;
    enum err err = gateway_page_read(request, ID_TENANT, &page);

    if (err == ERR_OK)
        err = tenant_page(gateway_worker_of(request)->db, page.cursor, page.limit, request->arena, &tenants,
                          &count);
    if (err != ERR_OK)
        return err;
    json_t *items = json_array();
    for (size_t i = 0; i < gateway_page_shown(&page, count); i++)
        show_append(&items, workspace_show(&tenants[i]));
    return gateway_page_reply(request, response, &page, count, items);
}

struct work {
    struct http_request *request;
    bool suspends;
    struct tenant tenant;
};

static enum err
tenant_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;

    return tenant_get(tx, work->request->arena, &work->tenant);
}

static enum err
suspend_in(struct db_tx *tx, void *ctx)
{
    struct work *work = ctx;
    enum err err = tenant_in(tx, ctx);

    if (err == ERR_OK)
        err = tenant_suspend(tx, work->suspends);
    return err == ERR_OK ? tenant_in(tx, ctx) : err;
}

/* The workspace of the path becomes the request's, so that its own log tells of what is done. */
static enum err
workspace_turn(struct http_request *request, struct work *work)
{
    struct id tenant;
    enum err err = gateway_path_id(request, "workspace_id", ID_TENANT, &tenant);

    if (err == ERR_OK &&
        (id_eq(tenant, tenant_platform) || id_is_zero(tenant))) /* zero is no tenant at all */
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        request->tenant = tenant;
    work->request = request;
    return err;
}

static enum err
workspace_get(struct http_request *request, struct http_response *response)
{
    struct work work;
    enum err err = workspace_turn(request, &work);

    if (err == ERR_OK)
        err = gateway_read(request, tenant_in, &work);
    return err == ERR_OK ? http_reply_json(request, response, 200, workspace_show(&work.tenant)) : err;
}

static enum err
workspace_set(struct http_request *request, struct http_response *response, bool suspends)
{
    struct work work = { .suspends = suspends };
    enum err err = workspace_turn(request, &work);

    if (err == ERR_OK) /* before a key is asked to seal for it */
        err = gateway_read(request, tenant_in, &work);
    if (err == ERR_OK && work.tenant.state == TENANT_CLOSED)
        err = ERR_STATE_CONFLICT;
    if (err == ERR_OK)
        err =
            act_write(request,
                      &(struct act_work){ .action = suspends ? AUDIT_TENANT_SUSPENDED : AUDIT_TENANT_RESUMED,
                                          .object_kind = ID_TENANT,
                                          .object = &request->tenant },
                      suspend_in, &work);
    return err == ERR_OK ? http_reply_json(request, response, 200, workspace_show(&work.tenant)) : err;
}

static enum err
workspace_suspend(struct http_request *request, struct http_response *response)
{
    return workspace_set(request, response, true);
}

static enum err
workspace_resume(struct http_request *request, struct http_response *response)
{
    return workspace_set(request, response, false);
}

const struct http_route platform_routes[] = {
    { HTTP_GET, "/v1/platform", platform_get, "getPlatformRole", HTTP_ACCESS_SESSION, "platform:read" },
    { HTTP_GET, "/v1/platform/workspaces", workspaces_get, "listPlatformWorkspaces", HTTP_ACCESS_SESSION,
      "platform:read" },
    { HTTP_GET, "/v1/platform/workspaces/{workspace_id}", workspace_get, "getPlatformWorkspace",
      HTTP_ACCESS_SESSION, "platform:read" },
    { HTTP_POST, "/v1/platform/workspaces/{workspace_id}/suspend", workspace_suspend, "suspendWorkspace",
      HTTP_ACCESS_SESSION, "platform:manage", .needs_step_up = true },
    { HTTP_POST, "/v1/platform/workspaces/{workspace_id}/resume", workspace_resume, "resumeWorkspace",
      HTTP_ACCESS_SESSION, "platform:manage", .needs_step_up = true },
    { .handler = NULL },
};
