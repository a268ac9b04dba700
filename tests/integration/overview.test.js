// @ts-check
/** The workspace's day: what became of messages, how channels are, and what needs somebody; and who sees what of it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client, startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop;
before(async () => {
    platform = await startPlatform({ env: { HARKARA_GATEWAYS: '2' } });
    shop = await platform.workspace();
});
after(() => platform?.stop());

const key = async (scopes, more = {}) => new Client(platform.url, (await shop.client.must(201, 'POST', '/v1/api-keys', { name: 'A key', scopes, ...more })).key);
const look = (client = shop.client) => client.must(200, 'GET', '/v1/overview');
const kinds = (overview) => overview.attention.map(({ kind }) => kind);

describe('the overview', () => {
    test('of a workspace in which nothing has happened is all zeros', async () => {
        const quiet = await platform.workspace({ channel: false });
        const overview = await look(quiet.client);
        const none = { sent: 0, delivered: 0, failed: 0, blocked: 0, received: 0 };
        assert.deepEqual(overview.messages, { today: none, yesterday: none, yesterday_by_now: none, hours: [] });
        assert.deepEqual([overview.channels, overview.attention, overview.time_zone], [[], [], 'UTC']);
        assert.equal(Date.parse(overview.today_ends_at) - Date.parse(overview.today_begins_at), 86_400_000);
    });

    test('counts what became of messages, each once, whichever gateway counts', async () => {
        const other = await platform.workspace();
        const ids = [];
        for (let i = 0; i < 5; i++)
            ids.push((await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel))).id);
        await other.client.must(202, 'POST', '/v1/messages', other.client.text(other.channel));
        for (let i = 0; i < 2; i++) { /* nobody has consented */
            const blocked = await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel, { category: 'promotional' }));
            assert.equal(blocked.status, 'blocked');
        }
        for (const id of ids)
            await shop.client.follow(id, ['read']);
        await platform.sandbox.control('POST', '/inbound', { phone_number_id: shop.account.phone_number_id, from: '14155550123', type: 'text', text: { body: 'Hello' } });
        const sums = ({ today, yesterday }) => ({ sent: today.sent + yesterday.sent, delivered: today.delivered + yesterday.delivered, failed: today.failed + yesterday.failed, blocked: today.blocked + yesterday.blocked, received: today.received + yesterday.received });
        const wanted = JSON.stringify({ sent: 5, delivered: 5, failed: 0, blocked: 2, received: 1 });
        /* Midnight may pass meanwhile: both days together. */
        const overview = await until(async () => {
            const seen = await look();
            return JSON.stringify(sums(seen.messages)) === wanted && seen;
        }, 'all of it to be counted');
        assert.equal(overview.messages.hours.reduce((sum, hour) => sum + hour.sent, 0), 5);
        await until(async () => sums((await look(other.client)).messages).delivered === 1, 'the other workspace');
        assert.equal(JSON.stringify(sums((await look()).messages)), wanted, 'nothing of another workspace, and nothing twice');
        const figures = platform.sql(`select sum(sent) from harkara.message_figure where channel_id = (select id from harkara.channel where name = 'Test number' order by id limit 1)`);
        assert.equal(figures, '5');
        assert.equal(overview.messages.hours.reduce((sum, hour) => sum + hour.blocked, 0), 2);
        assert.equal(overview.channels[0].today.blocked + overview.messages.yesterday.blocked, 2);
    });

    test('says what needs somebody', async () => {
        assert.deepEqual(kinds(await look()), []);
        const soon = new Date(Date.now() + 86_400_000).toISOString();
        await key(['messages:read'], { name: 'Soon over', expires_at: soon });
        await shop.client.must(200, 'PATCH', `/v1/channels/${shop.channel}`, { state: 'paused' });
        const { attention, channels } = await look();
        assert.deepEqual(attention.map(({ kind, severity, object_id }) => [kind, severity, object_id === shop.channel]), [['key-expires', 'warning', false], ['channel-paused', 'notice', true]]);
        assert.equal(attention[0].name, 'Soon over');
        assert.equal(channels[0].state, 'paused');
        await shop.client.must(200, 'PATCH', `/v1/channels/${shop.channel}`, { state: 'active' });
    });

    test('says that there is no DND registry where promotional SMS wait for one', async () => {
        const other = await platform.workspace({ channel: false });
        const told = async (client = other.client) => (await look(client)).attention.find(({ kind }) => kind === 'dnd-missing');
        await other.client.must(200, 'PATCH', '/v1/settings/policy', { dnd: 'required' });
        assert.equal(await told(), undefined, 'nothing is sent by SMS');
        await other.client.must(201, 'POST', '/v1/channels', { kind: 'sms', name: 'SMS', sms: { sender: 'MEADOW', sender_kind: 'alphanumeric' } });
        const found = await told();
        assert.deepEqual([found.severity, found.object_id, found.name, found.count], ['warning', null, null, 1]);
        assert.ok(Date.parse(found.at) <= Date.now());
        const blind = new Client(platform.url, (await other.client.must(201, 'POST', '/v1/api-keys', { name: 'A key', scopes: ['channels:read'] })).key);
        assert.equal(await told(blind), undefined, 'who may not read settings is not told');
        await other.client.must(200, 'PATCH', '/v1/settings/policy', { dnd: 'when-known' });
        assert.equal(await told(), undefined);
    });

    test('shows a key what its scopes allow, and no more', async () => {
        const media = await look(await key(['media:read']));
        assert.deepEqual([media.messages, media.channels, media.attention], [null, null, []]);
        const messages = await look(await key(['messages:read']));
        assert.notEqual(messages.messages, null);
        assert.deepEqual([messages.channels, messages.attention], [null, []]);
        const channels = await look(await key(['channels:read']));
        assert.equal(channels.messages, null);
        assert.equal(channels.channels[0].today, null);
        const keys = await look(await key(['keys:manage']));
        assert.deepEqual(kinds(keys), ['key-expires']);
        assert.equal((await new Client(platform.url, null).call('GET', '/v1/overview')).status, 401);
    });

    test("begins its day where the workspace's days begin", async () => {
        const settings = await shop.client.must(200, 'GET', '/v1/settings/messages');
        const { updated_at: _, ...rest } = settings;
        for (const zone of ['Asia/Kolkata', 'America/St_Johns', 'Pacific/Kiritimati']) {
            await shop.client.must(200, 'PUT', '/v1/settings/messages', { ...rest, time_zone: zone });
            const overview = await look();
            assert.equal(overview.time_zone, zone);
            const local = new Intl.DateTimeFormat('en-GB', { timeZone: zone, timeStyle: 'medium' }).format(new Date(overview.today_begins_at));
            assert.equal(local, '00:00:00');
            assert.ok(Date.parse(overview.today_begins_at) <= Date.now() && Date.now() < Date.parse(overview.today_ends_at) + 60_000);
            assert.equal(overview.messages.today.sent + overview.messages.yesterday.sent, 5);
        }
    });

    test('goes on where it stood after all processes were killed', async () => {
        const killed = await platform.harkara.status();
        for (const role of ['gateway', 'dispatcher'])
            for (const pid of killed.processes.filter((process) => process.role === role).map(({ pid }) => pid))
                process.kill(pid, 'SIGKILL');
        await platform.whole();
        const { id } = await until(async () => {
            const answer = await shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel)).catch(() => null);
            return answer?.status === 202 && answer.json;
        }, 'a gateway to take it');
        await shop.client.follow(id, ['read']);
        await until(async () => {
            const { messages } = await look();
            return messages.today.delivered + messages.yesterday.delivered === 6;
        }, 'the sixth');
    });
});
