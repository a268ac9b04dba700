// @ts-check
/** API keys: scoped, expiring, bound to addresses, revoked within a second in every process, never stored as they are. And what repeating does without the other kind of key. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client, SCOPES, contract, startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop;
before(async () => {
    platform = await startPlatform({ env: { HARKARA_GATEWAYS: '2' } });
    shop = await platform.workspace({ endpoint: true });
});
after(() => platform?.stop());

const made = (more) => shop.client.must(201, 'POST', '/v1/api-keys', { name: 'A key', scopes: ['messages:read'], ...more });

describe('who may ask', () => {
    test('no key, a broken key, an unknown key, a key with another secret', async () => {
        const other = await made({});
        const id = other.key.split('_')[2], secret = other.key.split('_').slice(3).join('_'); /* a secret may have underscores */
        const wrong = `hk_live_${id}_${secret.slice(0, -4)}${secret.endsWith('AAA') ? 'BBBA' : 'AAAA'}`;
        for (const [key, code] of [[null, 'key-missing'], ['nonsense', 'key-invalid'], [`hk_live_${'0'.repeat(26)}_${secret}`, 'key-invalid'],
            [wrong, 'key-invalid'], [other.key.replace('hk_live', 'hk_test'), 'key-invalid']]) {
            const answer = await new Client(platform.url, key).call('GET', '/v1/messages');
            assert.equal(answer.status, 401, String(key));
            assert.equal(answer.json.code, code);
            assert.ok(answer.headers.get('www-authenticate') !== null, 'the answer says how to authenticate');
        }
    });

    test('each operation wants its own scope, and no other', async () => {
        const keys = {};
        for (const scope of SCOPES)
            keys[scope] = new Client(platform.url, (await made({ scopes: [scope] })).key);
        const ids = { message_id: 'msg_00000000000000000000000000', channel_id: 'chn_00000000000000000000000000', endpoint_id: 'whe_00000000000000000000000000', key_id: 'key_00000000000000000000000000' };
        for (const [template, item] of Object.entries(contract.paths))
            for (const [method, operation] of Object.entries(item)) {
                if (operation['x-scope'] === undefined || operation['x-access'] === 'session') /* roles_walk.test.js asks those of people */
                    continue;
                const target = template.replace(/\{([^}]+)\}/g, (_, name) => ids[name]);
                const body = operation.requestBody === undefined ? undefined : {};
                for (const [scope, client] of Object.entries(keys)) {
                    const answer = await client.call(method.toUpperCase(), target, body);
                    if (scope === operation['x-scope'])
                        assert.notEqual(answer.status, 403, `${operation.operationId} takes ${scope}`);
                    else
                        assert.equal(answer.json?.code, 'scope-missing', `${operation.operationId} refuses ${scope}`);
                }
            }
    });

    test('a key gives no more than its maker has', async () => {
        const maker = new Client(platform.url, (await made({ scopes: ['keys:manage'] })).key);
        const answer = await maker.call('POST', '/v1/api-keys', { name: 'More', scopes: ['messages:send'] });
        assert.equal(answer.status, 403);
        assert.equal(answer.json.errors[0].pointer, '/scopes/0');
    });

    test('an allow-list of addresses is held', async () => {
        const here = new Client(platform.url, (await made({ allowed_cidrs: ['127.0.0.0/8'] })).key);
        const elsewhere = new Client(platform.url, (await made({ allowed_cidrs: ['203.0.113.0/24', '2001:db8::/32'] })).key);
        await here.must(200, 'GET', '/v1/messages');
        const answer = await elsewhere.call('GET', '/v1/messages');
        assert.equal(answer.status, 403);
        assert.equal(answer.json.code, 'address-not-allowed');
        /* Nobody is believed about his address who is not a proxy of ours. */
        assert.equal((await elsewhere.call('GET', '/v1/messages', undefined, { 'x-forwarded-for': '203.0.113.7' })).status, 403);
        const bad = await shop.client.call('POST', '/v1/api-keys', { name: 'x', scopes: ['messages:read'], allowed_cidrs: ['203.0.113.7/24'] });
        assert.equal(bad.json.errors[0].pointer, '/allowed_cidrs/0');
    });

    test('an expired key is refused; one cannot be made', async () => {
        const key = await made({ expires_at: new Date(Date.now() + 3_600_000).toISOString() });
        const short = new Client(platform.url, key.key);
        await short.must(200, 'GET', '/v1/messages');
        platform.sql(`update harkara.api_key set expires_at = now() where expires_at > now() and name = '${key.name}'`); /* its hour, without the wait */
        await until(async () => (await short.call('GET', '/v1/messages')).json.code === 'key-expired', 'the key to expire');
        const past = await shop.client.call('POST', '/v1/api-keys', { name: 'x', scopes: ['messages:read'], expires_at: '2020-01-01T00:00:00Z' });
        assert.equal(past.json.errors[0].pointer, '/expires_at');
    });
});

describe('a key\'s life', () => {
    test('is shown once, then only its last four', async () => {
        const key = await made({ name: 'Shown once' });
        const again = await shop.client.must(200, 'GET', `/v1/api-keys/${key.id}`);
        assert.equal(again.key, undefined);
        assert.equal(again.last_four, key.key.slice(-4));
        const secret = key.key.split('_').slice(3).join('_');
        assert.equal(platform.sql(`select count(*) from harkara.api_key k where k::text like '%${secret.slice(0, 20)}%'`), '0');
    });

    test('use is noted with time and address', async () => {
        const key = await made({});
        await new Client(platform.url, key.key).must(200, 'GET', '/v1/messages');
        await until(async () => (await shop.client.must(200, 'GET', `/v1/api-keys/${key.id}`)).last_used_at !== null, 'the use to be noted');
        assert.equal(platform.sql("select count(*) from harkara.api_key where last_used_from = '127.0.0.1'") > '0', true);
    });

    test('revoked, it soon stops in every gateway', async () => {
        const key = await made({});
        const client = new Client(platform.url, key.key);
        /* Warm the caches of both gateways: fresh connections land on either. */
        for (let i = 0; i < 20; i++)
            await client.must(200, 'GET', '/v1/messages');
        assert.equal((await shop.client.call('DELETE', `/v1/api-keys/${key.id}`)).status, 204);
        /* Forty in a row that land on either: nobody remembers it any more. For how long they may is a unit test's, with a clock of its own. */
        let refused = 0;
        await until(async () => {
            const answer = await client.call('GET', '/v1/messages', undefined, { connection: 'close' });
            refused = answer.json.code === 'key-revoked' ? refused + 1 : 0;
            return refused === 40;
        }, 'every gateway to refuse the key');
        assert.equal((await shop.client.call('DELETE', `/v1/api-keys/${key.id}`)).status, 204, 'revoking again succeeds');
    });

    test('the command line lists and revokes too', async () => {
        const key = await platform.harkara.json('key', 'create', '--tenant', shop.slug, '--name', 'From the shell', '--scope', 'messages:read');
        const client = new Client(platform.url, key.key);
        await client.must(200, 'GET', '/v1/messages');
        const listed = await platform.harkara.json('key', 'list', '--tenant', shop.slug);
        assert.ok(JSON.stringify(listed).includes(key.id));
        assert.ok(!JSON.stringify(listed).includes(key.key));
        const { code } = await platform.harkara.cli('key', 'revoke', '--tenant', shop.slug, key.id);
        assert.equal(code, 0);
        await until(async () => (await client.call('GET', '/v1/messages')).status === 401, 'the revocation');
    });
});

/** docs/api.md has the table: what is made once more when a request is repeated without a key, and what is not. */
describe('repeated without an idempotency key', () => {
    test('a number is not connected twice, and what was ended stays ended', async () => {
        const { waba_id, phone_number_id, display_phone_number, access_token, app_secret, verify_token } = shop.account;
        const number = { kind: 'whatsapp', name: 'Again', whatsapp: { waba_id, phone_number_id, display_phone_number, access_token, app_secret, verify_token } };
        const clash = await shop.client.call('POST', '/v1/channels', number);
        assert.equal(clash.status, 409);
        assert.equal(clash.json.code, 'already-exists');
        const held = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel, { send_at: new Date(Date.now() + 3_600_000).toISOString() }));
        for (let i = 0; i < 2; i++) {
            const canceled = await shop.client.must(200, 'POST', `/v1/messages/${held.id}/cancel`);
            assert.equal(canceled.status, 'canceled');
        }
        const key = await made({});
        for (let i = 0; i < 2; i++)
            await shop.client.must(204, 'DELETE', `/v1/api-keys/${key.id}`);
        const media = await shop.client.upload('text/plain', 'twice');
        await shop.client.must(204, 'DELETE', `/v1/media/${media.id}`);
        await shop.client.must(404, 'DELETE', `/v1/media/${media.id}`);
    });

    test('endpoints, keys and media are made once more, and a list shows both', async () => {
        const endpoint = { url: shop.receiver.url, events: ['message.read'], description: 'twice' };
        const makes = [['/v1/webhook-endpoints', () => shop.client.must(201, 'POST', '/v1/webhook-endpoints', endpoint)], ['/v1/api-keys', () => made({ name: 'Twice' })]];
        for (const [list, make] of /** @type {[string, () => Promise<any>][]} */ (makes)) {
            const ids = [(await make()).id, (await make()).id];
            const { data } = await shop.client.must(200, 'GET', list);
            assert.deepEqual(data.slice(0, 2).map(({ id }) => id), ids.toReversed(), list);
            for (const id of ids)
                await shop.client.must(204, 'DELETE', `${list}/${id}`);
        }
        const [one, two] = [await shop.client.upload('text/plain', 'same'), await shop.client.upload('text/plain', 'same')];
        assert.notEqual(one.id, two.id);
    });
});
