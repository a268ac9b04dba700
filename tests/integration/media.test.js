// @ts-check
/** Media from socket to database and back: streamed in bounded memory, sealed at rest, checked, and nobody else's. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let acme, bolt;
before(async () => {
    platform = await startPlatform({ env: { HARKARA_MEDIA_STORAGE_MB: '200' } });
    acme = await platform.workspace();
    bolt = await platform.workspace();
});
after(() => platform?.stop());

const MB = 1024 * 1024;
const CANARY = 'canary-of-the-media-test';
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const pdf = (size) => Buffer.concat([Buffer.from(`%PDF-1.7\n${CANARY}\n`), randomBytes(size)]);
const jpeg = (size) => Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.from(CANARY), randomBytes(size)]);
const rows = () => platform.sql('select (select count(*) from harkara.media), (select count(*) from harkara.media_chunk)');

/** The most resident memory that each process of that role ever had, in MiB. @param {string} role */
async function memoryOf(role) {
    const pids = await platform.pids(role);
    return pids.map((pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024);
}

/** The status and code of an upload that is refused. */
async function refused(type, bytes, query = '') {
    const answer = await acme.client.raw('POST', `/v1/media${query}`, bytes, { 'content-type': type });
    return [answer.status, answer.json?.code];
}

/** The answer to the head of an upload alone. */
function askFirst(client, type, bytes) {
    return new Promise((resolve, reject) => {
        const request = http.request(`${platform.url}/v1/media`, { method: 'POST', headers: { authorization: `Bearer ${client.key}`, 'content-type': type, 'content-length': bytes } });
        request.on('error', reject);
        request.on('response', async (response) => {
            let text = '';
            for await (const part of response)
                text += part;
            resolve([response.statusCode, JSON.parse(text).code]);
        });
        request.flushHeaders();
    });
}

async function content(client, id) {
    const answer = await fetch(`${platform.url}/v1/media/${id}/content`, { headers: { authorization: `Bearer ${client.key}` } });
    return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
}

/** A file on the simulated provider's side, as a person's app would put it there. */
async function theirs(workspace, type, bytes, name) {
    const form = new FormData();
    form.set('messaging_product', 'whatsapp');
    form.set('type', type);
    form.set('file', new Blob([bytes], { type }), name);
    const answer = await fetch(`${platform.sandbox.url}/v25.0/${workspace.account.phone_number_id}/media`, { method: 'POST', body: form,
        headers: { authorization: `Bearer ${workspace.account.access_token}` } });
    assert.equal(answer.status, 200, await answer.clone().text());
    return (await answer.json()).id;
}

/** A person sends it; the incoming message as the API shows it. */
async function receive(workspace, type, object) {
    const answer = await platform.sandbox.control('POST', '/inbound', { from: '14155550123', name: 'Ada', type, [type]: object, phone_number_id: workspace.account.phone_number_id });
    assert.ok(answer.status < 300, answer.text);
    const found = await until(async () => {
        const list = await workspace.client.must(200, 'GET', '/v1/messages?direction=inbound&limit=1');
        const message = list.data[0] && await workspace.client.must(200, 'GET', `/v1/messages/${list.data[0].id}`);
        return message?.content?.[type]?.id === object.id && message;
    }, 'the message to come in');
    return found;
}

const stateOf = async (workspace, id, states) => until(async () => {
    const media = await workspace.client.must(200, 'GET', `/v1/media/${id}`);
    return states.includes(media.state) && media;
}, `${id} to be ${states}`);

const send = (workspace, content) => workspace.client.call('POST', '/v1/messages', { channel_id: workspace.channel, to: '+14155550123', content });

describe('upload and download', () => {
    test('a document of 90 MB goes in and out in bounded memory, and lies sealed', async () => {
        const before = { gateway: await memoryOf('gateway'), vault: await memoryOf('vault') };
        const file = pdf(90 * MB);
        const uploaded = await acme.client.upload('application/pdf', file, '?file_name=r%C3%A9sum%C3%A9.pdf');
        assert.equal(uploaded.bytes, file.length);
        assert.equal(uploaded.sha256, sha256(file));
        assert.equal(uploaded.file_name, 'résumé.pdf');
        assert.equal(uploaded.state, 'ready');
        assert.equal(uploaded.type, 'document');
        assert.deepEqual(await acme.client.must(200, 'GET', `/v1/media/${uploaded.id}`), uploaded);
        const got = await content(acme.client, uploaded.id);
        assert.equal(got.status, 200);
        assert.ok(got.bytes.equals(file));
        assert.equal(got.headers.get('content-type'), 'application/pdf');
        assert.equal(got.headers.get('content-length'), String(file.length));
        assert.equal(got.headers.get('content-disposition'), "attachment; filename*=UTF-8''r%C3%A9sum%C3%A9.pdf");
        assert.equal(got.headers.get('x-content-type-options'), 'nosniff');
        for (const role of ['gateway', 'vault']) {
            const memory = await memoryOf(role);
            assert.ok(memory.length > 0, `a ${role} is found`);
            memory.forEach((mb, i) => assert.ok(mb - before[role][i] < 40, `${role} grew from ${before[role][i]} to ${mb} MiB`));
        }
        assert.equal(platform.sql(`select count(*) from harkara.media_chunk where position('${CANARY}' in encode(body_ct, 'escape')) > 0`), '0');
        assert.equal(platform.sql("select count(*) from harkara.media where position(convert_to('sum', 'UTF8') in file_name_ct) > 0"), '0');
        await acme.client.must(204, 'DELETE', `/v1/media/${uploaded.id}`);
        assert.equal(rows(), '0|0');
        assert.equal((await acme.client.call('GET', `/v1/media/${uploaded.id}`)).status, 404);
    });

    test('a form is taken as the Cloud API takes it', async () => {
        const file = jpeg(700_000);
        const form = new FormData();
        form.set('messaging_product', 'whatsapp');
        form.set('type', 'image/jpeg');
        form.set('file', new Blob([file]), 'photo "one".jpg');
        const answer = await fetch(`${platform.url}/v1/media`, { method: 'POST', body: form, headers: { authorization: `Bearer ${acme.client.key}` } });
        const media = await answer.json();
        assert.equal(answer.status, 201, JSON.stringify(media));
        assert.equal(media.mime_type, 'image/jpeg');
        assert.equal(media.sha256, sha256(file));
        assert.ok((await content(acme.client, media.id)).bytes.equals(file));
        await acme.client.must(204, 'DELETE', `/v1/media/${media.id}`);
        const empty = new FormData();
        empty.set('type', 'image/jpeg');
        const without = await fetch(`${platform.url}/v1/media`, { method: 'POST', body: empty, headers: { authorization: `Bearer ${acme.client.key}` } });
        assert.equal(without.status, 422);
    });

    test('a body without a declared length is taken', async () => {
        const file = jpeg(300_000);
        const answer = await fetch(`${platform.url}/v1/media`, { method: 'POST', duplex: 'half', body: Readable.toWeb(Readable.from([file.subarray(0, 7), file.subarray(7)])),
            headers: { authorization: `Bearer ${acme.client.key}`, 'content-type': 'image/jpeg' } });
        assert.equal(answer.status, 201);
        const media = await answer.json();
        assert.equal(media.sha256, sha256(file));
        await acme.client.must(204, 'DELETE', `/v1/media/${media.id}`);
    });

    test('what does not fit is refused by name and leaves nothing', async () => {
        assert.deepEqual(await refused('image/png', jpeg(100)), [422, 'media-type-mismatch']);
        assert.deepEqual(await refused('application/zip', Buffer.from('PK')), [415, 'media-type-unknown']);
        assert.deepEqual(await refused('image/jpeg', jpeg(6 * MB)), [413, 'media-too-large']);
        assert.deepEqual(await askFirst(acme.client, 'image/jpeg', 90 * MB), [413, 'media-too-large']);
        assert.deepEqual(await askFirst({ key: 'hk_live_none' }, 'image/jpeg', 90 * MB), [401, 'key-invalid']);
        assert.deepEqual(await refused('image/jpeg', ''), [422, 'media-empty']);
        assert.deepEqual(await refused('image/png', Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x03\0\0\0', 'latin1')), [422, 'media-format-unsupported']);
        const sticker = (flags, size) => Buffer.concat([Buffer.from(`RIFF....WEBPVP8X\x0a\0\0\0${flags}\0\0\0\xff\x01\0\xff\x01\0`, 'latin1'), randomBytes(size)]);
        assert.deepEqual(await refused('image/webp', sticker('\0', 200_000)), [413, 'media-too-large']);
        const animated = await acme.client.upload('image/webp', sticker('\x02', 200_000));
        await acme.client.must(204, 'DELETE', `/v1/media/${animated.id}`);
        assert.deepEqual(await refused('application/pdf', pdf(10), '?file_name=a%2Fb'), [422, 'query-invalid']);
        assert.equal(rows(), '0|0');
    });

    test('the room of a workspace is bounded', async () => {
        const first = await acme.client.upload('application/pdf', pdf(80 * MB));
        const second = await acme.client.upload('application/pdf', pdf(80 * MB));
        assert.deepEqual(await askFirst(acme.client, 'application/pdf', 80 * MB), [413, 'media-storage-full']);
        await bolt.client.must(204, 'DELETE', `/v1/media/${(await bolt.client.upload('application/pdf', pdf(80 * MB))).id}`);
        for (const { id } of [first, second])
            await acme.client.must(204, 'DELETE', `/v1/media/${id}`);
        assert.equal(rows(), '0|0');
    });

    test('a body that is cut short leaves nothing', async () => {
        const request = http.request(`${platform.url}/v1/media`, { method: 'POST', headers: { authorization: `Bearer ${acme.client.key}`, 'content-type': 'application/pdf', 'content-length': 50 * MB } });
        request.on('error', () => {});
        request.write(pdf(3 * MB));
        await until(() => Number(platform.sql('select count(*) from harkara.media_chunk')) >= 8, 'chunks to come in');
        request.destroy();
        await until(() => rows() === '0|0', 'the rest to go');
    });

    test('many small downloads at once leave nobody busy', async () => {
        const media = await acme.client.upload('text/plain', 'small');
        let left = 600;
        await Promise.all(Array.from({ length: 12 }, async () => {
            while (left-- > 0) {
                const got = await content(acme.client, media.id);
                assert.deepEqual([got.status, got.bytes.toString()], [200, 'small']);
            }
        }));
        await acme.client.must(204, 'DELETE', `/v1/media/${media.id}`);
    });

    test('another workspace does not find it, and scopes hold', async () => {
        const media = await acme.client.upload('text/plain', 'mine');
        assert.equal((await bolt.client.call('GET', `/v1/media/${media.id}`)).status, 404);
        assert.equal((await content(bolt.client, media.id)).status, 404);
        assert.equal((await bolt.client.call('DELETE', `/v1/media/${media.id}`)).status, 404);
        assert.equal((await content(acme.client, media.id)).bytes.toString(), 'mine');
        await acme.client.must(204, 'DELETE', `/v1/media/${media.id}`);
    });
});

describe('what comes with messages', () => {
    test('an incoming picture is fetched and is the same, byte for byte', async () => {
        const file = jpeg(900_000);
        const id = await theirs(bolt, 'image/jpeg', file, 'a.jpg');
        const message = await receive(bolt, 'image', { id, mime_type: 'image/jpeg', sha256: sha256(file), caption: 'Look' });
        const media = await stateOf(bolt, message.content.image.media_id, ['ready']);
        assert.equal(media.direction, 'inbound');
        assert.equal(media.channel_id, bolt.channel);
        assert.equal(media.message_id, message.id);
        assert.equal(media.sha256, sha256(file));
        assert.ok((await content(bolt.client, media.id)).bytes.equals(file));
        assert.equal(platform.sql("select count(*) from harkara.event where type = 'media.ready'"), '1');
        assert.equal((await acme.client.call('GET', `/v1/media/${media.id}`)).status, 404);
    });

    test('what the provider does not have fails by name', async () => {
        const message = await receive(bolt, 'document', { id: '404404404', mime_type: 'application/zip', sha256: sha256('x'), filename: 'gone.zip' });
        const media = await stateOf(bolt, message.content.document.media_id, ['failed']);
        assert.match(media.error.code, /^whatsapp-/);
        assert.equal(media.file_name, 'gone.zip');
        assert.equal(media.type, null);
        assert.equal((await content(bolt.client, media.id)).status, 409);
    });

    test('bytes that are not those announced, and addresses that are not WhatsApp\'s, are refused', async () => {
        const setting = (lie) => platform.sandbox.control('PATCH', '/settings', { media_lie: lie });
        for (const [lie, code] of [['sha256', 'media-altered'], ['host', 'media-host-refused']]) {
            await setting(lie);
            const id = await theirs(bolt, 'image/jpeg', jpeg(5000), 'c.jpg');
            const message = await receive(bolt, 'image', { id, mime_type: 'image/jpeg', sha256: sha256('x') });
            const media = await stateOf(bolt, message.content.image.media_id, ['failed', 'ready']);
            assert.equal(media.error?.code, code);
        }
        await setting('cut');
        const file = jpeg(5000);
        const id = await theirs(bolt, 'image/jpeg', file, 'd.jpg');
        const message = await receive(bolt, 'image', { id, mime_type: 'image/jpeg', sha256: sha256(file) });
        await until(() => platform.sql("select count(*) from harkara.provider_task where kind = 'media.fetch' and state = 'waiting' and attempt > 0") !== '0', 'an attempt to be cut');
        await setting('none');
        platform.sql("update harkara.provider_task set due_at = now() where kind = 'media.fetch' and state = 'waiting'");
        const media = await stateOf(bolt, message.content.image.media_id, ['failed', 'ready']);
        assert.equal(media.state, 'ready');
        assert.ok((await content(bolt.client, media.id)).bytes.equals(file));
    });

    test('a channel may leave it with WhatsApp', async () => {
        const fetches = async (/** @type {string} */ word) => {
            const changed = await bolt.client.must(200, 'PATCH', `/v1/channels/${bolt.channel}`, { whatsapp: { fetch_media: word } });
            assert.equal(changed.whatsapp.fetch_media, word);
            const id = await theirs(bolt, 'image/jpeg', jpeg(3000), 'e.jpg');
            const { image } = (await receive(bolt, 'image', { id, mime_type: 'image/jpeg', sha256: sha256(jpeg(3000)) })).content;
            assert.equal(image.id, id);
            return image.media_id !== undefined;
        };
        assert.equal(await fetches('never'), false);
        assert.equal(await fetches('always'), true);
        assert.equal(await fetches('default'), true);
    });

    test('a dispatcher that is killed in the middle leaves a fetch that another ends', async () => {
        const file = pdf(12 * MB);
        const id = await theirs(bolt, 'application/pdf', file, 'b.pdf');
        await platform.sandbox.control('POST', '/faults', { on: 'media', times: 2, effect: { kind: 'slow', ms: 1500 } });
        const message = await receive(bolt, 'document', { id, mime_type: 'application/pdf', sha256: sha256(file), filename: 'b.pdf' });
        const mediaId = message.content.document.media_id;
        await until(() => platform.sql("select count(*) from harkara.provider_task where kind = 'media.fetch' and state = 'leased'") === '1', 'the fetch to begin');
        for (const pid of await platform.pids('dispatcher'))
            process.kill(pid, 'SIGKILL');
        platform.sql("update harkara.provider_task set lease_until = now() where kind = 'media.fetch' and state = 'leased'");
        await stateOf(bolt, mediaId, ['ready']);
        assert.ok((await content(bolt.client, mediaId)).bytes.equals(file));
    });
});

describe('what is sent by our id', () => {
    test('it is pushed once, and the message goes on by itself with the provider\'s id', async () => {
        const file = jpeg(400_000);
        const media = await acme.client.upload('image/jpeg', file, '?file_name=p.jpg');
        for (let i = 0; i < 2; i++) {
            const answer = await send(acme, { type: 'image', image: { id: media.id, caption: 'Yours' } });
            assert.equal(answer.status, 202, answer.text);
            await acme.client.follow(answer.json.id, ['delivered', 'read']);
        }
        assert.equal(platform.sql("select count(*) from harkara.provider_task where kind = 'media.push'"), '1');
        const theirId = platform.sql(`select provider_id from harkara.media_provider where state = 'ready'`);
        const shown = await (await fetch(`${platform.sandbox.url}/v25.0/${theirId}`, { headers: { authorization: `Bearer ${acme.account.access_token}` } })).json();
        assert.equal(shown.sha256, sha256(file));
        assert.equal(shown.mime_type, 'image/jpeg');
    });

    test('what cannot be sent so is refused at once', async () => {
        const media = await acme.client.upload('application/pdf', pdf(100));
        const wrong = await send(acme, { type: 'image', image: { id: media.id } });
        assert.deepEqual([wrong.status, wrong.json.code], [422, 'media-kind-mismatch']);
        const foreign = await send(bolt, { type: 'document', document: { id: media.id } });
        assert.deepEqual([foreign.status, foreign.json.code], [422, 'media-unknown']);
        await acme.client.must(204, 'DELETE', `/v1/media/${media.id}`);
        const gone = await send(acme, { type: 'document', document: { id: media.id } });
        assert.deepEqual([gone.status, gone.json.code], [422, 'media-unknown']);
    });

    test('a push that the provider refuses fails the message with its error', async () => {
        const media = await acme.client.upload('application/pdf', pdf(1000));
        await platform.sandbox.control('POST', '/faults', { on: 'media', times: 1, effect: { kind: 'error', code: 131053 } });
        const answer = await send(acme, { type: 'document', document: { id: media.id, filename: 'x.pdf' } });
        const message = await acme.client.follow(answer.json.id, ['failed']);
        assert.equal(message.error.code, 'whatsapp-131053');
    });

    test('what WhatsApp has lost, as a status tells, is pushed again for the next message', async () => {
        const media = await acme.client.upload('application/pdf', pdf(3000));
        const pushes = () => platform.sql(`select count(*) from harkara.provider_task t join harkara.media m on m.id = t.subject_id where t.kind = 'media.push' and m.sha256 = decode('${media.sha256}', 'hex')`);
        const document = { type: 'document', document: { id: media.id, filename: 'z.pdf' } };
        await platform.sandbox.control('POST', '/faults', { on: 'messages', times: 1, effect: { kind: 'statuses', fail: 131052 } });
        const failed = await acme.client.follow((await send(acme, document)).json.id, ['failed']);
        assert.equal(failed.error.code, 'whatsapp-131052');
        await until(() => platform.sql(`select count(*) from harkara.media_provider where media_id = (select id from harkara.media where sha256 = decode('${media.sha256}', 'hex'))`) === '0', 'it to be forgotten');
        assert.equal(pushes(), '1');
        await acme.client.follow((await send(acme, document)).json.id, ['delivered', 'read']);
        assert.equal(pushes(), '2');
        assert.equal((await acme.client.must(200, 'GET', `/v1/messages/${failed.id}`)).status, 'failed');
    });

    test('what WhatsApp has lost is pushed again, once', async () => {
        const media = await acme.client.upload('application/pdf', pdf(2000));
        await platform.sandbox.control('POST', '/faults', { on: 'messages', times: 1, effect: { kind: 'error', code: 131052 } });
        const answer = await send(acme, { type: 'document', document: { id: media.id, filename: 'y.pdf' } });
        await acme.client.follow(answer.json.id, ['delivered', 'read']);
        assert.equal(platform.sql(`select count(*) from harkara.provider_task t join harkara.media m on m.id = t.subject_id where t.kind = 'media.push' and m.sha256 = decode('${media.sha256}', 'hex')`), '2');
    });
});
