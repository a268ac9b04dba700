// @ts-check
/** One workspace never sees, changes or learns of another's objects: a foreign id is 404, the same as one that is not there. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ownerOf } from './authenticator.js';
import { contract, startPlatform, Client, PERSON, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let acme, bolt, theirs, acmeOwner;
before(async () => {
    platform = await startPlatform();
    acme = await platform.workspace();
    bolt = await platform.workspace({ endpoint: true });
    const message = await bolt.client.must(202, 'POST', '/v1/messages', bolt.client.text(bolt.channel, { reference: 'bolt-only' }));
    await bolt.client.follow(message.id, ['read']);
    const operation = await bolt.client.must(202, 'POST', `/v1/channels/${bolt.channel}/number/sync`);
    const template = await bolt.client.must(202, 'POST', '/v1/templates', { channel_id: bolt.channel, name: 'theirs', language: 'en', category: 'utility', components: [{ type: 'BODY', text: 'A text of theirs.' }] });
    const deliveries = await until(async () => {
        const { data } = await bolt.client.must(200, 'GET', `/v1/webhook-endpoints/${bolt.endpoint}/deliveries`);
        return data.length > 0 && data;
    }, 'a delivery');
    const replay = await bolt.client.must(202, 'POST', `/v1/webhook-endpoints/${bolt.endpoint}/replay`, { since: '2026-01-01T00:00:00Z' });
    const team = await bolt.client.must(201, 'POST', '/v1/teams', { name: 'Theirs' });
    const role = await bolt.client.must(201, 'POST', '/v1/roles', { name: 'Theirs', permissions: ['messages:read'] });
    const invitation = await bolt.client.must(201, 'POST', '/v1/invitations', { email: 'their@example.org', role: 'agent' });
    platform.sql(`insert into harkara.membership (tenant_id, id, person_id, role, scope, joined_at) select tenant_id, harkara.id_at(now()), harkara.id_at(now()), 'agent', 'all', now() from harkara.tenant where slug = '${bolt.slug}'`);
    const review = await bolt.client.must(201, 'POST', '/v1/access-reviews', { due_at: '2099-01-01T00:00:00Z' });
    const dlt = await registered(bolt.client);
    const connector = await bolt.client.must(201, 'POST', '/v1/sms/connectors', { name: 'Theirs', host: 'smpp.example', tls: true, system_id: 'theirs', password: 'se-cret-1' });
    const route = await bolt.client.must(201, 'POST', '/v1/sms/routes', { connector_id: connector.id });
    const consent = await bolt.client.must(201, 'POST', '/v1/consents', { address: PERSON, channel: 'sms', purpose: 'promotional', state: 'withdrawn' });
    const suppression = await bolt.client.must(201, 'POST', '/v1/suppressions', { address: PERSON, channel: 'sms', scope: 'promotional' });
    const notice = await bolt.client.must(201, 'POST', '/v1/consent-notices', { name: 'theirs', language: 'en', text: 'Theirs.' });
    theirs = { ...dlt, consent_id: consent.id, suppression_id: suppression.id, notice_id: notice.id, connector_id: connector.id, route_id: route.id, team_id: team.id, role_id: role.id, invitation_id: invitation.id, review_id: review.id, membership_id: review.items[0].membership_id, delivery_id: deliveries[0].id, replay_id: replay.id, template_id: template.id, message_id: message.id, channel_id: bolt.channel, endpoint_id: bolt.endpoint, key_id: bolt.keyId, operation_id: operation.id, media_id: (await bolt.client.upload('text/plain', 'theirs')).id };
    acmeOwner = await ownerOf(platform, acme.tenant);
    const { page } = await ownerOf(platform, bolt.tenant);
    const [passkey] = (await page.must(200, 'GET', '/v1/me/passkeys')).data;
    Object.assign(theirs, { passkey_id: passkey.id, session_id: page.session.id, identity_id: identityOf(), entry_id: (await bolt.client.must(200, 'GET', '/v1/audit?limit=1')).data[0].id });
});
after(() => platform?.stop());

/** One of everything in India's registry. */
async function registered(client) {
    const entity_id = (await client.must(201, 'POST', '/v1/dlt/entities', { registered_id: '1101', name: 'Theirs' })).id;
    const header = await client.must(201, 'POST', '/v1/dlt/headers', { entity_id, name: 'THEIRS' });
    const chain = await client.must(201, 'POST', '/v1/dlt/chains', { entity_id, telemarketers: [{ registered_id: '1302' }] });
    const template = await client.must(201, 'POST', '/v1/dlt/templates', { entity_id, kind: 'content', registered_id: '1107', name: 'Theirs', category: 'service', text: 'Theirs.', headers: ['THEIRS'] });
    const link = await client.must(201, 'POST', '/v1/dlt/links', { kind: 'number', value: '1800123456' });
    return { dlt_entity_id: entity_id, dlt_header_id: header.id, dlt_chain_id: chain.id, dlt_template_id: template.id, dlt_link_id: link.id };
}

/** An identity at another's issuer, of whoever signed in last: no issuer has to be asked for it. */
function identityOf() {
    platform.sql(`with i as (insert into harkara.oidc_issuer (tenant_id, id, name, issuer, client_id, algorithm, domains, key_version, client_secret_ct, client_secret_iv, client_secret_tag, created_at)
        select tenant_id, harkara.id_at(now()), 'Elsewhere', 'https://issuer.example', 'client', 'RS256', '{}', 1, '', decode(repeat('00', 12), 'hex'), decode(repeat('00', 16), 'hex'), now() from harkara.tenant where tenant_id = '00000000-0000-7000-8000-000000000000' returning tenant_id, id)
        insert into harkara.oidc_identity (tenant_id, id, person_id, issuer_id, subject_index, created_at)
        select i.tenant_id, harkara.id_at(now()), (select person_id from harkara.person_session order by created_at desc, id desc limit 1), i.id, decode(repeat('00', 32), 'hex'), now() from i`);
    /* As it is printed: a UUID in base32, in 26 letters. */
    const number = BigInt(`0x${platform.sql('select id from harkara.oidc_identity').replaceAll('-', '')}`);
    return `idn_${[...Array(26).keys()].map((i) => '0123456789abcdefghjkmnpqrstvwxyz'[Number((number >> BigInt(5 * (25 - i))) & 31n)]).join('')}`;
}

const operations = Object.entries(contract.paths).flatMap(([template, item]) => ['get', 'post', 'patch', 'put', 'delete'].filter((method) => item[method] !== undefined)
    .map((method) => ({ method: method.toUpperCase(), template, operation: item[method] })));

/** The query that an operation cannot be without: a number, the only one there is so far. */
const required = (operation) => {
    const names = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query' && parameter.required).map(({ name }) => name);
    return names.length === 0 ? '' : `?${new URLSearchParams(names.map((name) => [name, PERSON]))}`;
};

describe('every endpoint with another workspace\'s ids', () => {
    for (const { method, template, operation } of operations.filter(({ template, operation }) => template.includes('{') && !operation['x-scope']?.startsWith('platform:'))) /* which are for those who see all of them */
        test(`${method} ${template}`, async () => {
            const media = operation.requestBody?.content['application/json'];
            const example = media === undefined ? undefined : Object.values(media.examples ?? { one: { value: media.example } })[0].value;
            for (const [, name] of template.matchAll(/\{([^}]+)\}/g))
                assert.match(String(theirs[name]), /^[a-z]+_[0-9a-z]{26}$/, `make one of theirs in before(), and note its id as ${name}`);
            const target = template.replace(/\{([^}]+)\}/g, (_, name) => theirs[name]) + required(operation);
            const asker = operation['x-access'] === 'session' ? acmeOwner.page : acme.client;
            const foreign = await asker.call(method, target, example);
            const absent = await asker.call(method, target.replace(/(?<=_)[0-9a-z]{26}/, '0'.repeat(26)), example);
            assert.equal(foreign.status, 404, foreign.text);
            assert.equal(absent.status, 404);
            const bare = ({ json }) => ({ ...json, instance: '' });
            assert.deepEqual(bare(foreign), bare(absent), 'nothing tells them apart');
        });

    test('their objects are as they were', async () => {
        assert.equal(platform.sql('select count(*) from harkara.oidc_identity'), '1');
        assert.equal((await bolt.client.must(200, 'GET', `/v1/channels/${theirs.channel_id}`)).state, 'active');
        assert.equal((await bolt.client.must(200, 'GET', `/v1/webhook-endpoints/${theirs.endpoint_id}`)).state, 'enabled');
        assert.equal((await bolt.client.must(200, 'GET', `/v1/api-keys/${theirs.key_id}`)).revoked_at, null);
    });
});

describe('ids inside a request', () => {
    test('a foreign channel hands in no template, and shows none', async () => {
        const answer = await acme.client.call('POST', '/v1/templates', { channel_id: bolt.channel, name: 'ours', language: 'en', category: 'utility', components: [{ type: 'BODY', text: 'A text of ours.' }] });
        assert.equal(answer.json.code, 'channel-unknown');
        assert.deepEqual((await acme.client.must(200, 'GET', `/v1/templates?channel_id=${theirs.channel_id}`)).data, []);
        assert.ok((await acme.client.must(200, 'GET', '/v1/templates')).data.every(({ channel_id }) => channel_id === acme.channel));
    });

    test('a foreign channel does not send', async () => {
        const answer = await acme.client.call('POST', '/v1/messages', acme.client.text(bolt.channel));
        const checked = await acme.client.call('POST', '/v1/policy/check', acme.client.text(bolt.channel));
        assert.deepEqual([checked.status, checked.json.code], [answer.status, answer.json.code]);
        assert.equal(answer.status, 422);
        assert.equal(answer.json.code, 'channel-unknown');
    });

    test('a foreign message cannot be answered or reacted to', async () => {
        for (const more of [{ reply_to: theirs.message_id }, { content: { type: 'reaction', reaction: { message_id: theirs.message_id, emoji: '👍' } } }]) {
            const answer = await acme.client.call('POST', '/v1/messages', acme.client.text(acme.channel, more));
            assert.equal(answer.status, 422, answer.text);
        }
    });

    test('filters by foreign ids find nothing', async () => {
        for (const query of [`channel_id=${theirs.channel_id}`, 'reference=bolt-only', `cursor=${theirs.message_id.slice(4)}&reference=bolt-only`])
            assert.deepEqual((await acme.client.must(200, 'GET', `/v1/messages?${query}`)).data, []);
    });

    test('lists hold only what is one\'s own', async () => {
        for (const target of ['/v1/messages', '/v1/channels', '/v1/webhook-endpoints', '/v1/api-keys', '/v1/people', '/v1/roles', '/v1/teams', '/v1/invitations', '/v1/access-reviews', '/v1/dlt', '/v1/dlt/headers', '/v1/dlt/templates', '/v1/dlt/links']) {
            const text = JSON.stringify(await acme.client.must(200, 'GET', target));
            for (const id of Object.values(theirs))
                assert.ok(!text.includes(id), `${target} shows ${id}`);
        }
    });
});

describe('the provider\'s callbacks', () => {
    test('a status posted to one workspace\'s callback does not touch another\'s message', async () => {
        /* Signed with acme's own secret, naming bolt's message and number: what a tenant who is also an attacker can do. */
        const body = JSON.stringify({ object: 'whatsapp_business_account', entry: [{ id: acme.account.waba_id, changes: [{ field: 'messages', value: {
            messaging_product: 'whatsapp', metadata: { display_phone_number: '1', phone_number_id: bolt.account.phone_number_id },
            statuses: [{ id: 'wamid.forged', status: 'failed', timestamp: '1700000000', recipient_id: '14155550123', biz_opaque_callback_data: theirs.message_id, errors: [{ code: 131026 }] }] } }] }] });
        const { createHmac } = await import('node:crypto');
        const signature = `sha256=${createHmac('sha256', acme.account.app_secret).update(body).digest('hex')}`;
        const path = new URL(acme.callback).pathname;
        const answer = await new Client(platform.url, null).raw('POST', path, body, { 'content-type': 'application/json', 'x-hub-signature-256': signature });
        assert.equal(answer.status, 200);
        const refused = await new Client(platform.url, null).raw('POST', new URL(bolt.callback).pathname, body, { 'content-type': 'application/json', 'x-hub-signature-256': signature });
        assert.equal(refused.status, 401);
        const { until } = await import('./support.js');
        await until(() => platform.sql("select count(*) from harkara.provider_batch") === '0', 'the body to be interpreted');
        assert.equal((await bolt.client.must(200, 'GET', `/v1/messages/${theirs.message_id}`)).status, 'read');
    });
});
