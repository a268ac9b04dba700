/** Numbers and signups: registration and its limits, codes, names, the exchange of a signup's code. */
import test from 'node:test';
import assert from 'node:assert/strict';
import { PHONE, SECRET, WABA, ask, startWorld } from './support.js';

const code = (answer) => answer.body.error?.code;

test('a number is registered with its PIN, ten times in 72 hours', async (t) => {
  const world = await startWorld(t, { account: { registered: false } });
  const register = (pin) => world.graph(`/v23.0/${PHONE}/register`, { body: { messaging_product: 'whatsapp', pin } });
  assert.deepEqual((await register('123456')).body, { success: true });
  assert.equal(code(await register('654321')), 133005);
  for (let attempt = 3; attempt <= 10; attempt++)
    assert.equal((await register('123456')).status, 200);
  assert.equal(code(await register('123456')), 133016);
  assert.equal(code(await world.graph(`/v23.0/${PHONE}/deregister`, { method: 'POST' })), 133016);
});

test('a number that is not proven cannot be registered before its code is given', async (t) => {
  const world = await startWorld(t);
  await world.control(`phones/${PHONE}`, { code_status: 'NOT_VERIFIED' }, 'PATCH');
  assert.equal((await world.graph(`/v23.0/${PHONE}?fields=code_verification_status`)).body.code_verification_status, 'NOT_VERIFIED');
  assert.equal(code(await world.graph(`/v23.0/${PHONE}/register`, { body: { messaging_product: 'whatsapp', pin: '123456' } })), 133006);
  assert.equal(code(await world.graph(`/v23.0/${PHONE}/request_code`, { body: { code_method: 'PIGEON', language: 'en_US' } })), 100);
  const request = () => world.graph(`/v23.0/${PHONE}/request_code`, { body: { code_method: 'SMS', language: 'en_US' } });
  assert.deepEqual((await request()).body, { success: true });
  const sent = (await world.control(`accounts/${WABA}`)).body.phones[0].code;
  assert.match(sent, /^[0-9]{6}$/);
  assert.equal(code(await world.graph(`/v23.0/${PHONE}/verify_code`, { body: { code: sent === '000000' ? '111111' : '000000' } })), 136025);
  assert.equal((await world.graph(`/v23.0/${PHONE}/verify_code`, { body: { code: sent } })).body.success, true);
  assert.equal(code(await world.graph(`/v23.0/${PHONE}/verify_code`, { body: { code: sent } })), 136025, 'a code is good once');
  assert.equal((await world.graph(`/v23.0/${PHONE}/register`, { body: { messaging_product: 'whatsapp', pin: '123456' } })).status, 200);
  for (let more = 2; more <= 5; more++)
    assert.equal((await request()).status, 200);
  const tooMany = await request();
  assert.deepEqual([tooMany.status, code(tooMany)], [422, 613]);
});

test('another name is reviewed, and its decision told', async (t) => {
  const world = await startWorld(t);
  await world.graph(`/v23.0/${PHONE}`, { body: { new_display_name: 'Green Corner' } });
  const during = (await world.graph(`/v23.0/${PHONE}?fields=verified_name,new_display_name,new_name_status`)).body;
  assert.deepEqual([during.verified_name, during.new_display_name, during.new_name_status], ['Sandbox Business', 'Green Corner', 'PENDING_REVIEW']);
  await world.control(`phones/${PHONE}`, { name_decision: 'APPROVED' }, 'PATCH');
  const told = await world.callback.until((callback) => callback.changes().find((change) => change.field === 'phone_number_name_update'), 'the decision');
  assert.deepEqual(told.value, { display_phone_number: '15550783881', decision: 'APPROVED', requested_verified_name: 'Green Corner', rejection_reason: null });
  assert.equal((await world.graph(`/v23.0/${PHONE}?fields=verified_name`)).body.verified_name, 'Green Corner');
});

test('a signup\'s code becomes a token once, in time, for its app', async (t) => {
  const world = await startWorld(t);
  const signUp = async (more = {}) => (await world.control('signups', { waba_id: '900', phone_number_id: '901', app_id: '902', app_secret: SECRET, ...more })).body;
  const exchange = (given, secret = SECRET) => ask(`${world.url}/v23.0/oauth/access_token?client_id=902&client_secret=${secret}&code=${given}`);
  const first = await signUp();
  assert.equal(code(await exchange(first.code, 'wrong')), 1);
  const answer = await exchange(first.code);
  assert.equal(answer.status, 200);
  assert.equal(answer.body.token_type, 'bearer');
  const again = await exchange(first.code);
  assert.deepEqual([code(again), again.body.error.error_subcode], [100, 36009]);
  const late = await exchange((await signUp({ life_ms: -1 })).code);
  assert.deepEqual([code(late), late.body.error.error_subcode], [100, 36007]);
  const debug = (bearer) => ask(`${world.url}/v23.0/debug_token?input_token=${answer.body.access_token}`, { token: bearer });
  const { data } = (await debug(`902|${SECRET}`)).body;
  assert.equal(data.is_valid, true);
  assert.equal(data.app_id, '902');
  assert.deepEqual(data.granular_scopes.map(({ target_ids }) => target_ids), [['900'], ['900']]);
  assert.equal(code(await debug('902|wrong')), 190);
  assert.equal((await ask(`${world.url}/v23.0/900/subscribed_apps`, { token: answer.body.access_token })).body.data.length, 0);
});

test('usage is told with each answer, and management calls end with the allowance', async (t) => {
  const world = await startWorld(t, { account: { settings: { window: 'ignore' } } });
  const call = async (path, options) => {
    const response = await fetch(`${world.url}${path}`, { ...options, headers: { authorization: 'Bearer EAAtesttoken', 'content-type': 'application/json' } });
    return { status: response.status, app: response.headers.get('x-app-usage'), own: response.headers.get('x-business-use-case-usage'), body: await response.json() };
  };
  const number = () => call(`/v23.0/${PHONE}`);
  const send = () => call(`/v23.0/${PHONE}/messages`, { method: 'POST', body: JSON.stringify({ messaging_product: 'whatsapp', to: '16505551234', type: 'text', text: { body: 'x' } }) });
  assert.deepEqual([(await number()).app, (await number()).own], [null, null]);
  await world.control('settings', { app_usage: 80, account_usage: 99, regain_minutes: 3 }, 'PATCH');
  for (const answer of [await number(), await send()]) {
    assert.equal(answer.status, 200);
    assert.equal(JSON.parse(answer.app).call_count, 80);
    assert.deepEqual(Object.keys(JSON.parse(answer.own)), [WABA]);
    assert.equal(JSON.parse(answer.own)[WABA][0].call_count, 99);
    assert.equal(JSON.parse(answer.own)[WABA][0].estimated_time_to_regain_access, 3);
  }
  await world.control('settings', { account_usage: 100 }, 'PATCH');
  const refused = await number();
  assert.equal(code(refused), 80007);
  assert.equal(JSON.parse(refused.own)[WABA][0].call_count, 100);
  assert.equal((await send()).status, 200, 'messages have limits of their own');
  await world.control('settings', { app_usage: 100 }, 'PATCH');
  assert.equal(code(await number()), 4);
});
