import type { paths } from '@generated/schema';
import createClient, { type Middleware } from 'openapi-fetch';
import { ApiError, isProblem } from './problem';

let csrfToken: string | null = null;
let onSignedOut: () => void = () => undefined;
let askForFactor: (() => Promise<boolean>) | null = null;
let changing: Promise<unknown> | null = null;

/** The session's token, which every changing request carries. */
export function setCsrfToken(token: string | null): void {
    csrfToken = token;
}

/** Called when an answer says that there is no session any more. */
export function setSignedOut(call: () => void): void {
    onSignedOut = call;
}

/** Called when something sensitive wants a factor shown just now; false: the person would not. */
export function setStepUp(ask: (() => Promise<boolean>) | null): void {
    askForFactor = ask;
}

/** Around a call that gives the session another token: what was asked meanwhile with the old one waits for it, and is asked again. */
export async function changingToken<T extends { csrf_token: string }>(call: Promise<T>): Promise<T> {
    changing = call;
    try {
        const session = await call;
        setCsrfToken(session.csrf_token);
        return session;
    } finally {
        if (changing === call)
            changing = null;
    }
}

/** After so long without a hand on it a page only brings itself up to date: that does not keep the session open. */
export const UNATTENDED_MS = 60_000;
let touchedAt = Date.now();
if (typeof addEventListener !== 'undefined')
    for (const event of ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'])
        addEventListener(event, () => { touchedAt = Date.now(); }, { passive: true, capture: true });

function carryToken(request: Request): Request {
    if (Date.now() - touchedAt >= UNATTENDED_MS)
        request.headers.set('X-Harkara-Unattended', '1');
    if (csrfToken !== null && request.method !== 'GET' && request.method !== 'HEAD')
        request.headers.set('X-CSRF-Token', csrfToken);
    return request;
}

/** Another window of this browser may have changed the session's token. */
async function readToken(): Promise<boolean> {
    const response = await fetch('/v1/session', { credentials: 'same-origin' });
    const session: unknown = response.ok ? await response.json() : null;
    if (typeof session !== 'object' || session === null || !('csrf_token' in session) || typeof session.csrf_token !== 'string' || session.csrf_token === csrfToken)
        return false;
    setCsrfToken(session.csrf_token);
    return true;
}

/** What can be done about a refusal, so that the same request may be let in: true when it was. */
const cures: Record<string, () => Promise<boolean>> = {
    'step-up-needed': () => askForFactor?.() ?? Promise.resolve(false),
    'csrf-refused': readToken,
    /* It may have been under way while the token was changed. */
    'session-needed': async () => {
        if (csrfToken === null)
            return false;
        await changing?.catch(() => undefined);
        return true;
    },
};

async function codeOf(response: Response): Promise<string | null> {
    if (response.status !== 401 && response.status !== 403)
        return null;
    const problem: unknown = await response.clone().json().catch(() => null);
    return isProblem(problem) ? problem.code : null;
}

/** Each refusal is cured once, then the request is asked again. */
export async function cure(first: Response, request: Request, ask: (request: Request) => Promise<Response>): Promise<Response> {
    const cured = new Set<string>();
    for (let response = first; ;) {
        const code = await codeOf(response);
        const by = code === null || cured.has(code) ? undefined : cures[code];
        if (code === null || by === undefined || !await by())
            return response;
        cured.add(code);
        response = await ask(carryToken(request.clone()));
    }
}

const asked = new Map<string, Request>();
const carrySession: Middleware = {
    onRequest({ request, id }) {
        carryToken(request);
        asked.set(id, request.clone());
        return request;
    },
    async onResponse({ response, id }) {
        const request = asked.get(id);
        asked.delete(id);
        return response.ok || request === undefined ? response : cure(response, request, fetch);
    },
    onError({ id }) {
        asked.delete(id);
    },
};

export const api = createClient<paths>({ baseUrl: typeof location === 'undefined' ? 'http://localhost' : location.origin, credentials: 'same-origin', querySerializer: { array: { style: 'form', explode: false } } });
api.use(carrySession);

/** Refusals of who asks at all: without the cookie, one that asks is a program without a key. Others are of a factor. */
const ended = new Set(['session-needed', 'key-missing']);

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
    if (response.status === 401 && (!isProblem(error) || ended.has(error.code)))
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
