import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';

export interface AuditFilter { action?: string; actor?: string; object?: string; outcome?: 'done' | 'refused' | 'failed'; since?: string; until?: string }

export function readAuditFilter(search: Record<string, unknown>): AuditFilter {
    const filter: AuditFilter = {};
    const text = (name: string, form: RegExp) => { const value = search[name]; return typeof value === 'string' && form.test(value) ? value : undefined; };
    const action = text('action', /^[a-z_]{1,32}\.([a-z_]{1,32}|\*)$/), actor = text('actor', /^(usr|key)_[0-9a-z]{26}$/), object = text('object', /^[a-z]{3}_[0-9a-z]{26}$/);
    const outcome = search['outcome'];
    const time = (name: string) => { const value = search[name]; return typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? { [name]: value } : {}; };
    return { ...filter, ...time('since'), ...time('until'), ...(action === undefined ? {} : { action }), ...(actor === undefined ? {} : { actor }), ...(object === undefined ? {} : { object }), ...(outcome === 'done' || outcome === 'refused' || outcome === 'failed' ? { outcome } : {}) };
}

export function auditQuery(filter: AuditFilter) {
    return infiniteQueryOptions({
        queryKey: keys.audit.list(filter),
        queryFn: ({ pageParam }) => unwrap(api.GET('/v1/audit', { params: { query: { limit: 50, ...(filter.action === undefined ? {} : { action: filter.action }), ...(filter.actor === undefined ? {} : { actor_id: filter.actor }), ...(filter.object === undefined ? {} : { object_id: filter.object }), ...(filter.outcome === undefined ? {} : { outcome: filter.outcome }), ...(filter.since === undefined ? {} : { since: new Date(filter.since).toISOString() }), ...(filter.until === undefined ? {} : { until: new Date(filter.until).toISOString() }), ...(pageParam === null ? {} : { cursor: pageParam }) } } })),
        initialPageParam: null as string | null,
        getNextPageParam: (last) => last.next_cursor ?? null,
    });
}

export function auditOne(id: string) {
    return queryOptions({
        queryKey: keys.audit.one(id), queryFn: () => unwrap(api.GET('/v1/audit/{entry_id}', { params: { path: { entry_id: id } } })),
        refetchInterval: ({ state }) => (state.data?.proof === null ? 5000 : false), /* until it is sealed */
    });
}

/** The newest checkpoint, and all public keys. */
export const auditCheckpoints = queryOptions({ queryKey: keys.audit.checkpoints, staleTime: 60_000, queryFn: () => unwrap(api.GET('/v1/audit/checkpoints', { params: { query: { limit: 1 } } })) });
