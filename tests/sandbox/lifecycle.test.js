/** The program itself: options, TLS, a state that survives, a clean stop. */
import test from 'node:test';
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import https from 'node:https';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Callback, PERSON, PHONE, SECRET, TOKEN, WABA, ask, defer } from './support.js';
import { png } from './fixtures.js';

const MAIN = fileURLToPath(new URL('../../sandbox/graph/main.js', import.meta.url));

/** Starts the program and waits for its line. */
async function start(t, args, { env = {}, stdin = 'ignore' } = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: [stdin, 'pipe', 'inherit'], env: { ...process.env, ...env } });
  const ended = once(child, 'exit');
  defer(t, () => { child.kill('SIGKILL'); return ended; });
  let out = '';
  child.stdout.setEncoding('utf8');
  for await (const part of child.stdout) {
    out += part;
    if (out.includes('\n'))
      break;
  }
  return { child, ...JSON.parse(out) };
}

async function stop(child, signal) {
  const ended = once(child, 'exit');
  child.kill(signal);
  return ended;
}

function folder(t) {
  const dir = mkdtempSync(join(tmpdir(), 'sandbox-'));
  defer(t, () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const account = (callback) => ({ waba_id: WABA, phone_number_id: PHONE, display_phone_number: '15550783881', access_token: TOKEN, app_secret: SECRET, callback_url: callback.url, verify_token: callback.verifyToken, settings: { window: 'ignore' } });
const send = (url, more = {}) => ask(`${url}/v23.0/${PHONE}/messages`, { token: TOKEN, body: { messaging_product: 'whatsapp', to: PERSON, text: { body: 'x' }, ...more } });

test('it says where it is in one line, and stops on SIGTERM', async (t) => {
  const { child, ready, url, tls_url: tlsUrl } = await start(t, ['--listen', '127.0.0.1:0']);
  assert.equal(ready, true);
  assert.equal(tlsUrl, null);
  assert.deepEqual((await ask(`${url}/_sandbox/health`)).body, { ok: true });
  const stream = await fetch(`${url}/_sandbox/events`); /* an open stream does not hold it up */
  assert.equal(stream.status, 200);
  assert.deepEqual(await stop(child, 'SIGTERM'), [0, null]);
});

test('it stops with its parent, when told to follow standard input', async (t) => {
  const { child } = await start(t, ['--follow-stdin'], { stdin: 'pipe' });
  const ended = once(child, 'exit');
  child.stdin.end();
  assert.deepEqual(await ended, [0, null]);
});

test('an option that makes no sense ends it with a word', async () => {
  for (const args of [['--listen', 'nowhere'], ['--set', 'gravity=1'], ['--set', 'window=maybe'], ['--surprise'], ['--statuses-delay-ms', 'soon']]) {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (part) => { said += part; });
    const [code] = await once(child, 'close');
    assert.equal(code, 2, args.join(' '));
    assert.match(said, /^sandbox: /);
  }
});

test('options come from flags, from the environment and by --set', async (t) => {
  const { url } = await start(t, ['--auto-read', '--set', 'window=ignore', '--set', 'batch_max=7'], { env: { SANDBOX_STATUSES_DELAY_MS: '5', SANDBOX_SET: 'us_marketing=false' } });
  const { body } = await ask(`${url}/_sandbox/settings`);
  assert.deepEqual([body.auto_read, body.window, body.batch_max, body.statuses_delay_ms, body.us_marketing], [true, 'ignore', 7, 5, false]);
});

test('HTTP/2 and HTTP/1.1 over TLS, with a certificate that its own CA vouches for', async (t) => {
  const dir = folder(t);
  const first = await start(t, ['--tls', dir, '--set', 'window=ignore']);
  const ca = readFileSync(first.ca);
  await ask(`${first.url}/_sandbox/accounts`, { body: { waba_id: WABA, phone_number_id: PHONE, access_token: TOKEN } });
  const body = JSON.stringify({ messaging_product: 'whatsapp', to: PERSON, text: { body: 'over h2' } });

  const session = http2.connect(first.tls_url, { ca });
  defer(t, () => session.destroy());
  const answers = await Promise.all([1, 2, 3].map(() => new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':path': `/v23.0/${PHONE}/messages`, authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' });
    let text = '';
    let status;
    stream.on('response', (headers) => { status = headers[':status']; });
    stream.on('data', (part) => { text += part; });
    stream.on('end', () => resolve({ status, body: JSON.parse(text) }));
    stream.on('error', reject);
    stream.end(body);
  })));
  assert.ok(answers.every((answer) => answer.status === 200 && answer.body.messages[0].id.startsWith('wamid.')));

  const cut = session.request({ ':method': 'POST', ':path': `/v23.0/${PHONE}/messages`, authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' });
  cut.end(body.replace(PERSON, '15550300009'));
  await assert.rejects(new Promise((resolve, reject) => { cut.on('response', resolve); cut.on('error', reject); cut.on('close', () => reject(new Error('closed'))); }));

  const agent = new https.Agent({ ca, ALPNProtocols: ['http/1.1'] });
  const plain = await new Promise((resolve, reject) => {
    https.get(`${first.tls_url}/v23.0/${PHONE}`, { agent, headers: { authorization: `Bearer ${TOKEN}` } }, resolve).on('error', reject);
  });
  assert.deepEqual([plain.statusCode, plain.httpVersion], [200, '1.1']);
  plain.resume();
  agent.destroy();
  await assert.rejects(fetch(first.tls_url), 'a client without the CA does not trust it');
  await stop(first.child, 'SIGTERM');
  const second = await start(t, ['--tls', dir]);
  assert.deepEqual(readFileSync(second.ca), ca, 'the CA stays, so that clients may keep it');
});

test('the state survives a kill: accounts, messages, media, faults not; what was owed is still sent', async (t) => {
  const data = join(folder(t), 'state.jsonl');
  const callback = await new Callback().start();
  defer(t, () => callback.stop());
  const first = await start(t, ['--data', data, '--statuses-delay-ms', '1']);
  await ask(`${first.url}/_sandbox/accounts`, { body: account(callback) });
  const form = new FormData();
  form.set('messaging_product', 'whatsapp');
  form.set('file', new Blob([png], { type: 'image/png' }), 'dot.png');
  const { id: media } = (await ask(`${first.url}/v23.0/${PHONE}/media`, { token: TOKEN, body: form })).body;
  const { id } = (await send(first.url)).body.messages[0];
  await callback.until(() => callback.statuses.length === 2);
  callback.answer = () => 503; /* from here the callback is down */
  const owed = (await send(first.url, { biz_opaque_callback_data: 'owed' })).body.messages[0].id;
  await ask(`${first.url}/_sandbox/wait?for=messages&opaque=owed&status=delivered`);
  await stop(first.child, 'SIGKILL');
  appendFileSync(data, '{"put":"message","id":"half a li');

  callback.answer = () => 200;
  const second = await start(t, ['--data', data, '--statuses-delay-ms', '1']);
  await callback.until(() => callback.statuses.filter((status) => status.id === owed).length === 2, 'what was owed');
  const { body } = await ask(`${second.url}/_sandbox/messages`);
  assert.deepEqual(body.data.map((message) => message.id), [id, owed]);
  assert.equal((await ask(`${second.url}/v23.0/${media}`, { token: TOKEN })).body.file_size, String(png.length));
  assert.equal((await send(second.url)).status, 200);
  await stop(second.child, 'SIGTERM');

  const third = await start(t, ['--data', data]);
  assert.equal((await ask(`${third.url}/_sandbox/messages`)).body.total, 3);
});

test('a message whose statuses were still to come gets them after a restart', async (t) => {
  const data = join(folder(t), 'state.jsonl');
  const callback = await new Callback().start();
  defer(t, () => callback.stop());
  const first = await start(t, ['--data', data, '--statuses-delay-ms', '60000']);
  await ask(`${first.url}/_sandbox/accounts`, { body: account(callback) });
  const { id } = (await send(first.url)).body.messages[0];
  await stop(first.child, 'SIGTERM');
  assert.equal(callback.statuses.length, 0);
  const lines = readFileSync(data, 'utf8');
  assert.ok(lines.includes(id));
  writeFileSync(data, lines.replaceAll('"after_ms":60000', '"after_ms":1'));
  await start(t, ['--data', data]);
  await callback.until(() => callback.statuses.length === 2);
});

test('reset forgets messages and faults, and accounts when asked', async (t) => {
  const { url } = await start(t, []);
  await ask(`${url}/_sandbox/accounts`, { body: { waba_id: WABA, phone_number_id: PHONE, access_token: TOKEN } });
  await send(url);
  await ask(`${url}/_sandbox/faults`, { body: { effect: { kind: 'slow' } } });
  await ask(`${url}/_sandbox/reset`, { body: {} });
  assert.equal((await ask(`${url}/_sandbox/messages`)).body.total, 0);
  assert.deepEqual((await ask(`${url}/_sandbox/faults`)).body.data, []);
  assert.equal((await ask(`${url}/_sandbox/accounts`)).body.data.length, 1);
  await ask(`${url}/_sandbox/reset`, { body: { accounts: true } });
  assert.equal((await send(url)).body.error.code, 190);
});
