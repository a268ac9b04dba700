// @ts-check
/** A person's own account, by Chromium's virtual authenticators on a real platform: passkeys, codes, sessions, and the question who asks. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT, startPlatform, until } from '../integration/support.js';
import { code } from '../integration/authenticator.js';
import { openPage, settled, sizes, violations } from './browser.js';

const { chromium } = createRequire(path.join(ROOT, 'web/package.json'))('playwright-core');
const shots = path.join(ROOT, 'build/screenshots');
const authenticator = { protocol: 'ctap2', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
/** @type {any} */
let platform, browser;
let origin = '', people = 0;

before(async () => {
    mkdirSync(shots, { recursive: true });
    platform = await startPlatform();
    origin = `http://localhost:${new URL(platform.url).port}`;
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-background-networking'] });
});
after(async () => {
    await browser?.close();
    await platform?.stop();
});

/** A browser of its own, with an authenticator. */
async function newBrowser(options = {}) {
    const opened = await openPage(browser, origin, options);
    const devtools = await opened.page.context().newCDPSession(opened.page);
    await devtools.send('WebAuthn.enable');
    const plug = async (transport) => (await devtools.send('WebAuthn.addVirtualAuthenticator', { options: { ...authenticator, transport } })).authenticatorId;
    const first = await plug('internal');
    /* While somebody is there, it answers the browser's own offer on the sign-in page at any moment. */
    const somebodyIsThere = (enabled, authenticatorId = first) => devtools.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled });
    return { ...opened, devtools, plug, first, somebodyIsThere };
}

/** Somebody new, who owns a workspace and looks at the account. */
async function somebody(name, options = {}) {
    people += 1;
    const tenant = await platform.harkara.json('tenant', 'create', '--name', 'Meadow Plants', '--slug', `meadow-${people}`);
    const at = await newBrowser(options);
    await at.page.goto(tenant.enrolment_url);
    await at.page.getByRole('textbox').fill(name);
    await at.page.locator('form button[type=submit]').click();
    await at.page.waitForURL((url) => url.pathname !== '/enrol');
    await at.page.goto(`${origin}/security`);
    await settled(at.page);
    const person = (await (await at.page.request.get(`${origin}/v1/session`)).json()).person.id;
    return { ...at, tenant: tenant.id, person };
}

/** A passkey of another authenticator, in this one: as a synced one would be. */
async function carry(from, to) {
    const { credentials } = await from.devtools.send('WebAuthn.getCredentials', { authenticatorId: from.first });
    for (const credential of credentials)
        await to.devtools.send('WebAuthn.addCredential', { authenticatorId: to.first, credential });
}

async function signIn(at, target) {
    await at.somebodyIsThere(false);
    await at.page.goto(`${origin}${target}`);
    await at.page.getByRole('heading', { name: 'Sign in to Harkara' }).waitFor();
    await at.somebodyIsThere(true);
    const button = at.page.getByRole('button', { name: 'Continue with passkey' });
    await until(async () => {
        if (new URL(at.page.url()).pathname === target)
            return true;
        await button.click({ timeout: 500 }).catch(() => {});
        return false;
    }, `to be at ${target}`);
    await at.somebodyIsThere(false);
}

/* What was shown at sign-in is not fresh any more. */
const stale = () => platform.sql(`update harkara.person_session set stepped_up_at = now() - interval '11 minutes'`);
const dialog = (page) => page.getByRole('dialog', { name: 'Confirm that it is you' });

test('passkeys are added, named and removed, with one shown again where it is wanted; the last one stays', { timeout: 300_000 }, async () => {
    const at = await somebody('Asha Menon');
    const { page } = at;
    const list = page.getByRole('list', { name: 'Passkeys' });
    const act = async (name, item) => {
        await list.getByRole('button', { name: `Actions for ${name}` }).click();
        await page.getByRole('menuitem', { name: item }).click();
    };
    assert.deepEqual(await list.getByRole('listitem').count(), 1);
    await page.getByText('You have one passkey.').waitFor();

    await act('Passkey', 'Rename');
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Laptop at home');
    await page.getByRole('button', { name: 'Save' }).last().click();
    await list.getByText('Laptop at home').waitFor();
    await list.getByRole('button', { name: 'Actions for Laptop at home' }).click();
    assert.equal(await page.getByRole('menuitem', { name: 'Remove passkey' }).getAttribute('data-disabled'), 'true', 'the last one stays');
    await page.keyboard.press('Escape');

    /* The same authenticator has one already, and says so. */
    await page.getByRole('button', { name: 'Add passkey' }).click();
    assert.equal(await page.getByRole('textbox', { name: 'Name', exact: true }).inputValue(), 'Chrome, Linux');
    await page.getByRole('button', { name: 'Make a passkey' }).click();
    await page.getByText('This device keeps a passkey of yours already.').waitFor();
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'passkey-add-desktop-light.png') });

    /* Another one: with the first put away. It is asked for when the session is not fresh. */
    const { credentials } = await at.devtools.send('WebAuthn.getCredentials', { authenticatorId: at.first });
    await at.devtools.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId: at.first });
    const second = await at.plug('usb');
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Security key');
    await page.getByRole('button', { name: 'Make a passkey' }).click();
    await page.getByText('The passkey Security key is added.').waitFor();
    await list.getByText('Security key').waitFor();
    assert.equal((await at.devtools.send('WebAuthn.getCredentials', { authenticatorId: second })).credentials.length, 1);
    assert.equal(credentials.length, 1);

    stale();
    await act('Laptop at home', 'Remove passkey');
    await page.getByRole('textbox', { name: 'Type Laptop at home to confirm' }).fill('Laptop at home');
    await page.getByRole('button', { name: 'Remove passkey' }).click();
    await dialog(page).getByRole('button', { name: 'Continue with passkey' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'step-up-desktop-light.png') });
    await page.keyboard.press('Escape');
    await dialog(page).waitFor({ state: 'hidden' });
    await page.getByText('You have not confirmed that it is you').waitFor();
    assert.equal(await list.getByRole('listitem', { includeHidden: true }).count(), 2, 'dismissed: nothing was done');
    await page.getByRole('button', { name: 'Remove passkey' }).click();
    await dialog(page).getByRole('button', { name: 'Continue with passkey' }).click();
    await page.getByText('The passkey is removed.').waitFor();
    await page.getByText('Laptop at home').waitFor({ state: 'detached' });

    /* The one that is left signs in. */
    await page.context().clearCookies();
    await signIn({ ...at, somebodyIsThere: (enabled) => at.somebodyIsThere(enabled, second) }, '/security');
    await list.getByText('Security key').waitFor();
    await at.close();
    assert.deepEqual(at.faults, []);
});

test('an application and recovery codes are set up, and each stands for a passkey that is not at hand', { timeout: 300_000 }, async () => {
    const at = await somebody('Ravi');
    const { page } = at;
    const totp = page.getByRole('region', { name: 'Authenticator application' }), recovery = page.getByRole('region', { name: 'Recovery codes' });
    let used = 0;
    /* Each code is good once, and one step ahead of the clock. */
    const next = (secret) => code(secret, used = Math.max(used + 1, Math.floor(Date.now() / 30_000)));

    await totp.getByRole('button', { name: 'Set up' }).click();
    await page.getByRole('img', { name: 'QR code for the application' }).waitFor();
    assert.ok(await page.getByRole('img', { name: 'QR code for the application' }).evaluate((image) => /** @type {HTMLImageElement} */ (image).naturalWidth > 0), 'the policy lets the image be seen');
    const secret = (await page.getByTestId('totp-secret').innerText()).replaceAll(' ', '');
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'totp-desktop-light.png') });
    await page.getByRole('textbox', { name: 'First code' }).fill('000000');
    await page.getByRole('button', { name: 'Confirm' }).click();
    await page.getByText('This code is not right.').waitFor();
    await page.getByRole('textbox', { name: 'First code' }).fill(next(secret));
    await page.getByRole('button', { name: 'Confirm' }).click();
    await page.getByText('The application is set up.').waitFor();
    await totp.getByText('Active').waitFor();

    /* No passkey at hand: the application's code. */
    stale();
    await recovery.getByRole('button', { name: 'Make codes' }).click();
    await dialog(page).getByRole('button', { name: 'Use a code of your application' }).click();
    await dialog(page).getByRole('textbox', { name: 'Code' }).fill('000000');
    await dialog(page).getByRole('button', { name: 'Confirm' }).click();
    await dialog(page).getByText('This code is not right').waitFor();
    await dialog(page).getByRole('textbox', { name: 'Code' }).fill(next(secret));
    await page.screenshot({ path: path.join(shots, 'step-up-code-desktop-light.png') });
    await dialog(page).getByRole('button', { name: 'Confirm' }).click();
    const codes = await page.locator('.recovery-codes li').allInnerTexts().then((texts) => texts.length === 0 ? page.locator('.recovery-codes li').first().waitFor().then(() => page.locator('.recovery-codes li').allInnerTexts()) : texts);
    assert.equal(new Set(codes).size, 10);
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'recovery-codes-desktop-light.png') });
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download' }).click()]);
    const text = readFileSync(await file.path(), 'utf8');
    assert.ok(codes.every((each) => text.includes(each)) && text.includes('Ravi'), text);
    await page.emulateMedia({ media: 'print' });
    assert.equal(await page.locator('.recovery-codes').isVisible(), true);
    assert.equal(await page.getByRole('heading', { name: 'Security and account', includeHidden: true }).isVisible(), false, 'the codes are printed, and nothing else');
    await page.screenshot({ path: path.join(shots, 'recovery-codes-print.png') });
    await page.emulateMedia({ media: 'screen' });
    await page.keyboard.press('Escape');
    assert.ok(await page.getByRole('button', { name: 'Done' }).isDisabled(), 'they stay until they are kept');
    await page.getByRole('checkbox', { name: 'I have stored them in a safe place' }).check();
    await page.getByRole('button', { name: 'Done' }).click();
    await recovery.getByText('10 of 10 left').waitFor();
    assert.equal(await page.getByText(codes[0]).count(), 0);

    /* Neither at hand: a recovery code, which is used up. */
    stale();
    await totp.getByRole('button', { name: 'Remove application' }).click();
    await page.getByRole('textbox', { name: 'Type authenticator to confirm' }).fill('authenticator');
    await page.getByRole('dialog', { name: 'Remove application' }).getByRole('button', { name: 'Remove application' }).click();
    await dialog(page).getByRole('button', { name: 'Use a recovery code' }).click();
    await dialog(page).getByRole('textbox', { name: 'Recovery code' }).fill(codes[4].toUpperCase().replaceAll('-', ''));
    await dialog(page).getByRole('button', { name: 'Confirm' }).click();
    await page.getByText('The application is removed.').waitFor();
    await recovery.getByText('9 of 10 left').waitFor();
    await totp.getByRole('button', { name: 'Set up' }).waitFor();

    /* New ones replace the old, and say so before. */
    await recovery.getByRole('button', { name: 'Make new codes' }).click();
    await page.getByText('The 9 codes that you have left are worth nothing from then on.').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Make new codes' }).click();
    await page.getByRole('checkbox', { name: 'I have stored them in a safe place' }).check();
    assert.ok(!(await page.locator('.recovery-codes li').allInnerTexts()).includes(codes[0]));
    await page.getByRole('button', { name: 'Done' }).click();
    await recovery.getByText('10 of 10 left').waitFor();
    await at.close();
    assert.deepEqual(at.faults, []);
});

test('sessions are listed with their browsers; one that is ended elsewhere ends at once', { timeout: 300_000 }, async () => {
    const at = await somebody('Meera');
    const other = await newBrowser({ size: sizes.phone });
    const { page } = at;
    await carry(at, other);
    await signIn(other, '/security');
    await other.page.getByRole('list', { name: 'Sessions' }).getByRole('listitem').nth(1).waitFor();
    await page.reload();
    const list = page.getByRole('list', { name: 'Sessions' });
    await list.getByRole('listitem').nth(1).waitFor();
    assert.match(await list.getByRole('listitem').first().innerText(), /Chrome on Linux\s+This one[\s\S]*127\.0\.0\.1[\s\S]*passkey/);
    await page.screenshot({ path: path.join(shots, 'security-sessions-desktop-light.png'), fullPage: true });
    const ended = Date.now();
    await list.getByRole('button', { name: 'End the session in Chrome on Linux' }).click();
    await page.getByText('The session has ended.').waitFor();
    assert.equal((await other.page.request.get(`${origin}/v1/session`)).status(), 401, 'the gateway lets it in no more');
    /* The other browser finds out by itself, or by whatever is done next in it. */
    await until(async () => {
        if (await other.page.getByText('Your session has ended.').isVisible())
            return true;
        await other.page.getByRole('link', { name: 'API keys' }).click({ timeout: 200 }).catch(() => {});
        return false;
    }, 'the other browser to be at the door');
    console.log(`# ended and seen in the other browser within ${Date.now() - ended} ms`);
    assert.match(other.page.url(), /\/sign-in\?.*why=ended/);
    await page.getByRole('list', { name: 'Sessions' }).getByRole('listitem').nth(1).waitFor({ state: 'detached' });
    await page.reload();
    await list.getByRole('listitem').first().waitFor();
    assert.equal(await list.getByRole('listitem').count(), 1, 'this one goes on');

    /* Two more, ended together. */
    const third = await newBrowser();
    await carry(at, third);
    await signIn(other, '/security');
    await signIn(third, '/security');
    await page.reload();
    await list.getByRole('listitem').nth(2).waitFor();
    await page.getByRole('button', { name: 'End all others' }).click();
    await page.getByText('2 sessions have ended.').waitFor();
    for (const each of [other, third]) {
        assert.equal((await each.page.request.get(`${origin}/v1/session`)).status(), 401);
        await each.close();
        assert.deepEqual(each.faults, []);
    }
    await page.getByRole('textbox', { name: 'Your name' }).fill('Meera Iyer');
    await page.getByRole('region', { name: 'Profile' }).getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    await page.getByRole('navigation', { name: 'Main' }).getByRole('button', { name: 'Meera Iyer' }).click();
    await page.getByRole('menuitem', { name: 'Security and account' }).waitFor();
    await at.close();
    assert.deepEqual(at.faults, []);
});

test('what another window did to the session is no fault in this one', { timeout: 120_000 }, async () => {
    const at = await somebody('Devi');
    const { page } = at;
    const csrf = await page.evaluate(async () => (await (await fetch('/v1/session')).json()).csrf_token);
    /* A window beside it steps up: the cookie is another one, and what this one knows of the token is old. */
    const changed = await page.evaluate(async (token) => {
        const session = await (await fetch('/v1/session')).json();
        const answer = await fetch('/v1/session/workspace', { method: 'POST', headers: { 'X-CSRF-Token': token, 'content-type': 'application/json' }, body: JSON.stringify({ tenant_id: session.workspace.id }) });
        return [answer.status, (await answer.json()).csrf_token];
    }, csrf);
    assert.equal(changed[0], 200);
    assert.notEqual(changed[1], csrf);
    await page.getByRole('textbox', { name: 'Your name' }).fill('Devi Rao');
    await page.getByRole('region', { name: 'Profile' }).getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    await at.close();
    assert.deepEqual(at.faults, []);
});

test('the e-mail address changes by a link, opened by who asked for it', { timeout: 300_000 }, async () => {
    const at = await somebody('Latha');
    const { page } = at;
    const profile = page.getByRole('region', { name: 'Profile' });
    const ask = async (email) => {
        await profile.getByRole('button', { name: /e-mail address/ }).click();
        await page.getByRole('textbox', { name: 'New e-mail address' }).fill(email);
        await page.getByRole('button', { name: 'Send link' }).click();
    };
    await ask('not an address');
    await page.getByText('Write a whole address').waitFor();
    await page.getByRole('textbox', { name: 'New e-mail address' }).fill('latha@example.org');
    stale();
    await page.getByRole('button', { name: 'Send link' }).click();
    await dialog(page).getByRole('button', { name: 'Continue with passkey' }).click();
    const link = page.getByRole('link', { name: /confirm-email#/ });
    await link.waitFor();
    const first = /** @type {string} */ (await link.getAttribute('href'));
    assert.deepEqual(await violations(page), []);
    await page.getByRole('button', { name: 'Done' }).click();
    await profile.getByText('The link for latha@example.org waits to be opened.').waitFor();
    await page.screenshot({ path: path.join(shots, 'email-pending-desktop-light.png'), fullPage: true });
    await profile.getByRole('button', { name: 'Take back' }).click();
    await profile.getByText('waits to be opened').waitFor({ state: 'detached' });

    await ask('latha@example.org');
    await link.waitFor();
    const second = /** @type {string} */ (await link.getAttribute('href'));
    /* The one that was taken back is worth nothing. */
    await page.goto('about:blank');
    await page.goto(first);
    await page.getByRole('button', { name: 'Confirm address' }).click();
    await page.getByText('The link is not valid, was used already, or has expired.').waitFor();
    assert.ok(!page.url().includes('#'), 'the token is gone from the address');
    /* In a browser in which nobody is signed in, it waits for that. */
    await page.context().clearCookies();
    await page.goto('about:blank');
    await at.somebodyIsThere(false);
    await page.goto(second);
    await page.getByText('Sign in first').waitFor();
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'email-confirm-desktop-light.png') });
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Continue with passkey' }).waitFor();
    await at.somebodyIsThere(true);
    await until(async () => {
        if (new URL(page.url()).pathname === '/confirm-email')
            return true;
        await page.getByRole('button', { name: 'Continue with passkey' }).click({ timeout: 500 }).catch(() => {});
        return false;
    }, 'to be back at the link');
    await page.getByRole('button', { name: 'Confirm address' }).click();
    await page.getByText('latha@example.org is now your address.').waitFor();
    await page.getByRole('link', { name: 'My account' }).click();
    await profile.getByText('latha@example.org').waitFor();
    await profile.getByText('Not verified').waitFor();
    await at.close();
    assert.deepEqual(at.faults.filter((line) => !line.includes('422')), [], 'but for the address that is none');
});

test('accounts elsewhere are connected, and removed', { timeout: 120_000 }, async () => {
    const at = await somebody('Omar');
    const { page } = at;
    assert.equal(await page.getByRole('heading', { name: 'Accounts elsewhere' }).count(), 0, 'no provider was added here');
    /* What the gateway says with a provider; its own part is gone through in federated.test.js. */
    const provider = { id: `idp_${'0'.repeat(26)}`, name: 'Example' };
    let mine = /** @type {any[]} */ ([]);
    await page.route('**/v1/session/providers', (route) => route.fulfill({ json: { data: [provider] } }));
    await page.route('**/v1/me/identities', (route) => route.request().method() === 'POST' ? route.fulfill({ json: { authorization_url: `${origin}/security?problem=already-exists` } }) : route.fulfill({ json: { data: mine } }));
    await page.route('**/v1/me/identities/*', (route) => { mine = []; return route.fulfill({ status: 204 }); });
    await page.reload();
    const region = page.getByRole('region', { name: 'Accounts elsewhere' });
    await region.getByRole('button', { name: 'Connect Example' }).click();
    await page.getByText('That account is connected to somebody already').waitFor();
    mine = [{ id: `oid_${'0'.repeat(26)}`, provider, email: 'omar@example.org', created_at: new Date().toISOString(), last_used_at: null }];
    await page.goto(`${origin}/security?connected=1`);
    await page.getByText('The account is connected.').waitFor();
    await page.waitForURL((url) => url.search === '');
    await region.getByText('omar@example.org').waitFor();
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'security-identities-desktop-light.png') });
    await region.getByRole('button', { name: 'Disconnect Example' }).click();
    await page.getByText('The account is disconnected.').waitFor();
    await region.getByText('omar@example.org').waitFor({ state: 'detached' });
    await at.close();
    assert.deepEqual(at.faults, []);
});

test('who is in no workspace is told so, and still has the account', { timeout: 120_000 }, async () => {
    const at = await somebody('Kiran');
    const { page } = at;
    const second = await platform.harkara.json('tenant', 'create', '--name', 'हरित उद्यान', '--slug', 'harit');
    const accepted = await page.evaluate(async (token) => {
        const session = await (await fetch('/v1/session')).json();
        return (await fetch('/v1/enrolment/accept', { method: 'POST', headers: { 'X-CSRF-Token': session.csrf_token, 'content-type': 'application/json' }, body: JSON.stringify({ token }) })).status;
    }, new URL(second.enrolment_url).hash.slice(1));
    assert.equal(accepted, 200);
    /* As an owner of it would do it, to the first and then to the second. */
    platform.sql(`update harkara.membership set state = 'suspended' where tenant_id = (select tenant_id from harkara.tenant where slug = 'meadow-${people}')`);
    await page.goto(`${origin}/messages`);
    await page.getByRole('heading', { name: 'You are no member of this workspace any more' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'no-workspace-other-desktop-light.png') });
    await page.getByRole('button', { name: 'Go on in हरित उद्यान' }).click();
    await page.getByRole('heading', { name: 'No messages yet' }).or(page.locator('h1')).first().waitFor();
    await page.getByRole('button', { name: /हरित उद्यान/ }).getByText('Owner').waitFor();
    platform.sql(`update harkara.membership set state = 'suspended' where tenant_id = (select tenant_id from harkara.tenant where slug = 'harit')`);
    await page.goto(`${origin}/messages`);
    await page.getByRole('heading', { name: 'You are in no workspace' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'no-workspace-desktop-light.png') });
    await page.getByRole('link', { name: 'My account' }).click();
    await page.getByRole('heading', { name: 'Passkeys' }).waitFor();
    await at.close();
    assert.deepEqual(at.faults, []);
});

test('the page in both themes, three sizes and Hindi', { timeout: 300_000 }, async () => {
    const at = await somebody('Asha Menon');
    const { page } = at;
    const failures = [];
    for (const locale of ['en', 'hi']) {
        await page.context().addInitScript(`if (location.origin !== 'null') localStorage.setItem('harkara-locale', '${locale}')`);
        for (const [size, viewport] of Object.entries(sizes))
            for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
                if (locale === 'hi' && (size === 'phone') !== (colorScheme === 'dark'))
                    continue; /* the words are what is looked at: each size once */
                await page.setViewportSize(viewport);
                await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
                await page.goto(`${origin}/security`);
                await settled(page);
                await page.screenshot({ path: path.join(shots, `security-${size}-${colorScheme}${locale === 'hi' ? '-hindi' : ''}.png`), fullPage: true });
                failures.push(...(await violations(page)).map((line) => `${locale} ${size} ${colorScheme}: ${line}`));
                if (await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth))
                    failures.push(`${locale} ${size}: wider than the window`);
            }
    }
    await at.close();
    assert.deepEqual([...failures, ...at.faults], []);
});
