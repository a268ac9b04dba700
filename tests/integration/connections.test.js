// @ts-check
/** Ten thousand open connections: all are served, what they cost is bounded, and nothing of it stays when they have gone. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { requestUnix, startPlatform, until } from './support.js';

const IDLE_MIB_MAX = 120, OPEN_MIB_MAX = 400;
const PER_ADDRESS = 2500; /* connections from one loopback address: each has so many ports */
const AT_ONCE = 250;

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop;
before(async () => {
    platform = await startPlatform({ env: { HARKARA_LOG_LEVEL: 'info' } });
    shop = await platform.workspace();
});
after(() => platform?.stop());

/** As many as the system lets us and the gateway have. */
function wanted() {
    const [, limit] = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return Math.min(10_000, Number(limit ?? Infinity) - 1000);
}

const isSanitized = () => JSON.parse(readFileSync(path.join(platform.options.build, 'meson-info/intro-buildoptions.json'), 'utf8'))
    .some(({ name, value }) => name === 'b_sanitize' && value !== 'none' && value.length > 0);

/** Resident memory of every role, the supervisor among them; PostgreSQL is not ours. */
async function residentMib() {
    const status = await platform.harkara.status();
    /* PostgreSQL is weighed by itself: its buffers are shared, and an operator's choice. */
    const pids = [status.pid, ...status.processes.filter(({ role, pid }) => role !== 'postgres' && pid > 0).map(({ pid }) => pid)];
    return pids.reduce((sum, pid) => sum + Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]), 0) / 1024;
}

async function openConnections() {
    const { text } = await requestUnix(platform.harkara.adminSocket, '/metrics');
    return [...text.matchAll(/^harkara_http_connections\{role="gateway-\d+"\} (\d+)$/gm)].reduce((sum, [, value]) => sum + Number(value), 0);
}

/** One request on the connection; the status of its answer. @param {net.Socket} socket @param {string} request @returns {Promise<number>} */
const ask = (socket, request) => new Promise((resolve, reject) => {
    let text = '';
    const done = (settle) => {
        socket.removeListener('data', read).removeListener('close', gone);
        settle();
    };
    const gone = () => done(() => reject(new Error('the connection was closed')));
    const read = (part) => {
        text += part.toString('latin1');
        const end = text.indexOf('\r\n\r\n');
        const length = Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? 0);
        if (end >= 0 && text.length >= end + 4 + length)
            done(() => resolve(Number(text.slice(9, 12))));
    };
    socket.on('data', read).once('close', gone);
    socket.write(request);
});

/** @param {number} index @returns {Promise<net.Socket>} */
const open = (index) => new Promise((resolve, reject) => {
    const socket = net.connect({ port: platform.options.port, host: '127.0.0.1', localAddress: `127.0.0.${2 + Math.floor(index / PER_ADDRESS)}` });
    socket.once('error', reject).once('connect', () => resolve(socket.removeListener('error', reject).on('error', () => {})));
});

function requestOf(index) {
    if (index % 10 !== 0)
        return 'GET /healthz HTTP/1.1\r\nHost: harkara.test\r\n\r\n';
    const body = JSON.stringify(shop.client.text(shop.channel, { to: `+1415${String(index).padStart(7, '0')}` }));
    return `POST /v1/messages HTTP/1.1\r\nHost: harkara.test\r\nAuthorization: Bearer ${shop.key}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** Opens them, each makes a request and stays. @param {number} count */
async function openAll(count) {
    /** @type {net.Socket[]} */
    const sockets = [];
    for (let at = 0; at < count; at += AT_ONCE)
        sockets.push(...await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - at) }, async (_, i) => {
            const socket = await open(at + i), request = requestOf(at + i);
            assert.equal(await ask(socket, request), request.startsWith('POST') ? 202 : 200);
            return socket;
        })));
    return sockets;
}

describe('many connections', () => {
    test('ten thousand are served and stay within the memory they may take, twice', async (t) => {
        const count = wanted(), weighs = !isSanitized();
        if (count < 1000)
            return t.skip('too few files may be open');
        await platform.whole();
        const idle = await residentMib();
        t.diagnostic(`idle: ${Math.round(idle)} MiB`);
        if (weighs)
            assert.ok(idle < IDLE_MIB_MAX, `all roles take ${idle} MiB at idle`);
        for (let round = 0; round < 2; round++) {
            const sockets = await openAll(count);
            const are = await openConnections();
            assert.ok(are >= count, `${are} of ${count} are open`);
            const taken = await residentMib();
            t.diagnostic(`${count} connections: ${Math.round(taken)} MiB`);
            if (weighs)
                assert.ok(taken < OPEN_MIB_MAX, `all roles take ${taken} MiB with ${count} connections`);
            assert.equal(await ask(sockets[count - 1], requestOf(0)), 202, 'among them, one is served');
            sockets.forEach((socket) => socket.destroy());
            await until(async () => await openConnections() < 100, 'the connections to be gone');
            if (weighs) /* what they held is given back at one of the next ticks */
                await until(async () => await residentMib() < idle + (OPEN_MIB_MAX - IDLE_MIB_MAX) / 4, 'the memory to be given back');
        }
    });
});
