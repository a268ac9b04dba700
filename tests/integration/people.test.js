// @ts-check
/** People, roles, teams, invitations and reviews by the API; what keys may see and change of themselves. Members are put into the database: signing in is another test's. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { Browser, Passkey } from './authenticator.js';
import { Client, PERSON, SCOPES, startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop, other;
before(async () => {
    platform = await startPlatform();
    shop = await platform.workspace();
    other = await platform.workspace();
});
after(() => platform?.stop());

const key = async (scopes, more = {}) => {
    const made = await shop.client.must(201, 'POST', '/v1/api-keys', { name: 'A key', scopes, ...more });
    return Object.assign(new Client(platform.url, made.key), { id: made.id, secret: made.key });
};
const tenantOf = (slug) => platform.sql(`select tenant_id from harkara.tenant where slug = '${slug}'`);
/** A UUIDv7 as our ids are, so that the API shows it. */
const uuid = () => {
    const time = Date.now().toString(16).padStart(12, '0'), rest = randomUUID().slice(15);
    return `${time.slice(0, 8)}-${time.slice(8)}-7${rest}`;
};
/** Puts somebody into the workspace, and gives the member as the API shows it. */
const member = async (role, workspace = shop) => {
    const person = uuid();
    platform.sql(`insert into harkara.membership (tenant_id, id, person_id, role, scope, joined_at) values ('${tenantOf(workspace.slug)}', '${uuid()}', '${person}', '${role}', 'all', now())`);
    const { data } = await workspace.client.must(200, 'GET', '/v1/people?limit=1');
    return { ...data[0], person };
};

describe('numbers', () => {
    test('are shown in full to whoever may see them, and that is written down', async () => {
        const sent = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel));
        const blind = await key(['messages:send', 'messages:read', 'messages:export']);
        await shop.client.follow(sent.id, ['sent', 'delivered', 'read']);
        const digits = PERSON.slice(-4);
        const masked = await blind.must(200, 'GET', `/v1/messages/${sent.id}`);
        assert.equal(masked.to, `****${digits}`);
        const list = JSON.stringify(await blind.must(200, 'GET', `/v1/messages?to=${encodeURIComponent(PERSON)}`));
        assert.ok(list.includes(sent.id) && list.includes(`****${digits}`));
        const echoed = await blind.must(202, 'POST', '/v1/messages', blind.text(shop.channel));
        assert.equal(echoed.to, `****${digits}`);
        for (const text of [JSON.stringify(masked), list, JSON.stringify(echoed), (await blind.call('GET', '/v1/messages/export?content=true')).text])
            for (const number of [PERSON.slice(1), Buffer.from(PERSON.slice(1)).toString('base64').slice(0, 8)])
                assert.ok(!text.includes(number), number);
        const entries = () => Number(platform.sql(`select count(*) from harkara.audit_entry where action = 'contact.identity_revealed' and object_id = (select id from harkara.message where tenant_id = '${tenantOf(shop.slug)}' order by id limit 1)`));
        const before = entries();
        assert.equal((await shop.client.must(200, 'GET', `/v1/messages/${sent.id}`)).to, PERSON);
        assert.equal(entries(), before + 1);
        await blind.must(200, 'GET', `/v1/messages/${sent.id}`);
        const again = await shop.client.must(200, 'GET', '/v1/messages?reveal=false');
        assert.ok(again.data.every(({ to }) => to === undefined || to.startsWith('****')), 'who looks again may do without numbers');
        assert.equal(entries(), before + 1, 'nothing was revealed');
        assert.equal((await shop.client.must(200, 'GET', '/v1/messages?reveal=true')).data[0].to, PERSON);
    });
});

describe('roles', () => {
    test('built-in ones are there, own ones are made, changed and deleted', async () => {
        const { data } = await shop.client.must(200, 'GET', '/v1/roles');
        assert.deepEqual(data.slice(0, 8).map(({ id }) => id), ['owner', 'admin', 'manager', 'developer', 'marketer', 'agent', 'billing', 'auditor']);
        assert.deepEqual(data[0].permissions, SCOPES);
        const role = await shop.client.must(201, 'POST', '/v1/roles', { name: 'Night desk', permissions: ['messages:read', 'channels:read'] });
        assert.equal((await shop.client.must(200, 'GET', '/v1/roles/agent')).is_built_in, true);
        const again = await shop.client.call('POST', '/v1/roles', { name: 'Night desk', permissions: ['messages:read'] });
        assert.equal(again.json.errors[0].pointer, '/name');
        assert.equal((await shop.client.call('POST', '/v1/roles', { name: 'OWNER', permissions: ['messages:read'] })).status, 409, 'no name that deceives');
        const changed = await shop.client.must(200, 'PATCH', `/v1/roles/${role.id}`, { permissions: ['messages:read'] });
        assert.deepEqual(changed.permissions, ['messages:read']);
        assert.equal(changed.name, 'Night desk');
        const somebody = await member('agent');
        await shop.client.must(200, 'PATCH', `/v1/people/${somebody.id}`, { role: role.id });
        assert.equal((await shop.client.call('DELETE', `/v1/roles/${role.id}`)).json.code, 'role-in-use');
        await shop.client.must(204, 'DELETE', `/v1/people/${somebody.id}`);
        await shop.client.must(204, 'DELETE', `/v1/roles/${role.id}`);
        await shop.client.must(404, 'GET', `/v1/roles/${role.id}`);
    });

    test('whoever has the permissions of a role cannot make, change or hand out more', async () => {
        const { data } = await shop.client.must(200, 'GET', '/v1/roles');
        for (const { id, permissions } of data.filter(({ is_built_in }) => is_built_in)) {
            const own = permissions.filter((permission) => permission !== 'contact.identity.reveal' || id !== 'owner');
            const client = await key([...new Set([...own, 'people:read', 'people:manage', 'roles:manage', 'keys:manage'])]);
            const has = new Set([...own, 'people:read', 'people:manage', 'roles:manage', 'keys:manage']);
            for (const target of data.filter(({ is_built_in }) => is_built_in)) {
                const may = target.id !== 'owner' && target.permissions.every((permission) => has.has(permission));
                const answer = await client.call('POST', '/v1/invitations', { email: `${id}.${target.id}@example.org`, role: target.id });
                assert.equal(answer.status, may ? 201 : 403, `${id} invites ${target.id}: ${answer.text}`);
                if (!may)
                    assert.equal(answer.json.code, 'beyond-own-authority');
            }
            const lacking = SCOPES.find((scope) => !has.has(scope));
            if (lacking === undefined)
                continue;
            assert.equal((await client.call('POST', '/v1/roles', { name: `More than ${id}`, permissions: [lacking] })).json.code, 'beyond-own-authority');
            assert.equal((await client.call('POST', '/v1/api-keys', { name: 'More', scopes: [lacking] })).json.code, 'scope-missing');
            const strong = await member('owner');
            assert.equal((await client.call('PATCH', `/v1/people/${strong.id}`, { state: 'suspended' })).json.code, 'beyond-own-authority');
            assert.equal((await client.call('DELETE', `/v1/people/${strong.id}`)).json.code, 'beyond-own-authority');
            const weak = await member('billing');
            if (data.find((role) => role.id === 'billing').permissions.every((permission) => has.has(permission)))
                assert.equal((await client.call('PATCH', `/v1/people/${weak.id}`, { role: 'owner' })).json.code, 'beyond-own-authority');
        }
    });

    test('fields that nobody named are refused', async () => {
        const somebody = await member('agent');
        for (const [method, target, body] of /** @type {[string, string, any][]} */ ([['PATCH', `/v1/people/${somebody.id}`, { role: 'agent', person_id: 'usr_00000000000000000000000000' }], ['PATCH', `/v1/people/${somebody.id}`, { state: 'left' }],
            ['POST', '/v1/roles', { name: 'x', permissions: ['messages:read'], is_built_in: true }], ['POST', '/v1/invitations', { email: 'a@example.org', role: 'agent', state: 'accepted' }], ['POST', '/v1/teams', { name: 'x', members: [somebody.id] }]])) {
            const answer = await shop.client.call(method, target, body);
            assert.equal(answer.status, 422, `${method} ${target}: ${answer.text}`);
            assert.equal(answer.json.code, 'request-invalid');
        }
    });
});

describe('a member', () => {
    test('is limited to channels and teams, and another workspace\'s are none', async () => {
        const somebody = await member('agent');
        const limited = await shop.client.must(200, 'PATCH', `/v1/people/${somebody.id}`, { scope: 'channels', channels: [shop.channel] });
        assert.deepEqual(limited.channels, [shop.channel]);
        assert.equal((await shop.client.call('PATCH', `/v1/people/${somebody.id}`, { scope: 'channels', channels: [other.channel] })).json.errors[0].pointer, '/channels');
        assert.equal((await shop.client.call('PATCH', `/v1/people/${somebody.id}`, { scope: 'all', channels: [shop.channel] })).status, 422);
        const team = await shop.client.must(201, 'POST', '/v1/teams', { name: 'North', channels: [shop.channel] });
        for (let i = 0; i < 2; i++)
            await shop.client.must(204, 'PUT', `/v1/teams/${team.id}/members/${somebody.id}`);
        assert.deepEqual((await shop.client.must(200, 'GET', `/v1/teams/${team.id}`)).members, [somebody.id]);
        assert.deepEqual((await shop.client.must(200, 'PATCH', `/v1/people/${somebody.id}`, { scope: 'teams' })).teams, [team.id]);
        const theirs = await member('agent', other);
        await shop.client.must(404, 'PUT', `/v1/teams/${team.id}/members/${theirs.id}`);
        await shop.client.must(404, 'GET', `/v1/people/${theirs.id}`);
        await shop.client.must(204, 'DELETE', `/v1/teams/${team.id}/members/${somebody.id}`);
        await shop.client.must(204, 'DELETE', `/v1/teams/${team.id}`);
    });

    test('who is off-boarded leaves no key, no team place and no invitation', async () => {
        const somebody = await member('developer'), tenant = tenantOf(shop.slug);
        const first = await key(['keys:manage', 'messages:read']);
        platform.sql(`update harkara.api_key set created_by_kind = 'person', created_by = '${somebody.person}' where tenant_id = '${tenant}' and last_four = '${first.secret.slice(-4)}'`);
        const second = new Client(platform.url, (await first.must(201, 'POST', '/v1/api-keys', { name: 'Made by it', scopes: ['messages:read'] })).key);
        const team = await shop.client.must(201, 'POST', '/v1/teams', { name: 'Leaving' });
        await shop.client.must(204, 'PUT', `/v1/teams/${team.id}/members/${somebody.id}`);
        const invited = await shop.client.must(201, 'POST', '/v1/invitations', { email: 'by@example.org', role: 'agent' });
        platform.sql(`update harkara.invitation set invited_by_kind = 'person', invited_by = '${somebody.person}' where tenant_id = '${tenant}' and state = 'pending' and created_at = (select max(created_at) from harkara.invitation where tenant_id = '${tenant}')`);
        /* A key of theirs may invite too: what it sent is theirs. */
        const byKey = await shop.client.must(201, 'POST', '/v1/invitations', { email: 'by.key@example.org', role: 'agent' });
        platform.sql(`update harkara.invitation set invited_by = (select id from harkara.api_key where tenant_id = '${tenant}' and last_four = '${first.secret.slice(-4)}') where tenant_id = '${tenant}' and state = 'pending' and created_at = (select max(created_at) from harkara.invitation where tenant_id = '${tenant}')`);
        const review = await shop.client.must(201, 'POST', '/v1/access-reviews', { due_at: new Date(Date.now() + 86_400_000).toISOString() });
        assert.equal((await shop.client.must(200, 'GET', `/v1/people/${somebody.id}`)).api_keys, 1);
        const before = await shop.client.must(200, 'GET', `/v1/people/${somebody.id}/access`);
        assert.deepEqual([before.invitations, before.sessions, before.passkeys, before.has_authenticator_app], [2, 0, 0, false]);
        assert.deepEqual(before.api_keys.map(({ name, is_made_by_key }) => [name, is_made_by_key]), [['Made by it', true], ['A key', false]]);
        await other.client.must(404, 'GET', `/v1/people/${somebody.id}/access`);
        for (let i = 0; i < 2; i++)
            await shop.client.must(204, 'DELETE', `/v1/people/${somebody.id}`);
        const left = await shop.client.must(200, 'GET', `/v1/people/${somebody.id}`);
        assert.deepEqual([left.state, left.teams, left.api_keys], ['left', [], 0]);
        for (const { id } of [invited, byKey])
            assert.equal((await shop.client.must(200, 'GET', `/v1/invitations/${id}`)).state, 'revoked');
        const after = await shop.client.must(200, 'GET', `/v1/people/${somebody.id}/access`);
        assert.deepEqual([after.api_keys, after.invitations, after.sessions], [[], 0, 0]);
        const judged = (await shop.client.must(200, 'GET', `/v1/access-reviews/${review.id}`)).items.find(({ membership_id }) => membership_id === somebody.id);
        assert.deepEqual([judged.state, judged.decision, judged.decided_by.kind], ['left', 'revoked', 'key'], 'nobody has to judge who has left');
        assert.equal((await shop.client.call('POST', `/v1/access-reviews/${review.id}/decisions`, { membership_id: somebody.id, decision: 'confirmed' })).json.code, 'state-conflict');
        platform.sql(`delete from harkara.access_review_item where tenant_id = '${tenant}'; delete from harkara.access_review where tenant_id = '${tenant}'`);
        for (const client of [first, second])
            await until(async () => (await client.call('GET', '/v1/messages')).json.code === 'key-revoked', 'the key to end');
        assert.equal((await shop.client.call('PATCH', `/v1/people/${somebody.id}`, { state: 'active' })).json.code, 'state-conflict');
        assert.ok((await shop.client.must(200, 'GET', '/v1/people')).data.every(({ id }) => id !== somebody.id));
    });
});

describe('an invitation', () => {
    test('has a link once, another one when it is sent again, and ends', async () => {
        const made = await shop.client.must(201, 'POST', '/v1/invitations', { email: 'Ana@Example.org', role: 'agent' });
        assert.match(made.link, /\/enrol#[\w-]{43}$/);
        assert.equal(made.state, 'pending');
        const read = await shop.client.must(200, 'GET', `/v1/invitations/${made.id}`);
        assert.equal(read.link, undefined);
        assert.ok(Math.abs(Date.parse(read.expires_at) - Date.parse(read.created_at) - 48 * 3_600_000) < 1000);
        const clash = await shop.client.call('POST', '/v1/invitations', { email: 'ana@example.org', role: 'agent' });
        assert.equal(clash.status, 409);
        assert.equal(clash.json.errors[0].pointer, '/email');
        platform.sql(`update harkara.invitation set expires_at = now() where state = 'pending' and tenant_id = '${tenantOf(shop.slug)}'`);
        assert.equal((await shop.client.must(200, 'GET', `/v1/invitations/${made.id}`)).state, 'expired');
        const again = await shop.client.must(200, 'POST', `/v1/invitations/${made.id}/resend`);
        assert.notEqual(again.link, made.link);
        assert.deepEqual([again.state, again.sent_count], ['pending', 2]);
        for (let i = 0; i < 2; i++)
            assert.equal((await shop.client.must(200, 'POST', `/v1/invitations/${made.id}/revoke`)).state, 'revoked');
        assert.equal((await shop.client.call('POST', `/v1/invitations/${made.id}/resend`)).json.code, 'state-conflict');
        const secret = made.link.split('#')[1];
        assert.equal(platform.sql(`select count(*) from harkara.invitation i where i::text like '%${secret.slice(0, 20)}%' or i::text like '%example.org%'`), '0');
    });

    test('makes whoever opens it a member with that role, once, within its channels', async () => {
        const made = await other.client.must(201, 'POST', '/v1/invitations', { email: 'new@example.org', role: 'agent', scope: 'channels', channels: [other.channel] });
        const page = new Browser(new Client(platform.url, null), `http://localhost:${new URL(platform.url).port}`);
        assert.equal(new URL(made.link).origin, page.origin, 'it opens where passkeys are made');
        const session = await page.enrol(made.link, new Passkey('ES256'), 'New Agent');
        assert.ok(session.permissions.includes('messages:send') && !session.permissions.includes('contact.identity.reveal'));
        assert.equal((await other.client.must(200, 'GET', `/v1/invitations/${made.id}`)).state, 'accepted');
        const { data } = await other.client.must(200, 'GET', '/v1/people');
        const agent = data.find(({ name }) => name === 'New Agent');
        assert.deepEqual([agent.role, agent.channels], ['agent', [other.channel]]);
        await page.must(200, 'GET', `/v1/channels/${other.channel}`);
        assert.equal((await page.call('GET', '/v1/people')).json.code, 'scope-missing');
        assert.equal((await new Browser(new Client(platform.url, null), page.origin).call('POST', '/v1/enrolment/options', { token: made.link.split('#')[1] })).json.code, 'link-invalid');
        await other.client.must(204, 'DELETE', `/v1/people/${agent.id}`);
        await until(async () => (await page.call('GET', `/v1/channels/${other.channel}`)).status !== 200, 'the session to end here');
    });
});

describe('an access review', () => {
    test('lists who has what, takes decisions, and comes again', async () => {
        const keeps = await member('agent'), goes = await member('marketer');
        const review = await shop.client.must(201, 'POST', '/v1/access-reviews', { due_at: new Date(Date.now() + 86_400_000).toISOString(), every_days: 90 });
        assert.equal((await shop.client.call('POST', '/v1/access-reviews', { due_at: new Date(Date.now() + 86_400_000).toISOString() })).status, 409, 'one at a time');
        assert.ok(review.items.find(({ membership_id }) => membership_id === keeps.id).permissions.includes('messages:send'));
        assert.equal((await shop.client.call('POST', `/v1/access-reviews/${review.id}/close`)).json.code, 'state-conflict');
        await shop.client.must(200, 'POST', `/v1/access-reviews/${review.id}/decisions`, { membership_id: goes.id, decision: 'revoked' });
        assert.equal((await shop.client.must(200, 'GET', `/v1/people/${goes.id}`)).state, 'left');
        /* Owners are beyond what a key may judge. */
        const owner = review.items.find(({ role_name }) => role_name === 'owner');
        assert.equal((await shop.client.call('POST', `/v1/access-reviews/${review.id}/decisions`, { membership_id: owner.membership_id, decision: 'confirmed' })).json.code, 'beyond-own-authority');
        platform.sql(`delete from harkara.access_review_item where role_name = 'owner'`);
        for (const { membership_id, role_name } of review.items)
            if (membership_id !== goes.id && role_name !== 'owner')
                await shop.client.must(200, 'POST', `/v1/access-reviews/${review.id}/decisions`, { membership_id, decision: 'confirmed' });
        const closed = await shop.client.must(200, 'POST', `/v1/access-reviews/${review.id}/close`);
        assert.equal(closed.state, 'closed');
        const { data } = await shop.client.must(200, 'GET', '/v1/access-reviews');
        assert.deepEqual(data.map(({ state }) => state), ['open', 'closed']);
        assert.equal(data[0].every_days, 90);
    });
});

describe('a key', () => {
    test('gets another secret while the one before is good for a while', async () => {
        const old = await key(['messages:read', 'keys:manage']);
        const rotated = await shop.client.must(200, 'POST', `/v1/api-keys/${old.id}/rotate`, { overlap_s: 3600 });
        assert.equal(rotated.id, old.id);
        assert.notEqual(rotated.key, old.secret);
        const next = new Client(platform.url, rotated.key);
        for (const client of [next, old])
            await until(async () => (await client.call('GET', '/v1/messages')).status === 200, 'both secrets to be good');
        platform.sql(`update harkara.api_key set previous_until = now() where previous_until is not null`); /* its hour, without the wait */
        await until(async () => (await old.call('GET', '/v1/messages')).json.code === 'key-invalid', 'the old secret to end');
        await next.must(200, 'GET', '/v1/messages');
        const last = await shop.client.must(200, 'POST', `/v1/api-keys/${old.id}/rotate`, { overlap_s: 0 });
        await until(async () => (await next.call('GET', '/v1/messages')).json.code === 'key-invalid', 'a secret without an overlap to end');
        await new Client(platform.url, last.key).must(200, 'GET', '/v1/messages');
    });

    test('is changed within what the one who asks has', async () => {
        const strong = await key(['messages:read', 'messages:send']), weak = await key(['keys:manage', 'messages:read']);
        assert.equal((await weak.call('PATCH', `/v1/api-keys/${strong.id}`, { name: 'Mine' })).json.code, 'beyond-own-authority');
        assert.equal((await weak.call('POST', `/v1/api-keys/${strong.id}/rotate`, {})).json.code, 'beyond-own-authority', 'its secret would be more than it has');
        const target = await key(['messages:read']);
        assert.equal((await weak.call('PATCH', `/v1/api-keys/${target.id}`, { scopes: ['messages:send'] })).json.code, 'scope-missing');
        const changed = await weak.must(200, 'PATCH', `/v1/api-keys/${target.id}`, { name: 'Renamed', allowed_cidrs: ['203.0.113.0/24'], expires_at: '2099-01-01T00:00:00Z' });
        assert.deepEqual([changed.name, changed.allowed_cidrs, changed.scopes], ['Renamed', ['203.0.113.0/24'], ['messages:read']]);
        await until(async () => (await target.call('GET', '/v1/messages')).json.code === 'address-not-allowed', 'the list of networks to hold');
        assert.equal((await weak.must(200, 'PATCH', `/v1/api-keys/${target.id}`, { expires_at: null })).expires_at, null);
        assert.equal(changed.created_by.kind, 'key');
        await shop.client.must(204, 'DELETE', `/v1/api-keys/${target.id}`);
        assert.equal((await weak.call('PATCH', `/v1/api-keys/${target.id}`, { name: 'x' })).json.code, 'state-conflict');
    });
});
