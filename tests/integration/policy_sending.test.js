// @ts-check
/** What the policy gate says of messages that are about to leave: what was allowed when it was accepted may not be any more. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import smpp from 'smpp';
import { startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
/** What a message centre that takes everything was given. @type {string[]} */
const taken = [];
const sessions = new Set();
const centre = smpp.createServer((session) => {
    sessions.add(session);
    session.on('error', () => {});
    session.on('bind_transceiver', (pdu) => session.send(pdu.response({ system_id: 'CENTRE' })));
    session.on('enquire_link', (pdu) => session.send(pdu.response()));
    session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
    session.on('submit_sm', (pdu) => {
        taken.push(`+${pdu.destination_addr}`);
        session.send(pdu.response({ message_id: String(taken.length) }));
    });
});

before(async () => {
    await new Promise((done) => centre.listen(0, '127.0.0.1', () => done(undefined)));
    /* A lease and wait that are rather short: what a killed process had under way is known to be uncertain soon. */
    platform = await startPlatform({ env: { HARKARA_SMPP_ALLOW: '127.0.0.0/8', HARKARA_SEND_LEASE_MS: '12000', HARKARA_UNCERTAIN_WAIT_MS: '1000' } });
});
after(async () => {
    await platform?.stop();
    sessions.forEach((session) => session.destroy());
    centre.close();
});

const QUIET_OFF = { quiet_hours: { enabled: false } };
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();
/** An hour of the day that is far from this one, wherever the day is counted in UTC: as in +881, which is no country's. */
function anotherHour() {
    const clock = (/** @type {number} */ at) => `${String(Math.floor(at / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')}`;
    const from = (new Date().getUTCHours() * 60 + new Date().getUTCMinutes() + 720) % 1380;
    return { quiet_hours: { enabled: true, from: clock(from), until: clock(from + 60), spread_minutes: 0 } };
}
let numbers = 0;
const number = (code = '49151') => `+${code}${String(10_000_000 + (numbers += 1))}`;

/** A workspace that sends by this kind of channel, whoever has not refused, at any hour. @param {string} kind */
async function shop(kind) {
    const made = await platform.workspace({ channel: kind === 'whatsapp' });
    const { client } = made;
    let { channel } = made;
    await client.must(200, 'PATCH', '/v1/settings/policy', { consent: { [kind]: { promotional: 'unless-withdrawn' } }, ...QUIET_OFF });
    if (kind === 'sms') {
        channel = (await client.must(201, 'POST', '/v1/channels', { kind, name: 'Shop', sms: { sender: 'HARKRA', sender_kind: 'alphanumeric' } })).id;
        const connector = await client.must(201, 'POST', '/v1/sms/connectors', { name: 'Operator', host: '127.0.0.1', port: centre.address().port, tls: false, system_id: 'harkara', password: 'secret-1', per_second: 200 });
        await client.must(201, 'POST', '/v1/sms/routes', { connector_id: connector.id, priority: 0 });
        await until(async () => (await client.must(200, 'GET', `/v1/sms/connectors/${connector.id}`)).links[0]?.state === 'bound', 'the bind');
    }
    const send = (/** @type {string} */ to, more = {}) => client.must(202, 'POST', '/v1/messages', { channel_id: channel, to, category: 'service', content: { type: 'text', text: { body: 'Hello' } }, ...more });
    return {
        client, channel, tenant: made.slug, send,
        /** One that was allowed, and waits for a time that does not come by itself. @param {string} to */
        async waits(to, more = {}) {
            const { id, policy } = await send(to, { send_at: inAnHour(), ...more });
            assert.equal(policy.accepted.decision, 'allow');
            return id;
        },
        /** Its time has come. @param {string} id */
        due: (id) => client.must(200, 'PATCH', `/v1/messages/${id}`, { send_at: null }),
        /** How often it got there. @param {string} to @param {string} id */
        arrivals: async (to, id) => kind === 'sms' ? taken.filter((one) => one === to).length : (await platform.sandbox.control('GET', `/messages?opaque=${id}`)).json.total,
    };
}

/** The message is stopped for good by this rule, and nobody got it. @param {any} own @param {string} id @param {string} to @param {string} rule */
async function blocked(own, id, to, rule) {
    await own.due(id);
    const end = await own.client.follow(id, ['blocked', 'sent', 'delivered', 'read', 'failed']);
    assert.deepEqual([end.status, end.policy.accepted.decision, end.policy.sent?.decision, end.policy.sent?.rule, end.error.code, end.attempts], ['blocked', 'allow', 'block', rule, rule, 0]);
    assert.deepEqual([end.timeline.at(-1).type, end.timeline.at(-1).rule], ['message.blocked', rule]);
    assert.equal(await own.arrivals(to, id), 0);
    return end.policy.sent.facts;
}

const SENT = ['sent', 'delivered', 'read'];

for (const kind of ['whatsapp', 'sms']) {
    describe(`before a message leaves by ${kind}`, () => {
        /** @type {Awaited<ReturnType<typeof shop>>} */
        let own;
        before(async () => {
            own = await shop(kind);
        });

        test('what nothing forbids goes, and its receipt is kept', async () => {
            const to = number(), { id } = await own.send(to);
            const { policy } = await own.client.follow(id, SENT);
            assert.deepEqual({ ...policy.sent, at: '' }, { ...policy.accepted, at: '' });
            assert.ok(Date.parse(policy.sent.at) >= Date.parse(policy.accepted.at));
            assert.equal(await own.arrivals(to, id), 1);
        });

        test('who was put on the suppression list gets nothing', async () => {
            const to = number(), id = await own.waits(to);
            await own.client.must(201, 'POST', '/v1/suppressions', { address: to });
            assert.equal((await blocked(own, id, to, 'suppression')).suppression, 'all');
        });

        test('who has withdrawn gets nothing', async () => {
            const to = number(), id = await own.waits(to, { category: 'promotional' });
            await own.client.must(201, 'POST', '/v1/consents', { address: to, channel: kind, purpose: 'promotional', state: 'withdrawn' });
            assert.equal((await blocked(own, id, to, 'consent')).consent, 'withdrawn');
        });

        test('a window that has closed holds it, and what was withdrawn while it was held stops it', async () => {
            const to = number('8816'), other = number('8816'), promotion = { category: 'promotional' };
            const id = await own.waits(to, promotion), second = await own.waits(other, promotion);
            await own.client.must(200, 'PATCH', '/v1/settings/policy', anotherHour());
            await own.due(id);
            await own.due(second);
            for (const one of [id, second]) {
                const held = await until(async () => {
                    const shown = await own.client.must(200, 'GET', `/v1/messages/${one}`);
                    return shown.policy.sent !== null && shown;
                }, 'the gate to be asked');
                assert.deepEqual([held.status, held.policy.sent.decision, held.policy.sent.rule, held.attempts, held.error], ['held', 'hold', 'quiet-hours', 0, null]);
                assert.equal(held.send_at, held.policy.sent.until);
                assert.ok(Date.parse(held.send_at) > Date.now());
                assert.deepEqual([held.timeline.at(-1).type, held.timeline.at(-1).rule], ['message.held', 'quiet-hours']);
            }
            const { id: urgent } = await own.send(to, { category: 'transactional' });
            await own.client.follow(urgent, SENT); /* the lane goes on */
            const before = kind === 'sms' ? 1 : 0;
            assert.equal(await own.arrivals(to, id), before);
            await own.client.must(200, 'PATCH', '/v1/settings/policy', QUIET_OFF);
            await own.client.must(201, 'POST', '/v1/consents', { address: other, channel: kind, purpose: 'promotional', state: 'withdrawn' });
            await own.due(id);
            const end = await own.client.follow(id, SENT);
            assert.equal(end.policy.sent.decision, 'allow');
            assert.equal(await own.arrivals(to, id), before + 1);
            await own.due(second);
            assert.equal((await own.client.follow(second, ['blocked', ...SENT])).policy.sent.rule, 'consent');
        });

        test('what is not good any more when its hour comes expires', async () => {
            const to = number('8816'), id = await own.waits(to, { category: 'promotional', expires_at: new Date(Date.now() + 7_200_000).toISOString() });
            await own.client.must(200, 'PATCH', '/v1/settings/policy', anotherHour());
            await own.due(id);
            await until(async () => (await own.client.must(200, 'GET', `/v1/messages/${id}`)).policy.sent !== null, 'the gate to be asked');
            await own.client.must(200, 'PATCH', '/v1/settings/policy', QUIET_OFF);
            platform.sql(`update harkara.dispatch_queue q set expires_at = now() from harkara.message m join harkara.tenant t using (tenant_id) where t.slug = '${own.tenant}' and q.tenant_id = m.tenant_id and q.message_id = m.id and q.state = 'held' and m.category = 'promotional'`);
            await own.client.follow(id, ['expired']);
            assert.equal(await own.arrivals(to, id), 0);
        });

        test('a cap that was lowered counts what has left, and not the message itself', async () => {
            const to = number(), promotion = { category: 'promotional' };
            const first = await own.waits(to, promotion), second = await own.waits(to, promotion);
            await own.client.must(200, 'PATCH', '/v1/settings/policy', { promotional_per_day: 1 });
            await own.due(first);
            assert.equal((await own.client.follow(first, ['blocked', ...SENT])).policy.sent.facts.sent_in_day ?? 0, 0);
            await own.due(second);
            const { policy } = await own.client.follow(second, ['blocked', ...SENT]);
            assert.deepEqual([policy.sent.rule, policy.sent.facts.sent_in_day, policy.sent.facts.cap_per_day], ['recipient-cap', 1, 1]);
            await own.client.must(200, 'PATCH', '/v1/settings/policy', { promotional_per_day: null });
        });

        test('a sender that is paused keeps it, and nothing is lost', async () => {
            const to = number(), id = await own.waits(to);
            await own.client.must(200, 'PATCH', `/v1/channels/${own.channel}`, { state: 'paused' });
            await own.due(id);
            await own.client.follow(id, ['queued']);
            await own.client.must(201, 'POST', '/v1/suppressions', { address: to }); /* it is asked when it leaves, and not before */
            assert.equal((await own.client.must(200, 'GET', `/v1/messages/${id}`)).policy.sent, null);
            await own.client.must(200, 'PATCH', `/v1/channels/${own.channel}`, { state: 'active' });
            assert.equal((await own.client.follow(id, ['blocked', ...SENT])).policy.sent.rule, 'suppression');
        });

        test('a workspace that is suspended holds it until it may go on', async () => {
            const to = number(), id = await own.waits(to);
            const change = (/** @type {string} */ what, more = '') => platform.sql(`update harkara.${what} where tenant_id = (select tenant_id from harkara.tenant where slug = '${own.tenant}') ${more}`);
            change("tenant set state = 'suspended'");
            change('dispatch_queue set due_at = now()', "and state = 'held'");
            await until(() => platform.sql(`select count(*) from harkara.message m join harkara.tenant t using (tenant_id) where t.slug = '${own.tenant}' and m.status = 'held' and policy_sent is not null`) === '1', 'the gate to be asked');
            change("tenant set state = 'active'");
            const held = await own.client.must(200, 'GET', `/v1/messages/${id}`);
            assert.deepEqual([held.status, held.policy.sent.rule, held.policy.sent.facts.workspace], ['held', 'workspace-standing', 'suspended']);
            assert.equal(await own.arrivals(to, id), 0);
            await own.due(id);
            await own.client.follow(id, SENT);
            assert.equal(await own.arrivals(to, id), 1);
        });
    });
}

describe('before a message leaves for India by sms', () => {
    /** @type {Awaited<ReturnType<typeof shop>>} */
    let own;
    before(async () => {
        own = await shop('sms');
    });

    test('who meanwhile wants no such messages gets none', async () => {
        const to = '+919876543210', id = await own.waits(to, { category: 'promotional' });
        const list = path.join(platform.folder, 'register.csv');
        writeFileSync(list, 'number,preferences\n9876543210,0\n', { mode: 0o644 });
        const done = await platform.harkara.cli('dnd', 'import', list);
        assert.equal(done.code, 0, done.stderr);
        const seen = () => platform.log().split('\n').some((line) => line.includes('"dnd.opened"') && line.includes('"role":"smsc"'));
        await until(seen, 'smsc to have opened the registry');
        assert.equal((await blocked(own, id, to, 'dnd')).dnd, 'blocked');
        const { id: service } = await own.send(to);
        await own.client.follow(service, SENT);
    });

    for (const [what, change, fact] of /** @type {[string, (ids: any) => Promise<unknown>, string][]} */ ([
        ['template is paused', ({ template }) => own.client.must(200, 'PATCH', `/v1/dlt/templates/${template}`, { paused_reason: 'complaints' }), 'template-inactive'],
        ['header is paused', ({ header }) => own.client.must(200, 'PATCH', `/v1/dlt/headers/${header}`, { paused_reason: 'complaints' }), 'header-inactive'],
        ['entity is inactive', ({ entity }) => own.client.must(200, 'PATCH', `/v1/dlt/entities/${entity}`, { state: 'inactive' }), 'entity-inactive'],
    ])) {
        test(`what was registered is stopped when its ${what}`, async () => {
            own = await shop('sms');
            const entity = (await own.client.must(201, 'POST', '/v1/dlt/entities', { registered_id: '1101172974420810001', name: 'Acme' })).id;
            const header = (await own.client.must(201, 'POST', '/v1/dlt/headers', { entity_id: entity, name: 'HARKRA' })).id;
            const template = (await own.client.must(201, 'POST', '/v1/dlt/templates', { entity_id: entity, kind: 'content', name: 'Hello', headers: ['HARKRA'], registered_id: '1107172974420840007', category: 'service', text: 'Hello' })).id;
            const to = number('9198'), goes = await own.waits(to), id = await own.waits(to);
            await own.due(goes);
            assert.equal((await own.client.follow(goes, SENT)).policy.sent.facts.dlt, 'ok');
            const before = await own.arrivals(to, id);
            await change({ entity, header, template });
            await own.due(id);
            const end = await own.client.follow(id, ['blocked', ...SENT]);
            assert.deepEqual([end.status, end.policy.sent.rule, end.policy.sent.facts.dlt], ['blocked', 'dlt', fact]);
            assert.equal(await own.arrivals(to, id), before);
        });
    }
});

describe('when it is killed while it holds messages', () => {
    for (const [kind, role] of [['whatsapp', 'dispatcher'], ['sms', 'smsc']]) {
        test(`${role}: nothing is lost, nothing leaves before its hour, and nothing comes twice`, async () => {
            const own = await shop(kind), all = [];
            const settings = await own.client.call('GET', '/v1/settings/messages');
            const { updated_at: _, ...body } = settings.json;
            const put = await own.client.call('PUT', '/v1/settings/messages', { ...body, uncertain: { ...body.uncertain, promotional: 'resend' } }, { 'if-match': settings.headers.get('etag') ?? '' });
            assert.equal(put.status, 200, put.text);
            for (let i = 0; i < 150; i += 1) {
                const to = number('8816');
                all.push({ to, id: await own.waits(to, { category: 'promotional', reference: to }) });
            }
            await own.client.must(200, 'PATCH', '/v1/settings/policy', anotherHour());
            const mine = `from harkara.message m join harkara.tenant t using (tenant_id) where t.slug = '${own.tenant}'`;
            const count = (/** @type {string} */ of) => Number(platform.sql(`select count(*) ${mine} and ${of}`));
            const asked = "m.status = 'held' and m.policy_sent is not null";
            const due = () => platform.sql(`update harkara.dispatch_queue q set due_at = now() from harkara.tenant t where t.tenant_id = q.tenant_id and t.slug = '${own.tenant}' and q.state = 'held'`);
            const [pid] = await platform.pids(role);
            due();
            await until(() => count(`(${asked} or m.status = 'sending')`) > 0, 'the first to be held');
            process.kill(pid, 'SIGKILL');
            await until(() => count(asked) === all.length, 'all to be held');
            for (const { to, id } of all)
                assert.equal(await own.arrivals(to, id), 0);
            await own.client.must(200, 'PATCH', '/v1/settings/policy', QUIET_OFF);
            const lost = () => new Map(platform.sql(`select m.reference, count(e.id) ${mine.replace(' where', " left join harkara.event e on e.tenant_id = m.tenant_id and e.subject_id = m.id and e.type = 'message.uncertain' where")} group by 1`).split('\n').map((line) => /** @type {[string, number]} */ ([line.split('|')[0], Number(line.split('|')[1])])));
            const before = lost();
            due();
            await until(() => count("m.status in ('sent', 'delivered', 'read')") === all.length, 'all to have left');
            const after = lost();
            for (const { to, id } of all) {
                const arrivals = await own.arrivals(to, id);
                /* On a machine that is too slow for the short lease an answer may be lost once more. */
                assert.ok(arrivals >= 1 && arrivals <= 1 + (after.get(to) ?? 0) - (before.get(to) ?? 0), `${arrivals} arrivals`);
            }
        });
    }
});
