/** Webhooks out: bytes, signature, order, batches, retries, and who gets them. */
import test from 'node:test';
import assert from 'node:assert/strict';
import { sign, webhookBytes } from '../../sandbox/graph/signature.js';
import { Callback, PERSON, PHONE, SECRET, WABA, startWorld, defer } from './support.js';

test('the bytes are ASCII with \\uXXXX in lower case and \\/, and the signature is over them', () => {
  const bytes = webhookBytes({ body: 'Olá 👍🏽 a/b "q" \u2028 \u007f ñ', tab: '\t\n' });
  assert.equal(bytes.toString('latin1'), '{"body":"Ol\\u00e1 \\ud83d\\udc4d\\ud83c\\udffd a\\/b \\"q\\" \\u2028 \u007f \\u00f1","tab":"\\t\\n"}');
  assert.deepEqual(JSON.parse(bytes.toString()), { body: 'Olá 👍🏽 a/b "q" \u2028 \u007f ñ', tab: '\t\n' });
  /* computed with another implementation: printf '{"a":"\\u00e9\\/"}' | openssl dgst -sha256 -hmac secret */
  assert.equal(sign('secret', webhookBytes({ a: 'é/' })), VECTOR);
});
const VECTOR = 'sha256=a27c029865fea05911967dc52fbf5f91f19f757e951ec713f348e2aadd15d8b2';

test('what arrives is in that form', async (t) => {
  const world = await startWorld(t);
  await world.control('inbound', { from: PERSON, name: 'Zoë', text: 'naïve/👍' });
  await world.callback.until((callback) => callback.inbound.length === 1);
  assert.match(world.callback.posts[0].raw, /"body":"na\\u00efve\\\/\\ud83d\\udc4d"/);
  assert.match(world.callback.posts[0].raw, /"name":"Zo\\u00eb"/);
  assert.equal(world.callback.badSignatures, 0);
});

test('an update is retried until it is taken, at once and then with growing gaps', async (t) => {
  const world = await startWorld(t, { settings: { retry_first_ms: 20, retry_max_ms: 40 } });
  const at = [];
  world.callback.answer = (post) => {
    if (post.json.entry[0].changes[0].value.statuses?.[0].status !== 'sent')
      return 200;
    at.push(performance.now());
    return at.length < 5 ? [500, 302, 404, 201][at.length - 1] : 200;
  };
  await world.send({ text: { body: 'x' } });
  await world.callback.until((callback) => callback.statuses.some((status) => status.status === 'sent'));
  assert.equal(at.length, 5);
  const gaps = at.slice(1).map((time, i) => time - at[i]);
  assert.ok(gaps[1] >= 19 && gaps[2] >= 39 && gaps[3] >= 39, String(gaps));
  assert.deepEqual(world.callback.statuses.map((status) => status.status), ['delivered', 'sent'], 'one that is retried does not hold up the next');
  const { body } = await world.control('counters');
  assert.equal(body['webhooks.refused'], 4);
});

test('a callback that hangs counts as refused', async (t) => {
  const world = await startWorld(t, { settings: { webhook_timeout_ms: 30 } });
  let first = true;
  world.callback.answer = () => {
    if (!first)
      return 200;
    first = false;
    return new Promise(() => {});
  };
  await world.control('inbound', { from: PERSON, text: 'x' });
  await world.callback.until((callback) => callback.inbound.length === 1);
  await world.control('wait?for=idle');
  const outcomes = (await world.control('webhooks')).body.data.map((delivery) => delivery.error ?? delivery.status);
  assert.equal(outcomes[0], 'timeout');
  assert.equal(outcomes.at(-1), 200); /* on a busy machine another may have been too slow */
});

test('an update is given up after its time', async (t) => {
  const world = await startWorld(t, { settings: { retry_first_ms: 1, retry_max_ms: 1, retry_for_ms: 5 } });
  world.callback.answer = () => 503;
  await world.control('inbound', { from: PERSON, text: 'x' });
  assert.equal((await world.control('wait?for=idle')).status, 200);
  assert.equal((await world.control('counters')).body['webhooks.given_up'], 1);
});

test('statuses of one message leave in order while the callback takes them, however slow it is', async (t) => {
  const world = await startWorld(t, { settings: { auto_read: true, throughput_per_second: 0 } });
  world.callback.answer = async () => { await new Promise((resolve) => setImmediate(resolve)); return 200; };
  const ids = [];
  for (let i = 0; i < 30; i++)
    ids.push((await world.send({ to: `1650555${1000 + i}`, text: { body: 'x' } })).body.messages[0].id);
  await world.callback.until((callback) => callback.statuses.length === 90);
  for (const id of ids)
    assert.deepEqual(world.callback.statuses.filter((status) => status.id === id).map((status) => status.status), ['sent', 'delivered', 'read']);
});

test('updates are put together in one POST when that is asked for', async (t) => {
  const world = await startWorld(t, { settings: { batch_max: 50, batch_wait_ms: 40, throughput_per_second: 0 } });
  await Promise.all(Array.from({ length: 20 }, (_, i) => world.send({ to: `1650555${1000 + i}`, text: { body: 'x' } })));
  await world.callback.until((callback) => callback.statuses.length === 40);
  assert.ok(world.callback.posts.length < 20, `${world.callback.posts.length} posts`);
  assert.ok(world.callback.posts.some((post) => post.json.entry[0].changes.length > 1));
});

test('the callback of the number comes before that of the account, and that before the app\'s', async (t) => {
  const world = await startWorld(t);
  const [forAccount, forNumber] = [await new Callback().start(), await new Callback().start()];
  defer(t, () => { forAccount.stop(); forNumber.stop(); });
  const heard = async (callback) => {
    const before = callback.inbound.length;
    await world.control('inbound', { from: PERSON, text: 'x' });
    await callback.until(() => callback.inbound.length > before);
  };
  await heard(world.callback);
  const refused = await world.graph(`/v23.0/${WABA}/subscribed_apps`, { body: { override_callback_uri: forAccount.url, verify_token: 'wrong' } });
  assert.equal(refused.body.error.code, 2200);
  assert.deepEqual((await world.graph(`/v23.0/${WABA}/subscribed_apps`, { body: { override_callback_uri: forAccount.url, verify_token: 'verify-me' } })).body, { success: true });
  assert.equal((await world.graph(`/v23.0/${WABA}/subscribed_apps`)).body.data[0].override_callback_uri, forAccount.url);
  await heard(forAccount);
  await world.graph(`/v23.0/${PHONE}`, { body: { webhook_configuration: { override_callback_uri: forNumber.url, verify_token: 'verify-me' } } });
  await heard(forNumber);
  await world.graph(`/v23.0/${PHONE}`, { body: { webhook_configuration: { override_callback_uri: '' } } });
  await heard(forAccount);
  await world.graph(`/v23.0/${WABA}/subscribed_apps`, { method: 'POST' });
  await heard(world.callback);
  await world.graph(`/v23.0/${WABA}/subscribed_apps`, { method: 'DELETE' });
  await world.control('inbound', { from: PERSON, text: 'nobody hears' });
  assert.equal((await world.control('counters')).body['webhooks.unheard'], 1);
});

test('any field can be pushed as it is', async (t) => {
  const world = await startWorld(t);
  await world.control('webhook', { waba_id: WABA, field: 'account_update', value: { event: 'ACCOUNT_DELETED', new_thing: { a: 1 } }, timed: true });
  const [post] = await world.callback.until((callback) => callback.posts.length > 0 && callback.posts);
  assert.deepEqual(post.json.entry[0].changes, [{ value: { event: 'ACCOUNT_DELETED', new_thing: { a: 1 } }, field: 'account_update' }]);
  assert.equal(typeof post.json.entry[0].time, 'number');
});

test('pricing follows the rules of the day, conversation only the old version', async (t) => {
  const world = await startWorld(t, { settings: { webhook_version: 23 } });
  await world.control('inbound', { from: PERSON, text: 'x' });
  await world.send({ text: { body: 'x' } });
  await world.callback.until((callback) => callback.statuses.length === 2);
  const [sent, delivered] = world.callback.statuses;
  const charged = Date.now() >= Date.UTC(2026, 9, 1);
  assert.deepEqual(sent.pricing, { billable: charged, pricing_model: 'PMP', type: charged ? 'regular' : 'free_customer_service', category: 'service' });
  assert.deepEqual(delivered.pricing, sent.pricing);
  assert.equal(sent.conversation.origin.type, 'service');
  assert.match(sent.conversation.expiration_timestamp, /^[0-9]+$/);
  assert.equal(delivered.conversation.expiration_timestamp, undefined);
  assert.equal(delivered.conversation.id, sent.conversation.id);
});

test('a click on an advertisement opens a free entry point', async (t) => {
  const world = await startWorld(t);
  await world.control('inbound', { from: PERSON, text: 'x', referral: { source_type: 'ad', source_id: '1', source_url: 'https://fb.me/x' } });
  await world.send({ text: { body: 'x' } });
  await world.callback.until((callback) => callback.statuses.length === 2);
  assert.deepEqual(world.callback.statuses[0].pricing, { billable: false, pricing_model: 'PMP', type: 'free_entry_point', category: 'service' });
  assert.equal(world.callback.inbound[0].referral.source_id, '1');
});
