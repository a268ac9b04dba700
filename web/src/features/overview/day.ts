import type { Overview } from '@/api/types';

export interface Bar { at: number; sent: number; yesterday: number }

/** Today by the hour, each hour of the day there, with what it was yesterday at the same hour. A day may have 23 or 25. */
export function barsOf(overview: Overview): Bar[] {
    const today = Date.parse(overview.today_begins_at), yesterday = Date.parse(overview.yesterday_begins_at), end = Date.parse(overview.today_ends_at);
    const sent = new Map((overview.messages?.hours ?? []).map((hour) => [Date.parse(hour.at), hour.sent]));
    const bars: Bar[] = [];
    for (let at = today; at < end; at += 3_600_000)
        bars.push({ at, sent: sent.get(at) ?? 0, yesterday: sent.get(at - today + yesterday) ?? 0 });
    return bars;
}

/** The change in percent, whole; null when there is nothing to compare with. */
export function changeOf(now: number, then: number): number | null {
    return then === 0 ? null : Math.round(100 * (now - then) / then);
}
