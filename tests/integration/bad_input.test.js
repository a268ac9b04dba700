// @ts-check
/**
 * Every field of every request body missing, mistyped, too long, unknown; bytes that are no JSON at all. Each must be a
 * clear 4xx that names the field by its JSON Pointer, and nothing may be half done.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ownerOf } from './authenticator.js';
import { contract, startPlatform } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop, ids, owner;
before(async () => {
    platform = await startPlatform();
    shop = await platform.workspace();
    const endpoint = await shop.client.must(201, 'POST', '/v1/webhook-endpoints', { url: 'https://shop.example/hook', events: ['*'] });
    ids = { channel_id: shop.channel, endpoint_id: endpoint.id, key_id: shop.keyId };
    owner = await ownerOf(platform, shop.tenant);
    ids.passkey_id = (await owner.page.must(200, 'GET', '/v1/me/passkeys')).data[0].id;
});
after(() => platform?.stop());

const deref = (schema) => (schema?.$ref === undefined ? schema : deref(schema.$ref.slice(2).split('/').reduce((at, part) => at[part], contract)));

/** The branch of a oneOf that the value has chosen, and all of an allOf, as one object schema. */
function flatten(schema, value) {
    let flat = deref(schema);
    if (flat.discriminator !== undefined)
        flat = deref({ $ref: flat.discriminator.mapping[value?.[flat.discriminator.propertyName]] });
    for (const part of flat.allOf ?? [])
        flat = { ...flatten(part, value), ...flat, allOf: undefined };
    return flat;
}

const clone = (value) => structuredClone(value);
function at(root, path) {
    return path.slice(0, -1).reduce((inner, part) => inner[part], root);
}
const pointer = (path) => path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** What can be wrong with one field, and how its schema knows. */
function* wrongValues(schema, value) {
    const types = [schema.type].flat().filter(Boolean);
    if (!types.includes('null') && !schema.anyOf?.some(({ type }) => type === 'null'))
        yield ['null', null];
    if (typeof value === 'string' || types.includes('string')) {
        yield ['a number', 12345678];
        yield ['an array', ['x']];
        if (schema.maxLength !== undefined)
            yield ['too long', 'x'.repeat(schema.maxLength + 1)];
        if ((schema.minLength ?? 0) > 0)
            yield ['empty', ''];
        if (schema.pattern !== undefined)
            yield ['off the pattern', ['\u0007 \u00e9 <not>', 'two\nlines', '     '].find((wrong) => !new RegExp(schema.pattern, 'u').test(wrong))];
        if (schema.enum !== undefined || schema.const !== undefined)
            yield ['none of the words', 'no-such-word'];
    } else if (Array.isArray(value)) {
        yield ['an object', { a: 1 }];
        yield ['text', 'x'];
        if (schema.maxItems !== undefined)
            yield ['too many', Array.from({ length: schema.maxItems + 1 }, (_, i) => (typeof value[0] === 'string' ? `${value[0]}${i}` : value[0]))];
        if ((schema.minItems ?? 0) > 0)
            yield ['too few', []];
    } else if (typeof value === 'object') {
        yield ['text', 'x'];
        yield ['an array', []];
    } else if (typeof value === 'boolean') {
        yield ['text', 'true'];
        yield ['a number', 1];
    } else if (typeof value === 'number') {
        yield ['text', '1'];
        yield ['a fraction', 0.5];
    }
}

/** Every mutation of a valid body: [what, where it must be found, body]. */
function* mutations(schema, body, path = []) {
    const here = path.reduce((inner, part) => inner[part], body);
    const flat = flatten(schema, here);
    if (here !== null && typeof here === 'object' && !Array.isArray(here)) {
        for (const name of flat.required ?? []) {
            const less = clone(body);
            delete path.reduce((inner, part) => inner[part], less)[name];
            yield [`without ${pointer([...path, name])}`, pointer([...path, name]), less];
        }
        if (flat.additionalProperties === false) {
            const more = clone(body);
            path.reduce((inner, part) => inner[part], more)['no~such/field'] = 1;
            yield [`with an unknown field in ${pointer(path) || 'the body'}`, pointer([...path, 'no~such/field']), more];
        }
        for (const [name, value] of Object.entries(here)) {
            const inner = flat.properties?.[name];
            if (inner === undefined)
                continue;
            const where = [...path, name];
            for (const [what, wrong] of wrongValues(flatten(inner, value), value)) {
                const changed = clone(body);
                at(changed, where)[name] = wrong;
                yield [`${pointer(where)} ${what}`, pointer(where), changed];
            }
            yield* mutations(inner, body, where);
        }
    } else if (Array.isArray(here) && flat.items !== undefined) {
        for (let i = 0; i < here.length; i++)
            yield* mutations(flat.items, body, [...path, i]);
    }
}

const operations = Object.entries(contract.paths).flatMap(([template, item]) => ['post', 'patch', 'put'].filter((method) => item[method]?.requestBody?.content['application/json'] !== undefined)
    .map((method) => ({ method: method.toUpperCase(), template, operation: item[method] })));

async function counts() {
    return platform.sql(`select (select count(*) from harkara.message), (select count(*) from harkara.dispatch_queue), (select count(*) from harkara.event),
        (select count(*) from harkara.channel), (select count(*) from harkara.whatsapp_channel), (select count(*) from harkara.webhook_endpoint),
        (select count(*) from harkara.api_key), (select count(*) from harkara.idempotency_key), (select sum(revision) from harkara.channel), (select sum(revision) from harkara.webhook_endpoint)`);
}

for (const { method, template, operation } of operations) {
    test(`${operation.operationId}: each field wrong in each way is refused at its pointer`, async () => {
        const media = operation.requestBody.content['application/json'];
        const examples = Object.values(media.examples ?? { one: { value: media.example ?? deref(media.schema).example } }).map(({ value }) => value);
        assert.ok(examples.length > 0 && examples[0] !== undefined, 'the contract shows a valid body');
        const target = template.replace(/\{([^}]+)\}/g, (_, name) => ids[name]);
        const before = await counts();
        let tried = 0;
        const complaints = [];
        for (const example of examples) {
            const body = clone(example);
            if (body.channel_id !== undefined)
                body.channel_id = shop.channel;
            for (const [what, where, wrong] of mutations(media.schema, body)) {
                const answer = await (operation['x-access'] === 'session' ? owner.page : shop.client).call(method, target, wrong);
                tried += 1;
                const pointers = (answer.json?.errors ?? []).map((error) => error.pointer);
                /* A value of the wrong kind in a discriminator, or one of two alternatives missing, is told at the parent. */
                const parent = where.slice(0, where.lastIndexOf('/'));
                if (answer.status < 400 || answer.status >= 500 || !pointers.some((found) => found === where || found === parent || found?.startsWith(`${where}/`)))
                    complaints.push(`${what}: ${answer.status} ${JSON.stringify(pointers)}`);
                assert.ok(!answer.text.includes('no-such-word'), 'an answer does not repeat what was sent');
            }
        }
        assert.deepEqual(complaints, [], `${complaints.length} of ${tried}`);
        assert.ok(tried >= 4, `${tried} wrong bodies were tried`); // a body of one truth value has no more
        assert.equal(await counts(), before, 'nothing was half done');
    });
}

describe('bytes that are no request', () => {
    const json = { 'content-type': 'application/json' };
    const deep = (depth) => '{"content":'.repeat(depth) + '1' + '}'.repeat(depth);
    /** @type {[string, string | Buffer, Record<string, string>, number, string][]} */
    const cases = [
        ['no JSON', 'hello', json, 400, 'json-invalid'],
        ['nothing', '', json, 400, 'json-invalid'],
        ['cut JSON', '{"channel_id":"chn', json, 400, 'json-invalid'],
        ['two values', '{} {}', json, 400, 'json-invalid'],
        ['a member twice', '{"to":"+14155550123","to":"+14155550124"}', json, 400, 'json-invalid'],
        ['bad UTF-8', Buffer.from([0x7b, 0x22, 0x74, 0x6f, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0x22, 0x7d]), json, 400, 'utf8-invalid'],
        ['a lone surrogate', '{"to":"\\ud800"}', json, 400, 'json-invalid'],
        ['a NUL', '{"to":"\\u0000"}', json, 400, 'json-invalid'],
        ['nesting of 33', deep(33), json, 400, 'json-too-deep'],
        ['nesting of 20,000', deep(20_000).slice(0, 60_000), json, 400, 'json-too-deep'],
        ['an array', '[]', json, 422, 'request-invalid'],
        ['a number', '1', json, 422, 'request-invalid'],
        ['a huge body', `{"to":"${'x'.repeat(200_000)}"}`, json, 413, 'body-too-large'],
        ['no type', '{}', {}, 415, 'media-type-unsupported'],
        ['a form', 'to=1', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'media-type-unsupported'],
        ['an odd charset', '{}', { 'content-type': 'application/json; charset=utf-16' }, 415, 'media-type-unsupported'],
    ];
    for (const [what, body, headers, status, code] of cases)
        test(what, async () => {
            const answer = await shop.client.raw('POST', '/v1/messages', body, headers);
            assert.equal(answer.status, status, answer.text);
            assert.equal(answer.json.code, code);
        });
});

describe('queries and headers', () => {
    for (const [query, parameter] of [['limit=0', 'limit'], ['limit=101', 'limit'], ['limit=x', 'limit'], ['cursor=!', 'cursor'], ['cursor=abc', 'cursor'], ['status=none', 'status'],
        ['status=', 'status'], ['to=12', 'to'], ['created_after=yesterday', 'created_after'], ['channel_id=msg_1', 'channel_id'], ['nonsense=1', 'nonsense'], ['limit=1&limit=2', 'limit']])
        test(`?${query}`, async () => {
            const answer = await shop.client.call('GET', `/v1/messages?${query}`);
            assert.equal(answer.status, 422, answer.text);
            assert.ok(answer.json.errors.some((error) => error.parameter === parameter), answer.text);
        });

    for (const key of ['\u00e9', 'x'.repeat(256), ' ', 'a\tb'])
        test(`Idempotency-Key ${JSON.stringify(key.slice(0, 8))}`, async () => {
            const answer = await shop.client.call('POST', '/v1/messages', shop.client.text(shop.channel), { 'idempotency-key': key }).catch(() => null);
            if (answer === null)
                return; /* the client itself refused to send it */
            assert.ok(answer.status === 400 || (key.trim() === '' && answer.status === 202), answer.text);
        });

    for (const [method, target, status] of [['GET', '/v1/nothing', 404], ['GET', '/assets/nothing.js', 404], ['DELETE', '/v1/messages', 405], ['GET', '/v1/messages/msg_zzz', 404],
        ['GET', '/v1/messages/MSG_01jd8h3c5tfy8n2k7w4q9v6r0e', 404], ['PUT', '/v1/channels', 405], ['GET', '/v1/messages/..%2f..%2fetc%2fpasswd', 404]])
        test(`${method} ${target}`, async () => {
            const answer = await shop.client.call(String(method), String(target));
            assert.equal(answer.status, status, answer.text);
        });
});
