// @ts-check
/**
 * Who may make more of himself, or of others? Nobody. A person with each built-in role tries it by every way there is: invitations, roles,
 * members, his own membership, teams, reviews, keys, links, and fields that nobody named. What must be refused is worked out here from the
 * permissions that docs/roles.md gives to the roles, and held against the answers; then nothing may have changed.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Browser, ownerOf, Passkey } from './authenticator.js';
import { Client, ROOT, SCOPES, startPlatform, until } from './support.js';

const ROLES = ['owner', 'admin', 'manager', 'developer', 'marketer', 'agent', 'billing', 'auditor'];
/** @type {Record<string, Set<string>>} */
const HAS = Object.fromEntries(ROLES.map((role) => [role, new Set()]));
for (const [, permission, cells] of readFileSync(path.join(ROOT, 'docs/roles.md'), 'utf8').matchAll(/^\| `([a-z_.:]+)` \|((?:[ x]*\|){9})$/gm))
    cells?.split('|').slice(0, 8).forEach((cell, i) => { if (cell.trim() === 'x') HAS[ROLES[i] ?? '']?.add(permission ?? ''); });

/** May somebody with this role hand out that one, or touch who has it? */
const covers = (mine, theirs) => (theirs !== 'owner' || mine === 'owner') && [...(HAS[theirs] ?? [])].every((permission) => HAS[mine]?.has(permission));
const may = (role, permission) => HAS[role]?.has(permission) ?? false;

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop;
/** @type {Browser} */
let owner;
/** @type {Record<string, Browser>} */
const by = {};
/** The member of each role at whom the others try: not the one who tries. @type {Record<string, string>} */
const target = {};
/** @type {Record<string, string>} */
const self = {};

let people = 0;
async function join(role, more = {}) {
    people += 1;
    const { link } = await owner.must(201, 'POST', '/v1/invitations', { email: `p${people}@example.org`, role, ...more });
    const page = new Browser(new Client(platform.url, null), owner.origin);
    await page.enrol(link, new Passkey(), `Person ${people} ${role}`);
    const { workspace } = page.session;
    return { page, id: workspace.membership_id };
}

/** What must stay as it is: members with their roles, limits and states, roles, teams, keys. */
async function everything() {
    const { data: members } = await owner.must(200, 'GET', '/v1/people?limit=100');
    const { data: roles } = await owner.must(200, 'GET', '/v1/roles');
    const { data: teams } = await owner.must(200, 'GET', '/v1/teams');
    const { data: keys } = await owner.must(200, 'GET', '/v1/api-keys?limit=100');
    return {
        members: members.map(({ id, role, scope, channels, state }) => ({ id, role, scope, channels, state })),
        roles: roles.map(({ id, permissions }) => ({ id, permissions })), teams: teams.map(({ id, channels, members: of }) => ({ id, channels, of })),
        keys: keys.map(({ id, scopes, revoked_at, rotated_at }) => ({ id, scopes, revoked_at, rotated_at })),
    };
}

before(async () => {
    assert.equal(HAS.owner?.size, SCOPES.length, 'the table of docs/roles.md was read whole');
    platform = await startPlatform({ env: { HARKARA_STEP_UP_MINUTES: '60' } }); // the whole file is one sitting
    shop = await platform.workspace({ channel: false });
    ({ page: owner } = await ownerOf(platform, shop.slug));
    for (const role of ROLES) {
        const { page, id } = await join(role);
        by[role] = page;
        self[role] = id;
        target[role] = (await join(role)).id;
    }
});
after(() => platform?.stop());

/** The answer to somebody who lacks the permission, or has it and asks for too much. */
function refused(answer, role, permission, what) {
    assert.equal(answer.status, 403, `${what}: ${answer.text}`);
    assert.equal(answer.json.code, may(role, permission) ? 'beyond-own-authority' : 'scope-missing', what);
}

for (const role of ROLES)
    describe(role, () => {
        test('invites to no more than that, and sends no stronger invitation again', async () => {
            for (const to of ROLES) {
                const answer = await by[role].call('POST', '/v1/invitations', { email: `${role}.${to}@example.org`, role: to });
                if (may(role, 'people:manage') && covers(role, to)) {
                    assert.equal(answer.status, 201, `${to}: ${answer.text}`);
                    await owner.must(200, 'POST', `/v1/invitations/${answer.json.id}/revoke`);
                    continue;
                }
                refused(answer, role, 'people:manage', `invites ${to}`);
                const stronger = await owner.must(201, 'POST', '/v1/invitations', { email: `${role}.${to}.again@example.org`, role: to });
                refused(await by[role].call('POST', `/v1/invitations/${stronger.id}/resend`), role, 'people:manage', `sends the invitation of ${to} again`);
                await owner.must(200, 'POST', `/v1/invitations/${stronger.id}/revoke`);
            }
        });

        test('makes no more of itself or of others, and nothing less of who has more', async () => {
            const begun = await everything();
            for (const to of ROLES) {
                if (!covers(role, to) || !may(role, 'people:manage')) {
                    for (const id of [self[role], target.agent, target.billing])
                        refused(await by[role].call('PATCH', `/v1/people/${id}`, { role: to }), role, 'people:manage', `makes ${to} of ${id}`);
                    for (const body of [{ role: 'billing' }, { state: 'suspended' }, { scope: 'teams' }])
                        refused(await by[role].call('PATCH', `/v1/people/${target[to]}`, body), role, 'people:manage', `${JSON.stringify(body)} at ${to}`);
                    refused(await by[role].call('DELETE', `/v1/people/${target[to]}`), role, 'people:manage', `removes ${to}`);
                }
                if (!may(role, 'people:manage'))
                    refused(await by[role].call('GET', `/v1/people/${target[to]}/access`), role, 'people:manage', 'looks at what another has');
            }
            assert.deepEqual(await everything(), begun);
        });

        test('makes no role with more than it has, and changes none that has more', async () => {
            const lacking = SCOPES.filter((permission) => !may(role, permission));
            const strong = await owner.must(201, 'POST', '/v1/roles', { name: `Strong for ${role}`, permissions: ['audit:export', 'keys:manage', 'roles:manage'] });
            const weak = await owner.must(201, 'POST', '/v1/roles', { name: `Weak for ${role}`, permissions: ['messages:read'] });
            const begun = await everything();
            for (const permission of lacking) {
                refused(await by[role].call('POST', '/v1/roles', { name: 'Mine', permissions: [permission] }), role, 'roles:manage', `makes a role with ${permission}`);
                refused(await by[role].call('PATCH', `/v1/roles/${weak.id}`, { permissions: ['messages:read', permission] }), role, 'roles:manage', `gives ${permission} to a role`);
            }
            if (!may(role, 'roles:manage'))
                for (const [method, body] of /** @type {[string, any][]} */ ([['PATCH', { permissions: ['messages:read'] }], ['DELETE', undefined]]))
                    refused(await by[role].call(method, `/v1/roles/${strong.id}`, body), role, 'roles:manage', `${method} of a stronger role`);
            assert.deepEqual(await everything(), begun);
            for (const { id } of [strong, weak])
                await owner.must(204, 'DELETE', `/v1/roles/${id}`);
        });

        test('puts nobody stronger into a team or out of one, and judges nobody stronger', async () => {
            const team = await owner.must(201, 'POST', '/v1/teams', { name: `Team for ${role}` });
            await owner.must(204, 'PUT', `/v1/teams/${team.id}/members/${target.owner}`);
            const { data: [open] } = await owner.must(200, 'GET', '/v1/access-reviews');
            const review = open ?? await owner.must(201, 'POST', '/v1/access-reviews', { due_at: new Date(Date.now() + 86_400_000).toISOString() });
            const begun = await everything();
            for (const to of ROLES.filter((each) => !may(role, 'people:manage') || !covers(role, each))) {
                for (const method of ['PUT', 'DELETE'])
                    refused(await by[role].call(method, `/v1/teams/${team.id}/members/${target[to]}`), role, 'people:manage', `${method} of ${to}`);
                for (const decision of ['confirmed', 'revoked'])
                    refused(await by[role].call('POST', `/v1/access-reviews/${review.id}/decisions`, { membership_id: target[to], decision }), role, 'people:manage', `${decision} of ${to}`);
            }
            if (!may(role, 'people:manage'))
                for (const [method, address, body] of /** @type {[string, string, any][]} */ ([['POST', '/v1/teams', { name: 'Mine' }], ['PATCH', `/v1/teams/${team.id}`, { channels: [] }], ['DELETE', `/v1/teams/${team.id}`, undefined], ['POST', '/v1/access-reviews', { due_at: '2099-01-01T00:00:00Z' }], ['POST', `/v1/access-reviews/${review.id}/close`, undefined]]))
                    refused(await by[role].call(method, address, body), role, 'people:manage', `${method} ${address}`);
            assert.deepEqual(await everything(), begun);
            const { items } = await owner.must(200, 'GET', `/v1/access-reviews/${review.id}`);
            assert.ok(items.every(({ decision }) => decision === null), 'nobody was judged');
            await owner.must(204, 'DELETE', `/v1/teams/${team.id}`);
        });

        test('makes and takes no key with more than it has', async () => {
            const strong = await owner.must(201, 'POST', '/v1/api-keys', { name: `Strong for ${role}`, scopes: SCOPES });
            const begun = await everything();
            for (const scope of SCOPES.filter((each) => !may(role, each)))
                assert.equal((await by[role].call('POST', '/v1/api-keys', { name: 'Mine', scopes: [scope] })).json.code, 'scope-missing', scope);
            if (!covers(role, 'admin')) {
                refused(await by[role].call('POST', `/v1/api-keys/${strong.id}/rotate`, { overlap_s: 3600 }), role, 'keys:manage', 'takes its next secret');
                refused(await by[role].call('PATCH', `/v1/api-keys/${strong.id}`, { expires_at: null }), role, 'keys:manage', 'changes it');
            }
            if (may(role, 'keys:manage') && role !== 'owner') {
                /* By a key one is no owner either, and no more than with one's own hands. */
                const own = await by[role].must(201, 'POST', '/v1/api-keys', { name: 'Own', scopes: [...(HAS[role] ?? [])] });
                const client = new Client(platform.url, own.key);
                assert.equal((await client.call('POST', '/v1/invitations', { email: 'x@example.org', role: 'owner' })).status, 403);
                assert.equal((await client.call('PATCH', `/v1/people/${self[role]}`, { role: 'owner' })).status, 403);
                await owner.must(204, 'DELETE', `/v1/api-keys/${own.id}`);
            }
            await owner.must(204, 'DELETE', `/v1/api-keys/${strong.id}`);
            const without = (all) => ({ ...all, keys: all.keys.filter(({ id }) => begun.keys.some((key) => key.id === id && key.id !== strong.id)) });
            assert.deepEqual(without(await everything()), without(begun));
        });

        test('is not made more by fields that nobody named', async () => {
            const begun = await everything();
            for (const [method, address, body] of /** @type {[string, string, any][]} */ ([
                ['PATCH', '/v1/me', { name: 'Same', role: 'owner' }], ['PATCH', '/v1/me', { is_owner: true }], ['PATCH', '/v1/me', { permissions: SCOPES }],
                ['POST', '/v1/session/workspace', { tenant_id: shop.tenant, role: 'owner' }], ['POST', '/v1/session/workspace', { tenant_id: shop.tenant, permissions: SCOPES }],
                ['PATCH', `/v1/people/${target.billing}`, { role: 'billing', permissions: SCOPES }], ['PATCH', `/v1/people/${target.billing}`, { state: 'active', person_id: by[role].session.person.id }],
                ['PATCH', `/v1/people/${self[role]}`, { is_owner: true }], ['POST', '/v1/invitations', { email: 'm@example.org', role: 'billing', permissions: SCOPES }],
                ['POST', '/v1/invitations', { email: 'm@example.org', role: 'billing', state: 'accepted', accepted_by: by[role].session.person.id }],
                ['POST', '/v1/roles', { name: 'M', permissions: ['usage:read'], is_built_in: true }], ['POST', '/v1/teams', { name: 'M', members: [self[role]] }],
                ['POST', '/v1/access-reviews', { due_at: '2099-01-01T00:00:00Z', state: 'closed' }], ['POST', '/v1/api-keys', { name: 'M', scopes: ['usage:read'], tenant_id: shop.tenant }],
            ])) {
                const answer = await by[role].call(method, address, body);
                assert.ok(answer.status === 422 || answer.status === 403, `${method} ${address} ${JSON.stringify(body)}: ${answer.status} ${answer.text}`);
                if (answer.status === 422)
                    assert.equal(answer.json.code, 'request-invalid');
            }
            assert.deepEqual(await everything(), begun);
            assert.deepEqual(new Set((await by[role].must(200, 'GET', '/v1/session')).permissions), HAS[role]);
        });

        test('is not made more by a link: who is a member already stays what he is', async () => {
            const { link } = await owner.must(201, 'POST', '/v1/invitations', { email: `link.${role}@example.org`, role: 'owner' });
            const answer = await by[role].call('POST', '/v1/enrolment/accept', { token: new URL(link).hash.slice(1) });
            assert.equal(answer.status, 409, answer.text);
            assert.equal((await owner.must(200, 'GET', `/v1/people/${self[role]}`)).role, role);
        });
    });

describe('whoever', () => {
    test('has an own role to manage roles with does not widen it', async () => {
        const role = await owner.must(201, 'POST', '/v1/roles', { name: 'Keeper of roles', permissions: ['people:read', 'people:manage', 'roles:manage', 'messages:read'] });
        const { page, id } = await join(role.id);
        assert.equal((await page.call('PATCH', `/v1/roles/${role.id}`, { permissions: [...role.permissions, 'audit:export'] })).json.code, 'beyond-own-authority');
        assert.equal((await page.call('PATCH', `/v1/people/${id}`, { role: 'manager' })).json.code, 'beyond-own-authority');
        const own = await page.must(201, 'POST', '/v1/roles', { name: 'Reader', permissions: ['messages:read'] });
        await page.must(200, 'PATCH', `/v1/people/${id}`, { role: own.id });
        await until(async () => (await page.call('GET', '/v1/people')).json.code === 'scope-missing', 'less to be felt');
        assert.equal((await page.call('PATCH', `/v1/people/${id}`, { role: role.id })).json.code, 'scope-missing', 'nobody takes back what he has given away');
    });

    test('is limited to channels manages nobody, whatever the role', async () => {
        const { page, id } = await join('admin', { scope: 'channels', channels: [] });
        for (const [method, address, body] of /** @type {[string, string, any][]} */ ([['PATCH', `/v1/people/${id}`, { scope: 'all' }], ['POST', '/v1/invitations', { email: 'l@example.org', role: 'admin' }], ['POST', '/v1/roles', { name: 'L', permissions: ['usage:read'] }], ['POST', '/v1/teams', { name: 'L' }], ['POST', '/v1/api-keys', { name: 'L', scopes: ['messages:read'] }]]))
            assert.equal((await page.call(method, address, body)).json.code, 'scope-missing', `${method} ${address}`);
    });

    test('is made less has less at once, also of what is asked in the same session', async () => {
        const { page, id } = await join('admin');
        await page.must(200, 'GET', '/v1/audit');
        await owner.must(200, 'PATCH', `/v1/people/${id}`, { role: 'agent' });
        await until(async () => (await page.call('GET', '/v1/audit')).json.code === 'scope-missing', 'the smaller role to be felt');
        assert.equal((await page.call('POST', '/v1/invitations', { email: 'late@example.org', role: 'agent' })).json.code, 'scope-missing');
        await owner.must(204, 'DELETE', `/v1/people/${id}`);
        await until(async () => (await page.call('GET', '/v1/messages')).status === 403, 'nothing to be left');
        assert.equal((await page.must(200, 'GET', '/v1/session')).workspace, null);
    });
});
