// The dispatcher's exchange against oidc-provider: an OpenID Connect issuer that is somebody else's code.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { Provider } from 'oidc-provider';

const build = process.env.HARKARA_BUILD ?? new URL('../../build', import.meta.url).pathname;
const callback = 'https://app.example/cb';
const secret = 'a secret: with %, & and spaces'.replaceAll(' ', '-');
const base64url = (bytes) => Buffer.from(bytes).toString('base64url');

/** A key as a JWK with its private half. */
function key(kid, alg) {
  const pair = alg === 'RS256' ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
  return { ...pair.privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' };
}

/** An issuer on loopback whose keys can be replaced; people are signed in as `ada` without being asked. */
class Issuer {
  async start(keys, options = {}) {
    this.server ??= createServer((request, response) => this.handle(request, response));
    if (!this.server.listening) await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    const client = (id, alg) => ({ client_id: id, client_secret: secret, redirect_uris: [callback],
      id_token_signed_response_alg: alg, token_endpoint_auth_method: 'client_secret_basic' });
    this.provider = new Provider(this.url, {
      clients: [client('harkara', 'RS256'), client('es', 'ES256'),
        client('ed', 'EdDSA')],
      jwks: { keys },
      cookies: { keys: ['a key of the test'] },
      claims: { openid: ['sub'], email: ['email', 'email_verified'] },
      conformIdTokenClaims: false,
      enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'] },
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
      ttl: { IdToken: 600, AccessToken: 600, AuthorizationCode: 60, Interaction: 600, Session: 600, Grant: 600 },
      findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: true }) }),
      async loadExistingGrant(ctx) {
        const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
        grant.addOIDCScope('openid email');
        await grant.save();
        return grant;
      },
      ...options,
    });
  }

  async handle(request, response) {
    if (request.url.startsWith('/interaction/'))
      return this.provider.interactionFinished(request, response, { login: { accountId: 'ada' } });
    return this.provider.callback()(request, response);
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((done) => this.server.close(done));
  }
}

/** As a browser: from the authorization endpoint to where it is sent back to. */
async function browse(issuer, clientId) {
  const verifier = base64url(randomBytes(32)), nonce = base64url(randomBytes(16)), state = base64url(randomBytes(16));
  const query = new URLSearchParams({ response_type: 'code', scope: 'openid email', client_id: clientId, redirect_uri: callback,
    state, nonce, code_challenge: base64url(createHash('sha256').update(verifier).digest()), code_challenge_method: 'S256' });
  const { authorization_endpoint: endpoint } = await ask({ issuer: issuer.url });
  const jar = new Map();
  let at = `${endpoint}?${query}`;
  for (let hops = 0; !at.startsWith(callback); hops++) {
    assert.ok(hops < 10, 'sent around in a circle');
    const response = await fetch(at, { redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') } });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      jar.set(name, value);
    }
    assert.ok(response.status === 302 || response.status === 303, `${response.status} ${await response.text()}`);
    at = new URL(response.headers.get('location'), at).href;
  }
  const answer = new URL(at).searchParams;
  assert.equal(answer.get('state'), state);
  assert.equal(answer.get('iss'), issuer.url); // RFC 9207
  return { issuer: issuer.url, client_id: clientId, client_secret: secret, redirect_uri: callback, code: answer.get('code'),
    verifier, nonce, algorithm: 'RS256' };
}

const issuer = new Issuer();
let exchange, lines;

async function ask(line) {
  exchange.stdin.write(`${JSON.stringify(line)}\n`);
  const { value, done } = await lines.next();
  assert.ok(!done, 'the exchange has ended');
  return JSON.parse(value);
}

before(async () => {
  await issuer.start([key('first', 'RS256'), key('es', 'ES256'), key('ed', 'EdDSA')]);
  exchange = spawn(`${build}/src/program/dispatcher/oidc-exchange`, { stdio: ['pipe', 'pipe', 'inherit'] });
  lines = createInterface({ input: exchange.stdout })[Symbol.asyncIterator]();
});

after(async () => {
  exchange.stdin.end();
  await new Promise((done) => (exchange.exitCode === null ? exchange.once('exit', done) : done()));
  assert.equal(exchange.exitCode, 0);
  await issuer.stop();
});

test('the document is read, and says that the issuer names itself', async () => {
  const found = await ask({ issuer: issuer.url });
  assert.equal(found.result, 'ok');
  assert.ok(found.authorization_endpoint.startsWith(`${issuer.url}/`));
  assert.equal(found.names_itself, true);
});

for (const [client, algorithm] of [['harkara', 'RS256'], ['es', 'ES256'], ['ed', 'EdDSA']])
  test(`a person is known by what the issuer signs with ${algorithm} for ${client}`, async () => {
    const answer = await ask({ ...(await browse(issuer, client)), algorithm });
    assert.deepEqual(answer, { result: 'ok', step: 'done', fault: 'none', status: 0, subject: 'ada', email: 'ada@example.org',
      is_email_verified: true });
  });

test('a code is good once, for its client, its verifier and its address', async () => {
  const first = await browse(issuer, 'harkara');
  assert.equal((await ask(first)).result, 'ok');
  const again = await ask(first);
  assert.equal(again.result, 'identity-token-refused');
  assert.deepEqual([again.step, again.status, again.subject], ['code', 400, '']);
  for (const change of [{ verifier: base64url(randomBytes(32)) }, { redirect_uri: 'https://app.example/other' }]) {
    const answer = await ask({ ...(await browse(issuer, 'harkara')), ...change });
    assert.deepEqual([answer.result, answer.step], ['identity-token-refused', 'code']);
  }
  const wrong = await ask({ ...(await browse(issuer, 'harkara')), client_secret: 'guessed' });
  assert.deepEqual([wrong.result, wrong.step, wrong.status], ['identity-provider-failed', 'code', 401]);
});

test('a token for another sign-in, of another algorithm or for too long ago is refused', async () => {
  const nonce = await ask({ ...(await browse(issuer, 'harkara')), nonce: 'of another sign-in' });
  assert.deepEqual([nonce.result, nonce.step, nonce.fault], ['identity-token-refused', 'claims', 'nonce']);
  const algorithm = await ask({ ...(await browse(issuer, 'es')), algorithm: 'RS256' });
  assert.deepEqual([algorithm.result, algorithm.step], ['identity-token-refused', 'signature']);
});

test('keys that were rotated are found, and those that are gone are not believed', async () => {
  await issuer.start([key('second', 'RS256')]);
  const soon = await ask(await browse(issuer, 'harkara'));
  assert.deepEqual([soon.result, soon.step], ['identity-token-refused', 'keys']); // the set was fetched a moment ago
  await ask({ advance_ms: 60_000 });
  assert.equal((await ask(await browse(issuer, 'harkara'))).result, 'ok');
});

test('a token that has expired is refused', async () => {
  await ask({ advance_ms: 900_000 }); // our clock goes before the issuer's
  const answer = await ask(await browse(issuer, 'harkara'));
  assert.deepEqual([answer.result, answer.step, answer.fault], ['identity-token-refused', 'claims', 'expired']);
});

test('an issuer that says it is another is none', async () => {
  const liar = createServer((_, response) => response.end(JSON.stringify({ issuer: issuer.url,
    authorization_endpoint: `${issuer.url}/auth`, token_endpoint: `${issuer.url}/token`, jwks_uri: `${issuer.url}/jwks` })));
  await new Promise((done) => liar.listen(0, '127.0.0.1', done));
  const answer = await ask({ issuer: `http://127.0.0.1:${liar.address().port}` });
  assert.equal(answer.result, 'identity-provider-failed');
  liar.closeAllConnections();
  await new Promise((done) => liar.close(done));
});
