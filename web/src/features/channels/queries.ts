import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';

/** All of them: a workspace has few senders. */
export const channelsQuery = queryOptions({
    queryKey: keys.channels.list,
    queryFn: async () => {
        const all = [];
        let cursor: string | null = null;
        do {
            const page: Awaited<ReturnType<typeof read>> = await read(cursor);
            all.push(...page.data);
            cursor = page.next_cursor;
        } while (cursor !== null && all.length < 1000);
        return all;
    },
});

function read(cursor: string | null) {
    return unwrap(api.GET('/v1/channels', { params: { query: { limit: 100, ...(cursor === null ? {} : { cursor }) } } }));
}

export function channelOne(id: string) {
    return queryOptions({ queryKey: keys.channels.one(id), queryFn: () => unwrap(api.GET('/v1/channels/{channel_id}', { params: { path: { channel_id: id } } })) });
}
