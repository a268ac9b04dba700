// @ts-check
/** What may be sent: the workspace's settings, and what becomes of messages when they are accepted. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
/** @type {Awaited<ReturnType<typeof platform.workspace>>} */
let shop;
before(async () => {
    platform = await startPlatform();
    shop = await platform.workspace();
});
after(() => platform?.stop());

describe('the settings', () => {
    const usual = { otp: 'unless-withdrawn', transactional: 'unless-withdrawn', service: 'unless-withdrawn' };

    test('are safe as they come, and change by what is named', async () => {
        const first = await shop.client.call('GET', '/v1/settings/policy');
        assert.deepEqual(first.json, {
            consent: { whatsapp: { ...usual, promotional: 'required' }, sms: { ...usual, promotional: 'required' } },
            promotional_per_day: null,
            promotional_per_week: null,
            quiet_hours: { enabled: true, india_from: '09:00', from: '00:00', until: '24:00', days: ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'], spread_minutes: 30 },
            dnd: 'when-known',
            updated_at: null,
        });
        const ifMatch = { 'if-match': first.headers.get('etag') ?? '' };
        const change = { consent: { sms: { service: 'required' } }, promotional_per_day: 2, quiet_hours: { from: '10:00', days: ['monday', 'sunday'] }, dnd: 'off' };
        const changed = await shop.client.call('PATCH', '/v1/settings/policy', change, ifMatch);
        assert.equal(changed.status, 200, changed.text);
        assert.equal(changed.json.consent.sms.service, 'required');
        assert.equal(changed.json.consent.whatsapp.service, 'unless-withdrawn');
        assert.equal(changed.json.promotional_per_day, 2);
        assert.deepEqual(changed.json.quiet_hours, { ...first.json.quiet_hours, from: '10:00', days: ['monday', 'sunday'] });
        assert.equal(changed.json.dnd, 'off');
        assert.equal((await shop.client.call('PATCH', '/v1/settings/policy', change, ifMatch)).status, 412);
        const back = await shop.client.must(200, 'PATCH', '/v1/settings/policy', { promotional_per_day: null });
        assert.equal(back.promotional_per_day, null);
        assert.equal(back.dnd, 'off');
        assert.deepEqual(await shop.client.must(200, 'GET', '/v1/settings/policy'), back);
    });

    test('refuse what makes no sense, and are the workspace\'s own', async () => {
        const backwards = await shop.client.call('PATCH', '/v1/settings/policy', { quiet_hours: { from: '12:00', until: '11:00' } });
        assert.equal(backwards.status, 422);
        assert.equal(backwards.json.errors[0].pointer, '/quiet_hours/until');
        for (const body of [{}, { dnd: 'maybe' }, { promotional_per_day: 0 }, { quiet_hours: { days: [] } }, { consent: { fax: {} } }])
            assert.equal((await shop.client.call('PATCH', '/v1/settings/policy', body)).status, 422, JSON.stringify(body));
        const other = await platform.workspace({ channel: false });
        assert.equal((await other.client.must(200, 'GET', '/v1/settings/policy')).updated_at, null);
    });
});

describe('a message', () => {
    /** What the consent ledger and the suppression list would have of whom a message went to. @param {string} reference @param {string} table @param {string} values */
    const know = (reference, table, values) => platform.sql(`insert into harkara.${table} select m.tenant_id, m.peer_index, ${values} from harkara.message m where m.reference = '${reference}'`);
    const consents = (/** @type {string} */ reference, /** @type {string} */ purpose, /** @type {string} */ state) => know(reference, 'consent_state', `'whatsapp', '${purpose}', '${state}', now(), m.id`);
    const suppress = (/** @type {string} */ reference, scope = 'all') => know(reference, 'suppression (tenant_id, peer_index, channel_kind, scope, reason, id, actor_kind, at)', `'any', '${scope}', 'manual', m.id, 'key', now()`);
    /** @type {Awaited<ReturnType<typeof platform.workspace>>} */
    let own;
    const send = (/** @type {Record<string, unknown>} */ more) => own.client.must(202, 'POST', '/v1/messages', own.client.text(own.channel, more));
    const mine = "select tenant_id from harkara.message where reference = 'known-2'";
    const day = { quiet_hours: { enabled: false } };
    before(async () => {
        own = await platform.workspace({ endpoint: true });
        await own.client.must(200, 'PATCH', '/v1/settings/policy', day);
    });

    test('that nothing forbids goes, and its receipt says from what that was judged', async () => {
        const made = await send({ to: '+15550310001', reference: 'known-1', purpose: 'parcels' });
        assert.equal(made.status, 'accepted');
        assert.equal(made.purpose, 'parcels');
        const { at, ...receipt } = made.policy.accepted;
        assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000);
        assert.deepEqual(receipt, { decision: 'allow', rule: null, title: null, until: null, facts: { category: 'service', channel_kind: 'whatsapp', suppression: 'none', consent: 'unknown', consent_rule: 'unless-withdrawn' } });
        const end = await own.client.follow(made.id, ['sent', 'delivered', 'read']);
        assert.deepEqual(end.policy.accepted, made.policy.accepted);
    });

    test('that is promotional asks for consent, and is blocked without', async () => {
        const made = await send({ to: '+15550310001', category: 'promotional', reference: 'unasked' });
        assert.equal(made.status, 'blocked');
        assert.equal(made.policy.accepted.rule, 'consent');
        const shown = await own.client.must(200, 'GET', `/v1/messages/${made.id}`);
        assert.equal(shown.status, 'blocked');
        assert.deepEqual(shown.policy, made.policy);
        assert.deepEqual(shown.timeline.map(({ type, rule }) => [type, rule]), [['message.blocked', 'consent']]);
        assert.deepEqual((await own.client.must(200, 'GET', '/v1/messages?status=blocked')).data.map(({ id }) => id), [made.id]);
        const told = await until(() => own.receiver.events().find(({ type, data }) => type === 'message.blocked' && data.message_id === made.id), 'the webhook');
        assert.equal(told.data.status, 'blocked');
        assert.equal(told.data.rule, 'consent');
        assert.equal((await own.client.call('POST', `/v1/messages/${made.id}/cancel`)).status, 409);
        consents('known-1', 'promotional', 'granted');
        assert.equal((await send({ to: '+15550310001', category: 'promotional' })).status, 'accepted');
    });

    test('is blocked for who has withdrawn its purpose, and goes for another', async () => {
        consents('known-1', 'parcels', 'withdrawn');
        const refused = await send({ to: '+15550310001', purpose: 'parcels' });
        assert.equal(refused.status, 'blocked');
        assert.equal(refused.policy.accepted.facts.consent, 'withdrawn');
        assert.equal((await send({ to: '+15550310001' })).status, 'accepted');
    });

    test('to whoever is suppressed is blocked, alone or in a batch, and uses no quota', async () => {
        await send({ to: '+15550310002', reference: 'known-2' });
        suppress('known-2');
        assert.equal((await send({ to: '+15550310002', category: 'otp' })).policy.accepted.rule, 'suppression');
        const { results } = await own.client.must(202, 'POST', '/v1/messages/batch', { messages: ['+15550310002', '+15550310003'].map((to) => own.client.text(own.channel, { to })) });
        assert.deepEqual(results.map(({ status, decision }) => [status, decision]), [[202, 'block'], [202, 'allow']]);
        const number = (/** @type {string} */ sql) => Number(platform.sql(sql));
        const sent = number(`select count(*) from harkara.message where tenant_id = (${mine}) and status <> 'blocked'`);
        await until(() => number(`select sum(accepted) from harkara.usage_day where tenant_id = (${mine})`) === sent, 'the account of what was used');
    });

    test('that somebody forbids before it leaves does not leave', async () => {
        const waits = await send({ to: '+15550310006', reference: 'known-6', send_at: new Date(Date.now() + 4000).toISOString() });
        assert.equal(waits.policy.accepted.decision, 'allow');
        suppress('known-6');
        const end = await own.client.follow(waits.id, ['blocked']);
        assert.equal(end.policy.accepted.decision, 'allow');
        assert.deepEqual([end.policy.sent.decision, end.policy.sent.rule, end.policy.sent.facts.suppression], ['block', 'suppression', 'all']);
        assert.equal(end.error.code, 'suppression');
        assert.equal(end.provider_id, null);
        assert.equal(end.attempts, 0);
        assert.equal(end.timeline.at(-1).type, 'message.blocked');
        const { json } = await platform.sandbox.control('GET', `/messages?opaque=${waits.id}`);
        assert.equal(json.total, 0);
    });

    test('that comes again under its key is answered as it was', async () => {
        const key = { 'idempotency-key': 'blocked-once' }, body = own.client.text(own.channel, { to: '+15550310004', category: 'promotional', reference: 'known-4' });
        const first = await own.client.call('POST', '/v1/messages', body, key);
        assert.equal(first.json.status, 'blocked');
        consents('known-4', 'promotional', 'granted');
        const again = await own.client.call('POST', '/v1/messages', body, key);
        assert.equal(again.headers.get('idempotency-replayed'), 'true');
        assert.deepEqual(again.json, first.json);
    });

    test('that may not come at this hour is held until it may', async () => {
        const client = own.client, minutes = new Date().getUTCHours() * 60 + new Date().getUTCMinutes();
        const clock = (/** @type {number} */ at) => `${String(Math.floor(at / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')}`;
        /* +881 belongs to no country, and is judged by UTC: an hour of the day that is not this one. */
        const from = (minutes + 720) % 1380, quiet = { enabled: true, from: clock(from), until: clock(from + 60), spread_minutes: 0 };
        await client.must(200, 'PATCH', '/v1/settings/policy', { consent: { whatsapp: { promotional: 'unless-withdrawn' } }, quiet_hours: quiet });
        const made = await send({ to: '+881612345678', category: 'promotional' });
        assert.equal(made.status, 'held');
        assert.equal(made.policy.accepted.rule, 'quiet-hours');
        assert.equal(made.send_at, made.policy.accepted.until);
        assert.ok(Date.parse(made.send_at) > Date.now());
        assert.equal((await send({ to: '+881612345678' })).status, 'accepted', 'what is no promotion comes at any hour');
        assert.equal((await client.must(200, 'GET', `/v1/messages/${made.id}`)).timeline[0].rule, 'quiet-hours');
        await client.must(200, 'POST', `/v1/messages/${made.id}/cancel`);
        await client.must(200, 'PATCH', '/v1/settings/policy', day);
    });

    test('beyond what a person may get is blocked', async () => {
        await own.client.must(200, 'PATCH', '/v1/settings/policy', { ...day, promotional_per_week: 2 });
        const statuses = [];
        for (let i = 0; i < 3; i += 1)
            statuses.push((await send({ to: '+15550310005', category: 'promotional' })));
        assert.deepEqual(statuses.map(({ status }) => status), ['accepted', 'accepted', 'blocked']);
        assert.equal(statuses[2].policy.accepted.rule, 'recipient-cap');
        assert.deepEqual([statuses[2].policy.accepted.facts.sent_in_week, statuses[2].policy.accepted.facts.cap_per_week], [2, 2]);
    });
});

describe('a check', () => {
    /** @type {Awaited<ReturnType<typeof platform.workspace>>} */
    let own;
    /** @type {string} */
    let sms;
    const number = (/** @type {string} */ sql) => Number(platform.sql(sql));
    const stored = () => number('select (select count(*) from harkara.message) + (select count(*) from harkara.idempotency_key)');
    const know = (/** @type {string} */ reference, /** @type {string} */ table, /** @type {string} */ values) => platform.sql(`insert into harkara.${table} select m.tenant_id, m.peer_index, ${values} from harkara.message m where m.reference = '${reference}'`);
    const timeless = (/** @type {any} */ receipt) => ({ ...receipt, at: '' });
    before(async () => {
        own = await platform.workspace();
        await own.client.must(200, 'PATCH', '/v1/settings/policy', { quiet_hours: { enabled: false } });
        await own.client.must(201, 'POST', '/v1/dlt/entities', { registered_id: '1101172974420810001', name: 'Acme' });
        sms = (await own.client.must(201, 'POST', '/v1/channels', { kind: 'sms', name: 'SMS', sms: { sender: 'HRKARA', sender_kind: 'alphanumeric' } })).id;
        for (const n of [1, 2, 3])
            await own.client.must(202, 'POST', '/v1/messages', own.client.text(own.channel, { to: `+9198765440${n}0`, reference: `checked-${n}` }));
        know('checked-1', 'suppression (tenant_id, peer_index, channel_kind, scope, reason, id, actor_kind, at)', "'sms', 'all', 'manual', m.id, 'key', now()");
        know('checked-2', 'consent_state', "'whatsapp', 'promotional', 'granted', now(), m.id");
        know('checked-3', 'consent_state', "'whatsapp', 'service', 'withdrawn', now(), m.id");
    });

    test('says what then becomes of a message and of each of its senders, and leaves nothing', async () => {
        const texts = (/** @type {string} */ channel, /** @type {Record<string, unknown>} */ more) => own.client.text(channel, more);
        const cases = [
            [texts(own.channel, { to: '+919876544010' }), [null]],
            [texts(own.channel, { to: '+919876544010', fallback: [{ channel_id: sms }] }), [null, 'dlt']],
            [texts(own.channel, { to: '+14155550123', fallback: [{ channel_id: sms }] }), [null, null]],
            [texts(sms, { to: '+919876544010', fallback: [{ channel_id: own.channel }] }), ['dlt', null]],
            [texts(own.channel, { to: '+919876544020', category: 'promotional', fallback: [{ channel_id: sms }] }), [null, 'dlt']],
            [texts(own.channel, { to: '+14155550123', category: 'promotional' }), ['consent']],
            [texts(own.channel, { to: '+919876544030' }), ['consent']],
            [texts(own.channel, { to: '+919876544030', category: 'otp' }), [null]],
            [texts(own.channel, { to: '+14155550123', send_at: new Date(Date.now() + 3_600_000).toISOString() }), [null]],
        ];
        for (const [body, rules] of cases) {
            const before = stored();
            const { senders, ...check } = await own.client.must(200, 'POST', '/v1/policy/check', body);
            assert.equal(stored(), before, 'nothing is stored');
            assert.deepEqual(senders.map(({ policy }) => policy.rule), rules, JSON.stringify(body));
            const sent = await own.client.must(202, 'POST', '/v1/messages', body);
            assert.deepEqual(timeless(sent.policy.accepted), timeless(check));
            assert.deepEqual(senders[0].policy, check);
            const shown = await own.client.must(200, 'GET', `/v1/messages/${sent.id}`);
            if (check.decision === 'block')
                assert.deepEqual(shown.senders, [], 'it goes to none of them');
            for (const { position, channel_id, policy, state } of shown.senders) {
                assert.deepEqual(timeless(policy), timeless(senders[position].policy));
                assert.equal(channel_id, senders[position].channel_id);
                if (policy.rule === 'dlt')
                    assert.equal(state, 'skipped', 'its text is not registered');
            }
        }
    });

    test('refuses what is refused, alike', async () => {
        const bodies = [own.client.text('chn_01jd8h0m4zfg5v2c9x7k3q6t1n'), own.client.text(sms, { content: { type: 'image', image: { link: 'https://example.org/a.png' } } }), own.client.text(own.channel, { send_at: '2020-01-01T00:00:00Z' }), { to: '+14155550123' }];
        await own.client.must(200, 'PATCH', `/v1/channels/${sms}`, { state: 'paused' });
        bodies.push(own.client.text(sms));
        for (const body of bodies) {
            const [check, sent] = [await own.client.call('POST', '/v1/policy/check', body), await own.client.call('POST', '/v1/messages', body)];
            assert.ok(check.status >= 400 && check.status < 500, check.text);
            assert.deepEqual([check.status, check.json.code, check.json.errors], [sent.status, sent.json.code, sent.json.errors]);
        }
        const { senders } = await own.client.must(200, 'POST', '/v1/policy/check', own.client.text(own.channel, { fallback: [{ channel_id: sms }] }));
        assert.deepEqual(senders.map(({ policy }) => policy.rule), [null, 'sender-ready']);
        assert.equal(senders[1].policy.facts.sender, 'paused');
        await own.client.must(200, 'PATCH', `/v1/channels/${sms}`, { state: 'active' });
    });

    test('says that a quota is used up, and uses none', async () => {
        const tight = await platform.workspace(), body = tight.client.text(tight.channel);
        await platform.harkara.json('tenant', 'limits', tight.slug, '--messages-per-day', '1');
        for (let i = 0; i < 3; i += 1)
            assert.equal((await tight.client.must(200, 'POST', '/v1/policy/check', body)).decision, 'allow');
        await tight.client.must(202, 'POST', '/v1/messages', body);
        const spent = await tight.client.must(200, 'POST', '/v1/policy/check', body);
        assert.deepEqual([spent.decision, spent.rule, spent.facts.quota], ['block', 'quota', 'spent']);
        assert.equal((await tight.client.call('POST', '/v1/messages', body)).status, 429);
    });
});
