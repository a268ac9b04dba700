import type { paths } from '@generated/schema';
import createClient, { type Middleware } from 'openapi-fetch';
import { ApiError, isProblem } from './problem';

let csrfToken: string | null = null;
let onSignedOut: () => void = () => undefined;

/** The session's token, which every changing request carries. */
export function setCsrfToken(token: string | null): void {
    csrfToken = token;
}

/** Called when an answer says that there is no session any more. */
export function setSignedOut(call: () => void): void {
    onSignedOut = call;
}

const carrySession: Middleware = {
    onRequest({ request }) {
        if (csrfToken !== null && request.method !== 'GET' && request.method !== 'HEAD')
            request.headers.set('X-CSRF-Token', csrfToken);
        return request;
    },
};

export const api = createClient<paths>({ baseUrl: typeof location === 'undefined' ? 'http://localhost' : location.origin, credentials: 'same-origin' });
api.use(carrySession);

export async function unwrap<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
    let answer;
    try {
        answer = await call;
    } catch {
        throw new ApiError(0, null, null);
    }
    const { data, error, response } = answer;
    if (response.ok)
        return data as T;
    if (response.status === 401)
        onSignedOut();
    throw new ApiError(response.status, isProblem(error) ? error : null, response.headers.get('x-request-id'));
}

/** A request outside the typed client, for the reference's try-it. */
export async function tryIt(method: string, target: string, body: string | undefined, bearer: string): Promise<{ status: number; text: string; ms: number }> {
    const began = performance.now();
    const headers: Record<string, string> = {};
    if (body !== undefined)
        headers['content-type'] = 'application/json';
    if (bearer !== '')
        headers['authorization'] = `Bearer ${bearer}`;
    else if (csrfToken !== null)
        headers['x-csrf-token'] = csrfToken;
    const response = await fetch(target, { method, headers, ...(body === undefined ? {} : { body }) });
    return { status: response.status, text: await response.text(), ms: Math.round(performance.now() - began) };
}
