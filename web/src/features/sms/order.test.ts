import { expect, test } from 'vitest';
import type { SmsRoute } from '@/api/types';
import { carriersOf, inOrder } from './order';

const route = (id: string, channel_id: string | null, prefix: string, priority: number, created_at = '2026-11-22T07:40:00.000Z'): SmsRoute => ({ id, channel_id, prefix, priority, connector_id: `smc_${id}`, created_at });
const routes = [route('any', null, '', 0), route('india-late', null, '91', 5), route('india-old', null, '91', 1, '2026-11-22T07:39:00.000Z'), route('india-new', null, '91', 1), route('own', 'chn_a', '', 9), route('other', 'chn_b', '9198', 0)];

test("a sender's own go first, then the longest prefix, then priority, then the oldest", () => {
    expect(inOrder(routes).map(({ route, turn, of }) => [route.id, turn, of])).toEqual([['own', 1, 1], ['other', 1, 1], ['india-old', 1, 3], ['india-new', 2, 3], ['india-late', 3, 3], ['any', 1, 1]]);
});

test('a sender is carried by its own and by general routes', () => {
    expect(carriersOf(routes, 'chn_b').map(({ route }) => route.id)).toEqual(['other', 'india-old', 'india-new', 'india-late', 'any']);
});
