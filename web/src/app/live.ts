import { useQueryClient, type QueryClient, type QueryKey } from '@tanstack/react-query';
import { useEffect } from 'react';
import { followStream, type Change, type Heard, type Topic } from '@/api/stream';

const EACH_MS = 2000;

/** What is shown and has changed with a topic: the beginnings of queries' keys. */
const shownBy: Record<Topic, QueryKey[]> = {
    messages: [['messages', 'top'], ['endpoints', 'deliveries'], ['overview']],
    channels: [['channels'], ['overview']],
    templates: [['templates'], ['overview']],
    webhooks: [['endpoints'], ['overview']],
    keys: [['api-keys'], ['overview']],
    people: [['people'], ['team'], ['overview']],
    settings: [['settings'], ['overview']],
    usage: [['usage'], ['overview']],
    audit: [['audit', 'list']],
    connectors: [['sms'], ['overview']],
    consents: [['consents', 'list'], ['consents', 'one'], ['consents', 'suppressions'], ['consents', 'person'], ['consents', 'notices']],
};

/** The queries that a change makes stale. A message that is open is read anew when it is named: each reading is written down. */
export function staleBy(change: Change): QueryKey[] {
    return [...(shownBy[change.topic] as QueryKey[] | undefined ?? []), ...(change.topic === 'messages' ? (change.ids ?? []).map((id) => ['messages', 'one', id]) : [])];
}

/** Reads anew what is shown, each at most every two seconds. */
function refresher(client: QueryClient): { heard: (heard: Heard) => void; stop: () => void } {
    const waiting = new Map<string, QueryKey>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let lastAt = 0;
    const flush = () => {
        timer = undefined;
        lastAt = Date.now();
        for (const queryKey of waiting.values())
            void client.invalidateQueries({ queryKey });
        waiting.clear();
    };
    const add = (queryKeys: QueryKey[]) => {
        for (const queryKey of queryKeys)
            waiting.set(JSON.stringify(queryKey), queryKey);
        timer ??= setTimeout(flush, Math.max(0, lastAt + EACH_MS - Date.now()));
    };
    return {
        heard: (heard) => {
            if (heard.kind === 'change')
                add(staleBy(heard.change));
            else if (heard.kind === 'missed')
                add(Object.values(shownBy).flat());
            else
                void client.invalidateQueries({ queryKey: ['session'] }); /* which finds that there is none, or what it may do now */
        },
        stop: () => { clearTimeout(timer); },
    };
}

/** While somebody is signed in: what is shown follows what happens. */
export function useLive(): void {
    const client = useQueryClient();
    useEffect(() => {
        const { heard, stop } = refresher(client);
        const end = followStream(heard);
        return () => { end(); stop(); };
    }, [client]);
}
