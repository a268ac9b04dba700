import { infiniteQueryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';

export const apiKeysQuery = infiniteQueryOptions({
    queryKey: keys.apiKeys.list,
    queryFn: ({ pageParam }) => unwrap(api.GET('/v1/api-keys', { params: { query: { limit: 50, ...(pageParam === null ? {} : { cursor: pageParam }) } } })),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor ?? null,
});
