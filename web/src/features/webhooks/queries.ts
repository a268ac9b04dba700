import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';

export const endpointsQuery = infiniteQueryOptions({
    queryKey: keys.endpoints.list,
    queryFn: ({ pageParam }) => unwrap(api.GET('/v1/webhook-endpoints', { params: { query: { limit: 50, ...(pageParam === null ? {} : { cursor: pageParam }) } } })),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor ?? null,
});

export function endpointOne(id: string) {
    return queryOptions({ queryKey: keys.endpoints.one(id), queryFn: () => unwrap(api.GET('/v1/webhook-endpoints/{endpoint_id}', { params: { path: { endpoint_id: id } } })) });
}

export type DeliveryState = 'pending' | 'delivered' | 'failed' | 'canceled';

export function deliveriesQuery(id: string, state: DeliveryState | undefined) {
    return infiniteQueryOptions({
        queryKey: keys.endpoints.deliveries(id, { state }),
        queryFn: ({ pageParam }) => unwrap(api.GET('/v1/webhook-endpoints/{endpoint_id}/deliveries', { params: { path: { endpoint_id: id }, query: { limit: 50, ...(state === undefined ? {} : { state: [state] }), ...(pageParam === null ? {} : { cursor: pageParam }) } } })),
        initialPageParam: null as string | null,
        getNextPageParam: (last) => last.next_cursor ?? null,
    });
}

export function deliveryOne(id: string) {
    return queryOptions({ queryKey: keys.endpoints.delivery(id), queryFn: () => unwrap(api.GET('/v1/webhook-deliveries/{delivery_id}', { params: { path: { delivery_id: id } } })) });
}
