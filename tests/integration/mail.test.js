// @ts-check
/** E-mail addresses of people: asked for, confirmed by a link, and what must not work with one. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Browser, Passkey } from './authenticator.js';
import { Client, startPlatform } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let origin = '', people = 0;
/** A person of a workspace of its own, signed in. */
async function owner(name = 'Asha') {
    people += 1;
    const tenant = await platform.harkara.json('tenant', 'create', '--name', 'Somebody', '--slug', `somebody-${people}`);
    const passkey = new Passkey(), page = new Browser(new Client(platform.url, null), origin);
    await page.enrol(tenant.enrolment_url, passkey, name);
    return { tenant: tenant.id, slug: `somebody-${people}`, page, passkey };
}
const tokenOf = (link) => new URL(link).hash.slice(1);
const forget = () => platform.sql('delete from harkara.throttle');
const actions = (slug) => platform.sql(`select string_agg(action, ' ' order by id) from harkara.audit_entry where tenant_id = (select tenant_id from harkara.tenant where slug = '${slug}') and action like 'person.email%'`);

before(async () => {
    platform = await startPlatform();
    origin = `http://localhost:${new URL(platform.url).port}`;
});
after(() => platform?.stop());

describe('an e-mail address without a relay', () => {
    test('is shown as a link, waits, and stays unverified when it was confirmed', async () => {
        const { page, slug } = await owner();
        assert.deepEqual([(await page.must(200, 'GET', '/v1/me')).email, (await page.must(200, 'GET', '/v1/me')).pending_email], [null, null]);
        const asked = await page.must(202, 'POST', '/v1/me/email', { email: '  Asha.Rao@Example.org ' });
        assert.equal(asked.email, 'asha.rao@example.org');
        assert.equal(asked.delivery, 'link');
        assert.ok(asked.link.startsWith(`${origin}/confirm-email#`), asked.link);
        assert.equal(Date.parse(asked.expires_at) - Date.parse(asked.created_at), 3600000);
        const waiting = await page.must(200, 'GET', '/v1/me');
        const { link, ...pending } = asked;
        assert.deepEqual(waiting.pending_email, pending, 'the link is shown once');
        assert.equal(waiting.email, null);
        const done = await page.must(200, 'POST', '/v1/me/email/confirm', { token: tokenOf(link) });
        assert.deepEqual([done.email, done.is_email_verified, done.pending_email], ['asha.rao@example.org', false, null]);
        assert.equal((await page.must(200, 'PATCH', '/v1/me', { name: 'Asha R.' })).email, 'asha.rao@example.org');
        assert.equal((await page.call('POST', '/v1/me/email/confirm', { token: tokenOf(link) })).json.code, 'link-invalid');
        assert.equal(actions(slug), 'person.email_change_asked person.email_changed');
        for (const table of ['email_change', 'person', 'audit_entry', 'audit_private'])
            assert.equal(platform.sql(`select count(*) from harkara.${table} t where t::text ilike '%asha.rao%' or t::text like '%${tokenOf(link)}%'`), '0', table);
        forget();
    });

    test('is another\'s too as long as neither has shown it', async () => {
        const first = await owner(), second = await owner();
        for (const { page } of [first, second]) {
            const asked = await page.must(202, 'POST', '/v1/me/email', { email: 'both@example.org' });
            assert.equal((await page.must(200, 'POST', '/v1/me/email/confirm', { token: tokenOf(asked.link) })).email, 'both@example.org');
        }
        forget();
    });

    test('is asked for one at a time, taken back, and late after an hour', async () => {
        const { page, slug } = await owner();
        const first = await page.must(202, 'POST', '/v1/me/email', { email: 'first@example.org' });
        const second = await page.must(202, 'POST', '/v1/me/email', { email: 'second@example.org' });
        assert.equal((await page.call('POST', '/v1/me/email/confirm', { token: tokenOf(first.link) })).json.code, 'link-invalid');
        assert.equal((await page.must(200, 'GET', '/v1/me')).pending_email.email, 'second@example.org');
        await page.must(204, 'DELETE', '/v1/me/email');
        assert.equal((await page.call('DELETE', '/v1/me/email')).status, 404);
        assert.equal((await page.call('POST', '/v1/me/email/confirm', { token: tokenOf(second.link) })).json.code, 'link-invalid');
        const third = await page.must(202, 'POST', '/v1/me/email', { email: 'third@example.org' });
        platform.sql(`update harkara.email_change set expires_at = now() - interval '1 second' where tenant_id is not null`);
        assert.equal((await page.call('POST', '/v1/me/email/confirm', { token: tokenOf(third.link) })).json.code, 'link-invalid');
        assert.equal((await page.must(200, 'GET', '/v1/me')).pending_email, null);
        assert.equal((await page.call('DELETE', '/v1/me/email')).status, 404);
        assert.equal((await page.must(200, 'GET', '/v1/me')).email, null);
        assert.equal(actions(slug), 'person.email_change_asked person.email_change_asked person.email_change_dropped person.email_change_asked');
        forget();
    });

    test('needs a fresh factor, and its link whoever asked for it', async () => {
        const { page, passkey } = await owner(), stranger = await owner('A stranger');
        const asked = await page.must(202, 'POST', '/v1/me/email', { email: 'mine@example.org' });
        assert.equal((await stranger.page.call('POST', '/v1/me/email/confirm', { token: tokenOf(asked.link) })).json.code, 'link-invalid');
        assert.equal((await new Browser(new Client(platform.url, null), origin).call('POST', '/v1/me/email/confirm', { token: tokenOf(asked.link) })).status, 401);
        platform.sql(`update harkara.person_session set stepped_up_at = stepped_up_at - interval '1 hour', created_at = created_at - interval '1 hour' where tenant_id is not null`);
        assert.equal((await page.call('POST', '/v1/me/email', { email: 'other@example.org' })).json.code, 'step-up-needed');
        await page.stepUp(passkey);
        await page.must(202, 'POST', '/v1/me/email', { email: 'other@example.org' });
        forget();
    });

    test('is refused when it is none, and when it could say more than an address', async () => {
        const { page } = await owner();
        for (const email of ['nobody', '@example.org', 'a@', 'a@b@c', 'a b@example.org', 'a@example.org\r\nBcc: b@example.org', 'a@exam\nple.org', 'a@example.org,b@example.org', '<a@example.org>', 'a@example.org>', `${'a'.repeat(250)}@example.org`]) {
            const answer = await page.call('POST', '/v1/me/email', { email });
            assert.equal(answer.status, 422, JSON.stringify(email));
            assert.equal(answer.json.errors[0].pointer, '/email');
        }
        assert.equal((await page.call('POST', '/v1/me/email', { email: 'a@example.org', is_email_verified: true })).status, 422);
        assert.equal((await page.must(200, 'GET', '/v1/me')).pending_email, null);
        forget();
    });

    test('cannot be asked for again and again', async () => {
        const { page } = await owner();
        for (let i = 0; i < 5; i++)
            await page.must(202, 'POST', '/v1/me/email', { email: `many.${i}@example.org` });
        const answer = await page.call('POST', '/v1/me/email', { email: 'many@example.org' });
        assert.equal(answer.status, 429);
        assert.equal(answer.json.code, 'attempts-throttled');
        assert.ok(Number(answer.headers.get('retry-after')) >= 1);
        assert.equal((await page.must(200, 'GET', '/v1/me')).pending_email.email, 'many.4@example.org');
        forget();
    });
});
