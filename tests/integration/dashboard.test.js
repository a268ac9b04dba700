// @ts-check
/** How the dashboard is served: its page with a policy of its own for each answer, its files by their names, and nothing else. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import zlib from 'node:zlib';
import { mkdtempSync, chmodSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { ROOT, startPlatform } from './support.js';

const PAGE = '<!doctype html><title>x</title><script nonce="__HARKARA_NONCE__"></script><meta nonce="__HARKARA_NONCE__">';
const SCRIPT = `export const long = '${'a'.repeat(4000)}';\n`;
let folder, platform;

/** What the build packs, of files of our own: so the test asks for no build of the real ones. */
function pack(into) {
    const dist = path.join(into, 'dist');
    mkdirSync(path.join(dist, 'assets'), { recursive: true });
    writeFileSync(path.join(dist, 'index.html'), PAGE);
    writeFileSync(path.join(dist, 'favicon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
    writeFileSync(path.join(dist, 'assets/app-1a2b.js'), SCRIPT);
    writeFileSync(path.join(dist, 'assets/font-3c4d.woff2'), 'font');
    execFileSync(process.execPath, [path.join(ROOT, 'web/scripts/pack.js'), dist, path.join(into, 'dashboard.pack')]);
    return path.join(into, 'dashboard.pack');
}

before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'harkara-dashboard-'));
    chmodSync(folder, 0o755);
    platform = await startPlatform({ env: { HARKARA_DASHBOARD: pack(folder) } });
});
after(async () => {
    await platform?.stop();
    rmSync(folder, { recursive: true, force: true });
});

/** As it comes over the wire, nothing decoded. @param {string} target @param {Record<string, string>} [headers] @returns {Promise<{status: number, headers: http.IncomingHttpHeaders, body: Buffer}>} */
function get(target, headers = {}, method = 'GET') {
    const { hostname, port } = new URL(platform.url);
    return new Promise((resolve, reject) => {
        const call = http.request({ hostname, port, path: target, method, headers }, (answer) => {
            const parts = [];
            answer.on('data', (part) => parts.push(part));
            answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts) }));
        });
        call.on('error', reject);
        call.end();
    });
}
const html = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

test('the page carries a nonce of its own in each answer, and its policy allows nothing else', async () => {
    const nonces = new Set();
    for (const target of ['/', '/', '/messages', '/messages/msg_x?status=failed', '/a/b/c/d/e/f/g/h/i/j/k']) {
        const { status, headers, body } = await get(target, html);
        assert.equal(status, 200);
        assert.equal(headers['content-type'], 'text/html; charset=utf-8');
        assert.equal(headers['cache-control'], 'no-store');
        const policy = String(headers['content-security-policy']);
        const [, nonce] = /script-src 'self' 'nonce-([\w-]{24})'/.exec(policy) ?? [];
        assert.ok(nonce, policy);
        assert.ok(!/unsafe|https?:|\*/.test(policy), policy);
        assert.match(policy, /default-src 'none'.*frame-ancestors 'none'/);
        assert.equal(body.toString(), PAGE.replaceAll('__HARKARA_NONCE__', nonce));
        nonces.add(nonce);
    }
    assert.equal(nonces.size, 5, 'none is used twice');
});

test('a file is sent in the smallest form that the client takes, to be kept for good', async () => {
    for (const [accept, coding, decode] of /** @type {[string, string | undefined, (b: Buffer) => Buffer][]} */ ([
        ['gzip, deflate, br, zstd', 'br', zlib.brotliDecompressSync], ['gzip', 'gzip', zlib.gunzipSync], ['br;q=0, gzip', 'gzip', zlib.gunzipSync], ['identity', undefined, (b) => b]])) {
        const { status, headers, body } = await get('/assets/app-1a2b.js', { 'accept-encoding': accept });
        assert.equal(status, 200);
        assert.equal(headers['content-encoding'], coding);
        assert.equal(headers['content-type'], 'text/javascript; charset=utf-8');
        assert.equal(headers['cache-control'], 'public, max-age=31536000, immutable');
        assert.equal(headers.vary, 'Accept-Encoding');
        assert.equal(headers['x-content-type-options'], 'nosniff');
        assert.equal(decode(body).toString(), SCRIPT);
    }
    const font = await get('/assets/font-3c4d.woff2', { 'accept-encoding': 'br' });
    assert.equal(font.headers['content-encoding'], undefined);
    assert.equal(font.body.toString(), 'font');
    assert.equal((await get('/favicon.svg')).headers['cache-control'], 'public, max-age=3600', 'its name holds no hash');
    const head = await get('/assets/app-1a2b.js', {}, 'HEAD');
    assert.equal(head.status, 200);
    assert.equal(head.headers['content-length'], String(SCRIPT.length));
    assert.equal(head.body.length, 0);
});

test('what is no file and no page is a problem, also for a browser', async () => {
    for (const target of ['/v1/nothing', '/v1', '/assets/gone.js', '/assets/', '/v1/openapi.json/x'])
        assert.equal((await get(target, html)).status, 404, target);
    for (const target of ['/messages', '/favicon.ico', '/assets/app-1a2b.js.map', '/dashboard.pack'])
        assert.equal((await get(target, { accept: '*/*' })).status, 404, target);
    const { status, headers } = await get('/nothing', { accept: 'application/json' });
    assert.equal(status, 404);
    assert.equal(headers['content-type'], 'application/problem+json');
    assert.equal((await get('/', html, 'POST')).status, 404, 'only what is read');
    assert.equal((await get('/assets/app-1a2b.js', {}, 'DELETE')).status, 404);
    const contract = await get('/v1/openapi.json', html);
    assert.match(String(contract.headers['content-type']), /json/, 'the API is the API, whoever asks');
});

/** A path that no client would leave as it is. @param {string} target @returns {Promise<string>} */
function getRaw(target) {
    const { hostname, port } = new URL(platform.url);
    return new Promise((resolve, reject) => {
        const socket = net.connect(Number(port), hostname, () => socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`));
        let text = '';
        socket.on('data', (part) => (text += part));
        socket.on('close', () => resolve(text));
        socket.on('error', reject);
    });
}

test('no path leads out of the pack', async () => {
    for (const target of ['/../../etc/passwd', '/assets/../../../../etc/passwd', '/assets/..%2f..%2f..%2fetc%2fpasswd', '/%2e%2e/%2e%2e/etc/passwd', '/assets/%00', '//etc/passwd',
        '/assets/app-1a2b.js/', '/assets//app-1a2b.js', '/assets/%61pp-1a2b.js', '/assets/app-1a2b.js%00.png', '/assets/..;/x', '/assets\\..\\x']) {
        const answer = await getRaw(target);
        assert.match(answer, /^HTTP\/1\.1 40[04] /, `${target}: ${answer.slice(0, 60)}`);
        assert.ok(!answer.includes('root:') && !answer.includes('aaaaaaaa'), target);
    }
});

test('the files stay as they were read: what becomes of the pack afterwards changes nothing', async () => {
    rmSync(path.join(folder, 'dashboard.pack'));
    assert.equal((await get('/assets/app-1a2b.js')).body.toString(), SCRIPT);
    writeFileSync(path.join(folder, 'dashboard.pack'), 'damaged');
    assert.equal((await get('/', html)).status, 200);
});
