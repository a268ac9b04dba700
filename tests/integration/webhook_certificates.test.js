// @ts-check
/** Endpoints whose server asks for a client certificate: the right one, a wrong one, none, two at one server, and one that is over. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
/** @type {https.Server} */
let server;
let shop, folder, url;
/** @type {{path: string, name: string, socket: object, event: string}[]} */
const received = [];

const file = (name) => path.join(folder, name);
const pem = (name) => readFileSync(file(name), 'utf8');
const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });

function authority(name) {
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', `/CN=${name}`,
        '-addext', 'basicConstraints=critical,CA:TRUE', '-keyout', file(`${name}.key`), '-out', file(`${name}.pem`));
}

function identity(name, signer, kind = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], more = []) {
    openssl('req', '-new', '-newkey', ...kind, '-nodes', '-subj', `/O=Shop/CN=${name}`, ...more, '-keyout', file(`${name}.key`), '-out', file(`${name}.csr`));
    openssl('x509', '-req', '-in', file(`${name}.csr`), '-CA', file(`${signer}.pem`), '-CAkey', file(`${signer}.key`), '-CAcreateserial', '-days', '30',
        '-copy_extensions', 'copy', '-out', file(`${name}.pem`));
}

const given = (name) => ({ certificate: pem(`${name}.pem`), private_key: pem(`${name}.key`) });
const endpoint = (at, name) => shop.client.must(201, 'POST', '/v1/webhook-endpoints',
    { url: `${url}/${at}`, events: ['message.accepted'], ...(name === undefined ? {} : { client_certificate: given(name) }) });
const send = async () => (await shop.client.must(202, 'POST', '/v1/messages', shop.client.text(shop.channel))).id;
const deliveries = async (id) => (await shop.client.must(200, 'GET', `/v1/webhook-endpoints/${id}/deliveries?limit=100`)).data;
const outcome = (id) => until(async () => (await deliveries(id))[0]?.attempts[0]?.outcome, 'an attempt');
const remove = async (...ids) => {
    for (const id of ids)
        assert.equal((await shop.client.call('DELETE', `/v1/webhook-endpoints/${id}`)).status, 204);
};

before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'harkara-mtls-'));
    chmodSync(folder, 0o755);
    authority('servers');
    authority('clients');
    authority('strangers');
    identity('server', 'servers', undefined, ['-addext', 'subjectAltName=IP:127.0.0.1']);
    identity('first', 'clients', ['rsa:2048']);
    identity('second', 'clients');
    identity('stranger', 'strangers', ['ed25519']);
    chmodSync(file('servers.pem'), 0o644);
    server = https.createServer({ key: pem('server.key'), cert: pem('server.pem'), ca: pem('clients.pem'), requestCert: true, rejectUnauthorized: true }, (incoming, outgoing) => {
        const socket = /** @type {import('node:tls').TLSSocket} */ (incoming.socket);
        received.push({ path: incoming.url ?? '', name: socket.getPeerCertificate().subject.CN, socket, event: String(incoming.headers['webhook-id']) });
        incoming.resume().on('end', () => outgoing.writeHead(204).end());
    });
    server.keepAliveTimeout = 60_000;
    server.on('tlsClientError', () => {});
    await new Promise((done) => server.listen(0, '127.0.0.1', () => done(null)));
    url = `https://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;
    platform = await startPlatform({ env: { HARKARA_CA_FILE: file('servers.pem'), HARKARA_WEBHOOK_SCHEDULE_PERCENT: '1' } });
    shop = await platform.workspace();
});
after(async () => {
    await platform?.stop();
    server?.close();
    server?.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
});

test('what is shown of a certificate is what it says, never the key', async () => {
    const made = await endpoint('shown', 'first'), own = new X509Certificate(pem('first.pem'));
    assert.deepEqual(made.client_certificate, {
        subject: 'CN=first,O=Shop', issuer: 'CN=clients', not_after: new Date(own.validTo).toISOString(),
        fingerprint: own.fingerprint256.replaceAll(':', '').toLowerCase(),
    });
    const shown = await shop.client.must(200, 'GET', `/v1/webhook-endpoints/${made.id}`);
    assert.deepEqual(shown.client_certificate, made.client_certificate);
    const other = await shop.client.must(200, 'PATCH', `/v1/webhook-endpoints/${made.id}`, { client_certificate: given('second') });
    assert.equal(other.client_certificate.subject, 'CN=second,O=Shop');
    const same = await shop.client.must(200, 'PATCH', `/v1/webhook-endpoints/${made.id}`, { description: 'Orders' });
    assert.deepEqual(same.client_certificate, other.client_certificate);
    const none = await shop.client.must(200, 'PATCH', `/v1/webhook-endpoints/${made.id}`, { client_certificate: null });
    assert.equal(none.client_certificate, null);
    assert.equal(platform.sql(`select num_nonnulls(client_certificate, client_key_ct) from harkara.webhook_endpoint where client_generation = 3`), '0');
    const body = pem('first.key').split('\n')[1];
    assert.ok(!platform.log().includes(body), 'a key is not logged');
    assert.equal(platform.sql(`select count(*) from harkara.webhook_endpoint e where e::text like '%PRIVATE KEY%'`), '0');
    await remove(made.id);
});

test('what cannot be used is refused, and where it is wrong', async () => {
    openssl('ec', '-in', file('second.key'), '-aes256', '-passout', 'pass:secret', '-out', file('encrypted.key'));
    const cases = [
        [{ certificate: 'none', private_key: pem('first.key') }, 'certificate'],
        [{ certificate: pem('first.pem') + pem('first.key'), private_key: pem('first.key') }, 'certificate'],
        [{ certificate: pem('first.pem'), private_key: 'none' }, 'private_key'],
        [{ certificate: pem('first.pem'), private_key: pem('second.key') }, 'private_key'],
        [{ certificate: pem('second.pem'), private_key: pem('encrypted.key') }, 'private_key'],
    ];
    for (const [client_certificate, member] of cases) {
        const answer = await shop.client.call('POST', '/v1/webhook-endpoints', { url: `${url}/refused`, events: ['*'], client_certificate });
        assert.equal(answer.status, 422, answer.text);
        assert.deepEqual(answer.json.errors.map(({ pointer }) => pointer), [`/client_certificate/${member}`]);
        assert.ok(!answer.text.includes('PRIVATE KEY'));
    }
});

test('the right one is let in; a wrong one and none are not', async () => {
    const right = await endpoint('right', 'first'), wrong = await endpoint('wrong', 'stranger'), none = await endpoint('none');
    await send();
    assert.equal(await outcome(right.id), 'delivered');
    assert.match(await outcome(wrong.id), /^(tls|broken)$/); /* node hangs up on it without an alert */
    assert.equal(await outcome(none.id), 'tls');
    assert.deepEqual(new Set(received.map((one) => `${one.path} ${one.name}`)), new Set(['/right first']));
    await remove(right.id, none.id);
    /* Mended, the next attempt of the same delivery goes through. */
    await shop.client.must(200, 'PATCH', `/v1/webhook-endpoints/${wrong.id}`, { client_certificate: given('second') });
    await until(async () => (await deliveries(wrong.id)).every(({ state }) => state === 'delivered'), 'the delivery');
    assert.equal(received.at(-1)?.name, 'second');
    await remove(wrong.id);
});

test('two endpoints at one server never share a connection', async () => {
    received.length = 0;
    const first = await endpoint('first', 'first'), second = await endpoint('second', 'second'), none = await endpoint('none');
    for (let i = 1; i <= 5; i++) { /* one after the other: connections stand idle and are there to be taken */
        await send();
        await until(() => received.length === 2 * i, 'both to hear of it');
        /* Not before they were answered: a connection that is busy is not there to be taken. */
        for (const { id } of [first, second])
            await until(async () => (await deliveries(id)).filter(({ state }) => state === 'delivered').length === i, 'both to be done');
    }
    for (const { path: at, name } of received)
        assert.equal(at, `/${name}`);
    const sockets = (name) => new Set(received.filter((one) => one.name === name).map(({ socket }) => socket));
    /* What idles is closed when one host has many: those of the tests before are among them. */
    assert.ok(sockets('first').size < 5 && sockets('second').size < 5, 'a connection is used again by its own endpoint');
    assert.deepEqual([...sockets('first')].filter((socket) => sockets('second').has(socket)), []);
    assert.ok((await deliveries(none.id)).every(({ attempts }) => attempts.every((attempt) => attempt.outcome === 'tls')), 'and none by the one without');
    /* Replaced, the old connection is not used any more. */
    await shop.client.must(200, 'PATCH', `/v1/webhook-endpoints/${first.id}`, { client_certificate: given('second') });
    received.length = 0;
    await send();
    await until(() => received.length === 2, 'both to hear of it');
    assert.deepEqual(received.map(({ name }) => name), ['second', 'second']);
    await remove(first.id, second.id, none.id);
});

test('one that is over is not used, and the log says so', async () => {
    received.length = 0;
    const made = await endpoint('over', 'first');
    platform.sql(`update harkara.webhook_endpoint set client_not_after = now() - interval '1 minute' where client_not_after is not null`);
    await send();
    assert.equal(await outcome(made.id), 'certificate-expired');
    assert.equal(received.length, 0);
    const renewed = await shop.client.must(200, 'PATCH', `/v1/webhook-endpoints/${made.id}`, { client_certificate: given('first') });
    assert.ok(new Date(renewed.client_certificate.not_after) > new Date());
    await until(() => received.length === 1, 'the delivery that had waited');
    await remove(made.id);
});
