import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { messageQuery, type MessageFilter } from './filter';

export function messagesQuery(filter: MessageFilter) {
    return infiniteQueryOptions({
        queryKey: keys.messages.list(filter),
        queryFn: ({ pageParam }) => unwrap(api.GET('/v1/messages', { params: { query: { ...messageQuery(filter), limit: 50, ...(pageParam === null ? {} : { cursor: pageParam }) } } })),
        initialPageParam: null as string | null,
        getNextPageParam: (last) => last.next_cursor ?? null,
    });
}

export function messageOne(id: string) {
    return queryOptions({ queryKey: keys.messages.one(id), queryFn: () => unwrap(api.GET('/v1/messages/{message_id}', { params: { path: { message_id: id } } })) });
}

/** The top of the list: what the list itself has brought, then looked at anew when the stream says so. It asks for no numbers: what is shown has them, and each showing is written down. */
export function messagesTop(filter: MessageFilter) {
    return queryOptions({
        queryKey: keys.messages.top(filter), refetchInterval: 60_000, staleTime: 60_000,
        queryFn: () => unwrap(api.GET('/v1/messages', { params: { query: { ...messageQuery(filter), limit: 50, reveal: false } } })),
    });
}
