/** Resumable uploads: sessions, offsets, breaks, handles and where they are named. */
import test from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { randomBytes, createHash } from 'node:crypto';
import { PHONE, TOKEN, WABA, ask, startWorld } from './support.js';

const APP = '5550001';
const mp4 = (size) => Buffer.concat([Buffer.from('\0\0\0\x18ftypmp42', 'latin1'), randomBytes(size)]);
const jpeg = (size) => Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), randomBytes(size)]);
const world = (t, more = {}) => startWorld(t, { ...more, account: { app_id: APP, ...more.account } });
const error = (answer) => [answer.status, answer.body.error?.code, answer.body.error?.error_subcode];

const begin = (it, bytes, type, more = '') => it.graph(`/v25.0/${APP}/uploads?file_name=sample&file_length=${bytes.length}&file_type=${encodeURIComponent(type)}${more}`, { method: 'POST' });
const put = (it, id, offset, bytes, headers = {}) => ask(`${it.url}/v25.0/${id}`, { method: 'POST', body: bytes, headers: { authorization: `OAuth ${TOKEN}`, file_offset: String(offset), ...headers } });
const offsetOf = (it, id) => ask(`${it.url}/v25.0/${id}`, { headers: { authorization: `OAuth ${TOKEN}` } });
async function uploaded(it, bytes, type) {
  const { id } = (await begin(it, bytes, type)).body;
  return (await put(it, id, 0, bytes)).body.h;
}

test('a file goes up in one piece, and is known by its handle', async (t) => {
  const it = await world(t);
  assert.deepEqual((await it.graph('/v25.0/app')).body, { category: 'Business and pages', link: `https://www.facebook.com/games/?app_id=${APP}`, name: 'Harkara', id: APP });
  const bytes = jpeg(300_000);
  const made = await begin(it, bytes, 'image/jpeg');
  assert.match(made.body.id, /^upload:[\w-]+\?sig=[\w-]+$/);
  assert.deepEqual((await offsetOf(it, made.body.id)).body, { id: made.body.id, file_offset: 0 });
  const answer = await put(it, made.body.id, 0, bytes);
  assert.match(answer.body.h, /^4::aW1hZ2UvanBlZw==:/);
  const [kept] = (await it.control('uploads')).body.data;
  assert.deepEqual([kept.sha256, kept.offset, kept.asked], [createHash('sha256').update(bytes).digest('hex'), bytes.length, [0]]);
  assert.deepEqual((await put(it, made.body.id, bytes.length, Buffer.alloc(0))).body, answer.body, 'asked again, when the answer was lost');
});

test('what a session is refused for', async (t) => {
  const it = await world(t);
  await it.control('accounts', { waba_id: '222', phone_number_id: '2220', access_token: 'other', app_id: '777' });
  const bytes = mp4(10);
  for (const answer of [await begin(it, bytes, 'text/plain'), await begin(it, Buffer.alloc(0), 'video/mp4'), await it.graph(`/v25.0/${APP}/uploads?file_type=video/mp4`, { method: 'POST' })])
    assert.deepEqual(error(answer), [400, 100, undefined]);
  assert.deepEqual(error(await it.graph(`/v25.0/777/uploads?file_length=1&file_type=video/mp4`, { method: 'POST' })), [400, 100, 33], 'another app');
  const { id } = (await begin(it, bytes, 'video/mp4')).body;
  assert.deepEqual(error(await put(it, id, 0, bytes, { authorization: `Bearer ${TOKEN}` })), [401, 104, undefined], 'OAuth is the word');
  assert.deepEqual(error(await put(it, id, 0, bytes, { authorization: 'OAuth other' })), [400, 100, 33]);
  assert.deepEqual(error(await put(it, id.replace(/sig=./, 'sig=_'), 0, bytes)), [400, 100, 33]);
  assert.deepEqual(error(await put(it, id, 'x', bytes)), [400, 100, undefined]);
  const wrong = await put(it, id, 5, bytes);
  assert.match(wrong.body.error.message, /offset does not match: 0 bytes/);
  assert.match((await put(it, id, 0, Buffer.concat([bytes, bytes]))).body.error.message, /more bytes/);
  const lying = (await begin(it, bytes, 'image/png')).body.id;
  assert.match((await put(it, lying, 0, bytes)).body.error.message, /not of type image\/png/);
  assert.deepEqual(error(await offsetOf(it, lying)), [400, 100, 33], 'and gone');
  await it.control('settings', { upload_life_ms: 0 }, 'PATCH');
  const late = (await begin(it, bytes, 'video/mp4')).body.id;
  assert.deepEqual(error(await offsetOf(it, late)), [400, 100, 33], 'its time is over');
});

test('an upload that breaks goes on from where it was', async (t) => {
  const it = await world(t);
  const bytes = mp4(1_000_000);
  const { id } = (await begin(it, bytes, 'video/mp4')).body;
  await it.control('faults', { on: 'uploads', match: { type: 'bytes' }, effect: { kind: 'cut', after_bytes: 300_000 } });
  await assert.rejects(put(it, id, 0, bytes));
  assert.equal((await offsetOf(it, id)).body.file_offset, 300_000);
  await new Promise((resolve) => { /* the client itself goes away in the middle */
    const request = http.request(`${it.url}/v25.0/${id}`, { method: 'POST', headers: { authorization: `OAuth ${TOKEN}`, file_offset: '300000', 'content-length': '700000' } });
    request.on('error', resolve);
    request.on('close', resolve);
    request.write(bytes.subarray(300_000, 400_000), () => request.destroy());
  });
  const half = await (async () => { for (;;) { const { file_offset: at } = (await offsetOf(it, id)).body; if (at > 300_000) return at; } })();
  assert.deepEqual(error(await put(it, id, 0, bytes)), [400, 100, undefined]);
  const part = await put(it, id, half, bytes.subarray(half, half + 1000));
  assert.deepEqual(part.body, { id, file_offset: half + 1000 });
  assert.match((await put(it, id, half + 1000, bytes.subarray(half + 1000))).body.h, /^4::/);
  const [kept] = (await it.control('uploads')).body.data;
  assert.equal(kept.sha256, createHash('sha256').update(bytes).digest('hex'));
  assert.deepEqual(kept.asked, [0, 300_000, half, half + 1000]);
});

test('handles are looked at where they are named', async (t) => {
  const it = await world(t);
  const picture = await uploaded(it, jpeg(100), 'image/jpeg');
  const film = await uploaded(it, mp4(100), 'video/mp4');
  const header = (format, handle) => ({ type: 'HEADER', format, example: { header_handle: [handle] } });
  const create = (name, ...components) => it.graph(`/v25.0/${WABA}/message_templates`, { body: { name, language: 'en_US', category: 'MARKETING', components: [{ type: 'BODY', text: 'Look at this.' }, ...components] } });
  const made = await create('pictured', header('IMAGE', picture));
  assert.equal(made.status, 200);
  assert.match((await it.graph(`/v25.0/${made.body.id}?fields=components`)).body.components[1].example.header_handle[0], /^https:\/\/scontent\.whatsapp\.net\//);
  for (const [format, handle] of [['IMAGE', film], ['VIDEO', picture], ['DOCUMENT', film], ['IMAGE', '4::made-up'], ['IMAGE', undefined]])
    assert.deepEqual(error(await create('refused', header(format, handle))), [400, 100, undefined], format);
  const card = (handle) => ({ components: [header('image', handle), { type: 'buttons', buttons: [{ type: 'quick_reply', text: 'Yes' }] }] });
  assert.equal((await create('cards', { type: 'carousel', cards: [card(picture), card(picture)] })).status, 200);
  assert.deepEqual(error(await create('no_cards', { type: 'carousel', cards: [card(picture), card(film)] })), [400, 100, undefined]);
  const profile = (handle) => it.graph(`/v25.0/${PHONE}/whatsapp_business_profile`, { body: { messaging_product: 'whatsapp', profile_picture_handle: handle } });
  assert.deepEqual((await profile(picture)).body, { success: true });
  assert.match((await it.graph(`/v25.0/${PHONE}/whatsapp_business_profile?fields=profile_picture_url`)).body.data[0].profile_picture_url, /^https:/);
  assert.deepEqual(error(await profile(film)), [400, 100, undefined]);
});
