/** Media: upload, download, limits, links. */
import test from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { once } from 'node:events';
import { PERSON, PHONE, TOKEN, ask, startWorld, defer } from './support.js';
import { png } from './fixtures.js';

function form(bytes, type, more = {}) {
  const data = new FormData();
  for (const [name, value] of Object.entries({ messaging_product: 'whatsapp', type, ...more }))
    if (value !== undefined)
      data.set(name, value);
  data.set('file', new Blob([bytes], { type }), 'a file.bin');
  return data;
}

const upload = (world, bytes, type, more) => world.graph(`/v23.0/${PHONE}/media`, { body: form(bytes, type, more) });

test('a download needs its token, its signature and its time', async (t) => {
  const world = await startWorld(t);
  const { id } = (await upload(world, png, 'image/png')).body;
  assert.match(id, /^[0-9]+$/);
  const { url } = (await world.graph(`/v23.0/${id}`)).body;
  const get = (address, token) => ask(address, { token });
  assert.equal((await get(url, undefined)).status, 401);
  assert.equal((await get(url, 'wrong')).status, 401);
  assert.equal((await get(url.replace(/hash=(.)/, (_, first) => `hash=${first === '_' ? '-' : '_'}`), TOKEN)).status, 404);
  assert.equal((await get(url.replace(/ext=[0-9]+/, 'ext=9999999999'), TOKEN)).status, 404);
  const good = await fetch(url, { headers: { authorization: `Bearer ${TOKEN}` } });
  assert.equal(good.headers.get('content-type'), 'image/png');
  assert.deepEqual(Buffer.from(await good.arrayBuffer()), png);
  await world.control('settings', { media_url_ttl_ms: 0 }, 'PATCH');
  const late = (await world.graph(`/v23.0/${id}`)).body.url;
  assert.equal((await get(late.replace(/ext=([0-9]+)/, (_, ext) => `ext=${ext}`), TOKEN)).status, 404);
});

test('media belongs to its number and its account', async (t) => {
  const world = await startWorld(t);
  await world.control('accounts', { waba_id: '222', phone_number_id: '2220', access_token: 'other', settings: { window: 'ignore' } });
  const { id } = (await upload(world, png, 'image/png')).body;
  assert.equal((await world.graph(`/v23.0/${id}`, { token: 'other' })).body.error.error_subcode, 33);
  assert.equal((await world.graph(`/v23.0/${id}?phone_number_id=1`)).body.error.error_subcode, 33);
  assert.equal((await world.graph(`/v23.0/${id}?phone_number_id=${PHONE}`)).status, 200);
  const stolen = await ask(`${world.url}/v23.0/2220/messages`, { token: 'other', body: { messaging_product: 'whatsapp', to: PERSON, type: 'image', image: { id } } });
  assert.equal(stolen.body.error.code, 131009);
  assert.deepEqual((await world.graph(`/v23.0/${id}`, { method: 'DELETE' })).body, { success: true });
  assert.equal((await world.graph(`/v23.0/${id}`)).body.error.error_subcode, 33);
});

test('types and sizes', async (t) => {
  const world = await startWorld(t);
  const code = async (...args) => (await upload(world, ...args)).body.error?.code ?? 200;
  assert.equal(await code('x', 'application/x-dosexec'), 100);
  assert.equal(await code('', 'text/plain'), 131053);
  assert.equal(await code('x', 'text/plain'), 200);
  assert.equal(await code('x', 'text/plain', { messaging_product: undefined }), 100);
  assert.equal(await code(Buffer.alloc(5 * 1024 * 1024 + 1), 'image/jpeg'), 100);
  assert.equal(await code(Buffer.alloc(5 * 1024 * 1024), 'image/jpeg'), 200);
  assert.equal(await code(Buffer.alloc(500 * 1024 + 1), 'image/webp'), 100);
  assert.equal(await code(Buffer.from('--x\r\nnot a boundary'), 'audio/ogg'), 200, 'bytes that look like a boundary');
});

test('media of another kind is accepted and then fails with 131053', async (t) => {
  const world = await startWorld(t);
  const { id } = (await upload(world, 'hello', 'text/plain')).body;
  await world.send({ type: 'image', image: { id } });
  const [failed] = await world.callback.until((callback) => callback.statuses.length === 1 && callback.statuses);
  assert.equal(failed.status, 'failed');
  assert.equal(failed.errors[0].code, 131053);
  await world.send({ type: 'document', document: { id, filename: 'hello.txt' } });
  await world.callback.until((callback) => callback.statuses.some((status) => status.status === 'delivered'));
});

test('a link is fetched where it is local: a good one is delivered, a bad one fails later', async (t) => {
  const world = await startWorld(t);
  const files = http.createServer((req, res) => {
    const found = req.url === '/dot.png';
    res.writeHead(found ? 200 : req.url === '/moved.png' ? 302 : 404, { 'content-type': found ? 'image/png' : 'text/plain', location: '/dot.png' }).end(found ? png : 'no');
  }).listen(0, '127.0.0.1');
  await once(files, 'listening');
  defer(t, () => { files.close(); files.closeAllConnections(); });
  const base = `http://127.0.0.1:${files.address().port}`;
  const outcome = async (type, link) => {
    const { id } = (await world.send({ type, [type]: { link } })).body.messages[0];
    return world.callback.until((callback) => callback.statuses.find((status) => status.id === id && ['failed', 'delivered'].includes(status.status)));
  };
  assert.equal((await outcome('image', `${base}/dot.png`)).status, 'delivered');
  const missing = await outcome('image', `${base}/none.png`);
  assert.equal(missing.errors[0].code, 131053);
  assert.match(missing.errors[0].error_data.details, /http code 404/);
  assert.equal((await outcome('video', `${base}/dot.png`)).status, 'failed');
  assert.equal((await outcome('image', 'http://127.0.0.1:1/x.png')).status, 'failed');
  assert.equal((await outcome('image', 'https://elsewhere.example/x.png')).status, 'delivered', 'what lies elsewhere is not fetched');
});

test('media can be told wrongly, and end half way', async (t) => {
  const world = await startWorld(t);
  const { id } = (await upload(world, png, 'image/png')).body;
  const truth = (await world.graph(`/v23.0/${id}`)).body;
  await world.control('settings', { media_lie: 'sha256' }, 'PATCH');
  assert.notEqual((await world.graph(`/v23.0/${id}`)).body.sha256, truth.sha256);
  await world.control('settings', { media_lie: 'host' }, 'PATCH');
  assert.equal(new URL((await world.graph(`/v23.0/${id}`)).body.url).host, 'media.example.org');
  await world.control('settings', { media_lie: 'cut' }, 'PATCH');
  await assert.rejects(fetch(truth.url, { headers: { authorization: `Bearer ${TOKEN}` } }).then((answer) => answer.arrayBuffer()));
});
