// @ts-check
/** In by the door: the link, a passkey in Chromium's virtual authenticator, out, in again, and thrown out. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT, startPlatform, until } from '../integration/support.js';
import { openPage, violations } from './browser.js';

const { chromium } = createRequire(path.join(ROOT, 'web/package.json'))('playwright-core');
let platform, browser, origin;

before(async () => {
    platform = await startPlatform();
    origin = `http://localhost:${new URL(platform.url).port}`;
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-background-networking'] });
});
after(async () => {
    await browser?.close();
    await platform?.stop();
});

test('the link, a passkey, the workspace; out, in again; and a session that is ended elsewhere', { timeout: 300_000 }, async () => {
    const tenant = await platform.harkara.json('tenant', 'create', '--name', 'हरित उद्यान', '--slug', 'harit');
    const { page, faults, close } = await openPage(browser, origin);
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('WebAuthn.enable');
    const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', { options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });
    /* While somebody is there, the authenticator answers the browser's own offer on the sign-in page at any moment. */
    const somebodyIsThere = (enabled) => devtools.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled });

    await page.goto(tenant.enrolment_url);
    await page.getByRole('heading', { name: 'Welcome to हरित उद्यान' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(ROOT, 'build/screenshots/enrol-desktop-light.png') });
    await page.getByLabel('Your name').fill('Asha Menon');
    await page.getByRole('button', { name: 'Make a passkey' }).click();
    await page.getByRole('heading', { name: 'No channel is connected' }).waitFor();
    await page.getByRole('button', { name: /हरित उद्यान/ }).getByText('Owner').waitFor();
    assert.ok(!page.url().includes('#'), 'the token is gone from the address');

    /* What changes something carries the session's token: the gateway takes it. */
    await page.goto(`${origin}/settings`);
    await page.getByRole('textbox', { name: 'Wait first, in seconds' }).fill('55');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();

    /* Another workspace's link: whoever is signed in needs no other passkey for it, and is there at once. */
    const second = await platform.harkara.json('tenant', 'create', '--name', 'Meadow Plants', '--slug', 'meadow');
    await page.goto('about:blank');
    await page.goto(second.enrolment_url);
    await page.getByText('You are signed in as Asha Menon.').waitFor();
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(ROOT, 'build/screenshots/enrol-signed-in-desktop-light.png') });
    await page.getByRole('button', { name: 'Join Meadow Plants' }).click();
    await page.getByRole('button', { name: /Meadow Plants/ }).getByText('Owner').waitFor();
    await page.getByRole('heading', { name: 'No channel is connected' }).waitFor();
    await page.getByRole('button', { name: /Meadow Plants/ }).click();
    await page.getByRole('menuitem', { name: /हरित उद्यान/ }).click();
    await page.getByRole('button', { name: /हरित उद्यान/ }).getByText('Owner').waitFor();

    await somebodyIsThere(false);
    await page.getByRole('button', { name: 'Asha Menon' }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in to Harkara' }).waitFor();
    assert.equal((await page.request.get(`${origin}/v1/session`)).status(), 401);
    await page.goto(`${origin}/settings`);
    /* It may answer the browser's own offer at once; the button is for when it does not. */
    await somebodyIsThere(true);
    const button = page.getByRole('button', { name: 'Continue with passkey' });
    await until(async () => {
        if (page.url().endsWith('/settings'))
            return true;
        await button.click({ timeout: 500 }).catch(() => {});
        return false;
    }, 'to be back at the settings');
    await page.getByRole('textbox', { name: 'Wait first, in seconds' }).waitFor();
    assert.equal(await page.getByRole('textbox', { name: 'Wait first, in seconds' }).inputValue(), '55');

    await somebodyIsThere(false);
    const ended = await page.evaluate(async () => {
        const session = await (await fetch('/v1/session')).json();
        return (await fetch('/v1/session', { method: 'DELETE', headers: { 'X-CSRF-Token': session.csrf_token } })).status;
    });
    assert.equal(ended, 204);
    await page.getByText('Your session has ended.').waitFor({ timeout: 60_000 });

    await page.goto('about:blank');
    await page.goto(tenant.enrolment_url);
    await page.getByRole('alert').waitFor();
    await close();
    assert.deepEqual(faults, [], 'the link is good once, and nothing broke');
});
