import { infiniteQueryOptions, queryOptions, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { DltHeader } from '@/api/types';
import type { HeaderFilter, LinkFilter, TemplateFilter } from './filter';

const page = (cursor: string | null, limit = 50) => ({ limit, ...(cursor === null ? {} : { cursor }) });
const following = { initialPageParam: null as string | null, getNextPageParam: (last: { next_cursor: string | null }) => last.next_cursor };

export const dltQuery = queryOptions({ queryKey: keys.dlt.overview, queryFn: () => unwrap(api.GET('/v1/dlt')) });

export function headersQuery(filter: HeaderFilter) {
    return infiniteQueryOptions({ queryKey: keys.dlt.headers(filter), queryFn: ({ pageParam }) => unwrap(api.GET('/v1/dlt/headers', { params: { query: { ...page(pageParam), ...filter } } })), ...following });
}

export function templatesQuery({ header, ...filter }: TemplateFilter) {
    return infiniteQueryOptions({
        queryKey: keys.dlt.templates({ header, ...filter }),
        queryFn: ({ pageParam }) => unwrap(api.GET('/v1/dlt/templates', { params: { query: { ...page(pageParam), ...filter, ...(header === undefined ? {} : { header_id: header }) } } })), ...following,
    });
}

export function linksQuery(filter: LinkFilter) {
    return infiniteQueryOptions({ queryKey: keys.dlt.links(filter), queryFn: ({ pageParam }) => unwrap(api.GET('/v1/dlt/links', { params: { query: { ...page(pageParam), ...filter } } })), ...following });
}

export function templateQuery(id: string) {
    return queryOptions({ queryKey: keys.dlt.template(id), queryFn: () => unwrap(api.GET('/v1/dlt/templates/{dlt_template_id}', { params: { path: { dlt_template_id: id } } })) });
}

function readHeaders(cursor: string | null) {
    return unwrap(api.GET('/v1/dlt/headers', { params: { query: page(cursor, 100) } }));
}

/** All of them, for names and choices: a workspace has at most 2000. */
export const everyHeader = queryOptions({
    queryKey: keys.dlt.everyHeader,
    queryFn: async () => {
        const all: DltHeader[] = [];
        let cursor: string | null = null;
        do {
            const answer: Awaited<ReturnType<typeof readHeaders>> = await readHeaders(cursor);
            all.push(...answer.data);
            cursor = answer.next_cursor;
        } while (cursor !== null && all.length < 2000);
        return all;
    },
});

/** After a change: whatever is shown of the registry is read anew. */
export function useStale(): () => Promise<void> {
    const client = useQueryClient();
    return () => client.invalidateQueries({ queryKey: keys.dlt.all });
}
