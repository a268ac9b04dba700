/** What people send: by the control API and by the handset. */
import test from 'node:test';
import assert from 'node:assert/strict';
import { PERSON, PHONE, ask, startWorld } from './support.js';
import { png } from './fixtures.js';

const handset = (world, path, body, method) => ask(`${world.url}/handset/api/${path}`, { body, method });
const chat = (world, path = '') => `chats/${PERSON}/${PHONE}${path}`;

test('inbound messages have the shape that the documentation shows', async (t) => {
  const world = await startWorld(t, { settings: { bsuid: false } });
  const { body: made } = await world.control('inbound', { from: PERSON, name: 'Ana Example', text: 'Does it come in blue?' });
  const [post] = await world.callback.until((callback) => callback.posts.length > 0 && callback.posts);
  assert.deepEqual(post.json.entry[0].changes, [{ value: { messaging_product: 'whatsapp', metadata: { display_phone_number: '15550783881', phone_number_id: PHONE },
    contacts: [{ profile: { name: 'Ana Example' }, wa_id: PERSON }],
    messages: [{ from: PERSON, id: made.id, timestamp: String(Math.floor(made.at / 1000)), type: 'text', text: { body: 'Does it come in blue?' } }] }, field: 'messages' }]);
  assert.equal(Buffer.from(made.id.slice(6), 'base64')[17], 0x12);
});

test('each kind can be injected, and an unknown one is refused', async (t) => {
  const world = await startWorld(t);
  const kinds = { image: { id: '1', mime_type: 'image/jpeg', sha256: 'x' }, location: { latitude: 1, longitude: 2 }, button: { payload: 'p', text: 't' }, reaction: { message_id: 'wamid.x', emoji: '👍' },
    interactive: { type: 'button_reply', button_reply: { id: 'a', title: 'A' } }, order: { catalog_id: 'c', product_items: [] }, contacts: [{ name: { formatted_name: 'A' } }] };
  for (const [type, content] of Object.entries(kinds))
    await world.control('inbound', { from: PERSON, type, [type]: content });
  await world.callback.until((callback) => callback.inbound.length === 7);
  for (const message of world.callback.inbound) {
    assert.deepEqual(message[message.type], kinds[message.type]);
    assert.match(message.from_user_id, /^US\.[0-9]{20}$/);
  }
  await world.control('inbound', { from: PERSON, type: 'unsupported', unsupported: { errors: [{ code: 131051, title: 'Message type unknown' }] } });
  await world.callback.until((callback) => callback.inbound.find((message) => message.type === 'unsupported')?.errors[0].code === 131051);
  assert.equal((await world.control('inbound', { from: PERSON, type: 'telepathy' })).status, 400);
  assert.equal((await world.control('inbound', { from: '12', text: 'x' })).status, 400);
  assert.equal((await world.control('inbound', { from: PERSON, text: 'x', phone_number_id: '9' })).status, 400);
});

test('an edit, a revocation and an echo of the app', async (t) => {
  const world = await startWorld(t);
  await world.control('inbound', { from: PERSON, type: 'edit', edit: { original_message_id: 'wamid.x', message: { type: 'text', text: { body: 'better' } } } });
  await world.control('inbound', { from: PERSON, type: 'revoke', revoke: { original_message_id: 'wamid.x' } });
  await world.callback.until((callback) => callback.inbound.length === 2);
  assert.deepEqual(world.callback.inbound.map((message) => message[message.type].original_message_id), ['wamid.x', 'wamid.x']);
  const { body } = await world.control('echoes', { to: PERSON, text: 'From the app' });
  const change = await world.callback.until((callback) => callback.changes().find((entry) => entry.field === 'smb_message_echoes'));
  assert.deepEqual(change.value.message_echoes.map(({ id, to, text }) => [id, to, text.body]), [[body.id, PERSON, 'From the app']]);
  assert.equal((await world.control('echoes', { to: '1', text: 'x' })).status, 400);
});

test('a message to a group is taken where groups are, and its statuses are a participant\'s', async (t) => {
  const world = await startWorld(t);
  const group = { recipient_type: 'group', to: 'Y2FwaV9ncm91cDox', type: 'text', text: { body: 'All' } };
  assert.equal((await world.send(group)).body.error.code, 131041);
  await world.control('settings', { groups: 'any' }, 'PATCH');
  const sent = (await world.send(group)).body.messages[0].id;
  const status = await world.callback.until((callback) => callback.statuses.find(({ id }) => id === sent));
  assert.deepEqual([status.recipient_type, status.recipient_id], ['group', group.to]);
  assert.ok(status.recipient_participant_id);
});

test('a duplicate has the same id', async (t) => {
  const world = await startWorld(t);
  await world.control('inbound', { from: PERSON, text: 'x', duplicates: 2 });
  await world.callback.until((callback) => callback.inbound.length === 3);
  assert.equal(new Set(world.callback.inbound.map((message) => message.id)).size, 1);
});

test('a person taps a reply button, picks a row and taps a template button', async (t) => {
  const world = await startWorld(t, { account: { templates: [{ name: 'ask', language: 'en', components: [{ type: 'BODY', text: 'Well?' }, { type: 'BUTTONS', buttons: [{ type: 'QUICK_REPLY', text: 'Yes' }] }] }] } });
  const ids = {};
  for (const [name, message] of Object.entries({
    buttons: { type: 'interactive', interactive: { type: 'button', body: { text: 'b' }, action: { buttons: [{ type: 'reply', reply: { id: 'yes', title: 'Yes' } }] } } },
    list: { type: 'interactive', interactive: { type: 'list', body: { text: 'b' }, action: { button: 'Open', sections: [{ rows: [{ id: 'r1', title: 'One', description: 'first' }] }] } } },
    template: { type: 'template', template: { name: 'ask', language: { code: 'en' }, components: [{ type: 'button', sub_type: 'quick_reply', index: '0', parameters: [{ type: 'payload', payload: 'PAY' }] }] } },
  }))
    ids[name] = (await world.send(message)).body.messages[0].id;
  await world.callback.until((callback) => callback.statuses.length === 6);
  const write = (body) => handset(world, chat(world, '/messages'), body);
  await write({ type: 'button_reply', id: 'yes', reply_to: ids.buttons });
  await write({ type: 'list_reply', id: 'r1', reply_to: ids.list });
  await write({ type: 'button', index: 0, reply_to: ids.template });
  const inbound = await world.callback.until((callback) => callback.inbound.length === 3 && callback.inbound);
  const of = (id) => inbound.find((message) => message.context.id === id);
  assert.deepEqual(of(ids.buttons).interactive, { type: 'button_reply', button_reply: { id: 'yes', title: 'Yes' } });
  assert.deepEqual(of(ids.list).interactive, { type: 'list_reply', list_reply: { id: 'r1', title: 'One', description: 'first' } });
  assert.deepEqual(of(ids.template).button, { payload: 'PAY', text: 'Yes' });
  assert.equal(of(ids.template).context.from, '15550783881');
  assert.equal((await write({ type: 'button_reply', id: 'no', reply_to: ids.buttons })).status, 400, 'only what was offered');
  assert.equal((await write({ type: 'button', index: 4, reply_to: ids.template })).status, 400);
  assert.equal((await write({ type: 'text', text: 'x', reply_to: 'wamid.none' })).status, 400);
});

test('a person reads, and is offline', async (t) => {
  const world = await startWorld(t);
  await handset(world, 'handsets', { wa_id: `+${PERSON}`, name: 'Ana' });
  await world.send({ text: { body: 'one' } });
  await world.callback.until((callback) => callback.statuses.length === 2);
  assert.deepEqual((await handset(world, chat(world, '/read'), {})).body, { read: 1 });
  await world.callback.until((callback) => callback.statuses.at(-1).status === 'read');
  await handset(world, `handsets/${PERSON}`, { online: false }, 'PATCH');
  const held = (await world.send({ text: { body: 'two' } })).body.messages[0].id;
  await world.callback.until((callback) => callback.statuses.some((status) => status.id === held));
  await world.control(`wait?for=idle`);
  assert.deepEqual(world.callback.statuses.filter((status) => status.id === held).map((status) => status.status), ['sent']);
  const state = (await handset(world, 'state')).body.handsets[0];
  assert.deepEqual([state.name, state.online], ['Ana', false]);
  await handset(world, `handsets/${PERSON}`, { online: true, auto_read: true }, 'PATCH');
  await world.callback.until((callback) => callback.statuses.some((status) => status.id === held && status.status === 'delivered'));
  const third = (await world.send({ text: { body: 'three' } })).body.messages[0].id;
  await world.callback.until((callback) => callback.statuses.some((status) => status.id === third && status.status === 'read'));
});

test('a file from the handset can be downloaded by the business', async (t) => {
  const world = await startWorld(t);
  const sent = await ask(`${world.url}/handset/api/${chat(world, '/media')}?filename=dot.png&caption=A%20dot`, { body: new Uint8Array(png), method: 'POST', headers: { 'content-type': 'image/png' } });
  assert.equal(sent.status, 200);
  const [message] = await world.callback.until((callback) => callback.inbound.length === 1 && callback.inbound);
  assert.equal(message.image.caption, 'A dot');
  const { body } = await world.graph(`/v23.0/${message.image.id}`);
  assert.equal(Buffer.from(message.image.sha256, 'base64').toString('hex'), body.sha256);
  const html = await ask(`${world.url}/handset/api/${chat(world, '/media')}?filename=x.html`, { body: '<script>alert(1)</script>', method: 'POST', headers: { 'content-type': 'text/html' } });
  const shown = await fetch(`${world.url}${html.body.media.url}`);
  assert.equal(shown.headers.get('content-type'), 'application/octet-stream', 'nothing that was uploaded runs');
  assert.match(shown.headers.get('content-disposition'), /^attachment/);
});

test('the business reads, and ticks follow', async (t) => {
  const world = await startWorld(t);
  await world.control('inbound', { from: PERSON, text: 'earlier' });
  const { body: last } = await world.control('inbound', { from: PERSON, text: 'later' });
  await world.callback.until((callback) => callback.inbound.length === 2);
  await world.control('wait?for=idle');
  const ticks = async () => (await handset(world, chat(world))).body.messages.map((message) => message.status);
  assert.deepEqual(await ticks(), ['delivered', 'delivered']);
  await world.send({ to: undefined, status: 'read', message_id: last.id, typing_indicator: { type: 'text' } });
  assert.deepEqual(await ticks(), ['read', 'read'], 'a read mark is for earlier ones too');
  assert.ok((await handset(world, chat(world))).body.typing_until > Date.now());
});

test('another site in the same browser reaches neither the handset nor the control API', async (t) => {
  const world = await startWorld(t);
  const inject = (headers) => ask(`${world.url}/_sandbox/inbound`, { body: { from: PERSON, text: 'x' }, headers });
  assert.equal((await inject({ origin: 'https://evil.example' })).status, 403);
  assert.equal((await inject({ 'sec-fetch-site': 'cross-site' })).status, 403);
  assert.equal((await inject({ 'content-type': 'text/plain' })).status, 415);
  assert.equal((await inject({ origin: world.url, 'sec-fetch-site': 'same-origin' })).status, 200);
  const page = await fetch(`${world.url}/handset`);
  assert.match(page.headers.get('content-security-policy'), /default-src 'none'; script-src 'self'/);
  assert.equal((await fetch(`${world.url}/handset/page/..%2fhandset.js`)).status, 404);
});
