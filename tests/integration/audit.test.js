// @ts-check
/** The audit log: what is done through the API is in it, proved, signed, and verified far from the server. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, createPublicKey, verify as verifySignature } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { Client, SCOPES, startPlatform, until } from './support.js';

/** @type {any} */
let platform;
/** @type {any} */
let acme;
/** @type {string} */
let folder;

before(async () => {
    platform = await startPlatform({ env: { HARKARA_AUDIT_SEAL_MS: '1000' } });
    acme = await platform.workspace({ channel: false });
    folder = mkdtempSync(path.join(tmpdir(), 'harkara-audit-'));
    chmodSync(folder, 0o755);
});
after(async () => {
    await platform?.stop();
    rmSync(folder, { recursive: true, force: true });
});

const sha = (...parts) => {
    const hash = createHash('sha256');
    for (const part of parts)
        hash.update(part);
    return hash.digest();
};

/** RFC 9162, 2.1.3.2, from its text. */
function rootOf(line, index, size, path_) {
    let [fn, sn, r] = [index, size - 1, sha(Buffer.of(0), Buffer.from(line))];
    for (const hex of path_) {
        const p = Buffer.from(hex, 'hex');
        assert.notEqual(sn, 0);
        if (fn % 2 === 1 || fn === sn) {
            r = sha(Buffer.of(1), p, r);
            while (fn % 2 === 0 && fn !== 0) {
                fn = Math.floor(fn / 2);
                sn = Math.floor(sn / 2);
            }
        } else {
            r = sha(Buffer.of(1), r, p);
        }
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
    }
    assert.equal(sn, 0);
    return r.toString('hex');
}

function signatureHolds(tenant, checkpoint, publicKey) {
    const key = createPublicKey({ key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(publicKey, 'hex')]), format: 'der', type: 'spki' });
    const text = `harkara-audit/1\n${tenant}\n${checkpoint.size}\n${Buffer.from(checkpoint.root, 'hex').toString('base64')}\n${checkpoint.at}\n`;
    return verifySignature(null, Buffer.from(text), key, Buffer.from(checkpoint.signature, 'hex'));
}

/** @param {string} target */
const get = (target) => acme.client.call('GET', target);

/** @param {string} action */
async function entriesOf(action) {
    return (await acme.client.must(200, 'GET', `/v1/audit?action=${encodeURIComponent(action)}`)).data;
}

/** @param {string[]} args */
const run = (...args) => spawnSync(path.join(platform.options.build, 'src/program/harkara/harkara'), args, {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HARKARA_STATE_DIR: platform.options.stateDir, HARKARA_RUN_DIR: platform.options.runDir, HARKARA_UNLOCKED_SECRETS: '1' },
});

test('what a key does is in the log, with where it came from', async () => {
    const made = await acme.client.must(201, 'POST', '/v1/api-keys', { name: 'Shop', scopes: ['messages:read'] });
    await acme.client.must(204, 'DELETE', `/v1/api-keys/${made.id}`);
    const [revoked] = await entriesOf('api_key.revoked');
    const [created] = await entriesOf('api_key.created');
    assert.equal(revoked.object_id, made.id);
    assert.equal(created.object_id, made.id);
    assert.equal(created.actor.kind, 'key');
    assert.match(created.actor.id, /^key_/);
    assert.ok(created.actor.address, 'it came from somewhere');
    assert.equal(created.outcome, 'done');
    const both = (await get(`/v1/audit?object_id=${made.id}`)).json.data;
    assert.deepEqual(both.map((/** @type {any} */ e) => e.action), ['api_key.revoked', 'api_key.created']);
    const none = (await get(`/v1/audit?actor_id=${made.id}`)).json.data;
    assert.deepEqual(none, []);
});

test('what an operator does on the command line is in it too', async () => {
    const made = await platform.harkara.json('key', 'create', '--tenant', acme.slug, '--name', 'By hand', '--scope', 'messages:read');
    await platform.harkara.json('tenant', 'weigh', acme.slug, '--weight', '200');
    await platform.harkara.json('tenant', 'limits', acme.slug, '--messages-per-day', '100000');
    const byOperator = (await acme.client.must(200, 'GET', '/v1/audit?limit=100')).data.filter((/** @type {any} */ e) => e.actor.kind === 'operator');
    assert.deepEqual(byOperator.map((/** @type {any} */ e) => e.action), ['limits.updated', 'tenant.weighed', 'api_key.created', 'api_key.created', 'enrolment.issued', 'tenant.created']);
    assert.ok(byOperator.every((/** @type {any} */ e) => e.actor.name.length > 0 && e.actor.id === null && e.actor.address === null));
    assert.equal(byOperator[2].object_id, made.id);
    assert.deepEqual(byOperator[1].detail, { weight: 200 });
});

test('a search reads page by page, and says what it does not understand', async () => {
    for (let i = 0; i < 3; i++)
        await acme.client.must(201, 'POST', '/v1/api-keys', { name: `Page ${i}`, scopes: ['messages:read'] });
    const first = (await get('/v1/audit?action=api_key.*&limit=2')).json;
    assert.equal(first.data.length, 2);
    assert.equal(first.has_more, true);
    const second = (await get(`/v1/audit?action=api_key.*&limit=2&cursor=${first.next_cursor}`)).json;
    assert.ok(second.data[0].id < first.data[1].id);
    for (const query of ['actor_id=msg_x', 'action=DROP', 'outcome=maybe', 'since=yesterday', 'object_id=12'])
        assert.equal((await get(`/v1/audit?${query}`)).status, 422, query);
    const since = encodeURIComponent(new Date(Date.now() + 60_000).toISOString());
    assert.deepEqual((await get(`/v1/audit?since=${since}`)).json.data, []);
});

test('an entry is proved by the standard alone, once it is sealed', async () => {
    const [entry] = await entriesOf('api_key.created');
    const proved = await until(async () => {
        const { json } = await get(`/v1/audit/${entry.id}`);
        return json.proof === null ? false : json;
    }, 'a checkpoint', 90_000);
    const { line, path: way, checkpoint } = proved.proof;
    assert.equal(JSON.parse(line).id, entry.id);
    assert.equal(JSON.parse(line).n, proved.place);
    assert.equal(rootOf(line, proved.place, checkpoint.size, way), checkpoint.root);
    const list = (await get('/v1/audit/checkpoints')).json;
    assert.ok(signatureHolds(acme.tenant, checkpoint, list.keys[0].public_key));
    assert.ok(!signatureHolds(acme.tenant, { ...checkpoint, size: checkpoint.size + 1 }, list.keys[0].public_key));
    assert.ok(!/127\.0\.0\.1|::1/.test(line), 'nothing personal is in the line');
});

test('the whole log is taken out and verified without a server; what was touched is named', async () => {
    const answer = await get('/v1/audit/export?private=true');
    assert.equal(answer.status, 200);
    const file = path.join(folder, 'log.ndjson');
    writeFileSync(file, answer.text);
    const publicKey = JSON.parse(answer.text.split('\n')[0]).audit.keys[0].public_key;
    const good = run('audit', 'verify', file, '--public-key', publicKey, '--json');
    assert.equal(good.status, 0, good.stderr);
    assert.equal(JSON.parse(good.stdout).holds, true);
    assert.equal(run('audit', 'verify', file, '--public-key', 'ab'.repeat(32)).status, 1);
    writeFileSync(file, answer.text.replace('api_key.created', 'api_key.updated'));
    const bad = run('audit', 'verify', file, '--json');
    assert.equal(bad.status, 1);
    assert.equal(JSON.parse(bad.stdout).holds, false);
    assert.match(bad.stdout, /aud_/);
    const [exported] = await entriesOf('audit.exported');
    assert.deepEqual(exported.detail, { private: true });
    const key = await acme.client.must(201, 'POST', '/v1/api-keys', { name: 'Timid', scopes: SCOPES.filter((/** @type {string} */ s) => s !== 'contact.identity.reveal') });
    const timid = new Client(platform.url, key.key);
    await timid.must(403, 'GET', '/v1/audit/export?private=true');
    assert.equal((await timid.call('GET', '/v1/audit/export')).status, 200);
});

test('the owner of the database cannot put anything right behind our back', async () => {
    const verify = () => run('audit', 'verify', '--tenant', acme.slug, '--json');
    const holds = verify();
    assert.equal(holds.status, 0, holds.stderr);
    const place = JSON.parse(holds.stdout).signed - 1;
    platform.sql(`set search_path = harkara; update audit_entry set action = 'api_key.updated' where id = (select entry_id from audit_node n join tenant t using (tenant_id)
        where t.slug = '${acme.slug}' and level = 0 and index = ${place})`);
    const changed = verify();
    assert.equal(changed.status, 1);
    assert.equal(JSON.parse(changed.stdout).place, place);
    assert.match(JSON.parse(changed.stdout).fault, /changed/);
});
