import type { components } from '@generated/schema';
import { queryOptions } from '@tanstack/react-query';
import { api, setCsrfToken, unwrap } from './client';
import { keys } from './keys';

export type Session = components['schemas']['Session'];
export type Workspace = Session['workspaces'][number];

/** Who looks at this page, and what they may do. */
export const sessionQuery = queryOptions({
    queryKey: keys.session, staleTime: 60_000, retry: false,
    queryFn: async () => {
        const session = await unwrap(api.GET('/v1/session'));
        setCsrfToken(session.csrf_token);
        return session;
    },
});
