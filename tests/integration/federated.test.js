// @ts-check
/** People who come by an OpenID provider: through the whole platform, against oidc-provider, and against one that lies. */
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { Provider } from 'oidc-provider';
import { Client, startPlatform, until } from './support.js';
import { Browser, Passkey } from './authenticator.js';

const SECRET = 'a-secret:with-%-and-&';
const CALLBACK = '/v1/session/federated/callback';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwk = { ...rsa.privateKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' };
const encode = (/** @type {unknown} */ value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let origin = '', folder = '';
/** @type {any} */
let honest, liar, shop;
const browser = () => new Browser(new Client(platform.url, null), origin);
const forget = () => platform.sql('delete from harkara.throttle');

/** Listens on loopback; `handle` answers. @param {(request: any, response: any) => void} handle */
async function listen(handle) {
    const server = createServer(handle);
    await new Promise((done) => { server.listen(0, '127.0.0.1', () => { done(undefined); }); });
    return { server, url: `http://127.0.0.1:${/** @type {any} */ (server.address()).port}` };
}

/** oidc-provider; whoever is asked for is signed in as `account` without a question. */
async function honestIssuer() {
    const made = { account: 'ada', provider: /** @type {any} */ (null), server: /** @type {any} */ (null), url: '' };
    Object.assign(made, await listen((request, response) => {
        if (request.url.startsWith('/interaction/'))
            return made.provider.interactionFinished(request, response, { login: { accountId: made.account } });
        return made.provider.callback()(request, response);
    }));
    made.provider = new Provider(made.url, {
        clients: [{ client_id: 'harkara', client_secret: SECRET, redirect_uris: [`${origin}${CALLBACK}`], id_token_signed_response_alg: 'RS256', token_endpoint_auth_method: 'client_secret_basic' }],
        jwks: { keys: [jwk] },
        cookies: { keys: ['a key of the test'] },
        claims: { openid: ['sub'], email: ['email', 'email_verified'] },
        conformIdTokenClaims: false,
        features: { devInteractions: { enabled: false } },
        interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
        findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: !id.startsWith('unverified') }) }),
        async loadExistingGrant(ctx) {
            const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
            grant.addOIDCScope('openid email');
            await grant.save();
            return grant;
        },
    });
    return made;
}

/** Says whatever a test wants it to. */
async function lyingIssuer() {
    const made = { url: '', server: /** @type {any} */ (null), nonce: '', asked: 0, silent: false, claims: (/** @type {any} */ good) => good, token: (/** @type {any} */ claims) => signed(claims) };
    Object.assign(made, await listen((request, response) => {
        const say = (/** @type {unknown} */ body) => { response.setHeader('content-type', 'application/json'); response.end(JSON.stringify(body)); };
        if (request.url === '/.well-known/openid-configuration')
            return say({ issuer: made.url, authorization_endpoint: `${made.url}/auth`, token_endpoint: `${made.url}/token`, jwks_uri: `${made.url}/keys`, response_types_supported: ['code'], code_challenge_methods_supported: ['S256'], token_endpoint_auth_methods_supported: ['client_secret_basic'] });
        if (request.url === '/keys')
            return say({ keys: [{ ...rsa.publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' }] });
        made.asked += 1;
        const now = Math.floor(Date.now() / 1000);
        return say({ access_token: 'x', token_type: 'Bearer', id_token: made.token(made.claims({ iss: made.url, aud: 'harkara', sub: 'mallory', email: 'mallory@example.org', email_verified: true, iat: now, exp: now + 300, nonce: made.nonce })) });
    }));
    return made;
}
const signed = (/** @type {any} */ claims, alg = 'RS256') => {
    const part = `${encode({ alg, kid: 'one', typ: 'JWT' })}.${encode(claims)}`;
    return `${part}.${sign('sha256', Buffer.from(part), rsa.privateKey).toString('base64url')}`;
};

/** Comes back to us with what the provider has sent along. @param {Browser} page @param {string} target */
async function arrive(page, target) {
    const answer = await page.call('GET', target, undefined, { origin: undefined, 'x-csrf-token': undefined });
    assert.equal(answer.status, 303, answer.text);
    const to = answer.headers.get('location') ?? '';
    assert.ok(to.startsWith(`${origin}/`), to);
    return to.slice(origin.length);
}

/** As a browser that follows the provider. @param {any} issuer @param {string} url @returns {Promise<string>} where it is sent back to */
async function follow(issuer, url) {
    const jar = new Map();
    let at = url;
    for (let hops = 0; !at.startsWith(`${origin}${CALLBACK}`); hops++) {
        assert.ok(hops < 10 && at.startsWith(issuer.url), `sent to ${at}`);
        const response = await fetch(at, { redirect: 'manual', headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') } });
        for (const cookie of response.headers.getSetCookie()) {
            const [, name, value] = /** @type {RegExpMatchArray} */ (/^([^=]+)=([^;]*)/.exec(cookie));
            jar.set(name, value);
        }
        at = new URL(response.headers.get('location') ?? assert.fail(`${response.status} ${await response.text()}`), at).href;
    }
    return at.slice(origin.length);
}

/** @param {Browser} page @param {any} issuer @param {string} target @param {any} more */
async function begin(page, issuer, target = '/v1/session/federated', more = {}) {
    const { authorization_url: url } = await page.must(200, 'POST', target, { provider_id: issuer.id, ...more });
    return url;
}

/** Signs in by it, as `account`. @param {Browser} page @param {string} account */
async function come(page, account, target = '/v1/session/federated', more = {}) {
    honest.account = account;
    return arrive(page, await follow(honest, await begin(page, honest, target, more)));
}

/** Begins at the liar, who would answer with a good token. @param {Browser} page */
async function beginAtLiar(page) {
    const url = new URL(await begin(page, liar));
    liar.nonce = url.searchParams.get('nonce');
    return `${CALLBACK}?code=c&state=${url.searchParams.get('state')}`;
}

function totp(/** @type {string} */ secret, /** @type {number} */ at = Date.now()) {
    const bits = [...secret].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
    const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((octet) => parseInt(octet, 2)));
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
    const mac = createHmac('sha1', key).update(counter).digest(), offset = mac[19] & 15;
    return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

async function add(/** @type {any} */ issuer, /** @type {string} */ name, /** @type {string[]} */ ...more) {
    const file = join(folder, name);
    writeFileSync(file, `${SECRET}\n`, { mode: 0o600 });
    const made = await platform.harkara.json('issuer', 'add', issuer.url, '--name', name, '--client-id', 'harkara', '--client-secret-file', file, ...more);
    issuer.id = made.id;
    assert.equal(made.redirect_uri, `${origin}${CALLBACK}`);
}

before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'federated-'));
    platform = await startPlatform({ env: { HARKARA_GATEWAYS: '2', HARKARA_ISSUER_LOOPBACK: '1' } });
    origin = `http://localhost:${new URL(platform.url).port}`;
    honest = await honestIssuer();
    liar = await lyingIssuer();
    await add(honest, 'Honest');
    await add(liar, 'Liar');
    const tenant = await platform.harkara.json('tenant', 'create', '--name', 'Shop', '--slug', 'shop');
    shop = { tenant: tenant.id, page: browser(), passkey: new Passkey() };
    await shop.page.enrol(tenant.enrolment_url, shop.passkey, 'Asha Rao');
});
after(async () => {
    await platform?.stop();
    for (const issuer of [honest, liar]) {
        issuer?.server.closeAllConnections();
        issuer?.server.close();
    }
});
beforeEach(() => {
    forget();
    liar.claims = (/** @type {any} */ good) => good;
    liar.token = (/** @type {any} */ claims) => signed(claims);
});

test('the providers are named to everybody, and an issuer is added once', async () => {
    const { data } = await browser().must(200, 'GET', '/v1/session/providers');
    assert.deepEqual(data, [{ id: honest.id, name: 'Honest' }, { id: liar.id, name: 'Liar' }]);
    assert.deepEqual((await platform.harkara.json('issuer', 'list')).map((/** @type {any} */ { issuer }) => issuer), [honest.url, liar.url]);
    await assert.rejects(add({ url: honest.url }, 'Again'));
    await assert.rejects(add({ url: 'http://issuer.example' }, 'Plain'));
    assert.equal(platform.sql(`select count(*) from harkara.oidc_issuer where client_secret_ct::text like '%a-secret%'`), '0');
});

test('nobody gets an account by a provider alone', async () => {
    const page = browser();
    assert.equal(await come(page, 'stranger'), '/sign-in?problem=identity-unknown');
    assert.equal(page.cookies.get('__Host-harkara'), undefined);
});

describe('somebody who is here connects an identity', () => {
    test('and signs in by it, with a second factor', async () => {
        assert.equal(await come(shop.page, 'ada', '/v1/me/identities'), '/security?connected=1');
        const { data: [identity] } = await shop.page.must(200, 'GET', '/v1/me/identities');
        assert.deepEqual([identity.provider, identity.email, identity.last_used_at], [{ id: honest.id, name: 'Honest' }, 'ada@example.org', null]);
        const page = browser();
        assert.equal(await come(page, 'ada'), '/second-factor');
        const session = await page.must(200, 'GET', '/v1/session');
        assert.deepEqual(session.second_factor, { state: 'needed', available: ['passkey'] });
        assert.deepEqual([session.permissions, session.workspaces, session.authenticated_by, session.stepped_up_until], [[], [], ['federated'], null]);
        for (const [method, target, body] of /** @type {[string, string, any][]} */ ([['GET', '/v1/messages'], ['GET', '/v1/me/sessions'], ['GET', '/v1/me/identities'], ['POST', '/v1/me/identities', { provider_id: honest.id }], ['POST', '/v1/me/passkeys/options'], ['POST', '/v1/me/totp'], ['PATCH', '/v1/me', { name: 'Eve' }], ['POST', '/v1/session/workspace', { tenant_id: shop.tenant }]]))
            assert.equal((await page.call(method, target, body)).json.code, 'second-factor-needed', `${method} ${target}`);
        await page.must(200, 'GET', '/v1/me');
        const before = page.cookies.get('__Host-harkara');
        const asked = await page.must(200, 'POST', '/v1/session/step-up/passkey/options');
        const whole = await page.must(200, 'POST', '/v1/session/step-up/passkey', { ceremony_id: asked.ceremony_id, credential: shop.passkey.get(asked.public_key, origin) });
        assert.deepEqual([whole.second_factor, whole.workspace.id, whole.authenticated_by], [null, shop.tenant, ['passkey', 'federated']]);
        assert.notEqual(page.cookies.get('__Host-harkara'), before, 'the token was replaced');
        await page.must(200, 'GET', '/v1/messages');
        assert.notEqual((await page.must(200, 'GET', '/v1/me/identities')).data[0].last_used_at, null);
    });

    test('which is nobody else\'s from then on', async () => {
        const tenant = await platform.harkara.json('tenant', 'create', '--name', 'Other', '--slug', 'other');
        const other = browser();
        await other.enrol(tenant.enrolment_url, new Passkey(), 'Eve');
        assert.equal(await come(other, 'ada', '/v1/me/identities'), '/security?problem=already-exists');
        const { data: [identity] } = await shop.page.must(200, 'GET', '/v1/me/identities');
        assert.equal((await other.call('DELETE', `/v1/me/identities/${identity.id}`)).status, 404);
    });

    test('only in the session that asked', async () => {
        const url = await begin(shop.page, honest, '/v1/me/identities');
        honest.account = 'grace';
        const back = await follow(honest, url);
        const [mine, theirs] = [shop.page, browser()];
        await theirs.signIn(shop.passkey); /* the same person, in another browser with the first one's cookie of ceremonies */
        theirs.cookies.set('__Host-harkara-browser', mine.cookies.get('__Host-harkara-browser'));
        assert.equal(await arrive(theirs, back), '/security?problem=session-needed');
    });
});

describe('links', () => {
    const invite = async (/** @type {string} */ email) => {
        const made = await shop.page.must(201, 'POST', '/v1/invitations', { email, role: 'agent' });
        return new URL(made.link).hash.slice(1);
    };

    test('who is invited comes in as whom the provider names, and sets up a code', async () => {
        const token = await invite('Bob@example.org'), page = browser();
        assert.equal(await come(page, 'bob', '/v1/enrolment/federated', { token }), '/second-factor');
        const session = await page.must(200, 'GET', '/v1/session');
        assert.deepEqual([session.second_factor, session.person.name, session.person.email, session.person.is_email_verified], [{ state: 'missing', available: [] }, 'bob', 'bob@example.org', true]);
        assert.equal((await page.call('GET', '/v1/messages')).json.code, 'second-factor-needed');
        await page.must(200, 'PATCH', '/v1/me', { name: 'Bob Ray' });
        const { secret } = await page.must(200, 'POST', '/v1/me/totp');
        const half = page.cookies.get('__Host-harkara');
        const code = totp(secret);
        await page.must(200, 'POST', '/v1/me/totp/confirm', { code });
        assert.notEqual(page.cookies.get('__Host-harkara'), half, 'the token was replaced');
        const whole = await page.must(200, 'GET', '/v1/session');
        assert.deepEqual([whole.second_factor, whole.workspace.id, whole.person.name], [null, shop.tenant, 'Bob Ray']);
        assert.equal((await page.call('DELETE', '/v1/me/totp')).json.code, 'state-conflict', 'the only second factor stays');
        const { data: [identity] } = await page.must(200, 'GET', '/v1/me/identities');
        assert.equal((await page.call('DELETE', `/v1/me/identities/${identity.id}`)).json.code, 'state-conflict', 'so does the only way in');
        assert.equal((await browser().call('POST', '/v1/enrolment/federated', { token, provider_id: honest.id })).json.code, 'link-invalid', 'the link is used up');
        const again = browser();
        assert.equal(await come(again, 'bob'), '/second-factor');
        assert.deepEqual((await again.must(200, 'GET', '/v1/session')).second_factor, { state: 'needed', available: ['totp'] });
        assert.equal((await again.call('POST', '/v1/session/step-up/totp', { code })).json.code, 'code-refused', 'a code is good once');
        await again.must(200, 'POST', '/v1/session/step-up/totp', { code: totp(secret, Date.now() + 30_000) });
        await again.must(200, 'GET', '/v1/messages');
    });

    test('nobody else does, and nobody whose address is not verified', async () => {
        const token = await invite('carol@example.org');
        assert.equal(await come(browser(), 'dave', '/v1/enrolment/federated', { token }), '/enrol?problem=identity-email-refused');
        const other = await invite('unverified-erin@example.org');
        assert.equal(await come(browser(), 'unverified-erin', '/v1/enrolment/federated', { token: other }), '/enrol?problem=identity-email-refused');
        assert.equal(platform.sql(`select count(*) from harkara.invitation where state = 'accepted'`), '1');
    });

    test('a first owner comes in; one whose address is here already signs in instead', async () => {
        const made = await platform.harkara.json('tenant', 'create', '--name', 'Third', '--slug', 'third');
        const token = new URL(made.enrolment_url).hash.slice(1), page = browser();
        assert.equal(await come(page, 'unverified-olga', '/v1/enrolment/federated', { token }), '/second-factor');
        const passkey = new Passkey();
        await page.must(200, 'GET', '/v1/session');
        await page.addPasskey(passkey, 'Key');
        const whole = await page.must(200, 'GET', '/v1/session');
        assert.deepEqual([whole.second_factor, whole.workspace.id, whole.person.email], [null, made.id, null]);
        const fourth = await platform.harkara.json('tenant', 'create', '--name', 'Fourth', '--slug', 'fourth');
        const next = new URL(fourth.enrolment_url).hash.slice(1);
        liar.claims = (/** @type {any} */ good) => ({ ...good, email: 'bob@example.org' });
        const eve = browser(), url = new URL(await begin(eve, liar, '/v1/enrolment/federated', { token: next }));
        liar.nonce = url.searchParams.get('nonce') ?? '';
        assert.equal(await arrive(eve, `${CALLBACK}?code=c&state=${url.searchParams.get('state')}`), '/enrol?problem=identity-person-exists', 'an address makes nobody somebody');
        const known = browser();
        assert.equal(await come(known, 'bob', '/v1/enrolment/federated', { token: next }), '/second-factor', 'who is known signs in, and opens the link then');
        assert.equal(platform.sql(`select used_at is null from harkara.enrolment where workspace_id = (select tenant_id from harkara.tenant where slug = 'fourth')`), 't');
    });
});

describe('what a provider says is not believed', () => {
    const none = (/** @type {any} */ claims) => `${encode({ alg: 'none' })}.${encode(claims)}.`;
    const hmac = (/** @type {any} */ claims) => {
        const part = `${encode({ alg: 'HS256', kid: 'one' })}.${encode(claims)}`;
        return `${part}.${createHmac('sha256', rsa.publicKey.export({ format: 'pem', type: 'spki' })).update(part).digest('base64url')}`;
    };
    const lies = /** @type {[string, (good: any) => any, ((claims: any) => string)?][]} */ ([
        ['for another client', (good) => ({ ...good, aud: 'somebody-else' })],
        ['for several, not naming us', (good) => ({ ...good, aud: ['harkara', 'other'], azp: 'other' })],
        ['of another issuer', (good) => ({ ...good, iss: 'https://accounts.example' })],
        ['with another nonce', (good) => ({ ...good, nonce: 'x'.repeat(43) })],
        ['without a nonce', ({ nonce: _, ...good }) => good],
        ['that has expired', (good) => ({ ...good, iat: good.iat - 900, exp: good.iat - 120 })],
        ['of the future', (good) => ({ ...good, iat: good.iat + 900, exp: good.iat + 1200 })],
        ['signed by nobody', (good) => good, none],
        ['signed with our key of theirs', (good) => good, hmac],
        ['signed for something else', (good) => good, (claims) => signed(claims).replace(/\.[^.]+\./, `.${encode({ ...claims, sub: 'ada' })}.`)],
        ['without a subject', ({ sub: _, ...good }) => good],
    ]);
    for (const [name, claims, token] of lies)
        test(`a token ${name}`, async () => {
            const page = browser();
            liar.claims = claims;
            if (token !== undefined)
                liar.token = token;
            assert.equal(await arrive(page, await beginAtLiar(page)), '/sign-in?problem=identity-token-refused');
            assert.equal(page.cookies.get('__Host-harkara'), undefined);
        });

    test('an answer that names another issuer, two, or none where it says it would', async () => {
        const page = browser();
        for (const iss of [`&iss=${encodeURIComponent(honest.url)}`, `&iss=${encodeURIComponent(liar.url)}&iss=${encodeURIComponent(honest.url)}`, '&iss=']) {
            const asked = liar.asked;
            assert.equal(await arrive(page, `${await beginAtLiar(page)}${iss}`), '/sign-in?problem=identity-token-refused');
            assert.equal(liar.asked, asked, 'the code went nowhere');
            forget();
        }
        honest.account = 'ada';
        const back = await follow(honest, await begin(page, honest));
        assert.equal(await arrive(page, back.replace(/&iss=[^&]*/, '')), '/sign-in?problem=identity-token-refused');
    });
});

test('what is refused is in Harkara\'s own log, with what was wrong', async () => {
    const told = () => JSON.parse(platform.sql(`select coalesce(json_agg(detail::json->>'reason' order by id), '[]') from harkara.audit_entry where tenant_id = '00000000-0000-7000-8000-000000000000' and action = 'session.refused' and actor_kind = 'nobody' and object_id is null`));
    const before = told();
    liar.claims = (/** @type {any} */ good) => ({ ...good, aud: 'somebody-else' });
    await arrive(browser(), await beginAtLiar(browser()));
    const page = browser();
    await arrive(page, await beginAtLiar(page));
    assert.deepEqual(told().slice(before.length), ['ceremony-invalid', 'identity-token-refused']);
});

describe('what a browser brings back', () => {
    test('is good once, and in the browser that asked', async () => {
        const page = browser(), thief = browser();
        honest.account = 'ada';
        const back = await follow(honest, await begin(page, honest));
        await thief.must(200, 'POST', '/v1/session/passkey/options');
        assert.equal(await arrive(thief, back), '/sign-in?problem=ceremony-invalid', 'of another browser');
        assert.equal(await arrive(browser(), back), '/sign-in?problem=ceremony-invalid', 'of one without a cookie');
        forget();
        assert.equal(await arrive(page, back), '/second-factor');
        assert.equal(await arrive(page, back), '/sign-in?problem=ceremony-invalid', 'a second time');
        for (const change of [(/** @type {string} */ to) => to.replace(/state=./, 'state=_'), (/** @type {string} */ to) => to.replace(/state=[^&]*/, 'state=x'), (/** @type {string} */ to) => to.replace(/state=[^&]*&?/, ''), (/** @type {string} */ to) => `${to}&state=x`]) {
            forget();
            assert.equal(await arrive(page, change(await follow(honest, await begin(page, honest)))), '/sign-in?problem=ceremony-invalid');
        }
    });

    test('is over after ten minutes', async () => {
        const page = browser(), state = Buffer.from(new URL(await begin(page, liar)).searchParams.get('state') ?? '', 'base64url');
        const ms = state.readUIntBE(1, 6);
        assert.ok(Math.abs(Date.now() - ms) < 120_000, 'it says when');
        state.writeUIntBE(ms - 601_000, 1, 6);
        assert.equal(await arrive(page, `${CALLBACK}?code=c&state=${state.toString('base64url')}`), '/sign-in?problem=ceremony-invalid');
    });

    test('with nothing that could be a code, or with an error, asks nobody', async () => {
        const page = browser(), asked = liar.asked;
        for (const [more, problem] of [['error=access_denied', 'dismissed'], ['error=server_error', 'identity-provider-failed'], ['x=1', 'identity-token-refused'], ['code=', 'identity-token-refused'], ['code=a&code=b', 'identity-token-refused']]) {
            forget();
            assert.equal(await arrive(page, (await beginAtLiar(page)).replace('code=c', more)), `/sign-in?problem=${problem}`);
        }
        assert.equal(liar.asked, asked);
    });

    test('never keeps a session that was there before', async () => {
        const page = browser();
        await page.signIn(shop.passkey);
        const earlier = page.cookies.get('__Host-harkara') ?? '';
        assert.equal(await come(page, 'ada'), '/second-factor');
        assert.notEqual(page.cookies.get('__Host-harkara'), earlier);
        const old = browser();
        old.cookies.set('__Host-harkara', earlier);
        assert.equal((await old.call('GET', '/v1/session')).json.code, 'session-needed', 'it has ended');
        const planted = browser();
        planted.cookies.set('__Host-harkara', 'A'.repeat(43));
        assert.equal(await come(planted, 'ada'), '/second-factor');
        assert.notEqual(planted.cookies.get('__Host-harkara'), 'A'.repeat(43));
    });
});

test('a beginning comes from our own pages, by what is there', async () => {
    const page = browser();
    assert.equal((await page.call('POST', '/v1/session/federated', { provider_id: honest.id }, { origin: 'https://evil.example' })).json.code, 'origin-refused');
    assert.equal((await page.call('POST', '/v1/enrolment/federated', { provider_id: honest.id, token: 'x' }, { origin: undefined })).json.code, 'origin-refused');
    assert.equal((await page.call('POST', '/v1/session/federated', { provider_id: shop.tenant.replace('ten_', 'idp_') })).status, 404);
    const url = new URL(await begin(page, honest));
    assert.deepEqual([url.searchParams.get('scope'), url.searchParams.get('code_challenge_method'), url.searchParams.get('redirect_uri')], ['openid email', 'S256', `${origin}${CALLBACK}`]);
});

test('nothing is left behind, and nothing is to be read', async () => {
    await until(() => platform.sql('select count(*) from harkara.oidc_task') === '0', 'what was asked to be gone'); /* a task goes behind its answer */
    /* Words that no hexadecimal digits spell by chance, as they are and in hexadecimal. */
    for (const word of ['mallory', 'example.org'])
        assert.equal(platform.sql(`select count(*) from harkara.oidc_identity i where i::text like '%${word}%' or i::text like '%${Buffer.from(word).toString('hex')}%'`), '0', word);
});

test('an issuer that does not answer is said so, and one that is taken away ends what it began', async () => {
    const gone = { url: 'http://127.0.0.1:9', id: '' };
    await add(gone, 'Gone');
    assert.equal((await browser().call('POST', '/v1/session/federated', { provider_id: gone.id })).json.code, 'identity-provider-failed');
    const page = browser();
    assert.equal(await come(page, 'ada'), '/second-factor');
    await assert.rejects(platform.harkara.json('issuer', 'remove', honest.url), /sign in by it/);
    const { people } = await platform.harkara.json('issuer', 'remove', honest.url, '--yes-really');
    assert.ok(people >= 2);
    assert.equal((await page.call('GET', '/v1/session')).json.code, 'session-needed');
    await shop.page.must(200, 'GET', '/v1/session');
    assert.deepEqual((await shop.page.must(200, 'GET', '/v1/me/identities')).data, []);
});
