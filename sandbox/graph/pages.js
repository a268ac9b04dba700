// @ts-check
/** The pages' files and their live events. */
import { readFileSync } from 'node:fs';
import { replyBytes } from './http_io.js';

const TYPES = /** @type {Record<string, string>} */ ({ html: 'text/html; charset=utf-8', css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8',
    svg: 'image/svg+xml' });

/** Nothing inline, nothing from elsewhere, no frames. */
const PAGE_HEADERS = {
    'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cache-control': 'no-cache',
};

/** @param {import('./http_io.js').Response} res @param {'handset'|'log'} folder @param {string} name */
export function serveFile(res, folder, name) {
    const extension = /^[a-z_]+\.(html|css|js|svg)$/.exec(name)?.[1];
    let bytes;
    try {
        bytes = extension === undefined ? null : readFileSync(new URL(`./${folder}/page/${name}`, import.meta.url));
    } catch {
        bytes = null;
    }
    if (bytes === null || extension === undefined)
        replyBytes(res, 404, Buffer.from('not found'), { 'content-type': 'text/plain' });
    else
        replyBytes(res, 200, bytes, { 'content-type': TYPES[extension], ...PAGE_HEADERS });
}

/** A page that somebody else wrote: nothing of it runs, and nothing is fetched. @param {import('./http_io.js').Response} res @param {string|null} html */
export function serveForeign(res, html) {
    replyBytes(res, html === null ? 404 : 200, Buffer.from(html ?? 'not found'), { ...PAGE_HEADERS, 'content-type': 'text/html; charset=utf-8',
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-popups allow-top-navigation-by-user-activation" });
}

/**
 * Server-sent events of the bus. @param {import('./sandbox.js').Sandbox} sb @param {import('./http_io.js').Response} res
 * @param {string[]} events @param {(event: string, value: any) => boolean} wanted
 * @param {(event: string, value: any) => any} [view]
 */
export function serveEvents(sb, res, events, wanted, view = (_, value) => value) {
    const out = /** @type {import('node:http').ServerResponse} */ (res);
    out.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
    out.write('retry: 1000\nevent: hello\ndata: {}\n\n');
    const listeners = events.map((event) => /** @type {const} */ ([event, (/** @type {any} */ value) => {
        if (wanted(event, value))
            out.write(`event: ${event}\ndata: ${JSON.stringify(view(event, value))}\n\n`);
    }]));
    for (const [event, listener] of listeners)
        sb.bus.on(event, listener);
    const beat = setInterval(() => out.write(':\n\n'), 15_000);
    out.on('close', () => {
        clearInterval(beat);
        for (const [event, listener] of listeners)
            sb.bus.off(event, listener);
    });
}
