// @ts-check
/** E-mail addresses of people, and mails to them by a relay that is not ours: what is sent when, what it says, and what must not work. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Browser, Passkey } from './authenticator.js';
import { startRelay } from './relay.js';
import { buildFolder } from '../../sandbox/demo/platform.js';
import { Client, startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
/** @type {Awaited<ReturnType<typeof startRelay>>} */
let relay;
let origin = '', people = 0;
async function begin(env = {}) {
    platform = await startPlatform({ env });
    origin = `http://localhost:${new URL(platform.url).port}`;
}
const browser = () => new Browser(new Client(platform.url, null), origin);
/** A person of a workspace of its own, signed in. */
async function owner(name = 'Asha') {
    people += 1;
    const slug = `somebody-${people}`;
    const tenant = await platform.harkara.json('tenant', 'create', '--name', `Shop ${people}`, '--slug', slug);
    const passkey = new Passkey(), page = browser();
    await page.enrol(tenant.enrolment_url, passkey, name);
    return { tenant: tenant.id, slug, page, passkey };
}
/** The same with an address that a mail has shown to be his. */
async function reachable(address, name = 'Asha') {
    const made = await owner(name);
    await made.page.must(202, 'POST', '/v1/me/email', { email: address });
    await made.page.must(200, 'POST', '/v1/me/email/confirm', { token: tokenOf(linkIn(await relay.to(address))) });
    forget();
    return made;
}
const tokenOf = (link) => new URL(link).hash.slice(1);
/** The one in the plain text, which is the one in the other, too. */
function linkIn(mail) {
    const [link] = /https?:\/\/\S+/.exec(mail.text) ?? assert.fail(`no link in ${mail.text}`);
    assert.ok(mail.html.includes(`href="${link}"`), mail.html);
    return link;
}
const forget = () => platform.sql('delete from harkara.throttle');
const waiting = () => Number(platform.sql('select count(*) from harkara.mail_notice'));
const actions = (slug) => platform.sql(`select string_agg(action, ' ' order by id) from harkara.audit_entry where tenant_id = (select tenant_id from harkara.tenant where slug = '${slug}') and action like 'person.email%'`);

describe('an e-mail address without a relay', () => {
    before(() => begin());
    after(() => platform?.stop());

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
        assert.equal((await browser().call('POST', '/v1/me/email/confirm', { token: tokenOf(asked.link) })).status, 401);
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

describe('mails by a relay', () => {
    before(async () => {
        relay = await startRelay();
        await begin(relay.env);
        await platform.whole();
    });
    after(async () => {
        await platform?.stop();
        await relay?.stop();
    });

    test('an invitation goes to its address alone, and shows that it is whose who accepts it', async () => {
        const { page } = await owner('Ravi');
        const made = await page.must(201, 'POST', '/v1/invitations', { email: 'Meera@Example.org', role: 'agent' });
        assert.equal(made.delivery, 'mail');
        assert.equal(made.link, undefined, 'whoever invites does not see it');
        const mail = await relay.to('meera@example.org');
        assert.deepEqual([mail.secure, mail.user], [true, 'harkara']);
        assert.deepEqual(mail.from.value, [{ address: 'no-reply@harkara.example', name: 'हरकारा' }]);
        assert.equal(mail.to.text, 'meera@example.org');
        assert.match(mail.subject, /^You are invited to Shop \d+$/);
        assert.match(mail.text, /^Hello,\n\nRavi invites you to work in Shop \d+ on Harkara\./);
        assert.equal(mail.headers.get('auto-submitted'), 'auto-generated');
        assert.ok(Math.abs(mail.date.getTime() - Date.now()) < 3_600_000);
        const link = linkIn(mail);
        assert.ok(link.startsWith(`${origin}/enrol#`), link);
        await until(() => waiting() === 0, 'nothing to be left of it');
        const guest = browser();
        await guest.enrol(link, new Passkey(), 'Meera');
        const me = await guest.must(200, 'GET', '/v1/me');
        assert.deepEqual([me.email, me.is_email_verified], ['meera@example.org', true]);
        for (const secret of ['meera@', 'Meera@', tokenOf(link), 'a password of the relay'])
            assert.ok(!platform.log().includes(secret), `the log says ${secret}`);
        forget();
    });

    test('an invitation is sent again with another link, and taken back with it', async () => {
        const { page } = await owner();
        const made = await page.must(201, 'POST', '/v1/invitations', { email: 'again@example.org', role: 'agent' });
        const first = linkIn(await relay.to('again@example.org'));
        const again = await page.must(200, 'POST', `/v1/invitations/${made.id}/resend`);
        assert.deepEqual([again.delivery, again.link, again.sent_count], ['mail', undefined, 2]);
        const second = linkIn(await relay.to('again@example.org', (mail) => linkIn(mail) !== first));
        const guest = browser();
        assert.equal((await guest.call('POST', '/v1/enrolment/options', { token: tokenOf(first) })).json.code, 'link-invalid');
        await guest.must(200, 'POST', '/v1/enrolment/options', { token: tokenOf(second) });
        await page.must(200, 'POST', `/v1/invitations/${made.id}/revoke`);
        assert.equal((await guest.call('POST', '/v1/enrolment/options', { token: tokenOf(second) })).json.code, 'link-invalid');
        forget();
    });

    test('a link that is wanted to be handed over is shown, and shows nothing about the address', async () => {
        const { page } = await owner();
        const made = await page.must(201, 'POST', '/v1/invitations', { email: 'by.hand@example.org', role: 'agent', delivery: 'link' });
        assert.equal(made.delivery, 'link');
        const guest = browser();
        await guest.enrol(made.link, new Passkey(), 'By hand');
        const me = await guest.must(200, 'GET', '/v1/me');
        assert.deepEqual([me.email, me.is_email_verified], ['by.hand@example.org', false]);
        assert.equal((await page.must(200, 'GET', `/v1/invitations/${made.id}`)).delivery, 'link');
        assert.equal(relay.count('by.hand@example.org'), 0);
        forget();
    });

    test('who is here already gets the address that was invited, if he has none', async () => {
        const { page } = await owner(), other = await owner();
        await page.must(201, 'POST', '/v1/invitations', { email: 'other@example.org', role: 'agent' });
        const token = tokenOf(linkIn(await relay.to('other@example.org')));
        await other.page.must(200, 'POST', '/v1/enrolment/accept', { token });
        const me = await other.page.must(200, 'GET', '/v1/me');
        assert.deepEqual([me.email, me.is_email_verified, me.name], ['other@example.org', true, 'Asha']);
        forget();
    });

    test('one address is not flooded, whoever types it in', async () => {
        const owners = [];
        for (let i = 0; i < 6; i++)
            owners.push(await owner());
        const answers = [];
        for (const { page } of owners)
            answers.push((await page.call('POST', '/v1/invitations', { email: 'victim@example.org', role: 'agent' })).status);
        assert.deepEqual(answers, [201, 201, 201, 201, 201, 429]);
        forget();
    });

    test('another address is confirmed from its own mailbox, and the one before is told', async () => {
        const { page } = await reachable('before@example.org');
        assert.deepEqual([(await page.must(200, 'GET', '/v1/me')).is_email_verified], [true]);
        const asked = await page.must(202, 'POST', '/v1/me/email', { email: 'after@example.org' });
        assert.deepEqual([asked.delivery, asked.link], ['mail', undefined]);
        const mail = await relay.to('after@example.org');
        assert.equal(mail.subject, 'Confirm your new e-mail address');
        assert.match(mail.text, /^Hello Asha,/);
        assert.ok(linkIn(mail).startsWith(`${origin}/confirm-email#`));
        assert.equal((await page.must(200, 'GET', '/v1/me')).email, 'before@example.org', 'until it is confirmed');
        const done = await page.must(200, 'POST', '/v1/me/email/confirm', { token: tokenOf(linkIn(mail)) });
        assert.deepEqual([done.email, done.is_email_verified], ['after@example.org', true]);
        const told = await relay.to('before@example.org', ({ subject }) => subject === 'Your e-mail address was changed');
        assert.ok(!told.text.includes('after@example.org'));
        forget();
    });

    test('an address that another has shown to be his is not given twice, and nothing says so before', async () => {
        await reachable('taken@example.org');
        const { page } = await owner();
        const asked = await page.must(202, 'POST', '/v1/me/email', { email: 'taken@example.org' });
        assert.equal(asked.delivery, 'mail');
        const mail = await relay.to('taken@example.org', ({ text, subject }) => subject.startsWith('Confirm') && text.includes(`${origin}/confirm`) && relay.count('taken@example.org') > 1);
        const answer = await page.call('POST', '/v1/me/email/confirm', { token: tokenOf(linkIn(mail)) });
        assert.deepEqual([answer.status, answer.json.code], [409, 'already-exists']);
        assert.equal((await page.must(200, 'GET', '/v1/me')).email, null);
        forget();
    });

    test('who holds the account hears of a new passkey and of a new browser, once', async () => {
        const { page, passkey } = await reachable('news@example.org');
        await page.addPasskey(new Passkey('EdDSA'), 'evil.example/\u{1f511}');
        const added = await relay.to('news@example.org', ({ subject }) => subject === 'A passkey was added to your account');
        assert.ok(!added.text.includes('evil.example'), 'a name is no link');
        assert.ok(linkIn(added) === `${origin}/security`);
        await browser().signIn(passkey);
        const agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
        const elsewhere = () => {
            const made = browser(), call = made.call.bind(made);
            made.call = (method, target, body, more = {}) => call(method, target, body, { 'user-agent': agent, ...more });
            return made;
        };
        await elsewhere().signIn(passkey);
        const came = await relay.to('news@example.org', ({ subject }) => subject === 'New sign-in to your account');
        assert.match(came.text, /with Firefox on Linux, from 127\.0\.0\.1\./);
        await elsewhere().signIn(passkey);
        await page.addPasskey(new Passkey(), 'The last');
        await relay.to('news@example.org', ({ text }) => text.includes('The last'));
        assert.equal(relay.mails.filter((mail) => mail.envelope === 'news@example.org' && mail.subject.startsWith('New sign-in')).length, 1);
        forget();
    });

    test('who is removed is told, in the language that he reads', async () => {
        const shop = await owner(), { page } = await reachable('hindi@example.org', 'हरि');
        assert.equal((await page.must(200, 'GET', '/v1/me')).language, 'en');
        const changed = await page.must(200, 'PATCH', '/v1/me', { language: 'hi' });
        assert.deepEqual([changed.language, changed.name, changed.email], ['hi', 'हरि', 'hindi@example.org']);
        const { link } = await shop.page.must(201, 'POST', '/v1/invitations', { email: 'hindi@example.org', role: 'agent', delivery: 'link' });
        await page.must(200, 'POST', '/v1/enrolment/accept', { token: tokenOf(link) });
        const { data } = await shop.page.must(200, 'GET', '/v1/people');
        const { id } = data.find(({ email }) => email === 'hindi@example.org');
        await shop.page.must(204, 'DELETE', `/v1/people/${id}`);
        const mail = await relay.to('hindi@example.org', ({ subject }) => subject.startsWith('अब आप'));
        assert.match(mail.text, /^नमस्ते हरि,/);
        assert.equal(mail.headers.get('content-language'), 'hi');
        await shop.page.must(204, 'DELETE', `/v1/people/${id}`);
        await until(() => waiting() === 0, 'all to be sent');
        assert.equal(relay.mails.filter(({ envelope, subject }) => envelope === 'hindi@example.org' && subject.startsWith('अब आप')).length, 1, 'once');
        forget();
    });

    test('a relay that cannot is asked again, and one that will not is believed', async () => {
        const { page } = await owner();
        relay.replies.push(451);
        await page.must(201, 'POST', '/v1/invitations', { email: 'later@example.org', role: 'agent' });
        await until(() => platform.log().includes('"mail.put_off"'), 'it to be put off', 30_000);
        assert.equal(relay.count('later@example.org'), 0);
        platform.sql('update harkara.mail_notice set due_at = now() where tenant_id is not null');
        await relay.to('later@example.org');
        await until(() => waiting() === 0, 'nothing to be left of it');
        relay.replies.push(550);
        await page.must(201, 'POST', '/v1/invitations', { email: 'never@example.org', role: 'agent' });
        await until(() => platform.log().includes('"mail.given_up"'), 'it to be given up', 30_000);
        await until(() => waiting() === 0, 'nothing to be left of it');
        assert.equal(relay.count('never@example.org'), 0);
        assert.equal(relay.recipients.filter((address) => address === 'never@example.org').length, 1);
        assert.equal(relay.bare, 0, 'the password was shown behind TLS alone');
        forget();
    });

    test('what waits is sealed, and survives the process that was to send it', async () => {
        const { page } = await owner();
        const [dispatcher] = await platform.pids('dispatcher');
        relay.replies.push(451);
        await page.must(201, 'POST', '/v1/invitations', { email: 'sealed@example.org', role: 'agent' });
        await until(() => relay.recipients.includes('sealed@example.org') && platform.sql('select count(*) from harkara.mail_notice where due_at > now()') === '1', 'it to be put off', 30_000);
        for (const text of ['sealed@', 'enrol#', 'Shop'])
            assert.equal(platform.sql(`select count(*) from harkara.mail_notice n where n::text ilike '%${text}%' or encode(data_ct, 'escape') ilike '%${text}%'`), '0', text);
        process.kill(dispatcher, 'SIGKILL');
        platform.sql('update harkara.mail_notice set due_at = now() where tenant_id is not null');
        await relay.to('sealed@example.org');
        forget();
    });
});

describe('settings that cannot be meant', () => {
    for (const [what, env, says] of /** @type {const} */ ([
        ['a relay that is none', { HARKARA_MAIL_RELAY: 'mail.example.org', HARKARA_MAIL_FROM: 'a@example.org' }, 'HARKARA_MAIL_RELAY'],
        ['a relay with a password in it', { HARKARA_MAIL_RELAY: 'smtp://me:secret@mail.example.org', HARKARA_MAIL_FROM: 'a@example.org' }, 'HARKARA_MAIL_RELAY'],
        ['nobody whom mails are from', { HARKARA_MAIL_RELAY: 'smtps://mail.example.org' }, 'HARKARA_MAIL_FROM'],
        ['two whom they are from', { HARKARA_MAIL_RELAY: 'smtps://mail.example.org', HARKARA_MAIL_FROM: 'a@example.org, b@example.org' }, 'HARKARA_MAIL_FROM'],
    ]))
        test(`${what} is refused before anything starts`, () => {
            const folder = mkdtempSync(path.join(tmpdir(), 'harkara-mail-'));
            const run = spawnSync(path.join(buildFolder(), 'src/program/harkara/harkara'), ['serve'],
                { env: { PATH: process.env.PATH, HARKARA_STATE_DIR: folder, HARKARA_RUN_DIR: path.join(folder, 'run'), HARKARA_UNLOCKED_SECRETS: '1', MASTER_KEK: randomBytes(32).toString('hex'), ...env }, encoding: 'utf8' });
            rmSync(folder, { recursive: true, force: true });
            assert.equal(run.status, 78, run.stderr);
            assert.ok(run.stderr.includes(says), run.stderr);
            assert.ok(!run.stderr.includes('secret'), run.stderr);
        });
});
