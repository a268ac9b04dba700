import { expect, test } from 'vitest';
import { isQuality, tierOf } from './health';

test.each([['tier_250', 250], ['tier_2k', 2000], ['tier_100k', 100_000], ['tier_unlimited', null], ['', null], [null, null], ['tier_k', null]])('%s is %s people', (word, people) => {
    expect(tierOf(word)).toBe(people);
});

test('a quality that nobody knows yet is no quality of ours', () => {
    expect([isQuality('green'), isQuality('purple'), isQuality(null)]).toEqual([true, false, false]);
});
