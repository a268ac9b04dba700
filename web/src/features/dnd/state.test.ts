import { expect, test } from 'vitest';
import type { DndRegistry } from '@/api/types';
import { isTrouble, stateOf } from './queries';

const registry = (loaded: boolean, is_old: boolean): DndRegistry => ({ loaded, is_old, number_count: null, imported_at: null, age_seconds: null, old_after_days: 7, source: null });

test('a registry is there, old, or missing', () => { expect([registry(true, false), registry(true, true), registry(false, false)].map(stateOf)).toEqual(['fresh', 'old', 'missing']); });

test.each([['fresh', 'required', false], ['old', 'required', true], ['old', 'when-known', true], ['old', 'off', false], ['missing', 'required', true], ['missing', 'when-known', false], ['missing', 'off', false]] as const)('%s, asked %s: trouble is %s', (state, rule, trouble) => {
    expect(isTrouble(state, rule)).toBe(trouble);
});
