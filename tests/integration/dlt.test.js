// @ts-check
/** India's registry by the API: what is registered, what is imported, and what is said of a text. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startPlatform } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let client, entity;
before(async () => {
    platform = await startPlatform();
    client = (await platform.workspace()).client;
    entity = await client.must(201, 'POST', '/v1/dlt/entities', { registered_id: '1101172974420810001', name: 'Acme' });
});
after(() => platform?.stop());

const HEADERS = 'Header Name,Status\nHRKARA,Approved\n512345,Active\n';
const TEMPLATES = '\uFEFFTemplate ID;Template Name;Template Content;Template Type;Headers;Status\r\n1107172974420840007;Shipped;"Dear {#var#}, your order {#alphanumeric#} has shipped. -HK";Service Implicit;HRKARA;Approved\r\n\'1107172974420840008;Sale;"Sale!\r\n{#numeric#} percent off at {#url#} -HK";Promotional;"512345, HRKARA";Approved\r\n';
const imported = (kind, csv, preview, status = 200) => client.must(status, 'POST', '/v1/dlt/imports', { kind, entity_id: entity.id, csv, preview });
const tried = (header, text, more = {}) => client.must(200, 'POST', '/v1/dlt/match', { header, text, ...more });

describe('imports', () => {
    test('a preview stores nothing; the import does, and again changes nothing', async () => {
        assert.deepEqual((await imported('headers', HEADERS, true)).rows.map(({ outcome }) => outcome), ['add', 'add']);
        assert.deepEqual((await client.must(200, 'GET', '/v1/dlt/headers')).data, []);
        assert.equal((await imported('headers', HEADERS, false)).added, 2);
        assert.equal((await imported('headers', HEADERS, false)).same, 2);
        const done = await imported('templates', TEMPLATES, false);
        assert.deepEqual([done.added, done.errors], [2, 0]);
        const { data } = await client.must(200, 'GET', '/v1/dlt/templates?q=percent');
        assert.deepEqual(data[0].headers, ['512345', 'HRKARA']);
        assert.equal(data[0].suffix, '-P');
        assert.deepEqual(data[0].variables, [{ type: 'numeric', max_length: 30 }, { type: 'url', max_length: 50 }]);
        const changed = await imported('templates', TEMPLATES.replace('Shipped', 'Sent'), true);
        assert.deepEqual(changed.rows.map(({ outcome }) => outcome), ['change', 'same']);
    });

    test('one bad row keeps all of a file out', async () => {
        const csv = 'Header,Status\nSHOPIN,Approved\nVM-SHOPIN-S,Approved\nSHOPIN,Approved\nCLOSED,wat\n';
        const preview = await imported('headers', csv, true);
        assert.deepEqual(preview.rows.map(({ row, outcome }) => [row, outcome]), [[2, 'add'], [3, 'error'], [4, 'error'], [5, 'error']]);
        const refused = await client.call('POST', '/v1/dlt/imports', { kind: 'headers', entity_id: entity.id, csv });
        assert.equal(refused.status, 422);
        assert.equal(refused.json.code, 'dlt-invalid');
        assert.equal(refused.json.errors.length, 3);
        assert.ok((await client.must(200, 'GET', '/v1/dlt/headers?q=shop')).data.length === 0);
    });

    test('a file that is none is refused with the reason', async () => {
        for (const [kind, csv, reason] of [['headers', 'Wat\nx\n', /no column with the header/], ['templates', 'Template ID,Content,Type\n', /no rows/], ['links', 'url\n"x', /quotes/], ['templates', 'Template ID,Content,Type\n1.10717E+18,x,Service\n', /rounded/]]) {
            const answer = await client.call('POST', '/v1/dlt/imports', { kind, entity_id: entity.id, csv });
            assert.equal(answer.status, 422, answer.text);
            assert.match(answer.json.errors[0].detail, /** @type {RegExp} */ (reason));
        }
        assert.equal((await client.call('POST', '/v1/dlt/imports', { kind: 'headers', entity_id: 'dle_' + '0'.repeat(26), csv: HEADERS })).json.code, 'dlt-entity-unknown');
    });

    test('links are imported with their kind and their end', async () => {
        const done = await imported('links', 'Type,URL,Expiry Date\nDynamic URL,https://shop.example.in/t?,31-12-2099\n,1800 123 4567,\n', false);
        assert.equal(done.added, 2);
        const { data } = await client.must(200, 'GET', '/v1/dlt/links?q=shop');
        assert.deepEqual([data[0].kind, data[0].expires_at.slice(0, 19)], ['dynamic', '2099-12-31T18:30:00']);
    });
});

describe('a text', () => {
    test('is that of a template, or the nearest one is shown, and where it differs', async () => {
        const good = await tried('HRKARA', 'Dear Asha, your order A12 has shipped. -HK', { category: 'service' });
        assert.equal(good.verdict, 'ok');
        assert.deepEqual(good.values.map(({ text }) => text), ['Asha', 'A12']);
        const near = await tried('HRKARA', 'Dear Asha, your order A12 was shipped. -HK');
        assert.deepEqual([near.verdict, near.template.name, near.found.text, near.expected.text], ['not-matched', 'Shipped', 'w', 'h']);
        const typed = await tried('HRKARA', 'Dear Asha, your order A-12 has shipped. -HK');
        assert.deepEqual([typed.verdict, typed.fault, typed.variable, typed.found.text], ['variable', 'type', 2, 'A-12']);
        assert.equal((await tried('512345', 'Sale!\n20 percent off at https://shop.example.in/t?id=1 -HK', { category: 'promotional' })).verdict, 'ok');
        assert.equal((await tried('512345', 'Sale!\n20 percent off at https://evil.example.in/t?id=1 -HK')).verdict, 'link');
        assert.equal((await tried('512345', 'Sale!\n20 percent off at https://shop.example.in/t?id=1 -HK', { category: 'service' })).verdict, 'category');
        assert.equal((await tried('NOBODY', 'x')).verdict, 'header-unknown');
    });

    test('is blocked by what is paused, until it goes on', async () => {
        const [header] = (await client.must(200, 'GET', '/v1/dlt/headers?q=hrkara')).data;
        const paused = await client.must(200, 'PATCH', `/v1/dlt/headers/${header.id}`, { paused_reason: 'Complaints' });
        assert.deepEqual([paused.is_active, paused.paused_reason], [false, 'Complaints']);
        assert.equal((await tried('HRKARA', 'Dear Asha, your order A12 has shipped. -HK')).verdict, 'header-inactive');
        assert.equal((await client.must(200, 'PATCH', `/v1/dlt/headers/${header.id}`, { paused_reason: null })).is_active, true);
        const [template] = (await client.must(200, 'GET', `/v1/dlt/templates?header_id=${header.id}&q=shipped`)).data;
        await client.must(200, 'PATCH', `/v1/dlt/templates/${template.id}`, { paused_reason: 'Complaints' });
        assert.equal((await tried('HRKARA', 'Dear Asha, your order A12 has shipped. -HK')).verdict, 'template-inactive');
        await client.must(200, 'PATCH', `/v1/dlt/templates/${template.id}`, { paused_reason: null });
    });
});

describe('the registry', () => {
    test('a chain has the hash that operators know', async () => {
        const chain = await client.must(201, 'POST', '/v1/dlt/chains', { entity_id: entity.id, telemarketers: [{ registered_id: '1101172974420830004' }] });
        assert.equal(chain.hash, 'c0c951afca257c5b87c3da535c09112080483f35b7e6faf35e2428b3b526b694');
        assert.equal((await client.call('POST', '/v1/dlt/chains', { entity_id: entity.id, telemarketers: [{ registered_id: '1101172974420830004' }] })).json.code, 'already-exists');
        await client.must(200, 'PATCH', `/v1/dlt/chains/${chain.id}`, { state: 'suspended' });
        assert.equal((await tried('HRKARA', 'Dear Asha, your order A12 has shipped. -HK')).verdict, 'chain');
        await client.must(204, 'DELETE', `/v1/dlt/chains/${chain.id}`);
        const overview = await client.must(200, 'GET', '/v1/dlt');
        assert.deepEqual([overview.headers.total, overview.templates.active, overview.chains.length], [2, 2, 0]);
    });

    test('what no portal would have is refused where it stands', async () => {
        const at = async (pointer, target, body) => assert.deepEqual((await client.call('POST', target, body)).json.errors?.map((error) => error.pointer), [pointer]);
        await at('/name', '/v1/dlt/headers', { entity_id: entity.id, name: 'VM-ABC-S' });
        await at('/name', '/v1/dlt/headers', { entity_id: entity.id, name: 'HRKARA' });
        await at('/value', '/v1/dlt/links', { kind: 'static', value: 'https://10.0.0.1/x' });
        const template = { entity_id: entity.id, kind: 'content', registered_id: '9', name: 'n', category: 'service', text: 'x' };
        await at('/text', '/v1/dlt/templates', { ...template, text: 'x {#wat#}' });
        await at('/headers', '/v1/dlt/templates', { ...template, headers: ['NOBODY'] });
        await at('/headers', '/v1/dlt/templates', { ...template, headers: ['512345'] });
        await at('/registered_id', '/v1/dlt/templates', { ...template, registered_id: '1107172974420840007' });
        assert.equal((await client.call('DELETE', `/v1/dlt/entities/${entity.id}`)).status, 409);
    });

    test('acts are in the audit log', async () => {
        const { data } = await client.must(200, 'GET', '/v1/audit?limit=100');
        for (const action of ['dlt_entity.created', 'dlt_registry.imported', 'dlt_header.updated', 'dlt_template.updated', 'dlt_chain.created', 'dlt_chain.deleted'])
            assert.ok(data.some((entry) => entry.action === action), action);
    });
});
