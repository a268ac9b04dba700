import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';

/** The stream says when to look anew; days end by themselves. */
export const overviewQuery = queryOptions({ queryKey: keys.overview, queryFn: () => unwrap(api.GET('/v1/overview')), refetchInterval: 60_000 });
