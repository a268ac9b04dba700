// @ts-check
/** Answers that break the rules of HTTP, on the connection as it is. */
import http2 from 'node:http2';
import { cutConnection } from './http_io.js';

const BODY = '{"messaging_product":"whatsapp","contacts":[{"input":"1","wa_id":"1"}],"messages":[{"id":"wamid.broken"}]}';
const DRIP_MS = 200;
const { NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = http2.constants;

/** @param {import('./http_io.js').Request} req @param {import('./http_io.js').Response} res @param {string} how */
export function replyBroken(req, res, how) {
    if (req.httpVersionMajor === 2)
        overHttp2(/** @type {http2.ServerHttp2Stream} */ (/** @type {any} */ (req).stream), how);
    else
        overHttp1(req, /** @type {import('node:net').Socket} */ (res.socket), how);
}

/** @param {import('./http_io.js').Request} req @param {import('node:net').Socket} socket @param {string} how */
function overHttp1(req, socket, how) {
    const head = (/** @type {number} */ length) => `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
    if (how === 'slow_headers') {
        socket.write('HTTP/1.1 200 OK\r\n');
        const timer = setInterval(() => socket.write('x-slow: 1\r\n'), DRIP_MS);
        socket.once('close', () => clearInterval(timer));
    } else if (how === 'cut_body')
        socket.write(head(BODY.length) + BODY.slice(0, 20), () => socket.resetAndDestroy());
    else if (how === 'short_length')
        socket.end(head(BODY.length - 30) + BODY);
    else if (how === 'long_length')
        socket.end(head(BODY.length + 30) + BODY);
    else if (how === 'no_http')
        socket.end('220 this is not the web\r\n');
    else
        cutConnection(req);
}

/** @param {http2.ServerHttp2Stream} stream @param {string} how */
function overHttp2(stream, how) {
    const { session } = stream;
    stream.on('error', () => {});
    if (how === 'goaway') /* nothing from this stream on was processed, says RFC 9113, 6.8 */
        session?.goaway(NGHTTP2_NO_ERROR, Math.max(0, Number(stream.id) - 2));
    if (how === 'goaway' || how === 'no_http')
        session?.destroy();
    else if (how === 'rst_stream')
        stream.close(NGHTTP2_REFUSED_STREAM);
    else if (how === 'cut_body') {
        stream.respond({ ':status': 200, 'content-type': 'application/json' });
        stream.write(BODY.slice(0, 20), () => stream.destroy(new Error('cut')));
    } else if (how !== 'slow_headers') { /* which on HTTP/2 is no header at all */
        stream.respond({ ':status': 200, 'content-type': 'application/json', 'content-length': String(BODY.length + (how === 'long_length' ? 30 : -30)) });
        stream.end(BODY);
    }
}
