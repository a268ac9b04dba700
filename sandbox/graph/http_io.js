// @ts-check
/** Requests in and answers out, the same for HTTP/1.1 and HTTP/2. */

/** @typedef {import('node:http').IncomingMessage | import('node:http2').Http2ServerRequest} Request */
/** @typedef {import('node:http').ServerResponse | import('node:http2').Http2ServerResponse} Response */

/** The body is larger than this place takes. */
export class BodyTooLarge extends Error {}

/** The client went away before its request was whole. */
export class BodyCut extends Error {}

/** @param {Request} req @param {number} max @returns {Promise<Buffer>} */
export function readBody(req, max) {
    return new Promise((resolve, reject) => {
        const parts = /** @type {Buffer[]} */ ([]);
        let size = 0;
        req.on('data', (/** @type {Buffer} */ part) => {
            size += part.length;
            if (size <= max)
                parts.push(part);
        });
        req.on('end', () => (size > max ? reject(new BodyTooLarge()) : resolve(Buffer.concat(parts))));
        req.on('aborted', () => reject(new BodyCut()));
        req.on('error', () => reject(new BodyCut()));
    });
}

/** @param {Response} res @param {number} status @param {unknown} value @param {Record<string, string>} [headers] */
export function replyJson(res, status, value, headers = {}) {
    replyBytes(res, status, Buffer.from(JSON.stringify(value)), { 'content-type': 'application/json; charset=UTF-8', 'cache-control': 'no-store', ...headers });
}

/** @param {Response} res @param {number} status @param {Buffer} bytes @param {Record<string, string>} headers */
export function replyBytes(res, status, bytes, headers) {
    if (res.headersSent || res.writableEnded)
        return;
    const out = /** @type {import('node:http').ServerResponse} */ (res);
    out.writeHead(status, { ...headers, 'content-length': String(bytes.length) });
    out.end(bytes);
}

/** Ends the connection without an answer, as a broken network would. @param {Request} req */
export function cutConnection(req) {
    const stream = /** @type {any} */ (req).stream;
    if (req.httpVersionMajor === 2 && stream)
        stream.session?.destroy();
    else
        /** @type {any} */ (req.socket).resetAndDestroy?.();
}

/** Aborts when the client goes away. @param {Response} res @returns {AbortSignal} */
export function goneSignal(res) {
    const controller = new AbortController();
    res.on('close', () => {
        if (!res.writableFinished)
            controller.abort();
    });
    return controller.signal;
}

/** @param {Request} req @returns {string} */
export const hostOf = (req) => String(req.headers[':authority'] ?? req.headers.host ?? 'localhost');

/** @param {Request} req @returns {string} */
export const originOf = (req) => `${/** @type {any} */ (req.socket).encrypted || req.httpVersionMajor === 2 ? 'https' : 'http'}://${hostOf(req)}`;
