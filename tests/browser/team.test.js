// @ts-check
/** The team's pages on real people: who signs in by a passkey invites, limits, judges and off-boards others, who watch what becomes of them in browsers of their own. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Browser, Passkey } from '../integration/authenticator.js';
import { Client, PERSON, ROOT, startPlatform, until } from '../integration/support.js';
import { openPage, settled, sizes, violations } from './browser.js';

const { chromium } = createRequire(path.join(ROOT, 'web/package.json'))('playwright-core');
const shots = path.join(ROOT, 'build/screenshots');
/** @type {any} */
let platform;
/** @type {any} */
let browser;
/** @type {string} */
let origin;
/** @type {any} */
let shop;
/** @type {any} */
let owner;

before(async () => {
    mkdirSync(shots, { recursive: true });
    platform = await startPlatform({ env: { HARKARA_STEP_UP_MINUTES: '60' } }); // the whole file is one sitting
    origin = `http://localhost:${new URL(platform.url).port}`;
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-background-networking', '--force-color-profile=srgb'] });
    shop = await platform.workspace();
    const sent = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel));
    await shop.client.follow(sent.id, ['delivered', 'read']);
    owner = await arrive((await platform.harkara.json('tenant', 'enrol', shop.slug)).enrolment_url, 'Asha Menon');
});
after(async () => {
    await browser?.close();
    await platform?.stop();
});

/** Somebody opens a link in a browser of their own, makes a passkey there and is in. @param {string} link @param {string} name */
async function arrive(link, name, options = {}) {
    const opened = await openPage(browser, origin, options);
    const devtools = await opened.page.context().newCDPSession(opened.page);
    await devtools.send('WebAuthn.enable');
    await devtools.send('WebAuthn.addVirtualAuthenticator', { options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });
    await opened.page.goto(link);
    await opened.page.getByLabel('Your name').fill(name);
    await opened.page.getByRole('button', { name: 'Make a passkey' }).click();
    await opened.page.waitForURL((url) => url.pathname !== '/enrol', { timeout: 60_000 });
    await settled(opened.page);
    return opened;
}

/** The same without a browser, for those whose pages nobody looks at. @param {string} role @param {string} name */
async function member(role, name) {
    const { link } = await fetchAs(owner.page, 'POST', '/v1/invitations', { email: `${name.toLowerCase().replaceAll(' ', '.')}@example.org`, role });
    const page = new Browser(new Client(platform.url, null), origin);
    await page.enrol(link, new Passkey(), name);
    return page;
}

/** Asks the API as who is signed in on this page. @param {any} page @param {string} method @param {string} target @param {any} [body] */
async function fetchAs(page, method, target, body) {
    return page.evaluate(async ([method, target, body]) => {
        const session = await (await fetch('/v1/session')).json();
        const answer = await fetch(target, { method, headers: { 'X-CSRF-Token': session.csrf_token, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
        return answer.status === 204 ? null : answer.json();
    }, [method, target, body]);
}

/** Chooses in one of Mantine's fields. @param {any} page @param {string} label @param {string} option */
async function choose(page, label, option) {
    await page.getByRole('combobox', { name: label, exact: true }).or(page.getByRole('textbox', { name: label, exact: true })).first().click();
    await page.getByRole('option', { name: option }).click();
}

test('somebody is invited, works with masked numbers, and is off-boarded in front of their eyes', { timeout: 300_000 }, async () => {
    const { page } = owner;
    await page.getByRole('link', { name: 'Team', exact: true }).click();
    await page.getByRole('link', { name: 'Asha Menon' }).waitFor();
    await page.getByRole('link', { name: 'Invitations' }).click();
    await page.getByRole('heading', { name: 'Nobody has been invited yet' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'team-invitations-empty-desktop-light.png') });
    await page.getByRole('button', { name: 'Invite somebody' }).first().click();
    await page.getByRole('button', { name: 'Make invitation' }).click();
    await page.getByText('Write an e-mail address.').waitFor();
    await page.getByRole('textbox', { name: 'E-mail' }).fill('ravi@example.org');
    await page.getByText('What it allows').click();
    await page.getByText('See whole numbers and addresses').waitFor();
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'team-invite-desktop-light.png'), fullPage: true });
    await page.getByRole('button', { name: 'Make invitation' }).click();
    const link = await page.getByTestId('secret').innerText();
    assert.match(link, /^http:\/\/localhost:\d+\/enrol#[\w-]{43}$/);
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'team-link-desktop-light.png') });
    await page.getByRole('button', { name: 'Done' }).click();
    const row = page.getByRole('row', { name: /ravi@example.org/ });
    await row.getByText('Pending').waitFor();
    assert.equal(await page.getByTestId('secret').count(), 0, 'the link is shown once');

    /* Another link makes the first one worthless. */
    await row.getByRole('button', { name: 'Actions for ravi@example.org' }).click();
    await page.getByRole('menuitem', { name: 'Make a new link' }).click();
    const again = await page.getByTestId('secret').innerText();
    assert.notEqual(again, link);
    await page.getByRole('button', { name: 'Done' }).click();
    const late = await openPage(browser, origin);
    await late.page.goto(link);
    await late.page.getByRole('alert').waitFor();
    await late.close();

    const agent = await arrive(again, 'Ravi Nair');
    await agent.page.goto(`${origin}/messages`);
    await agent.page.getByText(`****${PERSON.slice(-4)}`).first().waitFor();
    await agent.page.getByRole('row').nth(1).click();
    await agent.page.getByRole('tab', { name: 'JSON' }).click();
    await agent.page.getByRole('dialog', { name: 'Message' }).getByText(`****${PERSON.slice(-4)}`).first().waitFor();
    assert.ok(!(await agent.page.content()).includes(PERSON.slice(1)), 'nowhere in the page');
    assert.equal(await agent.page.locator('.rail-groups a').filter({ hasText: 'Team' }).count(), 0);
    for (const address of ['/team', '/team/invite', '/team/reviews/rev_00000000000000000000000000']) {
        await agent.page.goto(`${origin}${address}`);
        await agent.page.getByRole('heading', { name: 'This is not yours to see' }).waitFor();
    }
    assert.deepEqual(await violations(agent.page), []);
    await agent.page.screenshot({ path: path.join(shots, 'team-forbidden-desktop-light.png') });
    await agent.page.goto(`${origin}/messages`);
    await agent.page.getByText(`****${PERSON.slice(-4)}`).first().waitFor();

    await page.goto(`${origin}/team/invitations`);
    await page.getByRole('row', { name: /ravi@example.org/ }).getByText('Joined').waitFor();
    await page.getByRole('navigation', { name: 'Team' }).getByRole('link', { name: 'People' }).click();
    await page.getByRole('link', { name: 'Ravi Nair' }).click();
    const sheet = page.getByRole('dialog', { name: 'Person' });
    await sheet.getByText('1 open session').waitFor();
    await sheet.getByText('1 passkey').waitFor();
    await sheet.getByRole('button', { name: 'Suspend' }).click();
    await page.getByText('Ravi Nair can do nothing here until you resume it.').waitFor();
    await until(async () => (await fetchAs(agent.page, 'GET', '/v1/messages')).code === 'scope-missing', 'the suspension to be felt');
    await sheet.getByRole('button', { name: 'Resume' }).click();
    await page.getByText('Ravi Nair can work here again.').waitFor();
    await until(async () => (await fetchAs(agent.page, 'GET', '/v1/messages')).data?.length === 1, 'to work again');

    await sheet.getByRole('button', { name: 'Off-board' }).click();
    const dialog = page.getByRole('dialog', { name: 'Off-board' });
    await dialog.getByText('1 open session').waitFor();
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'team-offboard-desktop-light.png') });
    assert.ok(await dialog.getByRole('button', { name: 'Off-board' }).isDisabled());
    await dialog.getByRole('textbox').fill('Ravi Nair');
    await dialog.getByRole('button', { name: 'Off-board' }).click();
    await page.getByText('Ravi Nair has left.').waitFor();
    await until(async () => (await fetchAs(agent.page, 'GET', '/v1/messages')).status === 403, 'the session to be worth nothing here');
    await agent.page.reload();
    await settled(agent.page);
    assert.equal(await agent.page.getByText(`****${PERSON.slice(-4)}`).count(), 0, 'nothing of the workspace is shown any more');
    await page.goto(`${origin}/team/people?state=left`);
    await page.getByRole('link', { name: 'Ravi Nair' }).waitFor();
    await agent.close();
    assert.deepEqual(agent.faults, []);
    assert.deepEqual(owner.faults.splice(0), []);
});

test('a role of the workspace\'s own, a team with channels, and who is limited to it', { timeout: 300_000 }, async () => {
    const { page } = owner;
    const meera = await member('agent', 'Meera Iyer');
    await page.goto(`${origin}/team/teams`);
    await page.getByRole('heading', { name: 'No teams yet' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.getByRole('button', { name: 'Create team' }).click();
    const sheet = page.getByRole('dialog', { name: 'Team' });
    await sheet.getByRole('textbox', { name: 'Name' }).fill('North');
    await choose(page, 'People', 'Meera Iyer');
    await page.keyboard.press('Escape');
    await sheet.getByRole('button', { name: 'Create team' }).click();
    await page.getByRole('row', { name: /North.*Meera Iyer/ }).waitFor();

    await page.goto(`${origin}/team/roles/agent`);
    await page.getByRole('button', { name: 'Make a role like this' }).click();
    const role = page.getByRole('dialog', { name: 'Role' });
    await role.getByRole('textbox', { name: 'Name' }).fill('Night desk');
    assert.ok(await role.getByRole('checkbox', { name: 'Send and cancel messages' }).isChecked());
    await role.getByRole('checkbox', { name: 'Send and cancel messages' }).uncheck();
    await role.getByRole('button', { name: 'Create role' }).click();
    await page.getByRole('row', { name: /Night desk/ }).waitFor();

    await page.goto(`${origin}/team/people`);
    await page.getByRole('link', { name: 'Meera Iyer' }).click();
    await choose(page, 'Role', 'Night desk');
    await choose(page, 'Channels', 'The channels of their teams');
    await page.getByRole('dialog', { name: 'Person' }).getByRole('button', { name: 'Save' }).click();
    await page.getByText('Meera Iyer: saved.').waitFor();
    assert.deepEqual(owner.faults.splice(0), []);
    await until(async () => (await meera.must(200, 'GET', '/v1/session')).permissions.includes('messages:send') === false, 'the other role to be felt');
    assert.deepEqual((await meera.must(200, 'GET', '/v1/messages')).data, [], 'the team has no channel');
    await page.goto(`${origin}/team/teams`);
    await page.getByRole('link', { name: 'North' }).click();
    await choose(page, 'Channels', (await shop.client.must(200, 'GET', `/v1/channels/${shop.channel}`)).name);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog', { name: 'Team' }).getByRole('button', { name: 'Save' }).click();
    await page.getByText('North: saved.').waitFor();
    await until(async () => (await meera.must(200, 'GET', '/v1/messages')).data.length === 1, 'the channel to be reached');
    await page.goto(`${origin}/team/roles`);
    await page.getByRole('link', { name: 'Night desk' }).click();
    await page.getByRole('button', { name: 'Delete role' }).waitFor();
    assert.ok(await page.getByRole('button', { name: 'Delete role' }).isDisabled(), 'somebody has it');
    assert.deepEqual(owner.faults.splice(0), []);
});

test('where invitations are mailed no link is shown, and it is said where it went', { timeout: 300_000 }, async () => {
    const { page } = owner;
    /* The answer of an installation with a relay: mail.test.js has a real one. */
    await page.route('**/v1/invitations', async (route) => {
        const answer = await route.fetch();
        const { link, ...invitation } = await answer.json();
        assert.ok(link === undefined || route.request().method() === 'POST');
        await route.fulfill({ response: answer, json: route.request().method() === 'POST' ? { ...invitation, delivery: 'mail' } : invitation });
    });
    await page.goto(`${origin}/team/invite`);
    await page.getByRole('textbox', { name: 'E-mail' }).fill('mailed@example.org');
    await page.getByRole('button', { name: 'Make invitation' }).click();
    const dialog = page.getByRole('dialog', { name: 'The invitation is on its way' });
    await dialog.getByText(/goes to mailed@example.org/).waitFor();
    assert.equal(await page.getByTestId('secret').count(), 0);
    await dialog.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('row', { name: /mailed@example.org/ }).waitFor();
    await page.unroute('**/v1/invitations');
    assert.deepEqual(owner.faults.splice(0), []);
});

test('a manager is offered no more than a manager may give', { timeout: 300_000 }, async () => {
    const { link } = await fetchAs(owner.page, 'POST', '/v1/invitations', { email: 'dev@example.org', role: 'manager' });
    const { page, faults, close } = await arrive(link, 'Dev Rao');
    await page.getByRole('link', { name: 'Team', exact: true }).click();
    await page.getByRole('link', { name: 'Asha Menon' }).click();
    await page.getByText('They have more than you do').waitFor();
    for (const name of ['Suspend', 'Off-board'])
        assert.ok(await page.getByRole('dialog', { name: 'Person' }).getByRole('button', { name }).isDisabled(), name);
    assert.deepEqual(await violations(page), []);
    await page.goto(`${origin}/team/invite`);
    await page.getByRole('combobox', { name: 'Role' }).or(page.getByRole('textbox', { name: 'Role' })).first().click();
    for (const [name, isOff] of /** @type {[string, boolean][]} */ ([['Owner', true], ['Admin', true], ['Developer', true], ['Agent', false], ['Manager', false]]))
        assert.equal(await page.getByRole('option', { name, exact: true }).getAttribute('data-combobox-disabled') === 'true', isOff, name);
    await page.goto(`${origin}/team/roles`);
    await page.getByRole('link', { name: 'Owner' }).click();
    await page.getByRole('dialog', { name: 'Role' }).getByText('Read the audit log').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Make a role like this' }).count(), 0);
    await close();
    assert.deepEqual(faults, []);
});

test('an access review is worked through, and closed', { timeout: 300_000 }, async () => {
    const { page } = owner;
    await member('marketer', 'Kiran Das');
    await page.goto(`${origin}/team/reviews`);
    await page.getByRole('heading', { name: 'No access review yet' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.getByRole('button', { name: 'Begin review' }).click();
    const dialog = page.getByRole('dialog', { name: 'Begin review' });
    await dialog.getByLabel('Due').waitFor();
    assert.deepEqual(await violations(page), []);
    await dialog.getByRole('button', { name: 'Begin review' }).click();
    await page.waitForURL(/\/team\/reviews\/rev_/);
    await page.getByRole('heading', { name: 'To decide' }).waitFor();
    const members = (await fetchAs(page, 'GET', '/v1/people')).data.length;
    await page.getByText(`0 of ${members} decided`).waitFor();
    assert.ok(await page.getByRole('button', { name: 'Close review' }).isDisabled());
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'team-review-desktop-light.png'), fullPage: true });
    await page.getByRole('button', { name: 'Off-board: Kiran Das' }).click();
    await page.getByRole('dialog', { name: 'Off-board' }).getByRole('textbox').fill('Kiran Das');
    await page.getByRole('dialog', { name: 'Off-board' }).getByRole('button', { name: 'Off-board' }).click();
    await page.getByText('Kiran Das has left.').waitFor();
    await page.getByText(`1 of ${members} decided`).waitFor();
    for (let i = 1; i < members; i++) {
        await page.getByRole('button', { name: /^Still needed: / }).first().click();
        await page.getByText(`${i + 1} of ${members} decided`).waitFor();
    }
    await page.getByText('Everybody is decided.').waitFor();
    await page.getByRole('button', { name: 'Close review' }).click();
    await page.getByText('The review is closed.').waitFor();
    await page.getByRole('link', { name: 'Access reviews' }).click();
    await until(async () => await page.getByRole('row').count() === 3, 'the next one to be open beside it');
    assert.deepEqual(owner.faults.splice(0), []);
});

test('every page of the team: three sizes, both themes, both languages', { timeout: 900_000 }, async () => {
    const { page } = owner;
    const people = (await fetchAs(page, 'GET', '/v1/people')).data;
    const [review] = (await fetchAs(page, 'GET', '/v1/access-reviews')).data;
    const [team] = (await fetchAs(page, 'GET', '/v1/teams')).data;
    const own = (await fetchAs(page, 'GET', '/v1/roles')).data.find(({ is_built_in }) => !is_built_in);
    const pages = { people: '/team/people', person: `/team/people/${people.find(({ name }) => name === 'Meera Iyer').id}`, invitations: '/team/invitations', invite: '/team/invite', teams: '/team/teams', one: `/team/teams/${team.id}`, roles: '/team/roles', role: '/team/roles/manager', own: `/team/roles/${own.id}`, reviews: '/team/reviews', review: `/team/reviews/${review.id}`, gone: '/team/people/mbr_00000000000000000000000000' };
    const failures = [];
    for (const [size, scheme, locale] of /** @type {const} */ ([['desktop', 'light', 'en'], ['tablet', 'dark', 'en'], ['phone', 'dark', 'hi']])) {
        await page.setViewportSize(sizes[size]);
        await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
        await page.addInitScript(`localStorage.setItem('harkara-locale', '${locale}')`);
        for (const [name, target] of Object.entries(pages)) {
            await page.goto(`${origin}${target}`);
            await settled(page);
            await page.screenshot({ path: path.join(shots, `team-${name}-${size}-${scheme}.png`) });
            failures.push(...(await violations(page)).map((line) => `${name} ${size} ${scheme}: ${line}`));
            const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
            if (overflow > 0)
                failures.push(`${name} ${size}: ${overflow} px wider than the window`);
        }
    }
    assert.deepEqual(failures, []);
    assert.deepEqual(owner.faults.splice(0), []);
});
