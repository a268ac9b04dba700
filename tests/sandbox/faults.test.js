/** Faults on request, magic numbers, limits and the service window. */
import test from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { Limits } from '../../sandbox/graph/limits.js';
import { PERSON, PHONE, TOKEN, WABA, defer, startWorld } from './support.js';

const hello = { text: { body: 'x' } };

test('magic numbers fail as their digits say', async (t) => {
  const world = await startWorld(t);
  const later = await world.send({ to: '+1 555 01 31026', ...hello });
  assert.equal(later.status, 200);
  await world.callback.until((callback) => callback.statuses.length === 1);
  const [failed] = world.callback.statuses;
  assert.equal(failed.status, 'failed');
  assert.equal(failed.errors[0].code, 131026);
  assert.equal(failed.errors[0].title, 'Message undeliverable');
  assert.equal(failed.pricing, undefined);
  for (const [digits, code, http] of [['31016', 131016, 500], ['30429', 130429, 400], ['00190', 190, 401], ['00004', 4, 400], ['32001', 132001, 404], ['80007', 80007, 400]]) {
    const refused = await world.send({ to: `+155502${digits}`, ...hello });
    assert.equal(refused.body.error.code, code, digits);
    assert.equal(refused.status, http, digits);
  }
  assert.equal((await world.send({ to: '+15550299999', ...hello })).status, 200, 'no such code: an ordinary number');
  const tries = [];
  for (let i = 0; i < 4; i++)
    tries.push((await world.send({ to: '+15550431016', ...hello })).status);
  assert.deepEqual(tries, [500, 500, 200, 200]);
});

test('magic numbers misbehave in their webhooks', async (t) => {
  const world = await startWorld(t);
  const statusesOf = async (to, count) => {
    const { id } = (await world.send({ to, ...hello })).body.messages[0];
    await world.callback.until((callback) => callback.statuses.filter((status) => status.id === id).length >= count);
    await world.control('wait?for=idle');
    return world.callback.statuses.filter((status) => status.id === id).map((status) => status.status);
  };
  assert.deepEqual(await statusesOf('+15550300001', 1), ['sent']);
  assert.deepEqual(await statusesOf('+15550300002', 2), ['sent', 'read']);
  assert.deepEqual(await statusesOf('+15550300003', 4), ['sent', 'sent', 'delivered', 'delivered']);
  assert.deepEqual(await statusesOf('+15550300004', 3), ['read', 'delivered', 'sent']);
  const { id } = (await world.send({ to: '+15550300006', ...hello })).body.messages[0];
  await world.control(`wait?for=messages&status=delivered&wa_id=15550300006`);
  assert.deepEqual(world.callback.statuses.filter((status) => status.id === id), []);
  await world.control('settings', { retry_first_ms: 60000 }, 'PATCH');
  await world.send({ to: '+15550300016', ...hello });
  await world.callback.until((callback) => callback.badSignatures >= 2);
  await world.send({ to: '+15550300017', ...hello });
  await world.callback.until((callback) => callback.badSignatures >= 4);
});

test('answers that are no Graph answers', async (t) => {
  const world = await startWorld(t);
  const empty = await world.send({ to: '+15550300012', ...hello });
  assert.deepEqual([empty.status, empty.body], [500, '']);
  const html = await world.send({ to: '+15550300013', ...hello });
  assert.equal(html.status, 502);
  assert.match(html.headers.get('content-type'), /text\/html/);
  const half = await world.send({ to: '+15550300014', ...hello });
  assert.equal(half.status, 200);
  assert.equal(typeof half.body, 'string');
  const limited = await world.send({ to: '+15550300015', ...hello });
  assert.deepEqual([limited.status, limited.headers.get('retry-after')], [429, '2']);
  assert.equal((await world.control('messages')).body.total, 0);
});

test('a connection cut before the acceptance leaves nothing, after it a message', async (t) => {
  const world = await startWorld(t);
  await assert.rejects(world.send({ to: '+15550300009', ...hello }));
  assert.equal((await world.control('messages')).body.total, 0);
  await assert.rejects(world.send({ to: '+15550300010', ...hello, biz_opaque_callback_data: 'cut-after' }));
  await world.callback.until((callback) => callback.statuses.some((status) => status.biz_opaque_callback_data === 'cut-after'));
});

test('a stall ends when the client goes away', async (t) => {
  const world = await startWorld(t);
  const attempt = (to, signal) => fetch(`${world.url}/v23.0/${PHONE}/messages`, { method: 'POST', signal, headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ messaging_product: 'whatsapp', to, ...hello }) });
  await assert.rejects(attempt('+15550300008', AbortSignal.timeout(100)), { name: 'TimeoutError' });
  assert.equal((await world.control('messages')).body.total, 0);
  const impatience = new AbortController();
  const stalled = assert.rejects(attempt('+15550300007', impatience.signal), { name: 'AbortError' });
  assert.equal((await world.control('wait?for=messages&wa_id=15550300007')).body.total, 1);
  impatience.abort();
  await stalled;
});

test('a fault strikes whom, when and as often as it was told', async (t) => {
  const world = await startWorld(t);
  const made = await world.control('faults', { match: { to: '1650*' }, skip: 1, times: 2, effect: { kind: 'error', code: 131016, http: 503, details: 'later', headers: { 'retry-after': '7' } } });
  assert.equal(made.status, 200);
  const statuses = [];
  for (const to of [PERSON, PERSON, '919876543210', PERSON, PERSON])
    statuses.push(await world.send({ to, ...hello }));
  assert.deepEqual(statuses.map((answer) => answer.status), [200, 503, 200, 503, 200]);
  assert.equal(statuses[1].body.error.error_data.details, 'later');
  assert.equal(statuses[1].body.error.is_transient, true);
  assert.equal(statuses[1].headers.get('retry-after'), '7');
  const { body } = await world.control('faults');
  assert.deepEqual([body.data[0].seen, body.data[0].struck], [4, 2]);
  await world.control('faults', undefined, 'DELETE');
  await world.control('faults', { times: null, every: 3, effect: { kind: 'http', http: 500 } });
  const third = [];
  for (let i = 0; i < 6; i++)
    third.push((await world.send(hello)).status);
  assert.deepEqual(third, [200, 200, 500, 200, 200, 500]);
});

test('faults reach media, templates, numbers and webhooks too', async (t) => {
  const world = await startWorld(t);
  await world.control('faults', { on: 'templates', effect: { kind: 'error', code: 80007 } });
  assert.equal((await world.graph(`/v23.0/${WABA}/message_templates`)).body.error.code, 80007);
  assert.equal((await world.graph(`/v23.0/${WABA}/message_templates`)).status, 200);
  await world.control('faults', { on: 'numbers', effect: { kind: 'error', code: 2 } });
  assert.equal((await world.graph(`/v23.0/${PHONE}`)).status, 503);
  await world.control('faults', { on: 'webhooks', effect: { kind: 'webhook', signature: 'wrong' } });
  await world.control('inbound', { from: PERSON, text: 'x' });
  await world.callback.until((callback) => callback.badSignatures === 1 && callback.inbound.length === 1);
});

test('the short form of a fault is a refusal with its code', async (t) => {
  const world = await startWorld(t);
  assert.equal((await world.control('faults', { to: `+${PERSON}`, phone_number_id: PHONE, code: 131026, times: 1 })).status, 200);
  assert.equal((await world.send({ to: '919876543210', ...hello })).status, 200);
  assert.equal((await world.send(hello)).body.error.code, 131026);
  assert.equal((await world.send(hello)).status, 200);
});

test('a fault that makes no sense is refused', async (t) => {
  const world = await startWorld(t);
  for (const fault of [{}, { effect: {} }, { effect: { kind: 'melt' } }, { effect: { kind: 'error' } }, { effect: { kind: 'error', code: '1' } }, { on: 'moon', effect: { kind: 'slow' } }, { times: 0, effect: { kind: 'slow' } },
    { skip: -1, effect: { kind: 'slow' } }, { match: { from: '1' }, effect: { kind: 'slow' } }, { effect: { kind: 'cut', when: 'never' } }, { surprise: 1, effect: { kind: 'slow' } }, { effect: { kind: 'slow', speed: 1 } }])
    assert.equal((await world.control('faults', fault)).status, 400, JSON.stringify(fault));
});

test('a number has 80 messages at once and 80 a second; a pair 45 at once and one in six seconds', () => {
  const limits = new Limits();
  const taken = (take) => { let count = 0; while (take()) count++; return count; };
  const number = (now) => taken(() => limits.takeThroughput('p', 80, now));
  assert.deepEqual([number(0), number(500), number(600), number(60_000)], [80, 40, 8, 80]);
  const pair = (now) => taken(() => limits.takePair('p', 'a', now));
  assert.deepEqual([pair(0), pair(5999), pair(6000), pair(18_000), pair(1_000_000)], [45, 0, 1, 2, 45]);
  assert.equal(limits.takePair('p', 'b', 0), true, 'another person is another pair');
});

test('over the throughput of a number comes 130429 with the documented body', async (t) => {
  const world = await startWorld(t, { settings: { throughput_per_second: 1 } });
  const many = () => Promise.all(Array.from({ length: 20 }, () => world.send(hello)));
  const [refused] = (await many()).filter((answer) => answer.status !== 200);
  const { fbtrace_id: trace, ...error } = refused.body.error;
  assert.ok(trace);
  assert.equal(refused.status, 400);
  assert.deepEqual(error, { message: '(#130429) Rate limit hit', type: 'OAuthException', code: 130429, error_subcode: 2494055,
    error_data: { messaging_product: 'whatsapp', details: 'Cloud API message throughput has been reached.' } });
  await world.control(`accounts/${WABA}`, { settings: { rate_limit_http: 429 } }, 'PATCH');
  assert.ok((await many()).some((answer) => answer.status === 429));
  await world.control(`accounts/${WABA}`, { settings: { throughput_per_second: 0 } }, 'PATCH');
  assert.ok((await many()).every((answer) => answer.status === 200));
});

test('over the pair limit, when it is on, comes 131056', async (t) => {
  const world = await startWorld(t, { settings: { pair_limit: 'on', throughput_per_second: 0 } });
  const answers = [];
  for (let i = 0; i < 60; i++)
    answers.push(await world.send(hello));
  assert.ok(answers.slice(0, 45).every((answer) => answer.status === 200));
  assert.equal(answers.at(-1).body.error.code, 131056);
  assert.equal((await world.send({ to: '919876543210', ...hello })).status, 200, 'another person is another pair');
});

test('without a window a text is accepted and then fails; a template passes; an inbound opens it', async (t) => {
  const world = await startWorld(t, { settings: { window: 'enforce' } });
  const outcome = async (message) => {
    const { id } = (await world.send(message)).body.messages[0];
    return world.callback.until((callback) => callback.statuses.find((status) => status.id === id && ['failed', 'delivered'].includes(status.status)));
  };
  const failed = await outcome(hello);
  assert.equal(failed.status, 'failed');
  assert.equal(failed.errors[0].code, 131047);
  assert.equal(failed.errors[0].error_data.details, 'Message failed to send because more than 24 hours have passed since the customer last replied to this number.');
  assert.equal((await outcome({ type: 'template', template: { name: 'hello_world', language: { code: 'en_US' } } })).status, 'delivered');
  await world.control('inbound', { from: PERSON, text: 'hi' });
  assert.equal((await outcome(hello)).status, 'delivered');
  assert.equal((await outcome({ to: '919876543210', ...hello })).status, 'failed', 'the window is for that person only');
});

test('a number that is not registered cannot send', async (t) => {
  const world = await startWorld(t);
  assert.deepEqual((await world.graph(`/v23.0/${PHONE}/deregister`, { method: 'POST' })).body, { success: true });
  assert.equal((await world.send(hello)).body.error.code, 133010);
  const register = (body) => world.graph(`/v23.0/${PHONE}/register`, { body: { messaging_product: 'whatsapp', ...body } });
  assert.equal((await register({})).body.error.code, 100);
  assert.equal((await register({ pin: '12' })).body.error.code, 100);
  assert.deepEqual((await register({ pin: '123456' })).body, { success: true });
  assert.equal((await register({ pin: '654321' })).body.error.code, 133005);
  assert.equal((await world.send(hello)).status, 200);
  for (let i = 0; i < 6; i++)
    await register({ pin: '123456' });
  assert.equal((await register({ pin: '123456' })).body.error.code, 133016);
});

test('every code of the table has a number that is refused with it, and one that fails with it later', async (t) => {
  const world = await startWorld(t, { settings: { throughput_per_second: 0 } }); /* a fast machine asks more than 80 times a second */
  const { codes } = (await world.control('magic', undefined, 'GET')).body;
  assert.ok(codes.length > 130, `${codes.length} codes`);
  assert.equal(new Set(codes.map(({ code }) => String(code).slice(-5).padStart(5, '0'))).size, codes.length, 'no two codes end alike');
  for (const { code, http } of codes) {
    const digits = String(code).slice(-5).padStart(5, '0');
    const now = await world.send({ to: `+155502${digits}`, ...hello });
    assert.deepEqual([now.status, now.body.error.code], [http, code]);
    const { id } = (await world.send({ to: `+155501${digits}`, ...hello })).body.messages[0];
    const failed = await world.control(`wait?for=messages&status=failed&wa_id=155501${digits}`, undefined, 'GET');
    assert.equal(failed.body.data.find((message) => message.id === id).statuses.at(-1).errors[0].code, code);
  }
});

test('a token expires at its time, and by hand', async (t) => {
  const world = await startWorld(t);
  await world.control(`accounts/${WABA}/tokens`, { expires_in_ms: 60_000 }, 'PATCH');
  assert.equal((await world.send(hello)).status, 200);
  assert.ok((await world.graph(`/v23.0/debug_token?input_token=${TOKEN}`)).body.data.expires_at > Date.now() / 1000);
  await world.control(`accounts/${WABA}/tokens`, { expires_in_ms: 0 }, 'PATCH');
  assert.equal((await world.send(hello)).body.error.error_subcode, 463);
  await world.control(`accounts/${WABA}/tokens`, { expires_in_ms: null }, 'PATCH');
  assert.equal((await world.send(hello)).status, 200);
});

test('so many people in a day, in a rolling 24 hours, and no more', () => {
  const limits = new Limits(), hour = 3600_000;
  assert.ok(limits.takeUser('w', 'a', 2, 0) && limits.takeUser('w', 'b', 2, hour) && limits.takeUser('w', 'a', 2, 2 * hour));
  assert.ok(!limits.takeUser('w', 'c', 2, 23 * hour));
  assert.ok(limits.takeUser('w', 'c', 2, 24 * hour), 'the first of them is a day ago');
  assert.ok(!limits.takeUser('w', 'a', 2, 24 * hour + 1));
  assert.ok(limits.takeUser('other', 'a', 2, 0) && limits.takeUser('w', 'z', 0, 0));
});

test('beyond the daily limit a message fails, outside windows only', async (t) => {
  const world = await startWorld(t);
  await world.control(`accounts/${WABA}`, { settings: { window: 'ignore', daily_users: 1 } }, 'PATCH');
  for (const to of ['16505550001', '16505550002'])
    assert.equal((await world.send({ to, ...hello })).status, 200);
  assert.equal((await world.control('wait?for=messages&status=failed&wa_id=16505550002', undefined, 'GET')).body.data[0].statuses.at(-1).errors[0].code, 131048);
  await world.control('inbound', { from: '16505550003', text: 'Hi' });
  await world.send({ to: '16505550003', ...hello });
  assert.equal((await world.control('wait?for=messages&direction=out&status=delivered&wa_id=16505550003', undefined, 'GET')).status, 200);
});

test('broken HTTP/1.1 is broken as asked', async (t) => {
  const world = await startWorld(t);
  /** What comes back, byte for byte. */
  const raw = (to) => new Promise((resolve) => {
    const body = JSON.stringify({ messaging_product: 'whatsapp', to, ...hello });
    const { hostname, port } = new URL(world.url);
    const socket = net.connect({ host: hostname, port: Number(port) });
    let text = '';
    const end = () => { socket.destroy(); resolve(text); };
    socket.on('data', (part) => { text += part; if ((text.match(/x-slow/g) ?? []).length > 2) end(); });
    socket.on('error', end);
    socket.on('close', end);
    socket.write(`POST /v23.0/${PHONE}/messages HTTP/1.1\r\nhost: ${hostname}:${port}\r\nauthorization: Bearer ${TOKEN}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  });
  const length = (text) => [Number(/content-length: (\d+)/.exec(text)?.[1]), text.split('\r\n\r\n')[1]?.length];
  const accepted = async () => (await world.control('counters', undefined, 'GET')).body['messages.accepted'] ?? 0;
  const half = length(await raw('+15550300018'));
  assert.ok(half[1] > 0 && half[1] < half[0]);
  const endless = await raw('+15550300019');
  assert.ok(endless.startsWith('HTTP/1.1 200') && !endless.includes('\r\n\r\n'));
  const long = length(await raw('+15550300020'));
  assert.ok(long[1] < long[0]);
  const short = length(await raw('+15550300021'));
  assert.ok(short[1] > short[0]);
  assert.equal(await accepted(), 4);
  assert.equal(await raw('+15550300022'), '');
  await world.control('faults', { effect: { kind: 'broken', how: 'no_http' } });
  assert.match(await raw(PERSON), /^220 /);
  assert.equal(await accepted(), 4, 'these were not taken');
  assert.equal((await world.control('faults', { effect: { kind: 'broken', how: 'politely' } })).status, 400);
});

test('TLS and HTTP/2 break as asked', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'sandbox-tls-'));
  defer(t, () => rmSync(dir, { recursive: true, force: true }));
  const world = await startWorld(t, { tls: { dir } });
  const ca = readFileSync(join(dir, 'ca.pem'));
  const { hostname, port } = new URL(world.tls_url);
  const handshake = () => new Promise((resolve) => {
    const socket = tls.connect({ host: hostname, port: Number(port), ca, ALPNProtocols: ['h2'] }, () => { socket.destroy(); resolve('good'); });
    socket.on('error', (error) => resolve(error.code ?? error.message));
  });
  assert.equal(await handshake(), 'good');
  for (const [setting, expected] of [['alert', /HANDSHAKE_FAILURE|ALERT/i], ['expired', /^CERT_HAS_EXPIRED$/], ['wrong_name', /^ERR_TLS_CERT_ALTNAME_INVALID$/], ['good', /^good$/]]) {
    await world.control('settings', { tls: setting }, 'PATCH');
    assert.match(await handshake(), expected, setting);
  }
  const ask = (to) => new Promise((resolve) => {
    const session = http2.connect(world.tls_url, { ca });
    const heard = { goaway: false, error: '' };
    session.on('goaway', () => { heard.goaway = true; });
    session.on('error', () => {});
    const stream = session.request({ ':method': 'POST', ':path': `/v23.0/${PHONE}/messages`, authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' });
    stream.on('error', (error) => { heard.error = error.code ?? error.message; });
    stream.on('close', () => { session.destroy(); resolve({ ...heard, rst: stream.rstCode }); });
    stream.resume();
    stream.end(JSON.stringify({ messaging_product: 'whatsapp', to, ...hello }));
  });
  assert.equal((await ask('+15550300022')).rst, http2.constants.NGHTTP2_REFUSED_STREAM);
  assert.equal((await ask('+15550300018')).rst, http2.constants.NGHTTP2_INTERNAL_ERROR);
  assert.equal((await ask('+15550300023')).goaway, true);
});
