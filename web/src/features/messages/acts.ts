import { api, unwrap } from '@/api/client';
import { ApiError } from '@/api/problem';

const AT_ONCE = 4;

/** Does it to each, a few at a time. What could not be done any more is counted, not thrown; the first other error is. */
export async function forEachOf(ids: readonly string[], act: (id: string) => Promise<unknown>): Promise<{ done: number; refused: number }> {
    const waiting = [...ids];
    let done = 0, refused = 0;
    const work = async () => {
        for (let id = waiting.shift(); id !== undefined; id = waiting.shift())
            try {
                await act(id);
                done += 1;
            } catch (error) {
                if (!(error instanceof ApiError) || ![404, 409, 422].includes(error.status)) {
                    waiting.length = 0;
                    throw error;
                }
                refused += 1;
            }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, ids.length) }, work));
    return { done, refused };
}

export function cancelMessage(id: string) {
    return unwrap(api.POST('/v1/messages/{message_id}/cancel', { params: { path: { message_id: id } } }));
}

/** `key`: the same act, however often it is pressed or repeated, makes one message. */
export function resendMessage(id: string, key: string) {
    return unwrap(api.POST('/v1/messages/{message_id}/resend', { params: { path: { message_id: id }, header: { 'Idempotency-Key': key } } }));
}
