/** What changes, as it happens: GET /v1/stream, once for all windows of this browser. */

export type Topic = 'messages' | 'channels' | 'templates' | 'webhooks' | 'keys' | 'people' | 'settings' | 'usage' | 'audit' | 'connectors' | 'consents';
/** Without ids there were many, or the topic has none. */
export interface Change { topic: Topic; channel_id?: string; ids?: string[] }
/** `missed`: something was not told, so that all may be stale. `ended`: the session or its rights are over. */
export type Heard = { kind: 'change'; change: Change } | { kind: 'missed' } | { kind: 'ended' };

const NAME = 'harkara-live';
const WAIT_MS = 2000, WAIT_MAX_MS = 60_000;

function changeOf(data: unknown): Change | null {
    const value: unknown = typeof data === 'string' ? JSON.parse(data) : null;
    return typeof value === 'object' && value !== null && 'topic' in value ? value as Change : null;
}

/** Keeps a stream open until the signal; the browser comes again by itself, and we do when it was refused. */
function listen(say: (heard: Heard) => void, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
        let source: EventSource | null = null;
        let timer: ReturnType<typeof setTimeout> | undefined;
        let wait = WAIT_MS, isAgain = false;
        const open = () => {
            source?.close();
            const mine = source = new EventSource('/v1/stream');
            mine.addEventListener('ready', () => {
                wait = WAIT_MS;
                if (isAgain)
                    say({ kind: 'missed' });
                isAgain = false;
            });
            mine.addEventListener('change', ({ data }: MessageEvent) => {
                const change = changeOf(data);
                if (change !== null)
                    say({ kind: 'change', change });
            });
            mine.addEventListener('missed', () => { say({ kind: 'missed' }); });
            mine.addEventListener('end', ({ data }: MessageEvent) => {
                if (typeof data === 'string' && data.includes('access-ended'))
                    say({ kind: 'ended' });
            });
            mine.onerror = () => {
                if (mine.readyState !== EventSource.CLOSED)
                    return;
                isAgain = true;
                timer = setTimeout(open, wait);
                wait = Math.min(2 * wait, WAIT_MAX_MS);
            };
        };
        signal.addEventListener('abort', () => { source?.close(); clearTimeout(timer); resolve(); });
        open();
    });
}

/** A browser opens only six connections to a server: so one window has the stream, and tells the others. Returns what ends it. */
export function followStream(on: (heard: Heard) => void): () => void {
    const stopping = new AbortController();
    const others = typeof BroadcastChannel === 'undefined' || !('locks' in navigator) ? null : new BroadcastChannel(NAME);
    const say = (heard: Heard) => { on(heard); others?.postMessage(heard); };
    const lead = () => listen(say, stopping.signal);
    if (others === null) {
        void lead();
    } else {
        others.onmessage = ({ data }: MessageEvent<Heard>) => { on(data); };
        navigator.locks.request(NAME, { signal: stopping.signal }, lead).catch(() => undefined); /* stopped before it was its turn */
    }
    return () => { stopping.abort(); others?.close(); };
}
