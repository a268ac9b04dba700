// @ts-check
/** GET /v1/stream: what changes is told as it happens, to whoever may see it, while he may; by any gateway; and nobody holds anybody up. */
import assert from 'node:assert/strict';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Browser, ownerOf, Passkey } from './authenticator.js';
import { Client, requestUnix, startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop, owner;
before(async () => {
    platform = await startPlatform({ env: { HARKARA_GATEWAYS: '2', HARKARA_STREAMS_WORKSPACE: '1100', HARKARA_STREAMS_PERSON: '120', HARKARA_RATE_UNAUTHENTICATED: '100000' } });
    shop = await platform.workspace({ endpoint: true });
    owner = await ownerOf(platform, shop.tenant);
});
after(() => platform?.stop());

/** A stream over a connection of its own: all that has come, and what it was. */
class Stream {
    /** @param {Record<string, string>} headers */
    constructor(headers) {
        const { hostname, port, host } = new URL(platform.url);
        this.text = '';
        this.isClosed = false;
        this.socket = net.connect(Number(port), hostname);
        this.socket.on('data', (part) => (this.text += part.toString('latin1')));
        this.socket.on('error', () => {});
        this.socket.on('close', () => (this.isClosed = true));
        this.socket.write(`GET /v1/stream HTTP/1.1\r\nHost: ${host}\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
    }
    get status() { return Number(/^HTTP\/1\.1 (\d+)/.exec(this.text)?.[1] ?? 0); }
    get events() {
        const body = this.text.slice(this.text.indexOf('\r\n\r\n') + 4).replace(/[0-9a-f]+\r\n((?:.|\n)*?)\r\n(?=[0-9a-f]+\r\n|$)/g, '$1');
        return body.split('\n\n').filter((part) => /^event: /m.test(part)).map((part) => ({
            event: /^event: (.*)$/m.exec(part)?.[1], id: /^id: (.*)$/m.exec(part)?.[1] ?? '', data: JSON.parse(/^data: (.*)$/m.exec(part)?.[1] ?? 'null') }));
    }
    changes(topic) { return this.events.filter(({ event, data }) => event === 'change' && data.topic === topic).map(({ data }) => data); }
    async ready() {
        await until(() => this.status !== 200 ? this.status !== 0 : this.events.some(({ event }) => event === 'ready'), 'the stream to begin');
        assert.equal(this.status, 200, this.text);
        return this;
    }
    close() { this.socket.destroy(); }
}
const byKey = (client, more = {}) => new Stream({ authorization: `Bearer ${client.key}`, ...more });
const byPage = (page, more = {}) => new Stream({ cookie: [...page.cookies].map(([name, value]) => `${name}=${value}`).join('; '), ...more });
const key = async (scopes, more = {}) => {
    const made = await shop.client.must(201, 'POST', '/v1/api-keys', { name: 'A key', scopes, ...more });
    return Object.assign(new Client(platform.url, made.key), { id: made.id });
};
const person = async (role, more = {}) => {
    const { link } = await shop.client.must(201, 'POST', '/v1/invitations', { email: `${Math.random().toString(36).slice(2)}@example.org`, role, ...more });
    const page = new Browser(new Client(platform.url, null), owner.page.origin);
    await page.enrol(link, new Passkey(), `A ${role}`);
    return page;
};
const send = async (channel = shop.channel) => (await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(channel))).id;

describe('a stream', () => {
    test('says what it speaks of, and then which messages changed, with their channel and nothing else', async () => {
        const stream = await byKey(shop.client).ready();
        assert.match(stream.text, /content-type: text\/event-stream/i);
        assert.match(stream.text, /cache-control: no-store/i);
        assert.deepEqual(stream.events[0].data.topics, ['messages', 'channels', 'templates', 'webhooks', 'keys', 'people', 'settings', 'usage', 'audit', 'consents', 'connectors']);
        const id = await send();
        const change = await until(() => stream.changes('messages').find(({ ids }) => ids?.includes(id)), 'the message');
        assert.deepEqual(Object.keys(change).sort(), ['channel_id', 'ids', 'topic']);
        assert.equal(change.channel_id, shop.channel);
        stream.close();
    });

    test('of another workspace says nothing of it', async () => {
        const other = await platform.workspace();
        const stream = await byKey(other.client).ready();
        await shop.client.follow(await send(), ['read']);
        const own = (await other.client.must(202, 'POST', '/v1/messages', other.client.text(other.channel))).id;
        await until(() => stream.changes('messages').some(({ ids }) => ids?.includes(own)), 'its own message');
        assert.ok(stream.events.every(({ data }) => data.channel_id === undefined || data.channel_id === other.channel), stream.text);
        stream.close();
    });

    test('tells of changes that people and keys make, each to who may see them', async () => {
        const all = await byKey(shop.client).ready(), media = await byKey(await key(['media:read', 'settings:read'])).ready();
        const team = await shop.client.must(201, 'POST', '/v1/invitations', { email: 'somebody@example.org', role: 'agent' });
        await shop.client.must(200, 'PATCH', `/v1/webhook-endpoints/${shop.endpoint}`, { description: 'Changed' });
        const settings = await shop.client.must(200, 'GET', '/v1/settings/messages');
        await shop.client.must(200, 'PUT', '/v1/settings/messages', { uncertain: settings.uncertain });
        await until(() => media.changes('settings').length > 0, 'the settings');
        await until(() => ['people', 'webhooks', 'settings', 'audit'].every((topic) => all.changes(topic).length > 0), 'all of it');
        assert.ok(all.changes('webhooks').some(({ ids }) => ids?.includes(shop.endpoint)));
        assert.deepEqual([...new Set(media.events.map(({ event, data }) => (event === 'change' ? data.topic : event)))].sort(), ['ready', 'settings']);
        assert.ok(!all.text.includes(team.email) && !all.text.includes('Changed'));
        all.close();
        media.close();
    });

    test('of who is limited to a channel tells of this one alone', async () => {
        const second = await platform.connect(shop.client);
        const page = await person('agent', { scope: 'channels', channels: [second.channel] });
        const stream = await byPage(page).ready();
        await shop.client.follow(await send(), ['read']);
        const seen = await send(second.channel);
        await until(() => stream.changes('messages').some(({ ids }) => ids?.includes(seen)), 'the channel\'s message');
        assert.ok(stream.events.every(({ data }) => data.channel_id === undefined || data.channel_id === second.channel), stream.text);
        stream.close();
    });

    test('needs somebody', async () => {
        const stream = new Stream({});
        await until(() => stream.status !== 0, 'an answer');
        assert.equal(stream.status, 401);
        stream.close();
        const head = await fetch(`${platform.url}/v1/stream`, { method: 'HEAD', headers: { authorization: `Bearer ${shop.client.key}` } });
        assert.deepEqual([head.status, head.headers.get('content-type')], [200, 'text/event-stream']);
    });
});

describe('a stream ends', () => {
    const ended = (stream, why) => until(() => stream.events.some(({ event, data }) => event === 'end' && data.why === why), `the end: ${why}`);

    test('with its session, wherever that is ended', async () => {
        const page = await person('agent'), stays = await person('agent');
        const stream = await byPage(page).ready(), other = await byPage(stays).ready();
        await page.must(204, 'DELETE', '/v1/session');
        await ended(stream, 'access-ended');
        assert.ok(!other.events.some(({ event }) => event === 'end'), 'nobody else\'s');
        other.close();
        stream.close();
    });

    test('when the person leaves the workspace, changes to another one or gets another role', async () => {
        const page = await person('agent');
        const stream = await byPage(page).ready();
        const [member] = (await shop.client.must(200, 'GET', '/v1/people?limit=1')).data;
        await shop.client.must(200, 'PATCH', `/v1/people/${member.id}`, { role: 'auditor' });
        await ended(stream, 'changed');
        const again = await byPage(page).ready();
        assert.ok(again.events[0].data.topics.includes('audit'), 'it is judged anew');
        await shop.client.must(204, 'DELETE', `/v1/people/${member.id}`);
        await until(() => again.events.some(({ event }) => event === 'end'), 'the end');
        const refused = byPage(page);
        await until(() => refused.status !== 0, 'an answer');
        assert.equal(refused.status, 403);
        [stream, again, refused].forEach((each) => each.close());
    });

    test('with its key, and with a change of it', async () => {
        const client = await key(['messages:read']);
        const stream = await byKey(client).ready();
        await shop.client.must(200, 'PATCH', `/v1/api-keys/${client.id}`, { name: 'Another name' });
        await ended(stream, 'changed');
        const again = await byKey(client).ready();
        await shop.client.must(204, 'DELETE', `/v1/api-keys/${client.id}`);
        await until(() => again.events.some(({ event }) => event === 'end'), 'the end');
        const late = await key(['messages:read'], { expires_at: new Date(Date.now() + 3000).toISOString() });
        const expires = await byKey(late).ready();
        await ended(expires, 'access-ended');
        [stream, again, expires].forEach((each) => each.close());
    });

    test('and does not keep a session in use', async () => {
        const page = await person('agent');
        const seen = () => platform.sql(`select extract(epoch from seen_at)::bigint from harkara.person_session s where person_id = (select person_id from harkara.membership order by id desc limit 1)`);
        platform.sql(`update harkara.person_session set seen_at = seen_at - interval '5 minutes' where person_id = (select person_id from harkara.membership order by id desc limit 1)`);
        const before = seen();
        const stream = await byPage(page).ready();
        assert.equal((await page.call('GET', '/v1/overview', undefined, { 'x-harkara-unattended': '1' })).status, 200);
        assert.equal(seen(), before);
        await page.must(200, 'GET', '/v1/overview');
        assert.notEqual(seen(), before);
        stream.close();
    });
});

describe('who comes again', () => {
    test('is told what happened meanwhile, or that it is not known', async () => {
        const first = await byKey(shop.client).ready();
        const id = await send();
        await until(() => first.changes('messages').some(({ ids }) => ids?.includes(id)), 'the message');
        const last = first.events.findLast((event) => event.id !== '')?.id ?? '';
        first.close();
        const second = await send();
        await shop.client.follow(second, ['read']);
        /* One of the two gateways knows what was told before; the other says that it does not. */
        let knows = 0, asks = 0;
        await until(async () => {
            const again = await byKey(shop.client, { 'last-event-id': last }).ready();
            const all = await until(() => again.events.length > 1 && again.events, 'more than the beginning', 5000).catch(() => again.events);
            if (all[1]?.event === 'missed')
                asks += 1;
            else if (again.changes('messages').some(({ ids }) => ids?.includes(second)))
                knows += 1;
            again.close();
            return knows > 0 && asks > 0;
        }, 'both answers', 60_000);
        const never = await byKey(shop.client, { 'last-event-id': 'nonsense' }).ready();
        await until(() => never.events[1]?.event === 'missed', 'that it is not known');
        never.close();
    });
});

describe('many streams', () => {
    test('a thousand hear of a change, and requests are answered meanwhile', async () => {
        const streams = [];
        for (let i = 0; i < 10; i++) {
            const client = await key(['messages:read']);
            for (let j = 0; j < 100; j++)
                streams.push(byKey(client));
        }
        for (const stream of streams)
            await stream.ready();
        const overview = await shop.client.call('GET', '/v1/overview');
        assert.equal(overview.status, 200, 'no worker is held');
        const id = await send();
        for (const stream of streams)
            await until(() => stream.changes('messages').some(({ ids }) => ids?.includes(id)), 'the message in every stream');
        for (const stream of streams)
            stream.close();
        await until(async () => {
            const { text } = await requestUnix(path.join(platform.options.runDir, 'admin.sock'), '/metrics');
            const open = [...text.matchAll(/^harkara_streams(?:\{[^}]*\})? (\d+)$/gm)];
            return open.length > 0 && open.every(([, count]) => count === '0');
        }, 'all of them to be noticed as gone');
    });

    test('one too many is refused, and a place that is left is free again', async () => {
        const client = await key(['messages:read']);
        const streams = [], refused = [];
        /* Each gateway counts its own. */
        await until(async () => {
            const stream = byKey(client);
            await until(() => stream.status !== 0, 'an answer');
            (stream.status === 200 ? streams : refused).push(stream);
            return refused.length > 0;
        }, 'a refusal', 120_000);
        assert.match(refused[0].text, /HTTP\/1\.1 429/);
        assert.match(refused[0].text, /streams-too-many/);
        assert.ok(streams.length >= 120 && streams.length <= 240, String(streams.length));
        streams.forEach((stream) => stream.close());
        await until(async () => {
            const stream = byKey(client);
            await until(() => stream.status !== 0, 'an answer');
            stream.close();
            return stream.status === 200;
        }, 'a free place');
    });

    test('one who reads nothing holds up nobody', async () => {
        const slow = byKey(shop.client), quick = await byKey(shop.client).ready();
        slow.socket.pause();
        for (let i = 0; i < 20; i++)
            await shop.client.must(200, 'PATCH', `/v1/webhook-endpoints/${shop.endpoint}`, { description: `Change ${i}` });
        const id = await send();
        await until(() => quick.changes('messages').some(({ ids }) => ids?.includes(id)), 'the message');
        slow.close();
        quick.close();
    });

    test('end when their gateway is killed, and begin again', async () => {
        const stream = await byKey(shop.client).ready();
        for (const pid of await platform.pids('gateway'))
            process.kill(pid, 'SIGKILL');
        await until(() => stream.isClosed, 'the end of the connection');
        await platform.whole();
        const again = await until(async () => {
            const next = byKey(shop.client);
            await until(() => next.status !== 0 || next.isClosed, 'an answer');
            return next.status === 200 && next;
        }, 'a stream');
        const id = await until(async () => send().catch(() => null), 'a message');
        await until(() => again.changes('messages').some(({ ids }) => ids?.includes(id)), 'the message');
        again.close();
    });
});
