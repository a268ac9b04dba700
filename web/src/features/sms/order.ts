import type { SmsRoute } from '@/api/types';

export interface Placed { route: SmsRoute; /** Its turn among those that are tried for the same messages. */ turn: number; of: number }

const setOf = (route: SmsRoute) => `${route.channel_id ?? ''} ${route.prefix}`;
function compare(one: SmsRoute, other: SmsRoute): number {
    return Number(one.channel_id === null) - Number(other.channel_id === null) || (one.channel_id ?? '').localeCompare(other.channel_id ?? '')
        || other.prefix.length - one.prefix.length || one.prefix.localeCompare(other.prefix) || one.priority - other.priority || one.created_at.localeCompare(other.created_at) || one.id.localeCompare(other.id);
}

/** Routes as they are looked at: a sender's own before those for any, the longest prefix first, then by priority, then the oldest. */
export function inOrder(routes: readonly SmsRoute[]): Placed[] {
    const sizes = new Map<string, number>();
    for (const route of routes)
        sizes.set(setOf(route), (sizes.get(setOf(route)) ?? 0) + 1);
    const turns = new Map<string, number>();
    return routes.toSorted(compare).map((route) => {
        const turn = (turns.get(setOf(route)) ?? 0) + 1;
        turns.set(setOf(route), turn);
        return { route, turn, of: sizes.get(setOf(route)) ?? 1 };
    });
}

/** What may carry a sender's messages: its own routes, and those for any sender. */
export function carriersOf(routes: readonly SmsRoute[], channel: string): Placed[] {
    return inOrder(routes.filter((route) => route.channel_id === null || route.channel_id === channel));
}
