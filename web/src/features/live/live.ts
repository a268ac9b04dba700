import { useSyncExternalStore } from 'react';

export type LiveList = 'messages';

const counts: Record<LiveList, number> = { messages: 0 };
const listeners = new Set<() => void>();

function tell(): void {
    for (const listener of listeners)
        listener();
}

export function addNew(list: LiveList): void {
    counts[list] += 1;
    tell();
}

export function clearNew(list: LiveList): void {
    counts[list] = 0;
    tell();
}

export function useNew(list: LiveList): number {
    return useSyncExternalStore((listener) => { listeners.add(listener); return () => { listeners.delete(listener); }; }, () => counts[list]);
}
