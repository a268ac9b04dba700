import { ApiError, isProblem } from './problem';

/** One JSON request of those that begin a session: they have no session yet, and so no token. */
export async function ask(method: string, target: string, body?: unknown): Promise<unknown> {
    let response: Response;
    try {
        response = await fetch(target, { method, credentials: 'same-origin', ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) });
    } catch {
        throw new ApiError(0, null, null);
    }
    const answer: unknown = response.status === 204 ? null : await response.json().catch(() => null);
    if (!response.ok)
        throw new ApiError(response.status, isProblem(answer) ? answer : null, response.headers.get('x-request-id'));
    return answer;
}
