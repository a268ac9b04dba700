// @ts-check
/** India's registry and the DND registry, as a person works with them: recorded, imported, changed, tried, looked up. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ROOT, until } from '../integration/support.js';
import { openPage, settled, signedIn, sizes, startDashboard, violations } from './browser.js';

const shots = path.join(ROOT, 'build/screenshots');
const at = {};
/** @type {any} */
let client;

const HEADERS = 'Header Name,Header ID,Status\nHRKARA,1105172974420840001,Approved\nMEADOW,1105172974420840002,Approved\n512345,1105172974420840003,Active\n';
const TEMPLATES = 'Template ID,Template Name,Template Content,Template Type,Header,Status\n'
    + '1107172974420840007,Shipped,"Dear {#var#}, your order {#alphanumeric#} has shipped. -HRKARA",Service Implicit,HRKARA,Approved\n'
    + '1107172974420840008,ऑर्डर,"प्रिय {#var#}, आपका ऑर्डर {#alphanumeric#} भेज दिया गया है। -HRKARA",Service Implicit,"HRKARA, MEADOW",Approved\n'
    + '1107172974420840009,Sale,"Sale! {#numeric#} percent off at {#url#} until Sunday. -HRKARA",Promotional,512345,Approved\n';

before(async () => {
    mkdirSync(shots, { recursive: true });
    Object.assign(at, await startDashboard());
    client = at.workspace.client;
});
after(() => at.stop?.());

const go = async (page, target, url = at.url) => {
    await page.goto(`${url}${target}`);
    await settled(page);
};
const file = (name, text) => ({ name, mimeType: 'text/csv', buffer: Buffer.from(text) });
const shot = (page, name) => page.screenshot({ path: path.join(shots, `${name}.png`) });
const fine = async (page, name) => {
    assert.deepEqual(await violations(page), [], name);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(overflow <= 0, `${name}: ${overflow} px wider than the window`);
};

describe('the registry', () => {
    test('is begun from nothing: entity, chain, files of the portal', { timeout: 300_000 }, async () => {
        const { page, faults, close } = await openPage(at.browser, at.url);
        await go(page, '/dlt');
        await page.getByRole('heading', { name: 'Nothing of DLT is recorded yet' }).waitFor();
        await fine(page, 'empty');
        await shot(page, 'dlt-empty-desktop-light');

        await page.getByRole('button', { name: 'Record the entity' }).click();
        const sheet = page.getByRole('dialog');
        await sheet.getByRole('button', { name: 'Record the entity' }).click();
        await sheet.getByText('An id is 1 to 30 digits.').waitFor();
        await sheet.getByLabel('Entity id (PE id)').fill('1101172974420810001');
        await sheet.getByLabel('Name').fill('Lucky Shrub Private Limited');
        await sheet.getByRole('button', { name: 'Record the entity' }).click();
        await page.getByRole('link', { name: 'Lucky Shrub Private Limited' }).waitFor();
        await page.getByText('Next: import your headers.').waitFor();

        await page.getByRole('button', { name: 'Add a chain' }).click();
        await sheet.getByLabel('Telemarketer id').fill('1101172974420830004');
        await sheet.getByLabel('Name (optional)').fill('Delivery Networks');
        await sheet.getByRole('button', { name: 'Add the next telemarketer' }).click();
        await sheet.getByRole('button', { name: 'Remove telemarketer 2' }).click();
        await sheet.getByRole('button', { name: 'Add a chain' }).click();
        await page.getByRole('link', { name: 'Delivery Networks' }).click();
        await sheet.getByText('c0c951afca257c5b87c3da535c09112080483f35b7e6faf35e2428b3b526b694').waitFor();
        await fine(page, 'chain');
        await shot(page, 'dlt-chain-desktop-light');
        await page.keyboard.press('Escape');

        await page.getByRole('button', { name: 'Import a file' }).click();
        await page.getByRole('heading', { name: 'Import a file' }).waitFor();
        await page.setInputFiles('input[type=file]', file('broken.csv', 'Header,Status\nSHOPIN,Approved\nVM-SHOPIN-S,Approved\nCLOSED,wat\n'));
        await page.getByText('Nothing of the file is imported while a row of it is wrong.').waitFor();
        assert.deepEqual((await page.locator('tbody tr').allInnerTexts()).map((text) => /Row \d+/.exec(text)?.[0]), ['Row 3', 'Row 4']);
        assert.ok(await page.getByRole('button', { name: /^Import 1 change/ }).isDisabled());
        await page.locator('.mantine-SegmentedControl-root').getByText('All rows').click();
        await until(async () => await page.locator('tbody tr').count() === 3, 'all rows');
        await fine(page, 'import with errors');
        await shot(page, 'dlt-import-errors-desktop-light');
        await page.setInputFiles('input[type=file]', file('headers.csv', HEADERS));
        await page.getByRole('button', { name: 'Import 3 changes' }).click();
        await page.getByText('Imported: 3 new, 0 changed, 0 as before.').waitFor();
        await page.getByRole('button', { name: 'Import another file' }).click();
        await page.locator('.mantine-SegmentedControl-root').getByText('Templates', { exact: true }).click();
        await page.setInputFiles('input[type=file]', { name: 'old.csv', mimeType: 'text/csv', buffer: Buffer.from([0x48, 0xe9, 0x0a]) });
        await page.getByText('The file is not in UTF-8.').waitFor();
        await page.setInputFiles('input[type=file]', file('templates.csv', TEMPLATES));
        await page.getByRole('button', { name: 'Import 3 changes' }).waitFor();
        await fine(page, 'import');
        await shot(page, 'dlt-import-preview-desktop-light');
        await page.getByRole('button', { name: 'Import 3 changes' }).click();
        await page.getByRole('link', { name: 'See them' }).click();
        await page.getByRole('link', { name: 'Shipped' }).waitFor();
        const { headers, templates, chains } = await client.must(200, 'GET', '/v1/dlt');
        assert.deepEqual([headers.total, templates.total, chains.length], [3, 3, 1]);
        await close();
        assert.deepEqual(faults, []);
    });

    test('a text is tried: its values marked, or the place that differs', { timeout: 300_000 }, async () => {
        await client.must(201, 'POST', '/v1/dlt/links', { kind: 'dynamic', value: 'https://shop.example.in/t?' });
        const { page, faults, close } = await openPage(at.browser, at.url);
        await go(page, '/dlt/try?header=HRKARA');
        const answer = page.getByRole('region', { name: 'What the registry would say' });
        const attempt = async (text, heading) => {
            await page.getByLabel('Your text').first().fill(text);
            await page.getByRole('button', { name: 'Try it' }).click();
            await answer.getByRole('heading', { name: heading }).waitFor();
        };
        await attempt('Dear Asha, your order A-1042 has shipped. -HRKARA', 'A variable takes something else');
        await answer.getByText('Variable 2 takes something else: Letters and digits.').waitFor();
        assert.equal(await answer.locator('.dlt-fault').first().innerText().then((text) => text.replace('Differs here:', '').trim()), 'A-1042');
        await attempt('Dear Asha, your order A1042 has shipped. -HRKARA', 'It may be sent: the text is registered');
        assert.deepEqual((await answer.locator('.dlt-text').first().locator('.dlt-value').allInnerTexts()).map((text) => text.replace(/Value \d:/, '').replace(/\d$/, '').trim()), ['Asha', 'A1042']);
        await answer.getByText('HRKARA-S').waitFor();
        await fine(page, 'a text that matches');
        await shot(page, 'dlt-try-good-desktop-light');
        await attempt('Dear Asha, your order A1042 was shipped. -HRKARA', 'The text is not that of a template');
        await answer.getByText('Your text has “w” where the template has “h”.').waitFor();
        await fine(page, 'a text that differs');
        await shot(page, 'dlt-try-differs-desktop-light');
        await page.getByRole('combobox', { name: 'Header' }).fill('512345');
        await attempt('Sale! 20 percent off at https://evil.example.in/t?x=1 until Sunday. -HRKARA', 'A link or number is not white-listed');
        await page.getByRole('combobox', { name: 'Header' }).fill('NOBODY');
        await attempt('Hello', 'The header is not registered');
        await close();
        const dark = await openPage(at.browser, at.url, { size: sizes.phone, scheme: 'dark', locale: 'hi' });
        await go(dark.page, '/dlt/try?header=MEADOW');
        await dark.page.getByLabel('आपका संदेश').first().fill('प्रिय आशा, आपका ऑर्डर A1042 भेजा गया है। -HRKARA');
        await dark.page.getByRole('button', { name: 'परखें', exact: true }).click();
        await dark.page.getByRole('heading', { name: 'यह किसी टेम्पलेट का पाठ नहीं है' }).scrollIntoViewIfNeeded();
        await fine(dark.page, 'on a phone, in Hindi');
        await dark.page.screenshot({ path: path.join(shots, 'dlt-try-differs-phone-dark-hindi.png'), fullPage: true });
        await dark.close();
        assert.deepEqual([...faults, ...dark.faults], []);
    });

    test('a header is paused and goes on; a template is changed; a link is removed and comes back', { timeout: 300_000 }, async () => {
        const { page, faults, close } = await openPage(at.browser, at.url);
        const sheet = page.getByRole('dialog', { name: /^(Header|Template|Link or number)$/ });
        await go(page, '/dlt/headers');
        await page.getByRole('link', { name: 'MEADOW' }).click();
        await sheet.getByRole('button', { name: 'Pause' }).click();
        const asked = page.getByRole('dialog', { name: 'Pause' });
        assert.ok(await asked.getByRole('button', { name: 'Pause' }).isDisabled());
        await asked.getByLabel('Why').fill('Complaints about the spring sale');
        await asked.getByRole('button', { name: 'Pause' }).click();
        await sheet.getByText('Complaints about the spring sale').waitFor();
        await fine(page, 'a paused header');
        await shot(page, 'dlt-header-paused-desktop-light');
        assert.equal((await client.must(200, 'GET', '/v1/dlt/headers?q=MEADOW')).data[0].is_active, false);
        await sheet.getByRole('button', { name: 'Go on' }).click();
        await until(async () => (await client.must(200, 'GET', '/v1/dlt/headers?q=MEADOW')).data[0].is_active, 'it to go on');
        await sheet.getByRole('button', { name: 'Close' }).click();

        await page.getByRole('button', { name: 'Add a header' }).click();
        await sheet.getByRole('textbox', { name: 'Header', exact: true }).fill('VM-ABC-S');
        await sheet.getByRole('button', { name: 'Add a header' }).click();
        await sheet.getByText('3 to 11 letters, or 3 to 11 digits').waitFor();
        await sheet.getByRole('textbox', { name: 'Header', exact: true }).fill('Shrubs');
        await sheet.getByRole('button', { name: 'Add a header' }).click();
        await page.getByRole('link', { name: 'Shrubs' }).click();
        await sheet.getByRole('button', { name: 'Remove the header' }).click();
        await page.getByLabel('Type Shrubs to confirm').fill('Shrubs');
        await page.getByRole('dialog', { name: 'Remove the header' }).getByRole('button', { name: 'Remove the header' }).click();
        await page.getByRole('link', { name: 'Shrubs' }).waitFor({ state: 'detached' });

        await go(page, '/dlt/templates?q=shipped');
        await page.getByRole('link', { name: 'Shipped' }).click();
        await sheet.getByText('A variable has no type.').waitFor();
        await fine(page, 'a template');
        await shot(page, 'dlt-template-desktop-light');
        await sheet.getByRole('button', { name: 'Change' }).click();
        await sheet.getByRole('combobox', { name: 'Variable 1' }).click();
        await page.getByRole('option', { name: 'Letters and digits' }).click();
        await fine(page, 'a template that is changed');
        await shot(page, 'dlt-template-change-desktop-light');
        await sheet.getByRole('button', { name: 'Save' }).click();
        await sheet.getByRole('button', { name: 'Remove the template' }).waitFor(); /* it is shown again, as it is now */
        assert.deepEqual((await client.must(200, 'GET', '/v1/dlt/templates?q=shipped')).data[0].variables.map(({ type }) => type), ['alphanumeric', 'alphanumeric']);
        assert.equal(await sheet.getByText('A variable has no type.').count(), 0);
        await sheet.getByRole('button', { name: 'Close' }).click();

        await page.getByRole('button', { name: 'Add a template' }).click();
        await sheet.getByRole('textbox', { name: 'Template id' }).fill('1107172974420840010');
        await sheet.getByRole('textbox', { name: 'Name' }).fill('Code');
        await sheet.getByRole('textbox', { name: 'Text', exact: true }).fill('Your code is {#wat#}. -HRKARA');
        await sheet.getByText('It has a variable that portals do not know.').waitFor();
        await sheet.getByRole('textbox', { name: 'Text', exact: true }).fill('Your code is {#numeric#}. -HRKARA');
        await sheet.getByRole('button', { name: 'Add a template' }).click();
        await sheet.getByRole('button', { name: 'Remove the template' }).waitFor();

        await go(page, '/dlt/links');
        await page.getByRole('button', { name: 'Add a link or number' }).click();
        await sheet.getByRole('textbox', { name: 'Link or number' }).fill('https://10.0.0.1/x');
        await sheet.getByRole('button', { name: 'Add a link or number' }).click();
        await sheet.locator('.mantine-TextInput-error').first().waitFor();
        await sheet.getByRole('textbox', { name: 'Link or number' }).fill('https://example.in/meadow');
        await sheet.getByLabel('Good until').fill(new Date(Date.now() + 5 * 86_400_000).toISOString().slice(0, 10));
        await sheet.getByRole('button', { name: 'Add a link or number' }).click();
        await page.getByText('https://example.in/meadow').waitFor();
        await page.getByText('Soon:').waitFor();
        await fine(page, 'links');
        await shot(page, 'dlt-links-soon-desktop-light');
        await page.getByRole('button', { name: 'Remove https://example.in/meadow' }).click();
        await page.getByRole('button', { name: 'Undo' }).click();
        await until(async () => (await client.must(200, 'GET', '/v1/dlt/links?q=meadow')).data.length === 1, 'the link to come back');
        await close();
        assert.deepEqual(faults.filter((fault) => !/status of 422/.test(fault)), []);
    });

    test('what fails, what is not theirs, and what is gone are told', { timeout: 120_000 }, async () => {
        const { page, close } = await openPage(at.browser, at.url);
        let isFailing = true;
        await page.route('**/v1/dlt/headers?*', (route) => (isFailing ? route.fulfill({ status: 503, headers: { 'x-request-id': 'req_00000000000000000000000000' }, contentType: 'application/problem+json', body: JSON.stringify({ type: 'x', title: 'The service is busy.', status: 503, code: 'busy', instance: '/requests/x' }) }) : route.continue()));
        await page.goto(`${at.url}/dlt/headers`);
        await page.getByText('req_00000000000000000000000000').waitFor();
        await fine(page, 'failing');
        isFailing = false;
        await page.getByRole('button', { name: 'Try again' }).click();
        await page.getByRole('link', { name: 'HRKARA' }).waitFor();
        await go(page, '/dlt/templates/dlt_00000000000000000000000000');
        await page.getByRole('dialog').getByText('It may have been deleted').waitFor();
        at.session.current = signedIn(['messages:read', 'dlt:read']);
        await go(page, '/dlt/headers');
        assert.ok(await page.getByRole('button', { name: 'Import a file' }).isDisabled());
        assert.equal(await page.getByRole('button', { name: 'Add a header' }).count(), 0);
        await go(page, '/dlt/import');
        await page.getByRole('heading', { name: 'This is not yours to see' }).waitFor();
        at.session.current = signedIn(['messages:read']);
        await go(page, '/dlt');
        await page.getByRole('heading', { name: 'This is not yours to see' }).waitFor();
        assert.equal(await page.locator('.rail-groups a', { hasText: 'DLT' }).count(), 0);
        await fine(page, 'forbidden');
        await shot(page, 'dlt-forbidden-desktop-light');
        at.session.current = signedIn();
        await close();
    });

    for (const [size, scheme] of /** @type {const} */ ([['desktop', 'dark'], ['phone', 'light'], ['phone', 'dark']]))
        test(`looks right: ${size}, ${scheme}`, { timeout: 300_000 }, async () => {
            const { page, faults, close } = await openPage(at.browser, at.url, { size: sizes[size], scheme });
            const [template] = (await client.must(200, 'GET', '/v1/dlt/templates?q=shipped')).data;
            for (const [name, target] of Object.entries({ entities: '/dlt/entities', headers: '/dlt/headers', templates: '/dlt/templates', template: `/dlt/templates/${template.id}`, 'template-new': '/dlt/templates/new', links: '/dlt/links', 'link-new': '/dlt/links/new', 'chain-new': '/dlt/entities/chain/new', try: '/dlt/try', import: '/dlt/import' })) {
                await go(page, target);
                await fine(page, `${name} ${size} ${scheme}`);
                await shot(page, `dlt-${name}-${size}-${scheme}`);
            }
            await close();
            assert.deepEqual(faults, []);
        });
});

describe('the DND registry', () => {
    test('says what it means that there is none, and what to do', { timeout: 120_000 }, async () => {
        const { page, faults, close } = await openPage(at.browser, at.url);
        await go(page, '/policy');
        await page.getByRole('link', { name: 'See the registry, or look a number up' }).click();
        await page.getByRole('heading', { name: 'DND registry', exact: true }).waitFor();
        await page.getByText('Promotional SMS leave without being compared here.').waitFor();
        await client.must(200, 'PATCH', '/v1/settings/policy', { dnd: 'required' });
        await client.must(201, 'POST', '/v1/channels', { kind: 'sms', name: 'SMS to India', sms: { sender: 'HRKARA', sender_kind: 'alphanumeric' } });
        await go(page, '/');
        await page.getByRole('link', { name: /There is no DND registry/ }).click();
        await page.getByRole('heading', { name: 'DND registry', exact: true }).waitFor();
        await page.getByText('are blocked until there is one').waitFor();
        await page.getByText('harkara dnd import').waitFor();
        await fine(page, 'no registry');
        await shot(page, 'dnd-missing-desktop-light');
        await client.must(200, 'PATCH', '/v1/settings/policy', { dnd: 'when-known' });
        await close();
        assert.deepEqual(faults, []);
    });

    test('is looked into, when there is one, and says when it is old', { timeout: 300_000 }, async () => {
        const list = path.join(at.platform.folder, 'dnd.csv');
        writeFileSync(list, 'Phone Numbers,Preferences,Opstype\n9876543210,0,A\n9876543211,1#4,A\n', { mode: 0o644 });
        const done = await at.platform.harkara.cli('dnd', 'import', '--source', 'November', list);
        assert.equal(done.code, 0, done.stderr);
        await until(async () => (await client.must(200, 'GET', '/v1/dnd')).loaded, 'the gateway to have it');
        for (const [size, scheme] of /** @type {const} */ ([['desktop', 'light'], ['phone', 'dark']])) {
            const { page, faults, close } = await openPage(at.browser, at.url, { size: sizes[size], scheme });
            await go(page, '/dnd');
            await page.getByText('Up to date').waitFor();
            await page.getByLabel('Look up a number').fill('+91 98765 43211');
            await page.getByRole('button', { name: 'Look up', exact: true }).click();
            await page.getByText('It may not come').waitFor();
            await page.getByText('Real estate, Education').waitFor();
            await fine(page, `a look ${size}`);
            await shot(page, `dnd-${size}-${scheme}`);
            await page.getByLabel('Look up a number').fill('+14155550123');
            await page.getByRole('button', { name: 'Look up', exact: true }).click();
            await page.getByText('Not an Indian number').waitFor();
            await page.route('**/v1/dnd', async (route) => { const answer = await route.fetch(); await route.fulfill({ response: answer, json: { ...await answer.json(), is_old: true, age_seconds: 900_000 } }); });
            await go(page, '/dnd');
            await page.getByRole('alert').getByText('It is older than 7 days').waitFor();
            await fine(page, `old ${size}`);
            await shot(page, `dnd-old-${size}-${scheme}`);
            await close();
            assert.deepEqual(faults, []);
        }
        at.session.current = signedIn(['messages:read']);
        const { page, close } = await openPage(at.browser, at.url);
        await page.route('**/v1/dnd', (route) => route.fulfill({ status: 403, contentType: 'application/problem+json', body: JSON.stringify({ type: 'x', title: 'The key lacks the scope.', status: 403, code: 'scope-missing', instance: '/requests/x' }) }));
        await go(page, '/dnd');
        await page.getByRole('heading', { name: 'This is not yours to see' }).waitFor();
        await close();
        at.session.current = signedIn();
    });
});
