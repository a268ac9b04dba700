// @ts-check
/**
 * The dashboard in Debian's Chromium, on a real platform. For pages that say nothing of sign-in, a proxy in front of the gateway says
 * who is there, and adds a workspace's key; all else is the gateway's own answer. sign_in.test.js goes in by the door, without it.
 */
import http from 'node:http';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT, startPlatform, until } from '../integration/support.js';

const require = createRequire(path.join(ROOT, 'web/package.json'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const sizes = { desktop: { width: 1440, height: 900 }, tablet: { width: 1024, height: 768 }, phone: { width: 390, height: 844 } };
export const allPermissions = ['messages:send', 'messages:read', 'messages:export', 'channels:read', 'channels:manage', 'templates:read', 'templates:manage', 'webhooks:read', 'webhooks:manage', 'settings:read', 'settings:manage', 'dlt:read', 'dlt:manage', 'keys:manage', 'media:read', 'media:write', 'usage:read', 'audit:read', 'audit:export', 'consents:read', 'consents:manage', 'contact.identity.reveal'];

/** @param {string} url @param {string} key @param {{ current: any }} session null: nobody is signed in */
function startProxy(url, key, session) {
    const { hostname, port } = new URL(url);
    const server = http.createServer((request, response) => {
        if (request.url === '/v1/session') {
            response.writeHead(session.current === null ? 401 : 200, { 'content-type': session.current === null ? 'application/problem+json' : 'application/json' });
            response.end(JSON.stringify(session.current ?? { type: 'about:blank', title: 'You are not signed in.', status: 401, code: 'session-missing', instance: '/requests/x' }));
            return;
        }
        const onward = http.request({ hostname, port, path: request.url, method: request.method, headers: { ...request.headers, ...(request.url?.startsWith('/v1/') && request.headers.authorization === undefined ? { authorization: `Bearer ${key}` } : {}) } }, (answer) => {
            response.writeHead(answer.statusCode ?? 502, answer.headers);
            answer.pipe(response);
        });
        onward.on('error', () => response.destroy());
        response.on('close', () => onward.destroy()); /* a page that is left takes its stream along */
        request.pipe(onward);
    });
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** A workspace in which something has happened: messages out and in, one that failed, webhooks, a template. @param {{ env?: Record<string, string> }} [options] */
export async function startDashboard(options = {}) {
    const platform = await startPlatform(options);
    const workspace = await platform.workspace({ endpoint: true });
    const { client, channel } = workspace;
    await client.promotes();
    const empty = await platform.workspace({ channel: false });
    const bodies = ['Your order A-1042 has shipped and arrives on Friday.', 'आपका ऑर्डर भेज दिया गया है। कल शाम तक पहुँच जाएगा।', 'Your code is 482913.', 'We have new plants for autumn, come and see them.'];
    const made = [];
    for (const [i, body] of bodies.entries())
        made.push((await client.must(202, 'POST', '/v1/messages', { channel_id: channel, to: `+1415555012${i}`, category: ['transactional', 'service', 'otp', 'promotional'][i], reference: `order-${1042 + i}`, tags: ['demo'], content: { type: 'text', text: { body } } })).id);
    const held = (await client.must(202, 'POST', '/v1/messages', { channel_id: channel, to: '+14155550199', send_at: new Date(Date.now() + 3_600_000).toISOString(), content: { type: 'text', text: { body: 'Tomorrow we open at nine.' } } })).id;
    for (const id of made)
        await client.follow(id, ['delivered', 'read']);
    await client.must(201, 'POST', '/v1/api-keys', { name: 'A program with a very long name that somebody thought would explain everything about it, for good', scopes: ['messages:send'], allowed_cidrs: ['203.0.113.0/24', '2001:db8::/32'] });
    const template = await client.must(202, 'POST', '/v1/templates', { channel_id: channel, name: 'order_sent', language: 'en', category: 'utility', components: [{ type: 'BODY', text: 'Your order {{1}} is on its way.', example: { body_text: [['A-1042']] } }] }).catch(() => null);
    const entry = (await client.must(200, 'GET', '/v1/audit?action=api_key.created')).data[0].id;
    const session = { current: /** @type {any} */ (null) };
    workspaceId = workspace.tenant; /* what checkpoints are signed for */
    session.current = signedIn();
    const proxy = await startProxy(platform.url, workspace.key, session);
    const proxyOfEmpty = await startProxy(platform.url, empty.key, session);
    const others = /** @type {any[]} */ ([]);
    const address = (server) => `http://127.0.0.1:${server.address().port}`;
    const delivery = await until(async () => (await client.must(200, 'GET', `/v1/webhook-endpoints/${workspace.endpoint}/deliveries`)).data.find((each) => each.state === 'delivered'), 'a delivery');
    const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--force-color-profile=srgb'] });
    return {
        platform, workspace, session, browser, messages: made, held, entry, template, delivery, url: address(proxy), emptyUrl: address(proxyOfEmpty),
        /** The same workspace, by a key of its own. @param {string} key */
        async urlFor(key) {
            const server = await startProxy(platform.url, key, session);
            others.push(server);
            return address(server);
        },
        async stop() {
            await browser.close();
            for (const server of [proxy, proxyOfEmpty, ...others]) {
                server.closeAllConnections();
                server.close();
            }
            await platform.stop();
        },
    };
}

let workspaceId = 'ten_00000000000000000000000000';
export function signedIn(permissions = allPermissions) {
    const workspace = { id: workspaceId, name: 'Meadow Plants', slug: 'meadow', role: 'owner', membership_id: 'mbr_00000000000000000000000000' };
    return { person: { id: 'usr_00000000000000000000000000', name: 'Asha Menon', email: 'asha@example.org' }, workspace, workspaces: [workspace, { ...workspace, id: 'ten_00000000000000000000000001', name: 'हरित उद्यान', slug: 'harit', role: 'auditor' }], permissions, csrf_token: 'x' };
}

/** A page that fails the test when the policy refuses something, a script throws, or anything is asked of another origin. */
export async function openPage(browser, url, { size = sizes.desktop, scheme = 'light', locale = 'en', zoom = 1 } = {}) {
    const context = await browser.newContext({ viewport: { width: Math.round(size.width / zoom), height: Math.round(size.height / zoom) }, deviceScaleFactor: zoom, colorScheme: scheme, reducedMotion: 'reduce', locale: 'en-IN', timezoneId: 'Asia/Kolkata' });
    await context.addInitScript(`if (location.origin !== 'null') localStorage.setItem('harkara-locale', ${JSON.stringify(locale)})`);
    context.setDefaultTimeout(90_000); // as `until`: it only ends a wait for what never comes
    const page = await context.newPage();
    const faults = [];
    page.on('pageerror', (error) => faults.push(`threw: ${error.message}`));
    page.on('console', (message) => { if (message.type() === 'error' && !/status of 40[134]|status of 50\d|ERR_/.test(message.text())) faults.push(message.text()); });
    page.on('request', (request) => { if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) faults.push(`another origin: ${request.url()}`); });
    return { page, faults, close: () => context.close() };
}

/** When nothing is being fetched and no skeleton is left. */
export async function settled(page) {
    await page.waitForSelector('h1, h2', { timeout: 60_000 });
    await page.waitForFunction(() => document.querySelector('[role=status] .mantine-Skeleton-root, .mantine-Skeleton-root') === null, undefined, { timeout: 60_000 });
    await page.evaluate(() => document.fonts.ready);
}

/** What axe finds against WCAG 2.2 AA, as lines to read, and nothing worked out of what is right; `rules`: by these alone. @param {any} page @param {string[]} [rules] @returns {Promise<string[]>} */
export async function violations(page, rules) {
    await page.evaluate(axe);
    const result = await page.evaluate((/** @type {string[]} */ only) => /** @type {any} */ (globalThis).axe.run(document, { runOnly: only, resultTypes: ['violations'], selectors: false }), rules ?? ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']);
    return result.violations.map((violation) => `${violation.id}: ${violation.help}: ${violation.nodes.slice(0, 2).map((node) => `${node.html.slice(0, 160)} ${node.any.concat(node.all).map((each) => each.message).join('; ').slice(0, 220)}`).join(' | ')}`);
}
