/** Clients that others wrote against the real API drive the simulator. */
import test from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { GraphApiError, WhatsAppClient, buildTemplateSendPayload } from '@kapso/whatsapp-cloud-api';
import { normalizeWebhook, verifySignature } from '@kapso/whatsapp-cloud-api/server';
import Client from '@great-detail/whatsapp';
import { PERSON, PHONE, SECRET, TOKEN, WABA, startWorld } from './support.js';
import { png } from './fixtures.js';

const kapso = (world, more = {}) => new WhatsAppClient({ accessToken: TOKEN, baseUrl: world.url, graphVersion: 'v23.0', ...more });
const greatDetail = (world, token = TOKEN) => new Client({ prefixUrl: world.url, graphVersion: 'v23.0', request: { headers: { Authorization: `Bearer ${token}` }, retry: 0 } });

const orderTemplate = {
  name: 'order_confirmation', language: 'en_US', category: 'UTILITY',
  components: [{ type: 'BODY', text: 'Hello {{1}}, your order {{2}} is on its way to you.', example: { body_text: [['Ana', 'A-1']] } },
    { type: 'BUTTONS', buttons: [{ type: 'QUICK_REPLY', text: 'Thanks' }] }],
};

test('kapso: a text is sent, and its webhooks verify and normalise', async (t) => {
  const world = await startWorld(t, { settings: { auto_read: true } });
  const sent = await kapso(world).messages.sendText({ phoneNumberId: PHONE, to: `+${PERSON}`, body: 'Olá 👋', previewUrl: false });
  assert.equal(sent.messagingProduct, 'whatsapp');
  assert.equal(sent.contacts[0].waId, PERSON);
  assert.match(sent.messages[0].id, /^wamid\./);
  await world.callback.until((callback) => callback.statuses.length === 3);
  for (const post of world.callback.posts)
    assert.equal(verifySignature({ appSecret: SECRET, rawBody: post.raw, signatureHeader: post.headers['x-hub-signature-256'] }), true);
  const events = world.callback.posts.map((post) => normalizeWebhook(post.json));
  assert.deepEqual(events.flatMap((event) => event.statuses.map((status) => status.status)), ['sent', 'delivered', 'read']);
  assert.equal(events[0].statuses[0].id, sent.messages[0].id);
});

test('kapso: a template is created, approved by webhook, listed, sent and deleted', async (t) => {
  const world = await startWorld(t);
  const client = kapso(world);
  const made = await client.templates.create({ businessAccountId: WABA, ...orderTemplate });
  assert.equal(made.status, 'PENDING');
  const change = await world.callback.until((callback) => callback.changes().find((entry) => entry.field === 'message_template_status_update'));
  assert.equal(change.value.event, 'APPROVED');
  const listed = await client.templates.list({ businessAccountId: WABA, status: 'APPROVED' });
  assert.deepEqual(listed.data.map((entry) => entry.name).sort(), ['hello_world', 'order_confirmation']);
  const template = buildTemplateSendPayload({ name: 'order_confirmation', language: 'en_US', body: [{ type: 'text', text: 'Ana' }, { type: 'text', text: 'A-17' }],
    buttons: [{ type: 'button', subType: 'quick_reply', index: 0, parameters: [{ type: 'payload', payload: 'THANKS' }] }] });
  const sent = await client.messages.sendTemplate({ phoneNumberId: PHONE, to: PERSON, template });
  assert.equal(sent.messages[0].messageStatus, 'accepted');
  assert.deepEqual(await client.templates.delete({ businessAccountId: WABA, name: 'order_confirmation' }), { success: true });
});

test('kapso: media goes up, is described, comes down the same and is sent', async (t) => {
  const world = await startWorld(t);
  const client = kapso(world);
  const { id } = await client.media.upload({ phoneNumberId: PHONE, type: 'image/png', file: new Blob([png], { type: 'image/png' }), fileName: 'dot.png' });
  const described = await client.media.get({ mediaId: id });
  assert.equal(described.mimeType, 'image/png');
  assert.equal(described.sha256, createHash('sha256').update(png).digest('hex'));
  assert.equal(Number(described.fileSize), png.length);
  const bytes = await client.media.download({ mediaId: id, auth: 'always' });
  assert.deepEqual(Buffer.from(bytes), png);
  await client.messages.sendImage({ phoneNumberId: PHONE, to: PERSON, image: { id, caption: 'A dot' } });
  await world.callback.until((callback) => callback.statuses.some((status) => status.status === 'delivered'));
  await client.media.delete({ mediaId: id });
  await assert.rejects(client.media.get({ mediaId: id }), GraphApiError);
});

test('kapso: every interactive kind that it can build is accepted', async (t) => {
  const world = await startWorld(t);
  const { messages } = kapso(world);
  const to = { phoneNumberId: PHONE, to: PERSON };
  const link = 'https://example.com/one.jpg';
  const calls = {
    buttons: () => messages.sendInteractiveButtons({ ...to, bodyText: 'Pick', footerText: 'Foot', buttons: [{ id: 'a', title: 'A' }, { id: 'b', title: 'B' }] }),
    list: () => messages.sendInteractiveList({ ...to, bodyText: 'Pick', buttonText: 'Open', sections: [{ title: 'One', rows: [{ id: 'r', title: 'Row', description: 'about it' }] }] }),
    cta: () => messages.sendInteractiveCtaUrl({ ...to, bodyText: 'See', parameters: { displayText: 'Go', url: 'https://example.com' } }),
    location: () => messages.sendInteractiveLocationRequest({ ...to, bodyText: 'Where?', parameters: { requestMessage: 'Where?' } }),
    carousel: () => messages.sendInteractiveCarousel({ ...to, bodyText: 'Choose', cards: [0, 1].map((cardIndex) => ({ cardIndex, header: { type: 'image', image: { link } },
      bodyText: 'Card', action: { displayText: 'View', url: 'https://example.com' } })) }),
    catalog: () => messages.sendInteractiveCatalogMessage({ ...to, bodyText: 'Browse', parameters: { thumbnailProductRetailerId: 'SKU' } }),
    flow: () => messages.sendInteractiveFlow({ ...to, bodyText: 'Flow', parameters: { flowId: '1', flowCta: 'Open', flowToken: 't', flowAction: 'navigate', flowActionPayload: { screen: 'A' } } }),
    product: () => messages.sendInteractiveProduct({ ...to, bodyText: 'This', catalogId: 'c', productRetailerId: 'p' }),
    products: () => messages.sendInteractiveProductList({ ...to, bodyText: 'These', header: { type: 'text', text: 'Top' }, catalogId: 'c', sections: [{ title: 'S', productItems: [{ productRetailerId: 'p' }] }] }),
  };
  for (const [name, send] of Object.entries(calls))
    assert.match((await send().catch((error) => { throw new Error(`${name}: ${error.message}`); })).messages[0].id, /^wamid\./, name);
});

test('kapso: every other kind that it can build is accepted', async (t) => {
  const world = await startWorld(t, { settings: { links: 'ignore' } });
  const { messages } = kapso(world);
  const to = { phoneNumberId: PHONE, to: PERSON };
  const link = 'https://example.com/one.bin';
  const first = (await messages.sendText({ ...to, body: 'First' })).messages[0].id;
  const calls = {
    image: () => messages.sendImage({ ...to, image: { link, caption: 'One' } }),
    audio: () => messages.sendAudio({ ...to, audio: { link } }),
    video: () => messages.sendVideo({ ...to, video: { link, caption: 'Two' } }),
    document: () => messages.sendDocument({ ...to, document: { link, filename: 'a.pdf' } }),
    sticker: () => messages.sendSticker({ ...to, sticker: { link } }),
    location: () => messages.sendLocation({ ...to, location: { latitude: 12.97, longitude: 77.59, name: 'Here', address: 'There' } }),
    contacts: () => messages.sendContacts({ ...to, contacts: [{ name: { formattedName: 'Asha Rao', firstName: 'Asha' }, phones: [{ phone: '+14155550123', type: 'CELL' }] }] }),
    reaction: () => messages.sendReaction({ ...to, reaction: { messageId: first, emoji: '👍' } }),
    template: () => messages.sendTemplate({ ...to, template: buildTemplateSendPayload({ name: 'hello_world', language: 'en_US' }) }),
  };
  for (const [name, send] of Object.entries(calls))
    assert.match((await send().catch((error) => { throw new Error(`${name}: ${error.message}`); })).messages[0].id, /^wamid\./, name);
});

test('great-detail: every type that we send, as we send it', async (t) => {
  const world = await startWorld(t, { settings: { links: 'ignore', groups: 'any' } });
  const sdk = greatDetail(world);
  const first = (await sdk.message.createMessage({ phoneNumberID: PHONE, to: PERSON, type: 'text', text: { body: 'First' } }).json()).messages[0].id;
  const folder = new URL('../fixtures/whatsapp/content/', import.meta.url);
  let accepted = 0;
  for (const name of readdirSync(folder)) {
    const { body } = JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
    const { messaging_product: _product, biz_opaque_callback_data: _data, ...asked } = body;
    if (asked.recipient !== undefined || /"id":"[0-9]{6,}"/.test(JSON.stringify(asked[asked.type])))
      continue; /* people and files that this world does not have */
    if (asked.reaction !== undefined)
      asked.reaction.message_id = first;
    const answer = await sdk.message.createMessage({ phoneNumberID: PHONE, ...asked }).json().catch(async (error) => ({ error: await error.response?.json() ?? error }));
    if (asked.type === 'template' && asked.template.name !== 'hello_world')
      assert.equal(answer.error?.error?.code, 132001, `${name}: ${JSON.stringify(answer)}`); /* understood, and not approved here */
    else
      assert.match(answer.messages?.[0].id ?? '', /^wamid\./, `${name}: ${JSON.stringify(answer)}`);
    accepted += asked.type === 'template' ? 0 : 1;
  }
  assert.ok(accepted >= 25, `${accepted}`);
});

test('kapso: an inbound message is understood, marked as read and answered with a reaction', async (t) => {
  const world = await startWorld(t);
  await world.control('inbound', { from: PERSON, name: 'Ana', text: 'Hello' });
  await world.callback.until((callback) => callback.inbound.length === 1);
  const [message] = normalizeWebhook(world.callback.posts[0].json).messages;
  assert.equal(message.type, 'text');
  assert.equal(message.from, PERSON);
  const client = kapso(world);
  assert.deepEqual(await client.messages.markRead({ phoneNumberId: PHONE, messageId: message.id, typingIndicator: { type: 'text' } }), { success: true });
  await client.messages.sendReaction({ phoneNumberId: PHONE, to: PERSON, reaction: { messageId: message.id, emoji: '👍' } });
  await world.callback.until((callback) => callback.statuses.some((status) => status.status === 'sent'));
});

test('kapso: its own reading of our errors is the right one', async (t) => {
  const world = await startWorld(t);
  const cases = [['30429', 130429, 'throttling'], ['31016', 131016, 'server'], ['00190', 190, 'authorization'], ['32001', 132001, 'template']];
  for (const [digits, code, category] of cases) {
    const error = await kapso(world).messages.sendText({ phoneNumberId: PHONE, to: `+155502${digits}`, body: 'x' }).catch((failure) => failure);
    assert.ok(error instanceof GraphApiError, `${code}: ${error}`);
    assert.equal(error.code, code);
    assert.equal(error.category, category);
  }
  const denied = await kapso(world, { accessToken: 'wrong' }).messages.sendText({ phoneNumberId: PHONE, to: PERSON, body: 'x' }).catch((failure) => failure);
  assert.equal(denied.isAuthError(), true);
});

test('great-detail: text, template, interactive and read mark', async (t) => {
  const world = await startWorld(t);
  const sdk = greatDetail(world);
  const text = await sdk.message.createMessage({ phoneNumberID: PHONE, to: PERSON, type: 'text', text: { body: 'Hello' } }).json();
  assert.equal(text.contacts[0].wa_id, PERSON);
  const template = await sdk.message.createMessage({ phoneNumberID: PHONE, to: PERSON, type: 'template', template: { name: 'hello_world', language: { code: 'en_US' } } }).json();
  assert.equal(template.messages[0].message_status, 'accepted');
  const buttons = await sdk.message.createMessage({ phoneNumberID: PHONE, to: PERSON, type: 'interactive', interactive: { type: 'button', body: { text: 'Pick' },
    action: { buttons: [{ type: 'reply', reply: { id: 'a', title: 'A' } }] } } }).json();
  assert.match(buttons.messages[0].id, /^wamid\./);
  const inbound = await world.control('inbound', { from: PERSON, text: 'Hi' });
  const read = await sdk.message.createStatus({ phoneNumberID: PHONE, message_id: inbound.body.id, status: 'read', typing_indicator: { type: 'text' } }).json();
  assert.deepEqual(read, { success: true });
});

test('great-detail: media, numbers, subscription and templates', async (t) => {
  const world = await startWorld(t);
  const sdk = greatDetail(world);
  const { id } = await sdk.media.upload({ phoneNumberID: PHONE, mimeType: 'image/png', file: new Blob([png], { type: 'image/png' }), filename: 'dot.png' }).json();
  const { url } = await sdk.media.getURL({ mediaID: id }).json();
  const down = await sdk.media.download({ mediaURL: url, request: { headers: { Authorization: `Bearer ${TOKEN}` } } });
  assert.deepEqual(Buffer.from(await down.arrayBuffer()), png);
  assert.deepEqual(await sdk.media.delete({ mediaID: id }).json(), { success: true });
  const phone = await sdk.phoneNumbers.getPhoneNumber({ phoneNumberID: PHONE }).json();
  assert.equal(phone.display_phone_number, '+1 555-078-3881');
  const phones = await sdk.phoneNumbers.listPhoneNumbers({ businessAccountID: WABA }).json();
  assert.deepEqual(phones.data.map((entry) => entry.id), [PHONE]);
  assert.deepEqual(await sdk.subscribedApps.createSubscription({ businessAccountID: WABA }).json(), { success: true });
  assert.equal((await sdk.subscribedApps.listSubscriptions({ businessAccountID: WABA }).json()).data.length, 1);
  const made = await sdk.template.create(WABA, orderTemplate).json();
  assert.equal(made.status, 'PENDING');
  await world.callback.until((callback) => callback.changes().some((change) => change.field === 'message_template_status_update'));
  const got = await sdk.template.get(made.id, {}).json();
  assert.equal(got.status, 'APPROVED');
});

test('great-detail: its webhook reader accepts our signature, and refuses another secret or body', async (t) => {
  const world = await startWorld(t);
  const sdk = greatDetail(world);
  await world.send({ text: { body: 'a/b é' } });
  const [post] = await world.callback.until((callback) => callback.posts.length > 0 && callback.posts);
  const request = (body) => ({ method: 'POST', query: {}, body, headers: { 'x-hub-signature-256': post.headers['x-hub-signature-256'] } });
  const event = await sdk.webhook.eventNotification(request(post.raw));
  await event.verifySignature(SECRET);
  await assert.rejects(event.verifySignature('another secret'));
  const other = await sdk.webhook.eventNotification(request(`${post.raw} `));
  assert.equal(await other.checkSignature(SECRET), false);
});

test('great-detail: an error has our body', async (t) => {
  const world = await startWorld(t);
  const error = await greatDetail(world, 'wrong').message.createMessage({ phoneNumberID: PHONE, to: PERSON, type: 'text', text: { body: 'x' } }).json().catch((failure) => failure);
  assert.equal(error.response.status, 401);
  assert.equal((await error.response.json()).error.code, 190);
});
