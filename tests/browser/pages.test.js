// @ts-check
/** Every page in both themes and three sizes: nothing breaks, axe finds nothing, and a picture is left in build/screenshots to be looked at. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ROOT } from '../integration/support.js';
import { openPage, settled, signedIn, sizes, startDashboard, violations } from './browser.js';

const shots = path.join(ROOT, 'build/screenshots');
const at = {};

before(async () => {
    mkdirSync(shots, { recursive: true });
    Object.assign(at, await startDashboard());
    const { client } = at.workspace;
    const entity = await client.must(201, 'POST', '/v1/dlt/entities', { registered_id: '1101172974420810001', name: 'Lucky Shrub Private Limited' });
    await client.must(201, 'POST', '/v1/dlt/chains', { entity_id: entity.id, telemarketers: [{ registered_id: '1101172974420830004', name: 'Delivery Networks' }] });
    at.dltHeader = (await client.must(201, 'POST', '/v1/dlt/headers', { entity_id: entity.id, name: 'HRKARA' })).id;
    at.dltTemplate = (await client.must(201, 'POST', '/v1/dlt/templates', { entity_id: entity.id, kind: 'content', registered_id: '1107172974420840007', name: 'Shipped', category: 'service', text: 'Dear {#var#}, your order {#alphanumeric#} has shipped. -HRKARA', headers: ['HRKARA'] })).id;
    await client.must(201, 'POST', '/v1/dlt/links', { kind: 'dynamic', value: 'https://shop.example.in/t?' });
});
after(() => at.stop?.());

/** @type {Record<string, () => string>} */
const pages = {
    overview: () => '/',
    messages: () => '/messages',
    message: () => `/messages/${at.messages[0]}`,
    'message-devanagari': () => `/messages/${at.messages[1]}`,
    'messages-none': () => '/messages?reference=nothing',
    keys: () => '/api-keys',
    'key-new': () => '/api-keys/new',
    key: () => `/api-keys/${at.workspace.keyId}`,
    webhooks: () => '/webhooks',
    webhook: () => `/webhooks/${at.workspace.endpoint}`,
    delivery: () => `/webhooks/${at.workspace.endpoint}/deliveries/${at.delivery.id}`,
    'webhook-new': () => '/webhooks/new',
    channels: () => '/channels',
    channel: () => `/channels/${at.workspace.channel}`,
    'channel-connect': () => '/channels/connect',
    'sms-sender-new': () => '/channels/connect?kind=sms',
    'sms-operators': () => '/channels/operators',
    'sms-operator-new': () => '/channels/operators/new',
    'sms-routes': () => '/channels/routes',
    'sms-route-new': () => '/channels/routes/new',
    'sms-preview': () => '/channels/preview',
    templates: () => '/templates',
    'template-new': () => '/new-template',
    audit: () => '/audit',
    'audit-entry': () => `/audit/${at.entry}`,
    usage: () => '/usage',
    settings: () => '/settings',
    policy: () => '/policy',
    consent: () => '/consent/ledger',
    'consent-look-up': () => '/consent/look-up',
    suppressions: () => '/consent/suppressions',
    notices: () => '/consent/notices',
    'consent-settings': () => '/consent/settings',
    'consent-record': () => '/consent/record',
    'consent-import': () => '/consent/import',
    'notice-new': () => '/consent/new-notice',
    dnd: () => '/dnd',
    dlt: () => '/dlt',
    'dlt-headers': () => '/dlt/headers',
    'dlt-header': () => `/dlt/headers/${at.dltHeader}`,
    'dlt-templates': () => '/dlt/templates',
    'dlt-template': () => `/dlt/templates/${at.dltTemplate}`,
    'dlt-links': () => '/dlt/links',
    'dlt-try': () => '/dlt/try',
    'dlt-import': () => '/dlt/import',
    reference: () => '/reference?operation=createMessage',
    'not-found': () => '/nowhere/at/all',
    'message-gone': () => '/messages/msg_00000000000000000000000000',
};

/* Two at a time: a page is drawn by a process of its own, and much of its time it waits for the network to be still. */
describe('every page', { concurrency: 2 }, () => {
    for (const [size, viewport] of Object.entries(sizes))
        test(size, { timeout: 900_000 }, async () => {
            const failures = [];
            const { page, faults, close } = await openPage(at.browser, at.url, { size: viewport });
            for (const [name, target] of Object.entries(pages)) {
                await page.goto(`${at.url}${target()}`);
                await settled(page);
                for (const scheme of /** @type {const} */ (['light', 'dark'])) {
                    await page.emulateMedia({ colorScheme: scheme });
                    await page.locator(`html[data-mantine-color-scheme=${scheme}]`).waitFor();
                    await page.screenshot({ path: path.join(shots, `${name}-${size}-${scheme}.png`) });
                    /* In the dark only the colours are others. */
                    failures.push(...(await violations(page, scheme === 'dark' ? ['color-contrast'] : undefined)).map((line) => `${name}, ${scheme}: ${line}`), ...faults.splice(0).map((line) => `${name}: ${line}`));
                }
                const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
                if (overflow > 0)
                    failures.push(`${name}: ${overflow} px wider than the window`);
            }
            await close();
            assert.deepEqual(failures, []);
        });
});

test('an empty workspace says what each page is for', { timeout: 300_000 }, async () => {
    const { page, faults, close } = await openPage(at.browser, at.emptyUrl);
    for (const [name, words] of Object.entries({ '': 'No channel is connected', messages: 'No messages yet', webhooks: 'No webhook endpoints yet', channels: 'No channel is connected', 'channels/operators': 'No SMS operator is connected', 'channels/routes': 'No route yet', 'channels/preview': 'No SMS sender is connected', templates: 'No templates yet', dlt: 'Nothing of DLT is recorded yet' })) {
        await page.goto(`${at.emptyUrl}/${name}`);
        await page.getByRole('heading', { name: words }).waitFor();
        assert.deepEqual(await violations(page), []);
        await page.screenshot({ path: path.join(shots, `${name.replace('/', '-') || 'overview'}-empty-desktop-light.png`) });
    }
    await close();
    assert.deepEqual(faults, []);
});

test('in Hindi, and at 200 %, nothing is cut off', { timeout: 300_000 }, async () => {
    for (const [name, options] of /** @type {[string, any][]} */ ([['hindi', { locale: 'hi' }], ['hindi-phone', { locale: 'hi', size: sizes.phone, scheme: 'dark' }], ['zoomed', { zoom: 2 }]])) {
        const { page, faults, close } = await openPage(at.browser, at.url, options);
        for (const target of ['messages', 'api-keys', 'settings', 'policy', 'channels', 'dlt', 'dnd']) {
            await page.goto(`${at.url}/${target}`);
            await settled(page);
            await page.screenshot({ path: path.join(shots, `${target}-${name}.png`) });
            assert.deepEqual(await violations(page), [], `${target} ${name}`);
            assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), `${target} ${name} fits`);
        }
        if (name.startsWith('hindi'))
            assert.equal(await page.locator('html').getAttribute('lang'), 'hi');
        await close();
        assert.deepEqual(faults, []);
    }
});

test('who may little sees little, and what is not theirs says so', { timeout: 120_000 }, async () => {
    at.session.current = signedIn(['messages:read', 'channels:read']);
    const { page, close } = await openPage(at.browser, at.url);
    await page.goto(`${at.url}/channels`);
    await settled(page);
    assert.deepEqual(await page.locator('.rail-groups a').allInnerTexts(), ['Overview', 'Messages', 'Channels', 'API reference']);
    assert.ok(await page.getByRole('button', { name: 'Connect a number' }).isDisabled());
    await page.route('**/v1/settings/messages', (route) => route.fulfill({ status: 403, contentType: 'application/problem+json', body: JSON.stringify({ type: 'x', title: 'The key lacks the scope.', status: 403, code: 'scope-missing', instance: '/requests/x' }) }));
    await page.goto(`${at.url}/settings`);
    await page.getByRole('heading', { name: 'This is not yours to see' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.screenshot({ path: path.join(shots, 'settings-forbidden-desktop-light.png') });
    await close();
    at.session.current = signedIn();
});

test('a server that fails, and one that is away, are told with what to do', { timeout: 120_000 }, async () => {
    const { page, close } = await openPage(at.browser, at.url);
    let mode = 'fail';
    await page.route('**/v1/webhook-endpoints?*', (route) => (mode === 'fail' ? route.fulfill({ status: 503, headers: { 'x-request-id': 'req_00000000000000000000000000' }, contentType: 'application/problem+json', body: JSON.stringify({ type: 'x', title: 'The service is busy.', status: 503, code: 'busy', instance: '/requests/x' }) }) : mode === 'away' ? route.abort() : route.continue()));
    await page.goto(`${at.url}/webhooks`);
    await page.getByText('The service is busy.').waitFor({ timeout: 60_000 });
    await page.getByText('req_00000000000000000000000000').waitFor();
    await page.screenshot({ path: path.join(shots, 'webhooks-failing-desktop-light.png') });
    mode = 'away';
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('Harkara does not answer').waitFor({ timeout: 60_000 });
    mode = 'well';
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('link', { name: /http:\/\/127/ }).waitFor({ timeout: 60_000 });
    await close();
});

test('who is not signed in comes to the door, and back to where they were', { timeout: 120_000 }, async () => {
    at.session.current = null;
    for (const [size, scheme] of /** @type {const} */ ([['desktop', 'light'], ['phone', 'dark']])) {
        const { page, close } = await openPage(at.browser, at.url, { size: sizes[size], scheme });
        await page.goto(`${at.url}/webhooks?x=1`);
        await page.getByRole('heading', { name: 'Sign in to Harkara' }).waitFor();
        assert.match(page.url(), /\/sign-in\?to=%2Fwebhooks/);
        assert.deepEqual(await violations(page), []);
        await page.screenshot({ path: path.join(shots, `sign-in-${size}-${scheme}.png`) });
        await page.goto(`${at.url}/sign-in?to=${encodeURIComponent('//evil.example')}`);
        await page.getByRole('heading', { name: 'Sign in to Harkara' }).waitFor();
        await close();
    }
    at.session.current = signedIn();
});

test('the first view is under 350 kB', { timeout: 120_000 }, async (t) => {
    const { page, close } = await openPage(at.browser, at.url);
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('Network.enable');
    let bytes = 0;
    devtools.on('Network.loadingFinished', (event) => { bytes += event.encodedDataLength; });
    await page.goto(`${at.url}/messages`);
    await settled(page);
    await page.waitForLoadState('load');
    assert.ok(bytes > 50_000 && bytes < 350_000, `${bytes} bytes over the wire`);
    /* And scripts and styles for who takes gzip only, such as a proxy in between. */
    const urls = await page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => /\/assets\/.*\.(js|css)$/.test(name)));
    const sizes = await Promise.all(urls.map(async (url) => Number((await fetch(url, { headers: { 'accept-encoding': 'gzip' } })).headers.get('content-length'))));
    const gzip = sizes.reduce((sum, size) => sum + size, 0);
    t.diagnostic(`${bytes} bytes over the wire, ${gzip} of scripts and styles by gzip`);
    assert.ok(urls.length > 1 && gzip > 50_000 && gzip < 350_000, `${gzip} bytes by gzip`);
    await close();
});
