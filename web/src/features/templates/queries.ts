import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { Template } from '@/api/types';

export type TemplateState = Template['state'];

export function templatesQuery(state: TemplateState | undefined) {
    return infiniteQueryOptions({
        queryKey: keys.templates.list({ state }),
        queryFn: ({ pageParam }) => unwrap(api.GET('/v1/templates', { params: { query: { limit: 50, ...(state === undefined ? {} : { state }), ...(pageParam === null ? {} : { cursor: pageParam }) } } })),
        initialPageParam: null as string | null,
        getNextPageParam: (last) => last.next_cursor ?? null,
    });
}

export function templateOne(id: string) {
    return queryOptions({ queryKey: keys.templates.one(id), queryFn: () => unwrap(api.GET('/v1/templates/{template_id}', { params: { path: { template_id: id } } })) });
}
