import { expect, test } from 'vitest';
import type { Message } from '@/api/types';
import { compareWithTop } from './newer';

const message = (id: string, status = 'accepted') => ({ id, status }) as Message;

test('what came since is counted, and what is shown is brought up to date in its place', () => {
    const { count, isMore, rows } = compareWithTop([message('c'), message('b'), message('a')], [message('e'), message('d'), message('c', 'sent'), message('b', 'read')]);
    expect([count, isMore]).toEqual([2, false]);
    expect(rows.map(({ id, status }) => [id, status])).toEqual([['c', 'sent'], ['b', 'read'], ['a', 'accepted']]);
});
test('nothing new, and nothing shown', () => {
    expect(compareWithTop([message('a')], [message('a')])).toMatchObject({ count: 0, isMore: false });
    expect(compareWithTop([], [message('a')])).toMatchObject({ count: 0, rows: [] });
});
test('when all that was looked at is new, there may be more', () => {
    expect(compareWithTop([message('a')], [message('c'), message('b')])).toMatchObject({ count: 2, isMore: true });
});
test('a number that is shown stays as it is, whatever the fresh look masks', () => {
    const { rows } = compareWithTop([{ ...message('a'), to: '+14155550123' }], [{ ...message('a', 'read'), to: '****0123' }]);
    expect(rows).toMatchObject([{ id: 'a', status: 'read', to: '+14155550123' }]);
});
