import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { tagged } from '@/features/team/queries';
import { ledgerQuery, type LedgerFilter, type SuppressionFilter } from './filter';

const page = (cursor: string | null) => ({ limit: 50, ...(cursor === null ? {} : { cursor }) });
const paged = { initialPageParam: null as string | null, getNextPageParam: (last: { next_cursor: string | null }) => last.next_cursor ?? null };

/** Numbers are masked unless they are asked for: each showing is written down. What is shown is not read anew by itself. */
export function ledgerPages(filter: LedgerFilter, reveal: boolean) {
    return infiniteQueryOptions({
        queryKey: reveal ? keys.consents.revealed('ledger', filter) : keys.consents.list(filter), placeholderData: keepPreviousData, ...paged, ...(reveal ? { staleTime: Infinity, gcTime: 0 } : {}),
        queryFn: ({ pageParam }) => unwrap(api.GET('/v1/consents', { params: { query: { ...ledgerQuery(filter), ...page(pageParam), ...(reveal ? {} : { reveal: false }) } } })),
    });
}

export function consentOne(id: string, reveal: boolean) {
    return queryOptions({
        queryKey: reveal ? keys.consents.revealed(id, {}) : keys.consents.one(id), placeholderData: keepPreviousData, ...(reveal ? { staleTime: Infinity, gcTime: 0 } : {}),
        queryFn: () => unwrap(api.GET('/v1/consents/{consent_id}', { params: { path: { consent_id: id }, query: reveal ? {} : { reveal: false } } })),
    });
}

export function suppressionPages(filter: SuppressionFilter, reveal: boolean) {
    return infiniteQueryOptions({
        queryKey: reveal ? keys.consents.revealed('suppressions', filter) : keys.consents.suppressions(filter), placeholderData: keepPreviousData, ...paged, ...(reveal ? { staleTime: Infinity, gcTime: 0 } : {}),
        queryFn: ({ pageParam }) => unwrap(api.GET('/v1/suppressions', { params: { query: { ...filter, ...page(pageParam), ...(reveal ? {} : { reveal: false }) } } })),
    });
}

export const noticePages = infiniteQueryOptions({
    queryKey: keys.consents.notices, ...paged,
    queryFn: ({ pageParam }) => unwrap(api.GET('/v1/consent-notices', { params: { query: page(pageParam) } })),
});

/** The newest hundred, for a choice. */
export const noticeChoices = queryOptions({ queryKey: keys.consents.noticeChoices, queryFn: async () => (await unwrap(api.GET('/v1/consent-notices', { params: { query: { limit: 100 } } }))).data });

export function noticeOne(id: string) {
    return queryOptions({ queryKey: keys.consents.notice(id), staleTime: Infinity, queryFn: () => unwrap(api.GET('/v1/consent-notices/{notice_id}', { params: { path: { notice_id: id } } })) });
}

/** With its tag, so that nobody writes over what somebody else has changed meanwhile. */
export const consentSettings = queryOptions({
    queryKey: keys.consentSettings, queryFn: () => tagged(api.GET('/v1/settings/consent')),
});
