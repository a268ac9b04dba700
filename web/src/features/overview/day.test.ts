import { expect, test } from 'vitest';
import type { Overview } from '@/api/types';
import { staleBy } from '@/app/live';
import { barsOf, changeOf } from './day';

const day = (hours: object[], ends = '2026-11-22T18:30:00.000Z') => ({
    yesterday_begins_at: '2026-11-20T18:30:00.000Z', today_begins_at: '2026-11-21T18:30:00.000Z', today_ends_at: ends, messages: { hours },
}) as unknown as Overview;

test('a day has all its hours, and each its like of yesterday', () => {
    const bars = barsOf(day([{ at: '2026-11-21T03:30:00.000Z', sent: 7 }, { at: '2026-11-22T03:30:00.000Z', sent: 9 }, { at: '2026-11-21T18:30:00.000Z', sent: 1 }]));
    expect(bars).toHaveLength(24);
    expect(bars[0]).toMatchObject({ sent: 1, yesterday: 0 });
    expect(bars[9]).toMatchObject({ sent: 9, yesterday: 7 });
});
test('a day of 25 hours has 25', () => { expect(barsOf(day([], '2026-11-22T19:30:00.000Z'))).toHaveLength(25); });
test.each([[11, 10, 10], [9, 10, -10], [5, 0, null], [0, 4, -100]])('%d after %d', (now, then, change) => { expect(changeOf(now, then)).toBe(change); });
test('a message that is named is read anew, and of many only the list', () => {
    expect(staleBy({ topic: 'messages', ids: ['msg_1'] })).toContainEqual(['messages', 'one', 'msg_1']);
    expect(staleBy({ topic: 'messages' }).some((key) => key[1] === 'one')).toBe(false);
    expect(staleBy({ topic: 'nonsense' as 'audit' })).toEqual([]);
});
