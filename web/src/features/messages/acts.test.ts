import { expect, test } from 'vitest';
import { ApiError } from '@/api/problem';
import { forEachOf } from './acts';

test('each is done once, at most four at a time, and what came too late is counted', async () => {
    const ids = Array.from({ length: 23 }, (_, i) => `msg_${i}`), done: string[] = [];
    let under = 0, most = 0;
    const result = await forEachOf(ids, async (id) => {
        under += 1;
        most = Math.max(most, under);
        await Promise.resolve();
        under -= 1;
        if (id.endsWith('7'))
            throw new ApiError(409, null, null);
        done.push(id);
    });
    expect(result).toEqual({ done: 21, refused: 2 });
    expect(new Set(done).size).toBe(21);
    expect(most).toBe(4);
});

test('an error that is not of one message ends it, and is told', async () => {
    let asked = 0;
    await expect(forEachOf(['a', 'b', 'c', 'd', 'e', 'f'], () => { asked += 1; return Promise.reject(new ApiError(403, null, null)); })).rejects.toMatchObject({ status: 403 });
    expect(asked).toBeLessThanOrEqual(4);
});

test('of none nothing is done', async () => {
    expect(await forEachOf([], () => Promise.reject(new Error('called')))).toEqual({ done: 0, refused: 0 });
});
