// @ts-check
/** Operations and numbers: what is asked of the provider besides sending, to its end, whatever dies meanwhile. */
import assert from 'node:assert/strict';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop;
before(async () => {
    platform = await startPlatform();
    shop = await platform.workspace({ endpoint: true });
});
after(() => platform?.stop());

/** Begins an operation and follows it to its end. */
const perform = async (target, body, client = shop.client) => {
    const begun = await client.must(202, target.endsWith('/profile') ? 'PATCH' : 'POST', target, body);
    return until(async () => {
        const now = await client.must(200, 'GET', `/v1/operations/${begun.id}`);
        return ['succeeded', 'failed'].includes(now.state) && now;
    }, `${begun.kind} to end`);
};
const number = (path, channel = shop.channel) => `/v1/channels/${channel}/number${path}`;

describe('an operation', () => {
    test('is done, shown, listed and told', async () => {
        const done = await perform(number('/sync'));
        assert.equal(done.state, 'succeeded');
        assert.equal(done.result.quality_rating, 'green');
        const list = await shop.client.must(200, 'GET', `/v1/channels/${shop.channel}/operations`);
        assert.deepEqual(list.data.map(({ kind }) => kind), ['number.sync', 'template.sync', 'number.sync'], 'the last one, and those that came with the channel');
        assert.equal(list.data[0].id, done.id);
        const told = await until(() => shop.receiver.events().find((event) => event.type === 'operation.succeeded' && event.data.operation_id === done.id), 'the event');
        assert.equal(told.data.channel_id, shop.channel);
        assert.equal(told.data.error, null);
    });
});

describe('a number', () => {
    test('shows what a sync has read, and tells what has changed since', async () => {
        const before = await shop.client.must(200, 'GET', number(''));
        assert.equal(before.quality_rating, 'green');
        assert.equal(before.messaging_limit, 'tier_2k');
        assert.equal(before.throughput, 'standard');
        assert.equal(before.status, 'connected');
        assert.ok(before.synced_at !== null);
        await platform.sandbox.control('PATCH', `/phones/${shop.account.phone_number_id}`, { quality_rating: 'YELLOW' });
        assert.equal((await perform(number('/sync'))).state, 'succeeded');
        assert.equal((await shop.client.must(200, 'GET', number(''))).quality_rating, 'yellow');
        const told = await until(() => shop.receiver.events().find((event) => event.type === 'channel.quality'), 'the event');
        assert.deepEqual(told.data, { channel_id: shop.channel, source: 'sync', changes: { quality_rating: { previous: 'green', current: 'yellow' } } });
    });

    test('is registered with its PIN and not with another', async () => {
        assert.equal((await perform(number('/pin'), { pin: '482913' })).state, 'succeeded');
        const wrong = await perform(number('/register'), { pin: '000000' });
        assert.equal(wrong.state, 'failed');
        assert.equal(wrong.attempt_count, 1);
        assert.deepEqual(wrong.error, { code: 'whatsapp-133005', title: 'The two-step verification PIN is wrong.', class: 'permanent' });
        assert.equal((await perform(number('/register'), { pin: '482913', data_localization_region: 'DE' })).state, 'succeeded');
        assert.equal(platform.sql("select count(*) from harkara.provider_task where state in ('done', 'failed') and request_ct is not null"), '0', 'nothing of a PIN is kept');
        assert.equal((await shop.client.must(200, 'GET', `/v1/channels/${shop.channel}`)).state, 'active', 'a wrong PIN does not break the channel');
    });

    test('is deregistered and then held', async () => {
        const { channel } = await platform.connect(shop.client);
        assert.equal((await perform(number('/deregister', channel))).state, 'succeeded');
        const held = await shop.client.must(200, 'GET', `/v1/channels/${channel}`);
        assert.equal(held.state, 'paused');
        assert.equal(held.state_reason, 'The number was deregistered.');
        await until(async () => (await shop.client.must(200, 'GET', number('', channel))).status === 'pending', 'the sync that follows');
    });

    test('has a profile that is changed member by member', async () => {
        const change = { about: 'Plants for every home.', address: '1 Hacker Way', email: 'plants@shop.example', websites: ['https://shop.example'], vertical: 'retail' };
        assert.equal((await perform(number('/profile'), change)).state, 'succeeded');
        const shown = await until(async () => {
            const now = await shop.client.must(200, 'GET', number(''));
            return now.profile?.about !== undefined && now;
        }, 'the sync that follows');
        assert.deepEqual(shown.profile, change);
    });
});

describe('the picture of a profile', () => {
    /** A JPEG as far as it goes: a thumbnail in its metadata, then the frame's own size. */
    const jpeg = (width, height, size) => Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe1, 0, 10, 0xff, 0xc0, 0, 11, 8, 0, 1, 0, 0xff, 0xc0, 0, 11, 8, height >> 8, height & 255, width >> 8, width & 255, 1, 1, 17, 0]), randomBytes(size)]);
    const uploads = async (bytes) => (await platform.sandbox.control('GET', '/uploads')).json.data.filter((upload) => upload.length === bytes.length);

    test('is uploaded, though the connection breaks, and shown by a sync', async () => {
        const bytes = jpeg(640, 640, 200_001);
        const media = await shop.client.upload('image/jpeg', bytes);
        await platform.sandbox.control('POST', '/faults', { on: 'uploads', match: { type: 'bytes' }, effect: { kind: 'cut', after_bytes: 100_000 } });
        const done = await perform(number('/profile'), { profile_picture_media_id: media.id, about: 'With a picture.' });
        assert.equal(done.state, 'succeeded', JSON.stringify(done));
        const [upload] = await uploads(bytes);
        assert.deepEqual([upload.sha256, upload.asked], [createHash('sha256').update(bytes).digest('hex'), [0, 100_000]]);
        const shown = await until(async () => {
            const now = await shop.client.must(200, 'GET', number(''));
            return now.profile?.profile_picture_url !== undefined && now.profile;
        }, 'the sync that follows');
        assert.equal(shown.about, 'With a picture.');
    });

    test('must be ours, of the right type, square and large enough', async () => {
        const stranger = await platform.workspace({ channel: false });
        const ask = async (client, type, bytes) => {
            const { id } = await client.upload(type, bytes);
            const answer = await shop.client.call('PATCH', number('/profile'), { profile_picture_media_id: id });
            assert.equal(answer.json.errors[0].pointer, '/profile_picture_media_id');
            return [answer.status, answer.json.code, answer.json.errors[0].detail];
        };
        const shape = [422, 'media-format-unsupported', 'must be a square picture of at least 192 by 192 pixels'];
        assert.deepEqual(await ask(shop.client, 'image/jpeg', jpeg(640, 480, 9)), shape);
        assert.deepEqual(await ask(shop.client, 'image/jpeg', jpeg(191, 191, 9)), shape);
        assert.deepEqual(await ask(shop.client, 'image/jpeg', Buffer.from([0xff, 0xd8, 0xff, 0xd9])), shape);
        assert.deepEqual(await ask(shop.client, 'application/pdf', Buffer.from('%PDF-1.7 x')), [422, 'media-kind-mismatch', 'must be media of type image/jpeg or image/png, of at most 5 MiB']);
        assert.deepEqual(await ask(stranger.client, 'image/jpeg', jpeg(640, 640, 9)), [422, 'media-unknown', 'is not media of this workspace that is ready']);
    });
});

describe('a new channel', () => {
    test('knows its number and its templates without being asked', async () => {
        const { channel } = await platform.connect(shop.client);
        const shown = await shop.client.must(200, 'GET', number('', channel));
        assert.ok(shown.synced_at !== null);
        assert.equal(shown.quality_rating, 'green');
        const { data } = await shop.client.must(200, 'GET', `/v1/channels/${channel}/operations`);
        assert.deepEqual(data.map(({ kind }) => kind).sort(), ['number.sync', 'template.sync']);
    });

    test('asks again with another token, and is broken when that is refused', async () => {
        const { channel, account } = await platform.connect(shop.client);
        const syncs = async () => (await shop.client.must(200, 'GET', `/v1/channels/${channel}/operations`)).data.filter(({ kind }) => kind === 'number.sync');
        await shop.client.must(200, 'PATCH', `/v1/channels/${channel}`, { name: 'Renamed', whatsapp: { verify_token: 'another-long-word' } });
        assert.equal((await syncs()).length, 1, 'what is no token asks nothing');
        await shop.client.must(200, 'PATCH', `/v1/channels/${channel}`, { whatsapp: { access_token: account.access_token } });
        await until(async () => (await syncs()).length === 2 && (await syncs()).every(({ state }) => state === 'succeeded'), 'another sync');
        await shop.client.must(200, 'PATCH', `/v1/channels/${channel}`, { whatsapp: { access_token: 'EAAnobodys' } });
        const broken = await until(async () => {
            const now = await shop.client.must(200, 'GET', `/v1/channels/${channel}`);
            return now.state === 'broken' && now;
        }, 'the channel to be broken');
        assert.equal(broken.state_reason, 'The provider refused the access token.');
    });
});

describe('what the provider says of an account', () => {
    const told = (type, fits = () => true) => until(() => shop.receiver.events().find((event) => event.type === type && fits(event.data)), `the event ${type}`);
    const post = (field, value, account = shop.account, callback = shop.callback) => {
        const body = JSON.stringify({ object: 'whatsapp_business_account', entry: [{ id: account.waba_id, time: Math.floor(Date.now() / 1000), changes: [{ field, value }] }] });
        return fetch(callback, { method: 'POST', body, headers: { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${createHmac('sha256', account.app_secret).update(body).digest('hex')}` } });
    };

    test('a limit that is raised shows at the number and is told', async () => {
        await post('phone_number_quality_update', { display_phone_number: shop.account.display_phone_number, event: 'UPGRADE', old_limit: 'TIER_2K', current_limit: 'TIER_10K' });
        const { data } = await told('channel.quality', ({ source }) => source === 'quality_update');
        assert.deepEqual(data, { channel_id: shop.channel, source: 'quality_update', changes: { messaging_limit: { previous: 'tier_2k', current: 'tier_10k' } }, notice: 'upgrade' });
        await until(async () => (await shop.client.must(200, 'GET', `/v1/channels/${shop.channel}/operations`)).data.find(({ kind, state }) => kind === 'number.sync' && state !== 'failed'), 'a sync');
    });

    test('a name that was approved is the number\'s', async () => {
        await post('phone_number_name_update', { display_phone_number: shop.account.display_phone_number, decision: 'APPROVED', requested_verified_name: 'Lucky Shrub', rejection_reason: null });
        const { data } = await told('channel.name');
        assert.equal(data.decision, 'approved');
        assert.equal(data.requested_name, 'Lucky Shrub');
    });

    test('a restriction pauses the channel, which its tenant may resume', async () => {
        const { channel, account, callback } = await platform.connect(shop.client);
        await post('account_update', { event: 'ACCOUNT_RESTRICTION', restriction_info: [{ restriction_type: 'RESTRICTED_BIZ_INITIATED_MESSAGING', expiration: 1795420130 }] }, account, callback);
        const { data } = await told('channel.account', ({ channel_id }) => channel_id === channel);
        assert.equal(data.notice, 'account_restriction');
        assert.deepEqual(data.restrictions, [{ type: 'restricted_biz_initiated_messaging', until: '2026-11-23T07:48:50.000Z' }]);
        assert.equal(data.raw.event, 'ACCOUNT_RESTRICTION');
        const held = await shop.client.must(200, 'GET', `/v1/channels/${channel}`);
        assert.equal(held.state, 'paused');
        assert.equal(held.state_reason, 'WhatsApp restricted the account\'s messages.');
        await told('channel.updated', ({ channel_id, state }) => channel_id === channel && state === 'paused');
        assert.equal((await shop.client.must(200, 'PATCH', `/v1/channels/${channel}`, { state: 'active' })).state_reason, null);
    });

    test('an account that is gone breaks its channels', async () => {
        const { channel, account, callback } = await platform.connect(shop.client);
        await post('account_update', { event: 'ACCOUNT_DELETED' }, account, callback);
        await told('channel.broken', ({ channel_id }) => channel_id === channel);
        assert.equal((await shop.client.must(200, 'GET', `/v1/channels/${channel}`)).state_reason, 'WhatsApp deleted the account.');
        assert.equal((await shop.client.must(200, 'GET', `/v1/channels/${shop.channel}`)).state, 'active', 'another account\'s stays');
    });

    test('alerts, PINs, faults, preferences and what nobody knows yet are told', async () => {
        await post('account_alerts', { entity_type: 'BUSINESS', entity_id: '1', alert_info: { alert_severity: 'WARNING', alert_status: 'ACTIVE', alert_type: 'OBA_REJECTED', alert_description: 'No.' } });
        assert.equal((await told('channel.account', ({ source }) => source === 'account_alerts')).data.severity, 'warning');
        await post('security', { display_phone_number: shop.account.display_phone_number, event: 'PIN_CHANGED', requester: '615' });
        assert.equal((await told('channel.security')).data.notice, 'pin_changed');
        const metadata = { display_phone_number: shop.account.display_phone_number, phone_number_id: shop.account.phone_number_id };
        await post('messages', { messaging_product: 'whatsapp', metadata, errors: [{ code: 130429, title: 'Rate limit hit' }] });
        assert.deepEqual((await told('channel.fault')).data.error, { code: 'whatsapp-130429', title: 'The phone number\'s throughput limit is reached.', class: 'throttle' });
        await post('user_preferences', { messaging_product: 'whatsapp', metadata, user_preferences: [{ wa_id: '14155550177', detail: 'x', category: 'marketing_messages', value: 'stop', timestamp: 1731705721 }] });
        assert.deepEqual((await told('contact.preference')).data, { channel_id: shop.channel, category: 'marketing_messages', preference: 'stop', from: '+14155550177' });
        assert.equal(platform.sql("select count(*) from harkara.event where data::text like '%14155550177%'"), '0', 'who it was lies sealed');
        await post('orbit_update', { event: 'LAUNCHED', payload: [1, { a: null }] });
        assert.deepEqual((await told('channel.notice')).data, { channel_id: shop.channel, source: 'orbit_update', raw: { event: 'LAUNCHED', payload: [1, { a: null }] } });
        const before = platform.sql("select count(*) from harkara.event where type like 'channel.%'");
        await post('account_update', { event: 'ACCOUNT_DELETED' }, { ...shop.account, waba_id: '999' });
        await until(() => platform.sql("select count(*) from harkara.provider_batch") === '0', 'everything to be interpreted');
        assert.equal(platform.sql("select count(*) from harkara.event where type like 'channel.%'"), before, 'an account that is not connected here means nobody');
    });
});

describe('a message that came in', () => {
    test('is marked as read, with somebody typing', async () => {
        await platform.sandbox.control('POST', '/inbound', { phone_number_id: shop.account.phone_number_id, from: '14155550123', type: 'text', text: { body: 'Hello?' } });
        const message = await until(async () => (await shop.client.must(200, 'GET', '/v1/messages?direction=inbound')).data[0], 'the message');
        const done = await perform(`/v1/messages/${message.id}/read`, { typing: true });
        assert.equal(done.state, 'succeeded');
        assert.equal(done.subject_id, message.id);
        const seen = (await platform.sandbox.control('GET', '/messages?direction=in')).json.data.at(-1);
        assert.equal(seen.statuses.at(-1).status, 'read');
    });

    test('and one that went out is not', async () => {
        const sent = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel));
        assert.equal((await shop.client.call('POST', `/v1/messages/${sent.id}/read`, {})).status, 409);
    });
});

describe('an embedded signup', () => {
    let count = 0;
    /** Somebody goes through the provider's page; what the tenant then sends. */
    const signUp = async (more = {}, change = {}) => {
        count += 1;
        const ids = { waba_id: `70000000000${count}`, phone_number_id: `80000000000${count}`, display_phone_number: `1555900000${count}`, app_id: `60000000000${count}` };
        const { json } = await platform.sandbox.control('POST', '/signups', { ...ids, app_secret: `secret-of-the-app-${count}`, settings: { window: 'ignore' }, ...more });
        return { name: 'Signed up', whatsapp: { ...ids, app_secret: json.app_secret, code: json.code, pin: '482913', ...change } };
    };

    test('makes a channel that sends and hears', async () => {
        const asked = await signUp();
        const done = await perform('/v1/embedded-signups', asked);
        assert.equal(done.state, 'succeeded', JSON.stringify(done.error));
        assert.equal(done.kind, 'channel.connect');
        const channel = await shop.client.must(200, 'GET', `/v1/channels/${done.channel_id}`);
        assert.equal(channel.state, 'active');
        const sent = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(channel.id));
        await shop.client.follow(sent.id, ['read']); // so our callback was subscribed, and what comes is verified
        assert.equal(platform.sql(`select count(*) from harkara.provider_task where request_ct is not null and state in ('done', 'failed')`), '0');
    });

    test('breaks the channel with the reason when the code is too old', async () => {
        const done = await perform('/v1/embedded-signups', await signUp({ life_ms: -1 }));
        assert.equal(done.state, 'failed');
        assert.equal(done.error.code, 'signup-code-refused');
        const channel = await shop.client.must(200, 'GET', `/v1/channels/${done.channel_id}`);
        assert.equal(channel.state, 'broken');
        assert.equal(channel.state_reason, done.error.title);
        const answer = await shop.client.call('PATCH', `/v1/channels/${channel.id}`, { state: 'active' });
        assert.equal(answer.json.code, 'channel-not-ready', 'there is no token to be active with');
        assert.equal((await shop.client.must(200, 'PATCH', `/v1/channels/${channel.id}`, { state: 'active', whatsapp: { access_token: 'EAAgiven' } })).state, 'active');
    });

    test('breaks it when the token gives no access to the account', async () => {
        const done = await perform('/v1/embedded-signups', await signUp({ granted_waba_id: '999' }));
        assert.equal(done.error.code, 'signup-account-missing');
        assert.equal((await shop.client.must(200, 'GET', `/v1/channels/${done.channel_id}`)).state, 'broken');
    });

    test('goes on after the dispatcher was killed in the middle of it, with the token that it had', async () => {
        const asked = await signUp();
        await platform.sandbox.control('POST', '/faults', { on: 'numbers', match: { phone_number_id: asked.whatsapp.phone_number_id }, times: 1, effect: { kind: 'stall', when: 'after' } });
        const begun = await shop.client.must(202, 'POST', '/v1/embedded-signups', asked);
        assert.equal((await shop.client.call('PATCH', `/v1/channels/${begun.channel_id}`, { state: 'paused' })).json.code, 'state-conflict');
        await until(() => platform.sql(`select access_token_generation from harkara.whatsapp_channel where phone_number_id = '${asked.whatsapp.phone_number_id}'`) === '1', 'the token to be kept');
        await until(async () => (await platform.sandbox.control('GET', `/accounts/${asked.whatsapp.waba_id}`)).json.phones[0].status === 'CONNECTED', 'the number to be registered');
        for (const pid of await platform.pids('dispatcher'))
            process.kill(pid, 'SIGKILL');
        platform.sql("update harkara.provider_task set lease_until = now() where state = 'leased'"); // its time, without the wait
        const done = await until(async () => {
            const now = await shop.client.must(200, 'GET', `/v1/operations/${begun.id}`);
            return ['succeeded', 'failed'].includes(now.state) && now;
        }, 'another dispatcher to end it');
        assert.equal(done.state, 'succeeded', JSON.stringify(done.error));
        assert.ok(done.attempt_count >= 2);
        assert.equal((await shop.client.must(200, 'GET', `/v1/channels/${begun.channel_id}`)).state, 'active');
    });
});

describe('a token that the provider refuses', () => {
    test('breaks the channel, is told, and a new one mends it', async () => {
        const { channel, account } = await platform.connect(shop.client);
        await platform.sandbox.control('PATCH', `/accounts/${account.waba_id}/tokens`, { token: account.access_token, state: 'expired' });
        const failed = await perform(number('/sync', channel));
        assert.equal(failed.error.code, 'whatsapp-190-463');
        assert.equal(failed.error.class, 'credential');
        await until(() => shop.receiver.events().find((event) => event.type === 'channel.broken' && event.data.channel_id === channel), 'the tenant to be told');
        assert.equal((await shop.client.must(200, 'GET', `/v1/channels/${channel}`)).state, 'broken');
        await platform.sandbox.control('PATCH', `/accounts/${account.waba_id}/tokens`, { token: account.access_token, state: 'valid' });
        assert.equal((await shop.client.must(200, 'PATCH', `/v1/channels/${channel}`, { whatsapp: { access_token: account.access_token } })).state, 'active');
        const sent = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(channel));
        await shop.client.follow(sent.id, ['read']);
    });
});

describe('a number that must be proven', () => {
    test('asks for a code, gives it, and is registered then', async () => {
        const { channel, account } = await platform.connect(shop.client);
        const phone = async () => (await platform.sandbox.control('GET', `/accounts/${account.waba_id}`)).json.phones[0];
        await platform.sandbox.control('PATCH', `/phones/${account.phone_number_id}`, { code_status: 'NOT_VERIFIED' });
        assert.equal((await perform(number('/register', channel), { pin: '482913' })).error.code, 'whatsapp-133006');
        const sent = await perform(number('/request-code', channel), { method: 'sms', language: 'en_US' });
        assert.equal(sent.state, 'succeeded', JSON.stringify(sent.error));
        const { code } = await phone();
        assert.equal((await perform(number('/verify-code', channel), { code: code === '000000' ? '111111' : '000000' })).state, 'failed');
        const proven = await perform(number('/verify-code', channel), { code });
        assert.equal(proven.state, 'succeeded', JSON.stringify(proven.error));
        assert.equal((await perform(number('/register', channel), { pin: '482913' })).state, 'succeeded');
    });

    test('asks for another name and hears of its review', async () => {
        assert.equal((await perform(number('/display-name'), { display_name: 'Green Corner' })).state, 'succeeded');
        await until(async () => (await shop.client.must(200, 'GET', number(''))).requested_name === 'Green Corner', 'the request to show');
        await platform.sandbox.control('PATCH', `/phones/${shop.account.phone_number_id}`, { name_decision: 'APPROVED' });
        await until(async () => (await shop.client.must(200, 'GET', number(''))).verified_name === 'Green Corner', 'the name to be ours');
    });
});
