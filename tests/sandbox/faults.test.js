/** Faults on request, magic numbers, limits and the service window. */
import test from 'node:test';
import assert from 'node:assert/strict';
import { Limits } from '../../sandbox/graph/limits.js';
import { PERSON, PHONE, TOKEN, WABA, startWorld } from './support.js';

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
  const attempt = (to) => fetch(`${world.url}/v23.0/${PHONE}/messages`, { method: 'POST', signal: AbortSignal.timeout(100), headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ messaging_product: 'whatsapp', to, ...hello }) });
  await assert.rejects(attempt('+15550300008'), { name: 'TimeoutError' });
  assert.equal((await world.control('messages')).body.total, 0);
  await assert.rejects(attempt('+15550300007'), { name: 'TimeoutError' });
  assert.equal((await world.control('messages?wa_id=15550300007')).body.total, 1);
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
