import type { Message } from '@/api/types';

/**
 * What a fresh look at the top of a list says of the rows that are shown: how many came since, whether there may be more of them
 * than were looked at, and the shown rows as they are now, in their places, with the numbers that they are shown with. Ids sort by time, the newest first.
 */
export function compareWithTop(shown: Message[], top: Message[]): { count: number; isMore: boolean; rows: Message[] } {
    const newest = shown[0]?.id ?? '';
    const fresh = top.filter((message) => message.id > newest);
    const now = new Map(top.map((message) => [message.id, message]));
    return {
        count: shown.length === 0 ? 0 : fresh.length,
        isMore: fresh.length === top.length && top.length !== 0,
        rows: shown.map((message) => ({ ...message, ...now.get(message.id), ...(message.to === undefined ? {} : { to: message.to }), ...(message.from === undefined ? {} : { from: message.from }) })),
    };
}
