// @ts-check
/**
 * Every route of the gateway's route tables, asked by everybody: each built-in role, a role of the workspace's own, who is limited to
 * channels, suspended, gone or in no workspace, keys of one permission and of none, and nobody. What each may is not read from the code:
 * ROUTES below says which permission a route takes, docs/roles.md which role has it, and both are held against what is answered. Then the
 * same walk by pages that are not ours: without Origin, with another's, without the session's token, with a cookie that was tossed in.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Browser, ownerOf, Passkey } from './authenticator.js';
import { Client, contract, PERSON, ROOT, SCOPES, startPlatform, until } from './support.js';

/*
 * A line: method, path, who may, what those are answered who may; and "step-up" when people need a fresh factor. Who may is a permission,
 * "session" (whoever is signed in), "any" (whoever may do anything here, person or key), or "open" (anybody). Asked are: GET and HEAD of what is there; changes of what is there by no
 * means, so that nothing is lost on the way (an id of nothing, with the contract's example as body: 404 tells that the door was open), and
 * where a path has no id, a body with a field that nobody knows (422).
 */
const ROUTES = `
GET    /v1/openapi.json                                  open              200
GET    /callbacks/whatsapp/{channel_id}                  open              422
POST   /callbacks/whatsapp/{channel_id}                  open              404

POST   /v1/session/passkey/options                       open              200
POST   /v1/session/passkey                               open              422
POST   /v1/enrolment/options                             open              422
POST   /v1/enrolment                                     open              422
POST   /v1/enrolment/accept                              session           422  step-up
GET    /v1/session/providers                             open              200
POST   /v1/enrolment/federated                           open              422
POST   /v1/session/federated                             open              422
GET    /v1/session/federated/callback                    open              303
GET    /v1/session                                       session           200
POST   /v1/session/workspace                             session           422
POST   /v1/session/step-up/passkey/options               session           200
POST   /v1/session/step-up/passkey                       session           422
POST   /v1/session/step-up/totp                          session           422
POST   /v1/session/step-up/recovery-code                 session           422

GET    /v1/me                                            session           200
PATCH  /v1/me                                            session           422
POST   /v1/me/email                                     session           422  step-up
POST   /v1/me/email/confirm                             session           422
DELETE /v1/me/email                                     session           404
GET    /v1/me/passkeys                                   session           200
POST   /v1/me/passkeys/options                           session           200  step-up
POST   /v1/me/passkeys                                   session           422  step-up
PATCH  /v1/me/passkeys/{passkey_id}                      session           404
DELETE /v1/me/passkeys/{passkey_id}                      session           404  step-up
GET    /v1/me/totp                                       session           404
POST   /v1/me/totp                                       session           200  step-up
POST   /v1/me/totp/confirm                               session           422  step-up
DELETE /v1/me/totp                                       session           204  step-up
GET    /v1/me/identities                                 session           200
POST   /v1/me/identities                                 session           422  step-up
DELETE /v1/me/identities/{identity_id}                  session           404  step-up
GET    /v1/me/recovery-codes                             session           200
POST   /v1/me/recovery-codes                             session           200  step-up
GET    /v1/me/sessions                                   session           200
DELETE /v1/me/sessions/{session_id}                      session           404
DELETE /v1/me/sessions                                   session           200

POST   /v1/messages                                      messages:send     422
POST   /v1/messages/batch                                messages:send     422
GET    /v1/messages                                      messages:read     200
GET    /v1/messages/export                               messages:export   200
GET    /v1/messages/{message_id}                         messages:read     200
PATCH  /v1/messages/{message_id}                         messages:send     404
POST   /v1/messages/{message_id}/cancel                  messages:send     404
POST   /v1/messages/{message_id}/resend                  messages:send     404
POST   /v1/messages/{message_id}/read                    messages:send     404

POST   /v1/channels                                      channels:manage   422
POST   /v1/embedded-signups                              channels:manage   422
GET    /v1/channels                                      channels:read     200
GET    /v1/channels/{channel_id}                         channels:read     200
PATCH  /v1/channels/{channel_id}                         channels:manage   404
DELETE /v1/channels/{channel_id}                         channels:manage   404
GET    /v1/channels/{channel_id}/windows                 messages:read     200
GET    /v1/channels/{channel_id}/operations              channels:read     200
GET    /v1/operations/{operation_id}                     channels:read     200
GET    /v1/channels/{channel_id}/limits                  channels:read     200
PUT    /v1/channels/{channel_id}/limits                  channels:manage   404
GET    /v1/channels/{channel_id}/number                  channels:read     200
POST   /v1/channels/{channel_id}/number/sync             channels:manage   404
POST   /v1/channels/{channel_id}/number/register         channels:manage   404
POST   /v1/channels/{channel_id}/number/deregister       channels:manage   404
POST   /v1/channels/{channel_id}/number/pin              channels:manage   404
POST   /v1/channels/{channel_id}/number/request-code     channels:manage   404
POST   /v1/channels/{channel_id}/number/verify-code      channels:manage   404
POST   /v1/channels/{channel_id}/number/display-name     channels:manage   404
PATCH  /v1/channels/{channel_id}/number/profile          channels:manage   404

POST   /v1/templates                                     templates:manage  422
GET    /v1/templates                                     templates:read    200
GET    /v1/templates/{template_id}                       templates:read    200
PATCH  /v1/templates/{template_id}                       templates:manage  404
DELETE /v1/templates/{template_id}                       templates:manage  404
POST   /v1/templates/{template_id}/unpause               templates:manage  404
POST   /v1/channels/{channel_id}/templates/sync          templates:manage  404

POST   /v1/media                                         media:write       415
GET    /v1/media/{media_id}                              media:read        200
GET    /v1/media/{media_id}/content                      media:read        200
DELETE /v1/media/{media_id}                              media:write       404

POST   /v1/webhook-endpoints                             webhooks:manage   422
GET    /v1/webhook-endpoints                             webhooks:read     200
GET    /v1/webhook-endpoints/{endpoint_id}               webhooks:read     200
PATCH  /v1/webhook-endpoints/{endpoint_id}               webhooks:manage   404
DELETE /v1/webhook-endpoints/{endpoint_id}               webhooks:manage   404
POST   /v1/webhook-endpoints/{endpoint_id}/rotate-secret webhooks:manage   404
DELETE /v1/webhook-endpoints/{endpoint_id}/previous-keys webhooks:manage   404
POST   /v1/webhook-endpoints/{endpoint_id}/test          webhooks:manage   404
POST   /v1/webhook-endpoints/{endpoint_id}/replay        webhooks:manage   404
GET    /v1/webhook-endpoints/{endpoint_id}/deliveries    webhooks:read     200
GET    /v1/webhook-deliveries/{delivery_id}              webhooks:read     200
POST   /v1/webhook-deliveries/{delivery_id}/replay       webhooks:manage   404
GET    /v1/webhook-replays/{replay_id}                   webhooks:read     200

GET    /v1/consents                                      consents:read     200
POST   /v1/consents                                      consents:manage   422
POST   /v1/consents/lookup                               consents:read     422
POST   /v1/consents/erase                                consents:manage   422
GET    /v1/consents/export                               consents:manage   200
POST   /v1/consents/import                               consents:manage   415
GET    /v1/consents/{consent_id}                         consents:read     200
GET    /v1/consents/{consent_id}/receipt                 consents:read     200
GET    /v1/suppressions                                  consents:read     200
POST   /v1/suppressions                                  consents:manage   422
POST   /v1/suppressions/import                           consents:manage   415
DELETE /v1/suppressions/{suppression_id}                 consents:manage   404
GET    /v1/consent-notices                               consents:read     200
POST   /v1/consent-notices                               consents:manage   422
GET    /v1/consent-notices/{notice_id}                   consents:read     200
GET    /v1/settings/consent                              settings:read     200
PUT    /v1/settings/consent                              settings:manage   422
GET    /v1/settings/messages                             settings:read     200
PUT    /v1/settings/messages                             settings:manage   422
GET    /v1/settings/policy                               settings:read     200
PATCH  /v1/settings/policy                               settings:manage   422
POST   /v1/policy/check                                  messages:send     422
GET    /v1/dnd                                           settings:read     200
POST   /v1/dnd/lookup                                    settings:read     422
GET    /v1/overview                                      any               200
GET    /v1/stream                                        any               200
GET    /v1/usage                                         usage:read        200
GET    /v1/usage/channels                                usage:read        200
GET    /v1/usage/api-keys                                usage:read        200

POST   /v1/api-keys                                      keys:manage       422  step-up
GET    /v1/api-keys                                      keys:manage       200
GET    /v1/api-keys/{key_id}                             keys:manage       200
PATCH  /v1/api-keys/{key_id}                             keys:manage       404  step-up
POST   /v1/api-keys/{key_id}/rotate                      keys:manage       404  step-up
DELETE /v1/api-keys/{key_id}                             keys:manage       404
GET    /v1/api-keys/{key_id}/limits                      keys:manage       200
PUT    /v1/api-keys/{key_id}/limits                      keys:manage       404
PUT    /v1/api-keys/{key_id}/smpp                        keys:manage       404  step-up
GET    /v1/api-keys/{key_id}/smpp                        keys:manage       404
DELETE /v1/api-keys/{key_id}/smpp                        keys:manage       404

GET    /v1/permissions                                   people:read       200
GET    /v1/people                                        people:read       200
GET    /v1/people/{membership_id}                        people:read       200
PATCH  /v1/people/{membership_id}                        people:manage     404  step-up
DELETE /v1/people/{membership_id}                        people:manage     404  step-up
GET    /v1/people/{membership_id}/access                 people:manage     200
GET    /v1/teams                                         people:read       200
POST   /v1/teams                                         people:manage     422
GET    /v1/teams/{team_id}                               people:read       200
PATCH  /v1/teams/{team_id}                               people:manage     404
DELETE /v1/teams/{team_id}                               people:manage     404
PUT    /v1/teams/{team_id}/members/{membership_id}       people:manage     404
DELETE /v1/teams/{team_id}/members/{membership_id}       people:manage     404
GET    /v1/invitations                                   people:read       200
POST   /v1/invitations                                   people:manage     422  step-up
GET    /v1/invitations/{invitation_id}                   people:read       200
POST   /v1/invitations/{invitation_id}/resend            people:manage     404  step-up
POST   /v1/invitations/{invitation_id}/revoke            people:manage     404
GET    /v1/access-reviews                                people:read       200
POST   /v1/access-reviews                                people:manage     422
GET    /v1/access-reviews/{review_id}                    people:read       200
POST   /v1/access-reviews/{review_id}/decisions          people:manage     404  step-up
POST   /v1/access-reviews/{review_id}/close              people:manage     404
GET    /v1/roles                                         people:read       200
GET    /v1/roles/{role_id}                               people:read       200
POST   /v1/roles                                         roles:manage      422  step-up
PATCH  /v1/roles/{role_id}                               roles:manage      404  step-up
DELETE /v1/roles/{role_id}                               roles:manage      404  step-up

POST   /v1/sms/connectors                                channels:manage   422
GET    /v1/sms/connectors                                channels:read     200
GET    /v1/sms/connectors/{connector_id}                 channels:read     200
PATCH  /v1/sms/connectors/{connector_id}                 channels:manage   404
DELETE /v1/sms/connectors/{connector_id}                 channels:manage   404
POST   /v1/sms/routes                                    channels:manage   422
GET    /v1/sms/routes                                    channels:read     200
GET    /v1/sms/routes/{route_id}                         channels:read     200
PATCH  /v1/sms/routes/{route_id}                         channels:manage   404
DELETE /v1/sms/routes/{route_id}                         channels:manage   404
POST   /v1/sms/preview                                   messages:send     422

GET    /v1/dlt                                           dlt:read          200
POST   /v1/dlt/entities                                  dlt:manage        422
PATCH  /v1/dlt/entities/{dlt_entity_id}                  dlt:manage        404
DELETE /v1/dlt/entities/{dlt_entity_id}                  dlt:manage        404
POST   /v1/dlt/chains                                    dlt:manage        422
PATCH  /v1/dlt/chains/{dlt_chain_id}                     dlt:manage        404
DELETE /v1/dlt/chains/{dlt_chain_id}                     dlt:manage        404
GET    /v1/dlt/headers                                   dlt:read          200
POST   /v1/dlt/headers                                   dlt:manage        422
PATCH  /v1/dlt/headers/{dlt_header_id}                   dlt:manage        404
DELETE /v1/dlt/headers/{dlt_header_id}                   dlt:manage        404
GET    /v1/dlt/templates                                 dlt:read          200
POST   /v1/dlt/templates                                 dlt:manage        422
GET    /v1/dlt/templates/{dlt_template_id}               dlt:read          200
PATCH  /v1/dlt/templates/{dlt_template_id}               dlt:manage        404
DELETE /v1/dlt/templates/{dlt_template_id}               dlt:manage        404
GET    /v1/dlt/links                                     dlt:read          200
POST   /v1/dlt/links                                     dlt:manage        422
DELETE /v1/dlt/links/{dlt_link_id}                       dlt:manage        404
POST   /v1/dlt/match                                     dlt:read          422
POST   /v1/dlt/imports                                   dlt:manage        422

GET    /v1/platform                                      platform:read     200
GET    /v1/platform/workspaces                           platform:read     200
GET    /v1/platform/workspaces/{workspace_id}            platform:read     200
POST   /v1/platform/workspaces/{workspace_id}/suspend    platform:manage   404  step-up
POST   /v1/platform/workspaces/{workspace_id}/resume     platform:manage   404  step-up
GET    /v1/platform/audit                                platform:audit    200
GET    /v1/audit                                         audit:read        200
GET    /v1/audit/checkpoints                             audit:read        200
GET    /v1/audit/export                                  audit:export      200
GET    /v1/audit/{entry_id}                              audit:read        200

DELETE /v1/session                                       session           204
`;
/* Where the contract's example asks for more than the line's permission. */
const BODIES = { 'PATCH /v1/api-keys/{key_id}': { name: 'Walked' } };
/* Served on the admin socket or before anybody can be known: no person or key is asked for. */
const ELSEWHERE = ['GET /healthz', 'GET /readyz', 'GET /metrics'];

const routes = ROUTES.split('\n').filter((line) => line !== '').map((line) => {
    const [method, template, who, status, ...more] = line.split(/ +/);
    return { method, template, who, status: Number(status), step: more.includes('step-up'), name: `${method} ${template}` };
});

/** The route tables, as the gateway has them. */
const tables = () => {
    const folder = path.join(ROOT, 'src/program/gateway');
    return readdirSync(folder).filter((name) => /^(routes_\w+|admin)\.c$/.test(name)).flatMap((file) => {
        const source = readFileSync(path.join(folder, file), 'utf8');
        const literal = (text) => (text.startsWith('"') ? text : /** @type {any} */ (new RegExp(`#define ${text}\\s+("[^"]+")`).exec(source))?.[1] ?? '').slice(1, -1);
        return [...source.matchAll(/const struct http_route \w+\[\] = \{(.*?)\n\};/gs)].flatMap(([, rows]) => {
            const found = [...rows.matchAll(/\{\s*HTTP_(\w+),\s*("[^"]+"|\w+),\s*\w+,\s*(?:"\w+"|NULL),\s*HTTP_ACCESS_(\w+)(?:,\s*(?:"([^"]+)"|NULL))?([^}]*)\}/g)].map(([, method, at, access, scope, more]) => ({
                file, name: `${method} ${literal(at)}`, who: scope ?? (access === 'KEY' ? 'any' : access.toLowerCase()), step: /needs_step_up = true/.test(more) }));
            assert.equal(found.length, [...rows.matchAll(/\{\s*HTTP_/g)].length, `every row of ${file} is read`);
            return found;
        });
    });
};

/** Who has what, as docs/roles.md publishes it. @type {Map<string, Set<string>>} */
const published = new Map();
/** Who has what of the platform. @type {Map<string, Set<string>>} */
const platformRoles = new Map();
/** What reaches the whole workspace, and nobody has who is limited. @type {Set<string>} */
const whole = new Set();
{
    const table = (heading) => readFileSync(path.join(ROOT, 'docs/roles.md'), 'utf8').split(`\n## ${heading}\n`)[1].split('\n## ')[0].split('\n').filter((line) => line.startsWith('|'))
        .map((line) => line.slice(1, -1).split('|').map((cell) => cell.trim()));
    const fill = (into, [head, , ...rows]) => head.slice(1, -1).forEach((role, i) => into.set(role, new Set(rows.filter((row) => row[i + 1] === 'x').map(([permission]) => permission.replaceAll('`', '')))));
    fill(published, table('Permissions'));
    fill(platformRoles, table('Roles of the platform'));
    for (const row of table('Permissions'))
        if (row.at(-1) === 'x')
            whole.add(row[0].replaceAll('`', ''));
}

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop, owner, there;
const nothing = '0'.repeat(26);

before(async () => {
    platform = await startPlatform({ env: { HARKARA_RATE_UNAUTHENTICATED: '100000' } });
    shop = await platform.workspace({ endpoint: true });
    const { channel } = shop, key = shop.client;
    owner = await ownerOf(platform, shop.tenant);
    const message = await key.must(202, 'POST', '/v1/messages', key.text(channel));
    await key.follow(message.id, ['read']);
    const entity = await key.must(201, 'POST', '/v1/dlt/entities', { registered_id: '1101', name: 'Walked' });
    const header = await key.must(201, 'POST', '/v1/dlt/headers', { entity_id: entity.id, name: 'WALKED' });
    const chain = await key.must(201, 'POST', '/v1/dlt/chains', { entity_id: entity.id, telemarketers: [{ registered_id: '1302' }] });
    const registered = await key.must(201, 'POST', '/v1/dlt/templates', { entity_id: entity.id, kind: 'content', registered_id: '1107', name: 'Walked', category: 'service', text: 'Walked.' });
    const link = await key.must(201, 'POST', '/v1/dlt/links', { kind: 'number', value: '1800123456' });
    const template = await key.must(202, 'POST', '/v1/templates', { channel_id: channel, name: 'walked', language: 'en', category: 'utility', components: [{ type: 'BODY', text: 'A text.' }] });
    const [delivery] = await until(async () => {
        const { data } = await key.must(200, 'GET', `/v1/webhook-endpoints/${shop.endpoint}/deliveries`);
        return data.length > 0 && data;
    }, 'a delivery');
    const replay = await key.must(202, 'POST', `/v1/webhook-endpoints/${shop.endpoint}/replay`, { since: '2026-01-01T00:00:00Z' });
    const team = await key.must(201, 'POST', '/v1/teams', { name: 'Walkers' });
    const role = await key.must(201, 'POST', '/v1/roles', { name: 'Walker', permissions: ['messages:read', 'usage:read'] });
    const invitation = await key.must(201, 'POST', '/v1/invitations', { email: 'walker@example.org', role: 'agent' });
    const review = await key.must(201, 'POST', '/v1/access-reviews', { due_at: '2099-01-01T00:00:00Z' });
    const { data: operations } = await key.must(200, 'GET', `/v1/channels/${channel}/operations`);
    const { data: entries } = await key.must(200, 'GET', '/v1/audit?limit=1');
    const connector = await key.must(201, 'POST', '/v1/sms/connectors', { name: 'Walked', host: 'smpp.example', tls: true, system_id: 'walked', password: 'se-cret-1' });
    const route = await key.must(201, 'POST', '/v1/sms/routes', { connector_id: connector.id });
    const consent = await key.must(201, 'POST', '/v1/consents', { address: PERSON, channel: 'sms', purpose: 'promotional', state: 'withdrawn' });
    const notice = await key.must(201, 'POST', '/v1/consent-notices', { name: 'walked', language: 'en', text: 'Walked.' });
    const suppression = await key.must(201, 'POST', '/v1/suppressions', { address: PERSON, channel: 'sms', scope: 'promotional' });
    there = { connector_id: connector.id, route_id: route.id, consent_id: consent.id, notice_id: notice.id, suppression_id: suppression.id, dlt_entity_id: entity.id, dlt_header_id: header.id, dlt_chain_id: chain.id, dlt_template_id: registered.id, dlt_link_id: link.id, channel_id: channel, message_id: message.id, template_id: template.id, endpoint_id: shop.endpoint, delivery_id: delivery.id, replay_id: replay.id, team_id: team.id,
        role_id: role.id, invitation_id: invitation.id, review_id: review.id, membership_id: review.items[0].membership_id, operation_id: operations[0].id, key_id: shop.keyId,
        entry_id: entries[0].id, media_id: (await key.upload('text/plain', 'walked')).id, passkey_id: (await owner.page.must(200, 'GET', '/v1/me/passkeys')).data[0].id, identity_id: 'idn_', workspace_id: shop.tenant, session_id: owner.page.session.id };
});
after(() => platform?.stop());

const deref = (value) => (value?.$ref === undefined ? value : deref(value.$ref.slice(2).split('/').reduce((at, part) => at[part], contract)));
const operationOf = ({ method, template }) => contract.paths[template]?.[method.toLowerCase()];

/** What a line asks: target, body and headers. */
function requestOf(route) {
    const operation = operationOf(route), has = route.template.includes('{');
    const ids = (name) => (route.method === 'GET' && route.status === 200 ? there[name] : there[name].replace(/(?<=_).*/, nothing));
    assert.ok([...route.template.matchAll(/\{([^}]+)\}/g)].every(([, name]) => there[name] !== undefined), `${route.name}: make an object for its ids, in before()`);
    const names = (operation?.parameters ?? []).map(deref).filter((parameter) => parameter.in === 'query' && parameter.required).map(({ name }) => name);
    const target = route.template.replace(/\{([^}]+)\}/g, (_, name) => ids(name)) + (names.length === 0 ? '' : `?${new URLSearchParams(names.map((name) => [name, PERSON]))}`);
    const media = deref(operation?.requestBody)?.content?.['application/json'];
    const examples = media === undefined ? [undefined] : Object.values(media.examples ?? { one: { value: media.example ?? deref(media.schema).example } }).map(({ value }) => value);
    return { target, body: media === undefined ? undefined : has ? BODIES[route.name] ?? examples[0] : { 'no-such-field': 1 }, example: examples[0] };
}

/** A person of the workspace. @param {string} role @param {any} [more] */
async function person(role, more = {}) {
    const { link } = await shop.client.must(201, 'POST', '/v1/invitations', { email: `${Math.random().toString(36).slice(2)}@example.org`, role, ...more });
    const page = new Browser(new Client(platform.url, null), owner.page.origin), passkey = new Passkey();
    await page.enrol(link, passkey, `A ${role}`);
    return { page, passkey, name: role };
}
const memberOf = async (page) => (await page.must(200, 'GET', '/v1/session')).workspaces.find(({ id }) => id === shop.tenant).membership_id;

/**
 * Walks all routes as somebody, and gives what was not as it should be: `may` permissions, and what is asked of him before.
 * @param {any} who something with call() @param {{ may?: Iterable<string>, isPerson?: boolean, isFresh?: boolean, staysIn?: boolean, refusal?: [number, string] }} as
 */
async function walk(who, { may = [], isPerson = true, isFresh = true, staysIn = false, refusal = [403, 'scope-missing'] }) {
    const permissions = new Set(may), wrong = [];
    for (const route of routes.filter(({ name }) => !staysIn || name !== 'DELETE /v1/session')) {
        const { target, body } = requestOf(route);
        const answer = await who.call(route.method, target, body, { origin: owner.page.origin });
        const isFree = route.who === 'open' || (route.who === 'session' && isPerson) || (route.who === 'any' && permissions.size !== 0);
        let expected = [route.status, route.status < 400 ? undefined : answer.json?.code];
        if ((route.who === 'session' || route.who.startsWith('platform:')) && !isPerson)
            expected = [401, 'session-needed'];
        else if (!isFree && !permissions.has(route.who))
            expected = refusal;
        else if (route.step && isPerson && !isFresh)
            expected = [403, 'step-up-needed'];
        if (answer.status !== expected[0] || answer.json?.code !== expected[1] && answer.status >= 400)
            wrong.push(`${route.name}: ${answer.status} ${answer.json?.code ?? ''}, not ${expected.join(' ')}`);
    }
    return wrong;
}

describe('the table', () => {
    test('has a line for each route, and each line is right about it', () => {
        const real = tables().filter(({ name }) => !ELSEWHERE.includes(name));
        assert.ok(real.length > 100, 'the route tables were found');
        const missing = real.filter(({ name }) => routes.every((route) => route.name !== name));
        assert.equal(missing.length, 0, `No line in ROUTES of tests/integration/roles_walk.test.js for:\n${missing.map(({ file, name, who, step }) => `    ${name} ${who} STATUS${step ? ' step-up' : ''}   (${file})`).join('\n')}
Add them, each with the STATUS that those are answered who may (see above ROUTES), and say in docs/roles.md what a new permission is for.`);
        for (const { file, name, who, step } of real) {
            const line = /** @type {any} */ (routes.find((route) => route.name === name));
            assert.equal(who, line.who, `${name}: ROUTES says who may, and ${file} says another`);
            assert.equal(step, line.step, `${name}: ROUTES and ${file} differ in whether a fresh factor is needed`);
        }
        for (const { name } of routes)
            assert.ok(real.some((route) => route.name === name), `${name} is in ROUTES, and in no route table`);
        assert.equal(new Set(routes.map(({ name }) => name)).size, routes.length, 'each once');
    });

    test('is what the contract publishes', () => {
        const operations = Object.entries(contract.paths).flatMap(([template, item]) => ['get', 'post', 'patch', 'put', 'delete'].filter((method) => item[method] !== undefined)
            .map((method) => ({ name: `${method.toUpperCase()} ${template}`, ...item[method] })));
        for (const operation of operations) {
            const line = routes.find(({ name }) => name === operation.name);
            assert.ok(line, `${operation.name} is in the contract and has no line in ROUTES`);
            const who = operation['x-scope'] ?? operation['x-access'] ?? 'open';
            assert.equal(who, line.who, operation.name);
            assert.equal(operation['x-step-up'] === true, line.step, operation.name);
        }
    });

    test('names published permissions only, and each of them somewhere', () => {
        const named = new Set(routes.map(({ who }) => who).filter((who) => !['open', 'session', 'any'].includes(who)));
        for (const who of named)
            assert.ok(SCOPES.includes(who) || contract.components.schemas.PlatformPermission.enum.includes(who), who);
        assert.deepEqual(contract.components.schemas.PlatformPermission.enum.filter((permission) => !named.has(permission)), []);
        assert.deepEqual(contract.components.schemas.PlatformRole.properties.role.enum, [...platformRoles.keys()]);
        assert.deepEqual(SCOPES.filter((scope) => !named.has(scope)), ['contact.identity.reveal'], 'what shows more in answers, and opens no route');
    });
});

describe('every route', () => {
    for (const [role, permissions] of published)
        test(`asked by ${role}`, async () => {
            const { page } = role === 'owner' ? await ownerOf(platform, shop.tenant) : await person(role);
            assert.deepEqual([...page.session.permissions].sort(), [...permissions].sort(), 'the session says what the role may');
            assert.deepEqual(await walk(page, { may: permissions }), []);
        });

    for (const [role, permissions] of platformRoles)
        test(`asked by somebody from billing who is ${role} of the platform`, async () => {
            const { page } = await person('billing'), { id } = await page.must(200, 'GET', '/v1/me');
            await platform.harkara.json('person', 'grant', id, '--role', role);
            assert.deepEqual(await page.must(200, 'GET', '/v1/platform'), { role, permissions: [...permissions] });
            assert.deepEqual(await walk(page, { may: [...(published.get('billing') ?? []), ...permissions], staysIn: true }), []);
            await platform.harkara.json('person', 'revoke', id);
            assert.equal((await page.call('GET', '/v1/platform/workspaces')).json.code, 'scope-missing', 'felt with the next request');
        });

    test('asked by a role of the workspace\'s own', async () => {
        const { page } = await person(there.role_id);
        assert.deepEqual(await walk(page, { may: ['messages:read', 'usage:read'] }), []);
    });

    test('asked by an admin who is limited to a channel', async () => {
        const { page } = await person('admin', { scope: 'channels', channels: [shop.channel] });
        const may = [...(published.get('admin') ?? [])].filter((permission) => !whole.has(permission));
        assert.deepEqual([...page.session.permissions].sort(), may.sort());
        /* An operator's account and its routes carry what every sender sends: they are read, and not changed. */
        const whole403 = ['connectors/{connector_id}', 'routes/{route_id}'].flatMap((path) => ['PATCH', 'DELETE'].map((method) => `${method} /v1/sms/${path}: 403 channel-limited, not 404 channel-limited`));
        assert.deepEqual(await walk(page, { may }), whole403);
    });

    test('asked by an admin whose factor is not fresh', async () => {
        const { page } = await person('admin');
        platform.sql(`update harkara.person_session set stepped_up_at = stepped_up_at - interval '1 hour' where person_id = (select person_id from harkara.person_session order by created_at desc, id desc limit 1)`);
        assert.deepEqual(await walk(page, { may: published.get('admin'), isFresh: false }), []);
    });

    test('asked by an admin who is suspended', async () => {
        const { page } = await person('admin');
        await shop.client.must(200, 'PATCH', `/v1/people/${await memberOf(page)}`, { state: 'suspended' });
        assert.deepEqual(await walk(page, {}), []);
    });

    test('asked by an admin who was off-boarded', async () => {
        const { page } = await person('admin');
        await shop.client.must(204, 'DELETE', `/v1/people/${await memberOf(page)}`);
        assert.deepEqual(await walk(page, {}), []);
    });

    test('asked with keys of one permission', async () => {
        for (const scope of SCOPES) {
            const { key } = await shop.client.must(201, 'POST', '/v1/api-keys', { name: scope, scopes: [scope] });
            assert.deepEqual(await walk(new Client(platform.url, key), { may: [scope], isPerson: false }), [], scope);
        }
    });

    test('asked with a key whose only permission is none', async () => {
        const { key } = await shop.client.must(201, 'POST', '/v1/api-keys', { name: 'None', scopes: ['usage:read'] });
        platform.sql(`update harkara.api_key set scopes = '{no:such}' where last_four = '${key.slice(-4)}' and name = 'None'`);
        assert.deepEqual(await walk(new Client(platform.url, key), { isPerson: false }), []);
    });

    test('asked with a key that is no key, and by nobody', async () => {
        assert.deepEqual(await walk(new Client(platform.url, `hk_live_${nothing}_${'0'.repeat(43)}`), { isPerson: false, refusal: [401, 'key-invalid'] }), []);
        assert.deepEqual(await walk(new Client(platform.url, null), { isPerson: false, refusal: [401, 'key-missing'] }), []);
    });
});

describe('an operator of the platform', () => {
    test('suspends a workspace and lets it go on, and both logs tell of it', async () => {
        const other = await platform.workspace({ channel: false }), { page } = await person('agent'), { id } = await page.must(200, 'GET', '/v1/me');
        await platform.harkara.json('person', 'grant', id, '--role', 'operator');
        const at = `/v1/platform/workspaces/${other.tenant}`;
        assert.equal((await page.must(200, 'GET', at)).state, 'active');
        assert.ok((await page.must(200, 'GET', '/v1/platform/workspaces?limit=100')).data.some(({ id }) => id === other.tenant));
        for (let i = 0; i < 2; i++)
            assert.equal((await page.must(200, 'POST', `${at}/suspend`)).state, 'suspended');
        await until(async () => (await other.client.call('GET', '/v1/channels')).json.code === 'workspace-suspended', 'its keys to be refused');
        await shop.client.must(200, 'GET', '/v1/channels');
        assert.equal((await page.must(200, 'POST', `${at}/resume`)).state, 'active');
        await until(async () => (await other.client.call('GET', '/v1/channels')).status === 200, 'its keys to be good again');
        const told = (await other.client.must(200, 'GET', '/v1/audit?action=tenant.*')).data.filter(({ actor }) => actor.kind === 'person');
        assert.deepEqual(told.map(({ action, actor }) => [action, actor.id]), [['tenant.resumed', id], ['tenant.suspended', id], ['tenant.suspended', id]]);
        const [granted] = (await page.must(200, 'GET', '/v1/platform/audit?action=platform_role.granted&limit=1')).data;
        assert.deepEqual([granted.actor.kind, granted.object_id, granted.detail], ['operator', id, { role: 'operator' }]);
        /* Harkara itself is no workspace to be suspended, and one that has ended stays so. */
        const itself = 0x00000000000070008000000000000000n, letters = '0123456789abcdefghjkmnpqrstvwxyz';
        await page.must(404, 'POST', `/v1/platform/workspaces/ten_${[...Array(26).keys()].map((i) => letters[Number(itself >> BigInt(5 * (25 - i)) & 31n)]).join('')}/suspend`);
        await platform.harkara.json('tenant', 'close', other.tenant, '--yes-really');
        assert.equal((await page.call('POST', `${at}/resume`)).json.code, 'state-conflict');
        const listed = await platform.harkara.json('person', 'list', '--platform');
        assert.deepEqual(listed.filter((one) => one.id === id).map(({ platform_role, state }) => [platform_role, state]), [['operator', 'active']]);
        await platform.harkara.json('person', 'revoke', id);
        assert.equal((await platform.harkara.cli('person', 'revoke', id)).code, 67);
        assert.equal((await platform.harkara.cli('person', 'grant', id, '--role', 'owner')).code, 65);
        assert.equal((await platform.harkara.cli('person', 'grant', `usr_${nothing}`, '--role', 'auditor')).code, 67);
    });
});

test('an id of zeros is the id of nothing, wherever a workspace is named', async () => {
    const { page } = await ownerOf(platform, shop.tenant);
    await page.must(404, 'POST', '/v1/session/workspace', { tenant_id: `ten_${nothing}` });
    await page.must(200, 'GET', '/v1/session');
});

describe('every change that a page asks for', () => {
    /** @type {{ page: Browser, passkey: Passkey }} */
    let somebody;
    before(async () => {
        somebody = await ownerOf(platform, shop.tenant);
    });
    const changes = routes.filter(({ method }) => method !== 'GET'), foreign = 'https://elsewhere.example';
    /** What was not refused with this code. @param {(route: any) => Promise<any>} ask */
    const refusals = async (some, status, code, ask) => {
        const wrong = [];
        for (const route of some) {
            const answer = await ask(route);
            if (answer.status !== status || answer.json?.code !== code)
                wrong.push(`${route.name}: ${answer.status} ${answer.json?.code ?? ''}`);
            for (const header of ['access-control-allow-origin', 'access-control-allow-credentials'])
                assert.equal(answer.headers.get(header), null, `${route.name} lets no foreign page read`);
            assert.deepEqual(answer.headers.getSetCookie(), [], `${route.name} gives no cookie`);
        }
        assert.deepEqual(wrong, []);
    };
    const asked = (route, headers) => {
        const { target, body, example } = requestOf(route);
        return somebody.page.call(route.method, target, route.who === 'open' ? example : body, headers);
    };
    const closed = changes.filter(({ who }) => who !== 'open');
    /* What signs somebody in is no less worth to a foreign page; a provider's callback has a signature of its own. */
    const opening = changes.filter(({ who, template }) => who === 'open' && template.startsWith('/v1/'));

    for (const [what, origin] of [['no Origin', undefined], ['the Origin of another', foreign], ['the Origin null', 'null'], ['our host with another port', 'http://localhost:1'], ['our host with another scheme', 'https://localhost']])
        test(`with ${what} is refused`, () => refusals([...closed, ...opening], 403, 'origin-refused', (route) => asked(route, { origin })));

    test('without the session\'s token, with another\'s or with a wrong one is refused', async () => {
        const { page } = await person('agent');
        for (const token of [undefined, page.session.csrf_token, `${somebody.page.session.csrf_token.slice(0, -1)}_`, 'x'])
            await refusals(closed, 403, 'csrf-refused', (route) => asked(route, { 'x-csrf-token': token }));
    });

    test('with a second cookie of the name, or one that is no session, is nobody\'s', async () => {
        const mine = somebody.page.cookies.get('__Host-harkara');
        for (const cookie of [`__Host-harkara=${mine}; __Host-harkara=${'A'.repeat(43)}`, `__Host-harkara=${'A'.repeat(43)}; __Host-harkara=${mine}`, `__Host-harkara=${mine}; __Host-harkara=${mine}`, `__Host-harkara=${'A'.repeat(43)}`, '__Host-harkara='])
            await refusals(closed, 401, 'session-needed', (route) => asked(route, { cookie }));
        /* Names that browsers let others set are not looked at: */
        for (const name of ['harkara', '__host-harkara', '__Secure-harkara', '__Host-harkara '.trimEnd() + 'x'])
            assert.equal((await somebody.page.call('GET', '/v1/session', undefined, { cookie: `${name}=${mine}` })).json.code, 'session-needed', name);
    });

    test('is asked before by a foreign page, and gets no leave', async () => {
        for (const { template, method } of changes) {
            const { target } = requestOf(routes.find((route) => route.template === template && route.method === method));
            const answer = await new Client(platform.url, null).call('OPTIONS', target, undefined, { origin: foreign, 'access-control-request-method': method, 'access-control-request-headers': 'content-type,x-csrf-token' });
            for (const header of ['access-control-allow-origin', 'access-control-allow-credentials', 'access-control-allow-methods', 'access-control-allow-headers'])
                assert.equal(answer.headers.get(header), null, `${method} ${template}: ${header}`);
        }
    });

    test('of which none was done: the session lives, with its token', async () => {
        const { csrf_token, id } = somebody.page.session;
        const now = await somebody.page.must(200, 'GET', '/v1/session');
        assert.deepEqual([now.id, now.csrf_token], [id, csrf_token]);
    });
});
