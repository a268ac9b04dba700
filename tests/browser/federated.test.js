// @ts-check
/** In by a provider, oidc-provider on loopback: an invitation, a code, out, in again; and who is not let in. */
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Provider } from 'oidc-provider';
import { ROOT, startPlatform } from '../integration/support.js';
import { openPage, settled, sizes, violations } from './browser.js';

const { chromium } = createRequire(path.join(ROOT, 'web/package.json'))('playwright-core');
const SECRET = 'a-secret';
const SHOTS = path.join(ROOT, 'build/screenshots');
/** @type {any} */
let platform, browser, issuer;
let origin = '', account = 'bina';

function totp(/** @type {string} */ secret, /** @type {number} */ at = Date.now()) {
    const bits = [...secret].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
    const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((octet) => parseInt(octet, 2)));
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
    const mac = createHmac('sha1', key).update(counter).digest(), offset = mac[19] & 15;
    return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

before(async () => {
    mkdirSync(SHOTS, { recursive: true });
    platform = await startPlatform({ env: { HARKARA_ISSUER_LOOPBACK: '1' } });
    origin = `http://localhost:${new URL(platform.url).port}`;
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-background-networking'] });
    const server = createServer((request, response) => request.url?.startsWith('/interaction/')
        ? (account === '' ? issuer.provider.interactionFinished(request, response, { error: 'access_denied' }) : issuer.provider.interactionFinished(request, response, { login: { accountId: account } }))
        : issuer.provider.callback()(request, response));
    await new Promise((done) => { server.listen(0, '127.0.0.1', () => { done(undefined); }); });
    const url = `http://127.0.0.1:${/** @type {any} */ (server.address()).port}`;
    const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
    issuer = { server, url, provider: new Provider(url, {
        clients: [{ client_id: 'harkara', client_secret: SECRET, redirect_uris: [`${origin}/v1/session/federated/callback`], id_token_signed_response_alg: 'RS256' }],
        jwks: { keys: [{ ...key, kid: 'one', alg: 'RS256', use: 'sig' }] },
        cookies: { keys: ['a key of the test'] },
        claims: { openid: ['sub'], email: ['email', 'email_verified'] },
        conformIdTokenClaims: false,
        features: { devInteractions: { enabled: false } },
        interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
        findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: true }) }),
        async loadExistingGrant(ctx) {
            const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
            grant.addOIDCScope('openid email');
            await grant.save();
            return grant;
        },
    }) };
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'federated-')), 'secret');
    writeFileSync(file, SECRET, { mode: 0o600 });
    await platform.harkara.json('issuer', 'add', url, '--name', 'Example', '--client-id', 'harkara', '--client-secret-file', file);
});
after(async () => {
    await browser?.close();
    await platform?.stop();
    issuer?.server.closeAllConnections();
    issuer?.server.close();
});

/** What is asked of the provider is asked of another origin, as it should be. */
const faultsOf = (/** @type {string[]} */ faults) => faults.filter((fault) => !fault.startsWith(`another origin: ${issuer.url}/`));

test('an invitation, a second factor, out, and in again by the provider and a code', { timeout: 300_000 }, async () => {
    const workspace = await platform.workspace({ channel: false });
    const { link } = await workspace.client.must(201, 'POST', '/v1/invitations', { email: 'bina@example.org', role: 'agent' });
    const { page, faults, close } = await openPage(browser, origin);

    await page.goto(link);
    const go = page.getByRole('button', { name: 'Continue with Example' });
    await go.waitFor();
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(SHOTS, 'enrol-federated-desktop-light.png') });
    await go.click();
    await page.getByRole('heading', { name: 'Set up a second factor' }).waitFor();
    assert.equal(await page.getByLabel('Your name').inputValue(), 'bina');
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(SHOTS, 'second-factor-new-desktop-light.png') });

    /* Nothing else opens before. */
    await page.goto(`${origin}/messages`);
    await page.getByRole('heading', { name: 'Set up a second factor' }).waitFor();
    await page.getByLabel('Your name').fill('Bina Das');
    await page.getByRole('button', { name: 'Use an authenticator application' }).click();
    const secret = (await page.getByTestId('totp-secret').innerText()).replaceAll(/\s/g, '');
    await page.screenshot({ path: path.join(SHOTS, 'second-factor-totp-desktop-light.png') });
    assert.deepEqual(await violations(page), []);
    const first = totp(secret);
    await page.getByLabel('First code').fill(first);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Bina Das' }).waitFor();

    await page.getByRole('button', { name: 'Bina Das' }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    const again = page.getByRole('button', { name: 'Continue with Example' });
    await again.waitFor();
    await settled(page);
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(SHOTS, 'sign-in-federated-desktop-light.png') });
    await again.click();
    await page.getByRole('heading', { name: 'One more step' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(SHOTS, 'second-factor-desktop-light.png') });
    await page.getByLabel('Code', { exact: true }).fill(first); /* good once */
    await page.keyboard.press('Enter');
    await page.getByText('This code is not right, or was used before.').waitFor();
    await page.getByLabel('Code', { exact: true }).fill(totp(secret, Date.now() + 30_000));
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Bina Das' }).waitFor();
    await close();
    assert.deepEqual(faultsOf(faults), []);
});

test('strangers are told why they are not let in', { timeout: 300_000 }, async () => {
    for (const [who, text, name] of [['stranger', 'Nobody here has connected this identity.', 'unknown'], ['', 'You did not sign in there.', 'dismissed']]) {
        account = who;
        const other = await openPage(browser, origin, { size: sizes.phone, scheme: 'dark', locale: 'en' });
        await other.page.goto(`${origin}/sign-in`);
        await other.page.getByRole('button', { name: 'Continue with Example' }).click();
        await other.page.getByText(text).waitFor();
        assert.deepEqual(await violations(other.page), []);
        await other.page.screenshot({ path: path.join(SHOTS, `sign-in-federated-${name}-phone-dark.png`) });
        await other.close();
        assert.deepEqual(faultsOf(other.faults), []);
    }
});
