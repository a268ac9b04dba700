// @ts-check
/** People: enrolment, passkeys, sessions, fresh factors; and everything that must not work. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client, SCOPES, startPlatform, until } from './support.js';
import { Browser, code, Passkey } from './authenticator.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let origin = '', people = 0;
/** @type {any} */
let shop, other;
const browser = () => new Browser(new Client(platform.url, null), origin);
/** A person of a workspace of its own, signed in. */
async function owner(kind = /** @type {'ES256' | 'EdDSA' | 'RS256'} */ ('ES256')) {
    people += 1;
    const tenant = await platform.harkara.json('tenant', 'create', '--name', 'Somebody', '--slug', `somebody-${people}`);
    const passkey = new Passkey(kind), page = browser();
    await page.enrol(tenant.enrolment_url, passkey, 'Somebody');
    return { tenant: tenant.id, page, passkey };
}
const forget = () => platform.sql('delete from harkara.throttle');

before(async () => {
    platform = await startPlatform({ env: { HARKARA_GATEWAYS: '2' } });
    origin = `http://localhost:${new URL(platform.url).port}`;
});
after(() => platform?.stop());

describe('enrolment', () => {
    test('the first owner comes in by a link, once', async () => {
        const tenant = await platform.harkara.json('tenant', 'create', '--name', 'Shop');
        assert.ok(tenant.enrolment_url.startsWith(`${origin}/enrol#`), tenant.enrolment_url);
        const token = new URL(tenant.enrolment_url).hash.slice(1);
        const page = browser(), passkey = new Passkey('ES256');
        const session = await page.enrol(tenant.enrolment_url, passkey, 'Asha Rao');
        assert.equal(session.person.name, 'Asha Rao');
        assert.equal(session.workspace.id, tenant.id);
        assert.equal(session.workspace.role, 'owner');
        assert.deepEqual([...session.permissions].sort(), [...SCOPES].sort());
        assert.deepEqual(session.authenticated_by, ['passkey']);
        assert.notEqual(session.stepped_up_until, null);
        assert.equal((await page.must(200, 'GET', '/v1/session')).id, session.id);
        for (const target of ['/v1/enrolment/options', '/v1/enrolment/accept'])
            assert.equal((await page.call('POST', target, { token })).json.code, 'link-invalid');
        assert.equal(platform.sql(`select count(*) from harkara.person where name_ct::text like '%Asha%'`), '0');
        assert.equal(platform.sql(`select count(*) from harkara.enrolment where token_hash::text like '%${token}%'`), '0');
        shop = { tenant: tenant.id, page, passkey };
        forget();
    });

    test('a link that expired, was made up, or is for a closed workspace is none', async () => {
        const tenant = await platform.harkara.json('tenant', 'create', '--name', 'Late');
        const token = new URL(tenant.enrolment_url).hash.slice(1);
        const page = browser();
        await page.must(200, 'POST', '/v1/enrolment/options', { token });
        platform.sql(`update harkara.enrolment set expires_at = now() - interval '1 second' where workspace_id = (select tenant_id from harkara.tenant where slug = 'late')`);
        assert.equal((await page.call('POST', '/v1/enrolment/options', { token })).json.code, 'link-invalid');
        const again = await platform.harkara.json('tenant', 'enrol', 'late');
        assert.notEqual(again.enrolment_url, tenant.enrolment_url);
        await page.must(200, 'POST', '/v1/enrolment/options', { token: new URL(again.enrolment_url).hash.slice(1) });
        await platform.harkara.json('tenant', 'close', 'late', '--yes-really');
        assert.equal((await page.call('POST', '/v1/enrolment/options', { token: new URL(again.enrolment_url).hash.slice(1) })).json.code, 'link-invalid');
        assert.equal((await page.call('POST', '/v1/enrolment/options', { token: 'A'.repeat(43) })).json.code, 'link-invalid');
        forget();
    });

    test('somebody who is here already adds the workspace, and works in one at a time', async () => {
        const tenant = await platform.harkara.json('tenant', 'create', '--name', 'Second');
        const { page } = shop;
        const session = await page.must(200, 'POST', '/v1/enrolment/accept', { token: new URL(tenant.enrolment_url).hash.slice(1) });
        assert.deepEqual(session.workspaces.map(({ id }) => id), [shop.tenant, tenant.id]);
        assert.equal(session.workspace.id, shop.tenant);
        const before = page.cookies.get('__Host-harkara');
        const moved = await page.must(200, 'POST', '/v1/session/workspace', { tenant_id: tenant.id });
        assert.equal(moved.workspace.id, tenant.id);
        assert.equal(moved.id, session.id);
        assert.notEqual(page.cookies.get('__Host-harkara'), before, 'the token was replaced');
        const old = browser();
        old.cookies.set('__Host-harkara', before);
        assert.equal((await old.call('GET', '/v1/session')).json.code, 'session-needed');
        await page.must(200, 'POST', '/v1/session/workspace', { tenant_id: shop.tenant });
        other = await owner();
        assert.equal((await page.call('POST', '/v1/session/workspace', { tenant_id: other.tenant })).status, 404, 'not a workspace of this person');
    });
});

describe('passkeys', () => {
    for (const kind of /** @type {const} */ (['ES256', 'EdDSA', 'RS256']))
        test(`${kind} enrols, signs in, and signs in again`, async () => {
            const { passkey, tenant } = await owner(kind);
            for (let i = 0; i < 2; i++) {
                const page = browser();
                const session = await page.signIn(passkey);
                assert.equal(session.workspace.id, tenant);
            }
        });

    test('a second one is added, named and used; the first is removed; the last one stays', async () => {
        const { page, passkey } = await owner();
        const second = new Passkey('EdDSA');
        const made = await page.addPasskey(second, 'Phone');
        assert.equal((await page.must(200, 'PATCH', `/v1/me/passkeys/${made.id}`, { name: 'Old phone' })).name, 'Old phone');
        const fresh = browser();
        await fresh.signIn(second);
        const { data } = await fresh.must(200, 'GET', '/v1/me/passkeys');
        assert.equal(data.length, 2);
        assert.notEqual(data[1].last_used_at, null);
        const twice = await page.must(200, 'POST', '/v1/me/passkeys/options');
        assert.deepEqual(twice.public_key.excludeCredentials.map(({ id }) => id).sort(), [passkey.id, second.id].map((id) => id.toString('base64url')).sort());
        await fresh.must(204, 'DELETE', `/v1/me/passkeys/${data[0].id}`);
        assert.equal((await browser().trySignIn(passkey)).json.code, 'passkey-refused');
        const last = await fresh.call('DELETE', `/v1/me/passkeys/${data[1].id}`);
        assert.equal(last.json.code, 'state-conflict');
        forget();
    });

    test('one that somebody has already is not added again', async () => {
        const { page } = await owner();
        const same = new Passkey();
        same.id = other.passkey.id;
        const asked = await page.must(200, 'POST', '/v1/me/passkeys/options');
        const answer = await page.call('POST', '/v1/me/passkeys', { ceremony_id: asked.ceremony_id, name: 'Mine', credential: same.create(asked.public_key, origin) });
        assert.equal(answer.json.code, 'already-exists');
    });
});

describe('what a passkey says is not believed', () => {
    /** Name, what is wrong about it. */
    const wrongs = /** @type {[string, any][]} */ ([
        ['of another origin', { origin: 'https://evil.example' }],
        ['of an origin that begins with ours', { origin: 'http://localhost.evil.example' }],
        ['of another relying party', { rpId: 'evil.example' }],
        ['with another challenge', { challenge: Buffer.alloc(32, 7).toString('base64url') }],
        ['without the person verified', { flags: 0x01 }],
        ['without the person present', { flags: 0x04 }],
        ['of a registration', { type: 'webauthn.create' }],
        ['of a frame in another page', { crossOrigin: true }],
        ['with a counter that went back', { count: 1 }],
        ['with another person\'s handle', { userHandle: Buffer.alloc(16, 1) }],
    ]);
    for (const [name, wrong] of wrongs)
        test(name, async () => {
            const { passkey } = shop;
            await browser().signIn(passkey);
            passkey.count += 5;
            const page = browser();
            const answer = await page.trySignIn(passkey, wrong);
            assert.equal(answer.status, 401);
            assert.equal(answer.json.code, 'passkey-refused');
            assert.equal(answer.json.detail, undefined);
            assert.equal(page.cookies.has('__Host-harkara'), false);
            await browser().signIn(passkey);
            forget();
        });

    test('a signature of another key, and a passkey that nobody has', async () => {
        const thief = new Passkey();
        thief.id = shop.passkey.id;
        assert.equal((await browser().trySignIn(thief)).json.code, 'passkey-refused');
        assert.equal((await browser().trySignIn(new Passkey())).json.code, 'passkey-refused');
        forget();
    });

    test('an answer that was given before, in time or too late, or in another browser', async () => {
        const page = browser();
        const asked = await page.must(200, 'POST', '/v1/session/passkey/options');
        const body = { ceremony_id: asked.ceremony_id, credential: shop.passkey.get(asked.public_key, origin) };
        const foreign = browser();
        assert.equal((await foreign.call('POST', '/v1/session/passkey', body)).json.code, 'ceremony-invalid', 'no ceremony was begun there');
        await foreign.must(200, 'POST', '/v1/session/passkey/options');
        assert.equal((await foreign.call('POST', '/v1/session/passkey', body)).json.code, 'passkey-refused', 'begun in another browser');
        await page.must(200, 'POST', '/v1/session/passkey', body);
        assert.equal((await page.call('POST', '/v1/session/passkey', body)).status, 401, 'replayed');
        const old = `cer_${'0'.repeat(26)}`;
        assert.equal((await page.call('POST', '/v1/session/passkey', { ...body, ceremony_id: old })).json.code, 'ceremony-invalid');
        forget();
    });

    test('a synced passkey counts nothing, and its answer is still good once only', async () => {
        const tenant = await platform.harkara.json('tenant', 'create', '--name', 'Synced');
        const passkey = new Passkey(), page = browser();
        const token = new URL(tenant.enrolment_url).hash.slice(1);
        const asked = await page.must(200, 'POST', '/v1/enrolment/options', { token });
        await page.must(200, 'POST', '/v1/enrolment', { token, ceremony_id: asked.ceremony_id, name: 'Synced', credential: passkey.create(asked.public_key, origin, { count: 0 }) });
        const again = await page.must(200, 'POST', '/v1/session/passkey/options');
        const body = { ceremony_id: again.ceremony_id, credential: passkey.get(again.public_key, origin, { count: 0 }) };
        const answers = await Promise.all([0, 1, 2, 3].map(() => page.call('POST', '/v1/session/passkey', body)));
        assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 401, 401, 401]);
        assert.ok(answers.every(({ json, status }) => status === 200 || json.code === 'ceremony-invalid'));
        forget();
    });

    test('a challenge of one purpose serves no other', async () => {
        const { page, passkey } = await owner();
        const asked = await page.must(200, 'POST', '/v1/session/passkey/options');
        const body = { ceremony_id: asked.ceremony_id, credential: passkey.get(asked.public_key, origin) };
        assert.equal((await page.call('POST', '/v1/session/step-up/passkey', body)).json.code, 'passkey-refused');
        const up = await page.must(200, 'POST', '/v1/session/step-up/passkey/options');
        assert.equal((await page.call('POST', '/v1/session/passkey', { ceremony_id: up.ceremony_id, credential: passkey.get(up.public_key, origin) })).json.code, 'passkey-refused');
        const others = await page.must(200, 'POST', '/v1/session/step-up/passkey/options');
        assert.equal((await page.call('POST', '/v1/session/step-up/passkey', { ceremony_id: others.ceremony_id, credential: other.passkey.get(others.public_key, origin) })).json.code, 'passkey-refused', 'somebody else\'s passkey');
        forget();
    });

    test('many refusals from one address are slowed down, and who is right is not held up', async () => {
        const answers = [];
        for (let i = 0; i < 8; i++)
            answers.push(await browser().trySignIn(new Passkey()));
        const slowed = answers.find(({ status }) => status === 429);
        assert.equal(slowed?.json.code, 'attempts-throttled');
        assert.ok(Number(slowed?.headers.get('retry-after')) >= 1);
        await browser().signIn(shop.passkey);
        forget();
    });
});

describe('sessions', () => {
    test('are listed with browser and address, and end at once everywhere', async () => {
        const { page, passkey } = await owner();
        const second = browser();
        await second.signIn(passkey);
        const { data } = await page.must(200, 'GET', '/v1/me/sessions');
        assert.equal(data.length, 2);
        assert.deepEqual(data.map(({ is_current: isCurrent }) => isCurrent), [false, true]);
        assert.equal(data[0].user_agent, 'Mozilla/5.0 (test)');
        assert.equal(data[0].address, '127.0.0.1');
        await page.must(204, 'DELETE', `/v1/me/sessions/${data[0].id}`);
        for (let i = 0; i < 12; i++) /* whichever of the two gateways answers */
            assert.equal((await second.call('GET', '/v1/session')).json.code, 'session-needed');
        assert.equal((await page.call('DELETE', `/v1/me/sessions/${data[0].id}`)).status, 404);
        const third = browser(), fourth = browser();
        await third.signIn(passkey);
        await fourth.signIn(passkey);
        assert.equal((await page.must(200, 'DELETE', '/v1/me/sessions')).ended_count, 2);
        assert.equal((await third.call('GET', '/v1/session')).status, 401);
        await page.must(200, 'GET', '/v1/session');
        await page.must(204, 'DELETE', '/v1/session');
        assert.equal(page.cookies.has('__Host-harkara'), false);
    });

    test('nobody ends another person\'s', async () => {
        const { data: [mine] } = await shop.page.must(200, 'GET', '/v1/me/sessions');
        assert.equal((await other.page.call('DELETE', `/v1/me/sessions/${mine.id}`)).status, 404);
        const { data: [key] } = await shop.page.must(200, 'GET', '/v1/me/passkeys');
        await other.page.stepUp(other.passkey);
        assert.equal((await other.page.call('DELETE', `/v1/me/passkeys/${key.id}`)).status, 404);
        assert.equal((await other.page.call('PATCH', `/v1/me/passkeys/${key.id}`, { name: 'x' })).status, 404);
    });

    test('end unused, and in any case', async () => {
        for (const change of ['seen_at = now() - interval \'31 minutes\'', 'expires_at = now() - interval \'1 second\'']) {
            const { page } = await owner();
            const id = (await page.must(200, 'GET', '/v1/session')).id;
            platform.sql(`update harkara.person_session set ${change} where created_at = (select max(created_at) from harkara.person_session)`);
            assert.equal((await page.call('GET', '/v1/session')).json.code, 'session-needed', `${id} ${change}`);
        }
    });

    test('are new at each sign-in, whatever the browser had before', async () => {
        const page = browser();
        page.cookies.set('__Host-harkara', 'A'.repeat(43)); /* planted by somebody who knows it */
        await page.signIn(shop.passkey);
        assert.notEqual(page.cookies.get('__Host-harkara'), 'A'.repeat(43));
        const planted = browser();
        planted.cookies.set('__Host-harkara', 'A'.repeat(43));
        assert.equal((await planted.call('GET', '/v1/session')).status, 401);
        const before = browser();
        before.cookies.set('__Host-harkara', /** @type {string} */ (page.cookies.get('__Host-harkara')));
        await page.signIn(shop.passkey);
        assert.equal((await before.call('GET', '/v1/session')).status, 401, 'the one before has ended');
    });

    test('have a cookie that nobody else can set or read', async () => {
        const page = browser();
        const answer = await page.trySignIn(shop.passkey);
        const [cookie] = answer.headers.getSetCookie().filter((text) => text.startsWith('__Host-harkara='));
        assert.match(cookie, /^__Host-harkara=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=43200$/);
        const hash = platform.sql(`select count(*) from harkara.person_session where encode(token_hash, 'base64') like '%${page.cookies.get('__Host-harkara')?.slice(0, 20)}%'`);
        assert.equal(hash, '0');
    });

    test('two cookies of the name are none', async () => {
        const { page } = await owner();
        const good = page.cookies.get('__Host-harkara');
        for (const cookie of [`__Host-harkara=${good}; __Host-harkara=${'B'.repeat(43)}`, `__Host-harkara=${'B'.repeat(43)}; __Host-harkara=${good}`])
            assert.equal((await page.call('GET', '/v1/session', undefined, { cookie })).json.code, 'session-needed');
        assert.equal((await page.call('GET', '/v1/session', undefined, { cookie: `x=1; __Host-harkara=${good}` })).status, 200);
    });

    test('are shown by a cookie alone, and a key is looked at before it', async () => {
        const { page } = await owner();
        const answer = await page.call('GET', '/v1/session', undefined, { authorization: 'Bearer hk_live_nonsense' });
        assert.equal(answer.status, 401);
        const token = page.cookies.get('__Host-harkara');
        assert.equal((await new Client(platform.url, /** @type {string} */ (token)).call('GET', '/v1/session')).status, 401);
    });
});

describe('foreign pages', () => {
    const change = (page, headers) => page.call('PATCH', '/v1/me', { name: 'Changed' }, headers);

    test('change nothing, with and without an Origin', async () => {
        const { page } = shop;
        await page.signIn(shop.passkey);
        for (const [headers, code] of /** @type {[any, string][]} */ ([
            [{ origin: 'https://evil.example' }, 'origin-refused'],
            [{ origin: 'null' }, 'origin-refused'],
            [{ origin: undefined }, 'origin-refused'],
            [{ origin: `${origin}.evil.example` }, 'origin-refused'],
            [{ origin: platform.url }, 'origin-refused'],
            [{ 'x-csrf-token': undefined }, 'csrf-refused'],
            [{ 'x-csrf-token': 'A'.repeat(43) }, 'csrf-refused'],
            [{ 'x-csrf-token': other.page.session.csrf_token }, 'csrf-refused'],
        ])) {
            const answer = await change(page, headers);
            assert.equal(answer.status, 403);
            assert.equal(answer.json.code, code, JSON.stringify(headers));
        }
        assert.equal((await change(page, {})).json.name, 'Changed');
        assert.equal((await page.call('DELETE', '/v1/session', undefined, { origin: undefined })).status, 403);
        assert.equal((await page.call('POST', '/v1/api-keys', { name: 'k', scopes: ['messages:read'] }, { 'x-csrf-token': undefined })).json.code, 'csrf-refused');
    });

    test('sign nobody in', async () => {
        for (const header of ['https://evil.example', undefined]) {
            for (const target of ['/v1/session/passkey/options', '/v1/session/passkey', '/v1/enrolment/options', '/v1/enrolment']) {
                const body = { '/v1/session/passkey/options': undefined, '/v1/session/passkey': { ceremony_id: `cer_${'0'.repeat(26)}`, credential: new Passkey().get({ rpId: 'x', challenge: '' }, 'x') }, '/v1/enrolment/options': { token: 'A' },
                    '/v1/enrolment': { token: 'A', ceremony_id: `cer_${'0'.repeat(26)}`, name: 'A', credential: new Passkey().create({ rp: { id: 'x' }, user: { id: '' }, challenge: '' }, 'x') } }[target];
                assert.equal((await browser().call('POST', target, body, { origin: header })).json.code, 'origin-refused', target);
            }
        }
    });

    test('read nothing', async () => {
        const { page } = shop;
        for (const foreign of ['https://evil.example', 'null', origin]) {
            const answer = await page.call('GET', '/v1/session', undefined, { origin: foreign });
            assert.equal(answer.headers.get('access-control-allow-origin'), null);
            assert.equal(answer.headers.get('access-control-allow-credentials'), null);
            assert.equal(answer.headers.get('cross-origin-resource-policy'), 'same-origin');
        }
        const preflight = await browser().call('OPTIONS', '/v1/me', undefined, { origin: 'https://evil.example', 'access-control-request-method': 'PATCH' });
        assert.equal(preflight.headers.get('access-control-allow-methods'), null);
    });
});

describe('what is sensitive', () => {
    test('wants a factor shown just now', async () => {
        const { page, passkey } = await owner();
        platform.sql('update harkara.person_session set stepped_up_at = now() - interval \'11 minutes\'');
        assert.equal((await page.must(200, 'GET', '/v1/session')).stepped_up_until, null);
        for (const [method, target] of [['POST', '/v1/me/passkeys/options'], ['DELETE', `/v1/me/passkeys/pky_${'0'.repeat(26)}`]])
            assert.equal((await page.call(method, target)).json.code, 'step-up-needed');
        const before = page.cookies.get('__Host-harkara'), csrf = page.session.csrf_token;
        const session = await page.stepUp(passkey);
        assert.notEqual(session.stepped_up_until, null);
        assert.notEqual(page.cookies.get('__Host-harkara'), before);
        assert.notEqual(session.csrf_token, csrf);
        const old = browser();
        old.cookies.set('__Host-harkara', /** @type {string} */ (before));
        assert.equal((await old.call('GET', '/v1/session')).status, 401);
        await page.must(200, 'POST', '/v1/me/passkeys/options');
    });
});

describe('an authenticator application', () => {
    test('is set up with a first code, steps up, takes each code once, and is removed', async () => {
        const { page } = await owner();
        assert.equal((await page.call('GET', '/v1/me/totp')).status, 404);
        assert.equal((await page.call('POST', '/v1/session/step-up/totp', { code: '000000' })).json.code, 'code-refused');
        const shown = await page.must(200, 'POST', '/v1/me/totp');
        assert.match(shown.uri, /^otpauth:\/\/totp\//);
        assert.match(shown.qr_svg, /^<svg .*<\/svg>$/);
        assert.equal((await page.must(200, 'GET', '/v1/me/totp')).is_confirmed, false);
        const step = Math.floor(Date.now() / 30_000); /* the one before or this one, and the one after it: good within a step */
        assert.equal((await page.call('POST', '/v1/session/step-up/totp', { code: code(shown.secret, step) })).json.code, 'code-refused', 'no factor yet');
        assert.equal((await page.must(200, 'POST', '/v1/me/totp/confirm', { code: code(shown.secret, step) })).is_confirmed, true);
        assert.equal((await page.call('POST', '/v1/session/step-up/totp', { code: code(shown.secret, step) })).json.code, 'code-refused', 'used before');
        const session = await page.must(200, 'POST', '/v1/session/step-up/totp', { code: code(shown.secret, step + 1) });
        assert.deepEqual(session.authenticated_by, ['passkey', 'totp']);
        assert.equal((await page.call('POST', '/v1/me/totp')).json.code, 'already-exists');
        const guesses = [];
        for (let i = 0; i < 7; i++)
            guesses.push((await page.call('POST', '/v1/session/step-up/totp', { code: code('ABCDEFGH', i) })).json.code);
        assert.ok(guesses.includes('attempts-throttled'), guesses.join());
        await page.must(204, 'DELETE', '/v1/me/totp');
        assert.equal((await page.call('DELETE', '/v1/me/totp')).status, 404);
        forget();
    });
});

describe('recovery codes', () => {
    test('are shown once, good once each in place of a factor, and replaced by new ones', async () => {
        const { page, tenant } = await owner();
        assert.deepEqual(await page.must(200, 'GET', '/v1/me/recovery-codes'), { left_count: 0, made_at: null });
        assert.equal((await page.call('POST', '/v1/session/step-up/recovery-code', { code: '0000-0000-0000-0000' })).json.code, 'code-refused', 'none were made');
        const { codes, made_at } = await page.must(200, 'POST', '/v1/me/recovery-codes');
        assert.equal(new Set(codes).size, 10);
        for (const code of codes)
            assert.match(code, /^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){3}$/);
        assert.deepEqual(await page.must(200, 'GET', '/v1/me/recovery-codes'), { left_count: 10, made_at });
        const stale = () => platform.sql('update harkara.person_session set stepped_up_at = now() - interval \'11 minutes\'');
        stale();
        assert.equal((await page.call('POST', '/v1/me/recovery-codes')).json.code, 'step-up-needed');
        const before = page.cookies.get('__Host-harkara');
        const session = await page.must(200, 'POST', '/v1/session/step-up/recovery-code', { code: ` ${codes[3].toUpperCase().replaceAll('-', ' ')}` });
        assert.notEqual(session.stepped_up_until, null);
        assert.deepEqual(session.authenticated_by, ['passkey', 'recovery_code']);
        assert.notEqual(page.cookies.get('__Host-harkara'), before, 'the token was replaced');
        assert.equal((await page.call('POST', '/v1/session/step-up/recovery-code', { code: codes[3] })).json.code, 'code-refused', 'used before');
        assert.equal((await other.page.call('POST', '/v1/session/step-up/recovery-code', { code: codes[4] })).json.code, 'code-refused', 'somebody else\'s');
        assert.equal((await page.must(200, 'GET', '/v1/me/recovery-codes')).left_count, 9);
        const again = await page.must(200, 'POST', '/v1/me/recovery-codes');
        assert.equal((await page.call('POST', '/v1/session/step-up/recovery-code', { code: codes[0] })).json.code, 'code-refused', 'of those before');
        await page.must(200, 'POST', '/v1/session/step-up/recovery-code', { code: again.codes[0] });
        for (const [action, count] of [['recovery_codes.made', 2], ['recovery_code.used', 2]])
            assert.equal((await page.must(200, 'GET', `/v1/audit?action=${action}`)).data.length, count, `${action} in ${tenant}`);
        assert.equal(platform.sql(`select count(*) from harkara.recovery_code where hash::text like '%${codes[0]}%' or salt::text like '%${codes[0]}%'`), '0');
        forget();
    });

    test('cannot be guessed side by side with codes of an application', async () => {
        const { page } = await owner();
        const { codes } = await page.must(200, 'POST', '/v1/me/recovery-codes');
        const guesses = [];
        for (let i = 0; i < 8; i++)
            guesses.push((i % 2 === 0 ? await page.call('POST', '/v1/session/step-up/recovery-code', { code: `0000-0000-0000-000${i}` }) : await page.call('POST', '/v1/session/step-up/totp', { code: '000000' })).json.code);
        assert.equal(guesses[0], 'code-refused');
        assert.ok(guesses.includes('attempts-throttled'), guesses.join());
        forget();
        await page.must(200, 'POST', '/v1/session/step-up/recovery-code', { code: codes[0] });
        assert.equal(platform.sql('select count(*) from harkara.throttle'), '0', 'what went well is forgotten');
    });
});

describe('a person in a workspace', () => {
    test('asks as a key with its permissions would, and reaches nothing of another', async () => {
        const { page } = await owner();
        const made = await page.call('POST', '/v1/api-keys', { name: 'Made by a person', scopes: ['messages:read'] });
        assert.equal(made.status, 201, made.text);
        assert.equal((await other.page.call('GET', `/v1/api-keys/${made.json.id}`)).status, 404);
        assert.equal((await other.page.call('DELETE', `/v1/api-keys/${made.json.id}`)).status, 404);
        assert.equal((await page.must(200, 'GET', '/v1/api-keys')).data.length, 1);
        assert.equal((await page.must(200, 'GET', '/v1/usage')).key_id, null);
    });

    test('has no permission once it is no member any more', async () => {
        const { page, tenant } = await owner();
        await page.must(200, 'GET', '/v1/messages');
        platform.sql(`update harkara.membership set state = 'suspended' where joined_at = (select max(joined_at) from harkara.membership)`);
        const session = await until(async () => page.must(200, 'GET', '/v1/session'), `${tenant} to be left`);
        assert.deepEqual(session.permissions, []);
        assert.equal(session.workspace, null);
        assert.equal((await page.call('GET', '/v1/messages')).json.code, 'scope-missing');
    });

    test('knows no field that the contract does not', async () => {
        for (const body of [{ name: 'A', is_admin: true }, { name: 'A', email: 'a@b.example' }, { name: 'A', id: 'usr_1' }])
            assert.equal((await shop.page.call('PATCH', '/v1/me', body)).json.code, 'request-invalid');
        assert.equal((await shop.page.call('POST', '/v1/session/workspace', { tenant_id: other.tenant, role: 'owner' })).json.code, 'request-invalid');
    });

    test('no key is a person', async () => {
        const workspace = await platform.workspace({ channel: false });
        for (const [method, target] of [['GET', '/v1/session'], ['GET', '/v1/me'], ['GET', '/v1/me/sessions'], ['GET', '/v1/me/passkeys']])
            assert.equal((await workspace.client.call(method, target)).json.code, 'session-needed');
    });

    test('what was refused is in the log: of whom, as far as that is known, and from where', async () => {
        forget();
        const { page, passkey, tenant } = await owner(), me = (await page.must(200, 'GET', '/v1/me')).id;
        const asked = async (action) => (await page.must(200, 'GET', `/v1/audit?outcome=refused&action=${action}`)).data;
        assert.equal((await browser().trySignIn(passkey, { origin: 'https://elsewhere.example' })).status, 401);
        assert.deepEqual((await asked('session.refused')).map(({ actor, object_id, detail }) => [actor.kind, actor.id, actor.address, object_id, detail]), [['nobody', null, '127.0.0.1', me, { reason: 'passkey-refused' }]]);
        const options = await page.must(200, 'POST', '/v1/session/step-up/passkey/options');
        assert.equal((await page.call('POST', '/v1/session/step-up/passkey', { ceremony_id: options.ceremony_id, credential: passkey.get(options.public_key, 'https://elsewhere.example') })).status, 401);
        assert.equal((await page.call('POST', '/v1/session/step-up/totp', { code: '000000' })).json.code, 'code-refused');
        assert.equal((await page.call('POST', '/v1/session/step-up/recovery-code', { code: '2345-6789-ABCD-EFGH' })).json.code, 'code-refused');
        assert.deepEqual((await asked('session.stepped_up')).map(({ actor, object_id, detail }) => [actor.kind, actor.id, actor.session_id, object_id, detail.reason]),
            ['code-refused', 'code-refused', 'passkey-refused'].map((reason) => ['person', me, page.session.id, page.session.id, reason]));
        /* A passkey that nobody has: Harkara's own log tells of it, and no workspace's. */
        const own = () => Number(platform.sql(`select count(*) from harkara.audit_entry where tenant_id = '00000000-0000-7000-8000-000000000000' and action = 'session.refused' and actor_kind = 'nobody' and object_id is null`));
        const before = own();
        assert.equal((await browser().trySignIn(new Passkey())).status, 401);
        assert.equal(own(), before + 1);
        /* Too early is not looked at, and fills no log. */
        for (let i = 0; i < 12; i++)
            await browser().trySignIn(new Passkey());
        assert.equal((await browser().trySignIn(new Passkey())).status, 429);
        assert.ok(own() < before + 6, 'what is throttled is not written');
        forget();
        assert.match((await platform.harkara.cli('audit', 'verify', '--tenant', tenant)).stdout, /holds|verif|entries/i);
    });

    test('what was done is in the workspace\'s log', async () => {
        const count = Number(platform.sql(`select count(*) from harkara.audit_entry where actor_kind = 'person' and action in ('person.enrolled', 'session.began', 'passkey.added', 'session.ended', 'session.stepped_up')`));
        assert.ok(count > 10, `${count}`);
        assert.equal(platform.sql(`select count(*) from harkara.audit_entry where action = 'enrolment.issued' and actor_kind = 'operator'`) !== '0', true);
    });
});
