import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { Member } from '@/api/types';
import type { MemberState } from './filter';

const page = (cursor: string | null, limit: number) => ({ limit, ...(cursor === null ? {} : { cursor }) });

export function peopleQuery(state: MemberState | undefined) {
    return infiniteQueryOptions({
        queryKey: keys.team.people({ state }),
        queryFn: ({ pageParam }) => unwrap(api.GET('/v1/people', { params: { query: { ...page(pageParam, 100), ...(state === undefined ? {} : { state }) } } })),
        initialPageParam: null as string | null,
        getNextPageParam: (last) => last.next_cursor ?? null,
    });
}

function readPeople(cursor: string | null) {
    return unwrap(api.GET('/v1/people', { params: { query: page(cursor, 100) } }));
}

/** All who work here, for names and choices. A workspace has at most 2000. */
export const everybodyQuery = queryOptions({
    queryKey: keys.team.everybody, staleTime: 60_000,
    queryFn: async () => {
        const all: Member[] = [];
        let cursor: string | null = null;
        do {
            const answer: Awaited<ReturnType<typeof readPeople>> = await readPeople(cursor);
            all.push(...answer.data);
            cursor = answer.next_cursor;
        } while (cursor !== null && all.length < 2000);
        return all;
    },
});

/** What is read with its tag, so that nobody writes over what somebody else has changed meanwhile. */
export interface Tagged<T> { value: T; tag: string | null }

export async function tagged<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<Tagged<T>> {
    let tag: string | null = null;
    const value = await unwrap(call.then((answer) => { tag = answer.response.headers.get('etag'); return answer; }));
    return { value, tag };
}

/** As the header of a change. */
export function matching(tag: string | null): { 'If-Match'?: string } {
    return tag === null ? {} : { 'If-Match': tag };
}

export function personQuery(id: string) {
    return queryOptions({ queryKey: keys.team.person(id), queryFn: () => tagged(api.GET('/v1/people/{membership_id}', { params: { path: { membership_id: id } } })) });
}

export function accessQuery(id: string) {
    return queryOptions({ queryKey: keys.team.access(id), queryFn: () => unwrap(api.GET('/v1/people/{membership_id}/access', { params: { path: { membership_id: id } } })) });
}

export const invitationsQuery = infiniteQueryOptions({
    queryKey: keys.team.invitations,
    queryFn: ({ pageParam }) => unwrap(api.GET('/v1/invitations', { params: { query: page(pageParam, 50) } })),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor ?? null,
});

export const teamsQuery = queryOptions({ queryKey: keys.team.teams, queryFn: async () => (await unwrap(api.GET('/v1/teams'))).data });
export const rolesQuery = queryOptions({ queryKey: keys.team.roles, queryFn: async () => (await unwrap(api.GET('/v1/roles'))).data });
export const permissionsQuery = queryOptions({ queryKey: keys.team.permissions, staleTime: Infinity, queryFn: async () => (await unwrap(api.GET('/v1/permissions'))).data });

export const reviewsQuery = infiniteQueryOptions({
    queryKey: keys.team.reviews,
    queryFn: ({ pageParam }) => unwrap(api.GET('/v1/access-reviews', { params: { query: page(pageParam, 50) } })),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor ?? null,
});

export function reviewQuery(id: string) {
    return queryOptions({ queryKey: keys.team.review(id), queryFn: () => unwrap(api.GET('/v1/access-reviews/{review_id}', { params: { path: { review_id: id } } })) });
}
