import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';

/** Links are told every five seconds; while somebody looks, so often they are read. */
const EACH_MS = 5000;

export const connectorsQuery = queryOptions({
    queryKey: keys.sms.connectors, refetchInterval: EACH_MS,
    queryFn: async () => (await unwrap(api.GET('/v1/sms/connectors'))).data,
});

export function connectorOne(id: string) {
    return queryOptions({ queryKey: keys.sms.connector(id), refetchInterval: EACH_MS, queryFn: () => unwrap(api.GET('/v1/sms/connectors/{connector_id}', { params: { path: { connector_id: id } } })) });
}

export const routesQuery = queryOptions({ queryKey: keys.sms.routes, queryFn: async () => (await unwrap(api.GET('/v1/sms/routes'))).data });
