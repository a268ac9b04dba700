import { queryOptions } from '@tanstack/react-query';
import { keys } from './keys';
import { setCsrfToken } from './client';
import { ApiError, isProblem } from './problem';

export interface Workspace {
    id: string;
    name: string;
    mode: 'live' | 'sandbox';
}

/** Who looks at this page, and what they may do. */
export interface Session {
    person: { id: string; name: string; email: string };
    workspace: Workspace;
    workspaces: Workspace[];
    permissions: string[];
    csrf_token: string;
}

async function readSession(): Promise<Session> {
    let response: Response;
    try {
        response = await fetch('/v1/session', { credentials: 'same-origin' });
    } catch {
        throw new ApiError(0, null, null);
    }
    const body: unknown = await response.json().catch(() => null);
    if (!response.ok)
        throw new ApiError(response.status, isProblem(body) ? body : null, response.headers.get('x-request-id'));
    const session = body as Session;
    setCsrfToken(session.csrf_token);
    return session;
}

export const sessionQuery = queryOptions({ queryKey: keys.session, queryFn: readSession, staleTime: 60_000, retry: false });
