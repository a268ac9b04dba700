// @ts-check
/**
 * How far somebody reaches who is limited to one channel of a workspace: what belongs to another channel is found by no route, in no list,
 * count, export or text of an error. And what people did is told of them, not of a key.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Browser, ownerOf, Passkey } from './authenticator.js';
import { Client, contract, startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop, owner;
before(async () => {
    platform = await startPlatform();
    shop = await platform.workspace({ endpoint: true });
    owner = await ownerOf(platform, shop.tenant);
});
after(() => platform?.stop());

/** Somebody with a role and channels. @param {string} role @param {string[]} channels */
const limited = async (role, channels) => {
    const { link } = await shop.client.must(201, 'POST', '/v1/invitations', { email: `${Math.random().toString(36).slice(2)}@example.org`, role, scope: 'channels', channels });
    const page = new Browser(new Client(platform.url, null), owner.page.origin);
    await page.enrol(link, new Passkey(), `A limited ${role}`);
    return page;
};

describe('what a person did with a message', () => {
    test('is told of the person, in its timeline, and webhooks say nothing of who it was', async () => {
        const text = () => owner.page.client.text(shop.channel);
        const me = (await owner.page.must(200, 'GET', '/v1/me')).id;
        const at = new Date(Date.now() + 3_600_000).toISOString();
        const sent = await owner.page.must(202, 'POST', '/v1/messages', text());
        const held = await owner.page.must(202, 'POST', '/v1/messages', { ...text(), send_at: at });
        await owner.page.must(200, 'PATCH', `/v1/messages/${held.id}`, { send_at: new Date(Date.now() + 7_200_000).toISOString() });
        await owner.page.must(200, 'POST', `/v1/messages/${held.id}/cancel`);
        const shown = await shop.client.must(200, 'GET', `/v1/messages/${sent.id}`);
        assert.deepEqual([shown.timeline[0].actor, shown.timeline[0].person_id, shown.timeline[0].key_id], ['person', me, undefined]);
        const { timeline } = await shop.client.must(200, 'GET', `/v1/messages/${held.id}`);
        assert.deepEqual(timeline.map(({ status, actor, person_id, key_id }) => [status, actor, person_id, key_id]), [['held', 'person', me, undefined], ['held', 'person', me, undefined], ['canceled', 'person', me, undefined]]);
        const byKey = await shop.client.must(202, 'POST', '/v1/messages', text());
        const [first] = (await shop.client.must(200, 'GET', `/v1/messages/${byKey.id}`)).timeline;
        assert.deepEqual([first.actor, first.key_id, first.person_id], ['api-key', shop.keyId, undefined]);
        await until(() => shop.receiver.received.some(({ body }) => String(body).includes(held.id) && String(body).includes('message.canceled')), 'the webhook');
        assert.ok(shop.receiver.received.every(({ body }) => !String(body).includes(me) && !String(body).includes('person_id')));
    });
});

describe('who is limited to one channel', () => {
    const MARK = 'only-of-the-other', SENDER = '+14155550777';
    let second, admin, manager, theirs, fellBack, entries, other;
    before(async () => {
        const key = shop.client;
        second = await platform.connect(key);
        const message = await key.must(202, 'POST', '/v1/messages', key.text(second.channel, { reference: MARK, tags: [MARK], metadata: { mark: MARK } }));
        await key.follow(message.id, ['read']);
        /* One that began with the other channel and went over to ours: 131026 is a number that cannot be reached. */
        const { json: fault } = await platform.sandbox.control('POST', '/faults', { match: { phone_number_id: second.account.phone_number_id }, times: null, effect: { kind: 'error', code: 131026 } });
        fellBack = await key.must(202, 'POST', '/v1/messages', key.text(second.channel, { fallback: [{ channel_id: shop.channel }] }));
        await key.follow(fellBack.id, ['read']);
        await platform.sandbox.control('DELETE', `/faults/${fault.id}`);
        await platform.sandbox.control('POST', '/inbound', { phone_number_id: second.account.phone_number_id, from: SENDER, type: 'text', text: MARK });
        const inbound = await until(async () => (await key.must(200, 'GET', `/v1/messages?direction=inbound&channel_id=${second.channel}`)).data[0], 'the message that came in');
        const template = await key.must(202, 'POST', '/v1/templates', { channel_id: second.channel, name: MARK.replaceAll('-', '_'), language: 'en', category: 'utility', components: [{ type: 'BODY', text: 'A text of the other.' }] });
        const { data: operations } = await key.must(200, 'GET', `/v1/channels/${second.channel}/operations`);
        const team = await key.must(201, 'POST', '/v1/teams', { name: 'Both', channels: [shop.channel, second.channel] });
        await key.must(201, 'POST', '/v1/invitations', { email: 'pending@example.org', role: 'agent', scope: 'channels', channels: [second.channel] });
        admin = await limited('admin', [shop.channel]);
        manager = await limited('manager', [shop.channel]);
        await limited('agent', [second.channel, shop.channel]);
        theirs = { channel_id: second.channel, message_id: message.id, template_id: template.id, operation_id: operations[0].id };
        other = { ...theirs, inbound: inbound.id, operation: operations[1].id, ...second.account };
        delete other.access_token, delete other.app_secret, delete other.verify_token;
        entries = { team: team.id };
    });
    /** What must not be in an answer. */
    const leaks = (text) => [...Object.entries(other), ['mark', MARK], ['mark of a template', MARK.replaceAll('-', '_')], ['a number', SENDER.slice(1)]].filter(([, value]) => text.includes(value)).map(([name]) => name);
    const operations = Object.entries(contract.paths).flatMap(([template, item]) => ['get', 'post', 'patch', 'put', 'delete'].filter((method) => item[method] !== undefined)
        .map((method) => ({ method: method.toUpperCase(), template, operation: item[method] })));

    test('finds nothing of another in any list, count or export', async () => {
        let read = 0;
        const found = [];
        for (const { template, operation } of operations.filter(({ method, template }) => method === 'GET' && !template.includes('{')))
            for (const page of [admin, manager]) {
                const has = (name) => (operation.parameters ?? []).some((parameter) => parameter.name === name || parameter.$ref?.endsWith(`/${name[0].toUpperCase()}${name.slice(1)}`));
                const answer = await page.call('GET', `${template}${has('limit') ? '?limit=100' : ''}`);
                if (answer.status !== 200) {
                    assert.ok([400, 403, 404, 422].includes(answer.status), `${template}: ${answer.text}`);
                    continue;
                }
                read += 1;
                const names = leaks(answer.text);
                if (names.length > 0)
                    found.push(`${template}: ${names}`);
            }
        assert.deepEqual(found, []);
        assert.ok(read > 20, `${read} were read`);
        for (const query of [`channel_id=${theirs.channel_id}`, `reference=${MARK}`, `tag=${MARK}`, `to=${encodeURIComponent(SENDER)}`, 'direction=inbound'])
            assert.deepEqual((await admin.must(200, 'GET', `/v1/messages?${query}`)).data, [], query);
        for (const query of [`channel_id=${theirs.channel_id}`, `name=${MARK.replaceAll('-', '_')}`])
            assert.deepEqual((await admin.must(200, 'GET', `/v1/templates?${query}`)).data, [], query);
        for (const query of ['', `?channel_id=${theirs.channel_id}`, `?reference=${MARK}`, '?content=true'])
            assert.deepEqual(leaks((await admin.call('GET', `/v1/messages/export${query}`)).text), [], `an export${query}`);
    });

    test('and nothing by its id: it is as if it were not there', async () => {
        const bare = ({ status, json }) => ({ status, ...json, instance: '' });
        for (const { method, template, operation } of operations) {
            const names = [...template.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name);
            if (names.length === 0 || !names.every((name) => theirs[name] !== undefined))
                continue;
            const media = operation.requestBody?.content['application/json'];
            const example = media === undefined ? undefined : Object.values(media.examples ?? { one: { value: media.example } })[0].value;
            const query = (operation.parameters ?? []).some((parameter) => parameter.in === 'query' && parameter.required) ? `?to=${encodeURIComponent(SENDER)}` : '';
            const target = template.replace(/\{([^}]+)\}/g, (_, name) => theirs[name]) + query;
            const there = await admin.call(method, target, example), absent = await admin.call(method, target.replace(/(?<=_)[0-9a-z]{26}/, '0'.repeat(26)), example);
            assert.equal(there.status, 404, `${method} ${template}: ${there.text}`);
            assert.deepEqual(bare(there), bare(absent), `${method} ${template}: nothing tells them apart`);
        }
        assert.equal((await shop.client.must(200, 'GET', `/v1/channels/${second.channel}`)).state, 'active', 'nothing was done to it');
    });

    test('and cannot send through it, nor learn by trying that it is there', async () => {
        const absent = `chn_${'0'.repeat(26)}`;
        const bare = ({ status, json }) => ({ status, ...json, instance: '' });
        for (const body of [(channel) => admin.client.text(channel), (channel) => admin.client.text(shop.channel, { fallback: [{ channel_id: channel }] })]) {
            const there = await admin.call('POST', '/v1/messages', body(theirs.channel_id));
            assert.equal(there.json.code, 'channel-unknown', there.text);
            assert.deepEqual(bare(there), bare(await admin.call('POST', '/v1/messages', body(absent))));
        }
        for (const more of [{ reply_to: theirs.message_id }, { content: { type: 'reaction', reaction: { message_id: theirs.message_id, emoji: '👍' } } }])
            assert.equal((await admin.call('POST', '/v1/messages', admin.client.text(shop.channel, more))).status, 422);
        const batch = await admin.call('POST', '/v1/messages/batch', { messages: [admin.client.text(theirs.channel_id)] });
        assert.equal(batch.json.results[0].problem.code, 'channel-unknown', batch.text);
        const draft = (channel_id) => ({ channel_id, name: 'draft', language: 'en', category: 'utility', components: [{ type: 'BODY', text: 'A text.' }] });
        assert.deepEqual(bare(await admin.call('POST', '/v1/templates', draft(theirs.channel_id))), bare(await admin.call('POST', '/v1/templates', draft(absent))));
    });

    test('sees of a message that came over from it only that something happened there', async () => {
        const seen = await admin.call('GET', `/v1/messages/${fellBack.id}`), whole = await shop.client.must(200, 'GET', `/v1/messages/${fellBack.id}`);
        assert.equal(seen.status, 200);
        assert.deepEqual(leaks(seen.text), []);
        assert.deepEqual(seen.json.timeline.map(({ type }) => type), whole.timeline.map(({ type }) => type));
        assert.deepEqual(seen.json.senders.map(({ channel_id }) => channel_id), [shop.channel]);
        assert.ok(!seen.text.includes('131026') && JSON.stringify(whole).includes('131026'), 'nor what its provider said');
    });

    test('sees people and teams without it, and no sums over all channels', async () => {
        const { data: teams } = await manager.must(200, 'GET', '/v1/teams');
        assert.deepEqual(teams.find(({ id }) => id === entries.team).channels, [shop.channel]);
        const { data: people } = await manager.must(200, 'GET', '/v1/people?limit=100');
        assert.ok(people.length > 2 && people.every(({ channels }) => channels.every((channel) => channel === shop.channel)));
        const { data: invitations } = await manager.must(200, 'GET', '/v1/invitations?limit=100');
        assert.deepEqual(invitations.find(({ email }) => email === 'pending@example.org').channels, []);
        const usage = await manager.must(200, 'GET', '/v1/usage');
        assert.deepEqual(usage.workspace, []);
        assert.deepEqual((await manager.must(200, 'GET', '/v1/usage/channels')).data.map(({ id }) => id), [shop.channel]);
        assert.deepEqual((await manager.must(200, 'GET', '/v1/usage/api-keys')).data, []);
        assert.ok((await shop.client.must(200, 'GET', '/v1/usage')).workspace.length > 0);
    });

    test('and a template that its channel shares with it names the channel that is reached', async () => {
        platform.sql(`update harkara.whatsapp_channel set waba_id = '${second.account.waba_id}' where channel_id = (select id from harkara.channel where tenant_id = (select tenant_id from harkara.tenant where slug = '${shop.slug}') and id <> (select channel_id from harkara.template where name = '${MARK.replaceAll('-', '_')}'))`);
        assert.equal((await shop.client.must(200, 'GET', `/v1/templates/${theirs.template_id}`)).channel_id, second.channel);
        assert.equal((await admin.must(200, 'GET', `/v1/templates/${theirs.template_id}`)).channel_id, shop.channel);
        assert.ok((await admin.must(200, 'GET', '/v1/templates?limit=100')).data.every(({ channel_id }) => channel_id === shop.channel));
    });
});
