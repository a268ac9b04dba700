/** What the API refuses, with which code and in which order. */
import test from 'node:test';
import assert from 'node:assert/strict';
import { PERSON, PHONE, TOKEN, WABA, ask, startWorld } from './support.js';
import { png } from './fixtures.js';

const text = (size, letter = 'x') => letter.repeat(size);
const buttons = (...titles) => ({ type: 'button', body: { text: 'b' }, action: { buttons: titles.map((title, i) => ({ type: 'reply', reply: { id: `id${i}`, title } })) } });
const list = (sections, more = {}) => ({ type: 'list', body: { text: 'b' }, action: { button: 'Open', sections }, ...more });
const rows = (count, from = 0) => Array.from({ length: count }, (_, i) => ({ id: `r${from + i}`, title: `Row ${from + i}` }));

test('authentication: no token, a bad one, an expired one, another account, a scope too few', async (t) => {
  const world = await startWorld(t);
  await world.control('accounts', { waba_id: '222', phone_number_id: '2220', access_token: 'other' });
  const path = `${world.url}/v23.0/${PHONE}/messages`;
  const none = await ask(path, { body: {} });
  assert.equal(none.status, 401);
  assert.equal(none.body.error.code, 104);
  assert.equal(none.body.error.type, 'OAuthException');
  assert.match(none.body.error.fbtrace_id, /^A[\w-]{22}$/);
  const bad = await ask(path, { body: {}, token: 'nonsense' });
  assert.equal(bad.status, 401);
  assert.equal(bad.body.error.code, 190);
  assert.equal(bad.body.error.error_subcode, undefined);
  const other = await ask(path, { body: {}, token: 'other' });
  assert.equal(other.status, 400);
  assert.equal(other.body.error.code, 100);
  assert.equal(other.body.error.error_subcode, 33);
  assert.equal(other.body.error.type, 'GraphMethodException');
  await world.control(`accounts/${WABA}/tokens`, { state: 'expired' }, 'PATCH');
  const expired = await world.send({ text: { body: 'x' } });
  assert.equal(expired.status, 401);
  assert.equal(expired.body.error.error_subcode, 463);
  await world.control(`accounts/${WABA}/tokens`, { state: 'valid', scopes: ['whatsapp_business_management'] }, 'PATCH');
  const scope = await world.send({ text: { body: 'x' } });
  assert.equal(scope.status, 403);
  assert.equal(scope.body.error.code, 10);
});

test('debug_token says whose a token is', async (t) => {
  const world = await startWorld(t);
  const { body } = await world.graph(`/v23.0/debug_token?input_token=${TOKEN}`);
  assert.equal(body.data.is_valid, true);
  assert.deepEqual(body.data.granular_scopes[0], { scope: 'whatsapp_business_messaging', target_ids: [WABA] });
  assert.equal((await world.graph('/v23.0/debug_token?input_token=other')).body.data.is_valid, false);
  assert.equal((await world.graph('/v23.0/debug_token')).body.error.code, 100);
});

test('a token in the query or after OAuth counts too', async (t) => {
  const world = await startWorld(t);
  const body = { messaging_product: 'whatsapp', to: PERSON, text: { body: 'x' } };
  assert.equal((await ask(`${world.url}/v23.0/${PHONE}/messages?access_token=${TOKEN}`, { body })).status, 200);
  assert.equal((await ask(`${world.url}/v23.0/${PHONE}/messages`, { body, headers: { authorization: `OAuth ${TOKEN}` } })).status, 200);
  const form = new URLSearchParams({ messaging_product: 'whatsapp', to: PERSON, text: JSON.stringify({ body: 'by form' }) });
  assert.equal((await ask(`${world.url}/v23.0/${PHONE}/messages`, { body: form, token: TOKEN })).status, 200);
});

test('checks run in order: token, path, JSON, messaging_product, type, fields, recipient, template', async (t) => {
  const world = await startWorld(t);
  const post = (path, body, token) => ask(`${world.url}/v23.0/${path}/messages`, { body, token });
  const bodyOf = (more) => ({ messaging_product: 'whatsapp', to: PERSON, type: 'text', text: { body: 'x' }, ...more });
  const steps = [
    [await post('999', '{broken', undefined), 104],
    [await post('999', '{broken', TOKEN), 100, /Unsupported post request/],
    [await post(PHONE, '{broken', TOKEN), 100, /Invalid parameter/],
    [await post(PHONE, '[]', TOKEN), 100, /Invalid parameter/],
    [await post(PHONE, bodyOf({ messaging_product: undefined, type: 'wrong' }), TOKEN), 100, /The parameter messaging_product is required/],
    [await post(PHONE, bodyOf({ messaging_product: 'sms' }), TOKEN), 100, /messaging_product must be one of \{WHATSAPP\}/],
    [await post(PHONE, bodyOf({ type: 'wrong', text: undefined }), TOKEN), 100, /Param type must be one of/],
    [await post(PHONE, bodyOf({ text: undefined, to: undefined }), TOKEN), 100, /The parameter text is required/],
    [await post(PHONE, bodyOf({ text: { body: text(4097) }, to: 'nobody' }), TOKEN), 100, /at most 4096 characters/],
    [await post(PHONE, bodyOf({ to: undefined }), TOKEN), 100, /The parameter to is required/],
    [await post(PHONE, { messaging_product: 'whatsapp', to: 'nobody', type: 'template', template: { name: 'none', language: { code: 'en' } } }, TOKEN), 131009],
    [await post(PHONE, { messaging_product: 'whatsapp', to: PERSON, type: 'template', template: { name: 'none', language: { code: 'en' } } }, TOKEN), 132001],
  ];
  for (const [i, [answer, code, message]] of steps.entries()) {
    assert.equal(answer.body.error?.code, code, `step ${i}: ${JSON.stringify(answer.body)}`);
    if (message)
      assert.match(`${answer.body.error.message} ${answer.body.error.error_data?.details ?? ''}`, message, `step ${i}`);
  }
});

test('a path that is not there', async (t) => {
  const world = await startWorld(t);
  assert.equal((await world.graph(`/v23.0/${PHONE}/nonsense`)).body.error.code, 2500);
  assert.equal((await world.graph('/v23.0/me')).body.error.code, 2500);
  assert.equal((await world.graph('/v23.0/12345')).body.error.error_subcode, 33);
  assert.equal((await world.graph(`/v23.0/${PHONE}/messages`)).body.error.error_subcode, 33);
});

const REFUSED = {
  'text empty': [{ text: { body: '' } }, 100], 'text of spaces': [{ text: { body: '  ' } }, 100], 'text not a string': [{ text: { body: 5 } }, 100], 'text is a list': [{ text: [] }, 100],
  'text with an unknown key': [{ text: { body: 'x', bdy: 1 } }, 100], 'preview_url not a boolean': [{ text: { body: 'x', preview_url: 'maybe' } }, 100],
  'recipient_type': [{ recipient_type: 'crowd', text: { body: 'x' } }, 100], 'context without id': [{ context: {}, text: { body: 'x' } }, 100],
  'opaque too long': [{ text: { body: 'x' }, biz_opaque_callback_data: text(513) }, 100],
  'image with neither id nor link': [{ type: 'image', image: { caption: 'x' } }, 100], 'image with both': [{ type: 'image', image: { id: '1', link: 'https://a.example/b.jpg' } }, 100],
  'image caption too long': [{ type: 'image', image: { link: 'https://a.example/b.jpg', caption: text(1025) } }, 100], 'audio with caption': [{ type: 'audio', audio: { link: 'https://a.example/b.ogg', caption: 'x' } }, 100],
  'link not http': [{ type: 'image', image: { link: 'ftp://a.example/b.jpg' } }, 100], 'unknown media id': [{ type: 'image', image: { id: '424242' } }, 131009],
  'location without longitude': [{ type: 'location', location: { latitude: 1 } }, 100], 'location off the globe': [{ type: 'location', location: { latitude: 91, longitude: 0 } }, 131009],
  'contacts empty': [{ type: 'contacts', contacts: [] }, 100], 'contact without formatted_name': [{ type: 'contacts', contacts: [{ name: { first_name: 'A' } }] }, 100],
  'contact with formatted_name only': [{ type: 'contacts', contacts: [{ name: { formatted_name: 'A' } }] }, 131008], 'contact birthday': [{ type: 'contacts', contacts: [{ name: { formatted_name: 'A', first_name: 'A' }, birthday: '1/2/2000' }] }, 131009],
  'reaction without target': [{ type: 'reaction', reaction: { emoji: '👍' } }, 100], 'reaction of two emoji': [{ type: 'reaction', reaction: { message_id: 'wamid.x', emoji: '👍👎' } }, 131009],
  'reaction with a letter': [{ type: 'reaction', reaction: { message_id: 'wamid.x', emoji: 'a' } }, 131009], 'reaction with context': [{ type: 'reaction', context: { message_id: 'wamid.x' }, reaction: { message_id: 'wamid.x', emoji: '👍' } }, 131009],
  'four buttons': [{ type: 'interactive', interactive: buttons('a', 'b', 'c', 'd') }, 100], 'no button': [{ type: 'interactive', interactive: buttons() }, 100],
  'button title of 21': [{ type: 'interactive', interactive: buttons(text(21)) }, 131009], 'same title twice': [{ type: 'interactive', interactive: buttons('a', 'a') }, 131009],
  'button id of 257': [{ type: 'interactive', interactive: { type: 'button', body: { text: 'b' }, action: { buttons: [{ type: 'reply', reply: { id: text(257), title: 'a' } }] } } }, 131009],
  'interactive without body': [{ type: 'interactive', interactive: { type: 'button', action: { buttons: [] } } }, 100], 'body of 1025': [{ type: 'interactive', interactive: { ...buttons('a'), body: { text: text(1025) } } }, 131009],
  'footer of 61': [{ type: 'interactive', interactive: { ...buttons('a'), footer: { text: text(61) } } }, 131009], 'header text of 61': [{ type: 'interactive', interactive: { ...buttons('a'), header: { type: 'text', text: text(61) } } }, 131009],
  'interactive of no kind': [{ type: 'interactive', interactive: { type: 'quiz', body: { text: 'b' }, action: {} } }, 100], 'image header on a list': [{ type: 'interactive', interactive: list([{ rows: rows(1) }], { header: { type: 'image', image: { link: 'https://a.example/b.jpg' } } }) }, 131009],
  'eleven rows': [{ type: 'interactive', interactive: list([{ title: 'a', rows: rows(6) }, { title: 'b', rows: rows(5, 6) }]) }, 131009], 'two sections, one without title': [{ type: 'interactive', interactive: list([{ title: 'a', rows: rows(1) }, { rows: rows(1, 5) }]) }, 131008],
  'row title of 25': [{ type: 'interactive', interactive: list([{ rows: [{ id: 'a', title: text(25) }] }]) }, 131009], 'row description of 73': [{ type: 'interactive', interactive: list([{ rows: [{ id: 'a', title: 'a', description: text(73) }] }]) }, 131009],
  'same row id twice': [{ type: 'interactive', interactive: list([{ rows: [{ id: 'a', title: 'a' }, { id: 'a', title: 'b' }] }]) }, 131009], 'list label of 21': [{ type: 'interactive', interactive: { ...list([{ rows: rows(1) }]), action: { button: text(21), sections: [{ rows: rows(1) }] } } }, 131009],
  'list body over 1024': [{ type: 'interactive', interactive: list([{ rows: rows(1) }], { body: { text: text(1025) } }) }, 131009],
  'cta without url': [{ type: 'interactive', interactive: { type: 'cta_url', body: { text: 'b' }, action: { name: 'cta_url', parameters: { display_text: 'Go' } } } }, 100],
  'cta of another name': [{ type: 'interactive', interactive: { type: 'cta_url', body: { text: 'b' }, action: { name: 'open', parameters: { display_text: 'Go', url: 'https://a.example' } } } }, 131009],
  'location request of another name': [{ type: 'interactive', interactive: { type: 'location_request_message', body: { text: 'b' }, action: { name: 'x' } } }, 131009],
  'one card': [{ type: 'interactive', interactive: { type: 'carousel', body: { text: 'b' }, action: { cards: [{ card_index: 0, type: 'product', action: { product_retailer_id: 'p' } }] } } }, 100],
  'order total that does not add up': [{ type: 'interactive', interactive: { type: 'order_details', body: { text: 'b' }, action: { name: 'review_and_pay', parameters: { reference_id: 'r', currency: 'INR', total_amount: { value: 5, offset: 100 },
    order: { items: [{}], subtotal: { value: 4, offset: 100 } } } } } }, 131009],
  'order that has expired': [{ type: 'interactive', interactive: { type: 'order_details', body: { text: 'b' }, action: { name: 'review_and_pay', parameters: { reference_id: 'r', currency: 'INR', total_amount: { value: 4, offset: 100 },
    order: { items: [{}], subtotal: { value: 4, offset: 100 }, expiration: { timestamp: '1795000000', description: 'x' } } } } } }, 131009],
  'template without language': [{ type: 'template', template: { name: 'hello_world' } }, 100], 'template not there': [{ type: 'template', template: { name: 'hello_world', language: { code: 'fr' } } }, 132001],
  'template with a value too many': [{ type: 'template', template: { name: 'hello_world', language: { code: 'en_US' }, components: [{ type: 'body', parameters: [{ type: 'text', text: 'x' }] }] } }, 132000],
  'to itself': [{ to: '15550783881', text: { body: 'x' } }, 131021], 'to letters': [{ to: 'abc', text: { body: 'x' } }, 131009], 'to too short': [{ to: '+1234', text: { body: 'x' } }, 131009],
  'to a group': [{ to: 'Y2FwaV9ncm91cDox', recipient_type: 'group', text: { body: 'x' } }, 131041], 'status of another kind': [{ status: 'deleted', message_id: 'x' }, 100], 'read mark of an unknown message': [{ status: 'read', message_id: 'wamid.none' }, 131009],
};

test('each wrong field is refused with its code and accepts nothing', async (t) => {
  const world = await startWorld(t, { settings: { throughput_per_second: 0 } });
  for (const [name, [message, code]] of Object.entries(REFUSED)) {
    const answer = await world.send(message);
    assert.equal(answer.body.error?.code, code, `${name}: ${JSON.stringify(answer.body)}`);
    assert.ok(answer.status >= 400, name);
    assert.match(answer.body.error.message, new RegExp(`^\\(#${code}\\) `), name);
  }
  assert.equal((await world.control('messages')).body.total, 0);
});

test('what lies exactly at a limit is accepted', async (t) => {
  const world = await startWorld(t, { settings: { throughput_per_second: 0 } });
  const { body } = await world.graph(`/v23.0/${PHONE}/media`, { body: upload(png, 'image/png') });
  const good = {
    'text of 4096': { text: { body: text(4096) } }, 'text of 4096 emoji': { text: { body: text(4096, '👍') } }, 'opaque of 512': { text: { body: 'x' }, biz_opaque_callback_data: text(512) },
    'button title of 20': { type: 'interactive', interactive: buttons(text(20, '👍'), 'b', 'c') }, 'ten rows': { type: 'interactive', interactive: list([{ title: text(24), rows: rows(10) }]) },
    'caption of 1024': { type: 'image', image: { id: body.id, caption: text(1024) } }, 'type left out': { text: { body: 'x' } }, 'number with spaces': { to: '+1 (650) 555-1234', text: { body: 'x' } },
    'reaction': { type: 'reaction', reaction: { message_id: 'wamid.x', emoji: '👨‍👩‍👧‍👦' } }, 'reaction taken away': { type: 'reaction', reaction: { message_id: 'wamid.x', emoji: '' } },
    'template': { type: 'template', template: { name: 'hello_world', language: { code: 'en_US', policy: 'deterministic' } } }, 'location as texts': { type: 'location', location: { latitude: '12.9', longitude: '77.5' } },
    'contact': { type: 'contacts', contacts: [{ name: { formatted_name: 'A B', first_name: 'A' }, birthday: '2000-01-31', phones: [{ phone: '+16505551234', type: 'HOME' }] }] },
  };
  for (const [name, message] of Object.entries(good))
    assert.equal((await world.send(message)).status, 200, name);
});

test('recipients are written as the platform writes them', async (t) => {
  const world = await startWorld(t);
  const cases = [['+55 31 98765-4321', '553187654321'], ['+52 55 1234 5678', '5215512345678'], ['6505551234', '16505551234'], ['+91 98765 43210', '919876543210']];
  for (const [to, waId] of cases) {
    const sent = await world.send({ to, text: { body: 'x' } });
    assert.equal(sent.body.contacts[0].wa_id, waId, to);
    assert.equal(sent.body.contacts[0].input, to);
  }
});

test('a business-scoped user id reaches the person it names', async (t) => {
  const world = await startWorld(t);
  const first = await world.send({ text: { body: 'x' } });
  const { user_id: userId } = first.body.contacts[0];
  assert.match(userId, /^US\.[0-9]{20}$/);
  const sent = await world.send({ to: undefined, recipient: userId, text: { body: 'x' } });
  assert.equal(sent.body.contacts[0].wa_id, PERSON);
  assert.equal((await world.send({ to: undefined, recipient: 'US.99999999999999999999', text: { body: 'x' } })).body.error.code, 131026);
});

test('bad UTF-8, a huge body and an upload that is no form are refused', async (t) => {
  const world = await startWorld(t);
  const bad = Buffer.concat([Buffer.from(`{"messaging_product":"whatsapp","to":"${PERSON}","text":{"body":"`), Buffer.from([0xff, 0xfe]), Buffer.from('"}}')]);
  const utf = await world.graph(`/v23.0/${PHONE}/messages`, { body: new Uint8Array(bad), headers: { 'content-type': 'application/json' } });
  assert.equal(utf.body.error.code, 100);
  const huge = await world.graph(`/v23.0/${PHONE}/messages`, { body: `"${text(3 * 1024 * 1024)}"`, headers: { 'content-type': 'application/json' } });
  assert.equal(huge.status, 413);
  const form = await world.graph(`/v23.0/${PHONE}/media`, { body: 'x', headers: { 'content-type': 'multipart/form-data; boundary=x' } });
  assert.equal(form.body.error.code, 100);
});

function upload(bytes, type) {
  const form = new FormData();
  form.set('messaging_product', 'whatsapp');
  form.set('type', type);
  form.set('file', new Blob([bytes], { type }), 'file');
  return form;
}
