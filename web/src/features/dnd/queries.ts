import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { DndRegistry, PolicySettings } from '@/api/types';

export const dndQuery = queryOptions({ queryKey: keys.dnd, queryFn: () => unwrap(api.GET('/v1/dnd')) });

export type DndState = 'fresh' | 'old' | 'missing';

export function stateOf(registry: DndRegistry): DndState {
    return !registry.loaded ? 'missing' : registry.is_old ? 'old' : 'fresh';
}

/** Whether somebody should do something about it: a workspace that never asks it does not care, and one that asks it when there is one goes on without. */
export function isTrouble(state: DndState, rule: PolicySettings['dnd']): boolean {
    return state === 'missing' ? rule === 'required' : state === 'old' && rule !== 'off';
}
