/* For which endpoints something waits, the longest due of each. */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_WAITS_INTERNAL_H
#define DOMAIN_WEBHOOK_WEBHOOK_WAITS_INTERNAL_H

/*
 * A part of WITH RECURSIVE: waits (tenant_id, endpoint_id, due_at), one row for each endpoint with a delivery
 * that nobody holds. It goes from endpoint to endpoint through the index of what waits, webhook_delivery_due:
 * so it costs by these, and not by the endpoints that there are, or by what waits.
 */
#define WEBHOOK_WAITS                                                                                          \
    "waits AS ((SELECT q.tenant_id, q.endpoint_id, q.due_at FROM webhook_delivery q WHERE q.state = 'pending'" \
    " AND q.lease_until IS NULL ORDER BY q.endpoint_id, q.due_at LIMIT 1) UNION ALL"                           \
    " SELECT n.tenant_id, n.endpoint_id, n.due_at FROM waits v CROSS JOIN LATERAL (SELECT q.tenant_id,"        \
    " q.endpoint_id, q.due_at FROM webhook_delivery q WHERE q.endpoint_id > v.endpoint_id"                     \
    " AND q.state = 'pending' AND q.lease_until IS NULL ORDER BY q.endpoint_id, q.due_at LIMIT 1) n)"

#endif
