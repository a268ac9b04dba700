import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { ApiKey } from '@/api/types';

export const apiKeysQuery = infiniteQueryOptions({
    queryKey: keys.apiKeys.list,
    queryFn: ({ pageParam }) => unwrap(api.GET('/v1/api-keys', { params: { query: { limit: 50, ...(pageParam === null ? {} : { cursor: pageParam }) } } })),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor ?? null,
});

export function apiKeyOne(id: string) {
    return queryOptions({ queryKey: keys.apiKeys.one(id), queryFn: () => unwrap(api.GET('/v1/api-keys/{key_id}', { params: { path: { key_id: id } } })) });
}

export function keyState(key: Pick<ApiKey, 'revoked_at' | 'expires_at'>): 'active' | 'revoked' | 'expired' {
    if (key.revoked_at !== null)
        return 'revoked';
    return key.expires_at !== null && Date.parse(key.expires_at) <= Date.now() ? 'expired' : 'active';
}
