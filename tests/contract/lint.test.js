/** The contract as a document: the linter, the schemas, the examples, the codes, and what the samples cover. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import test from 'node:test';
import { promisify } from 'node:util';
import { document, events, eventValidator, explain, operations, requestValidator, resolve, responseValidator, root } from './contract.js';

const run = promisify(execFile);
const samples = JSON.parse(readFileSync(`${root}tests/contract/bodies.json`, 'utf8'));

test('the linter has nothing to say', async () => {
    const redocly = `${root}tests/node_modules/.bin/redocly`;
    const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
    const { stdout } = await run(
        redocly, ['lint', '--config', `${root}api/redocly.yaml`, '--format', 'json', 'harkara'],
        { cwd: `${root}tests`, env });
    const report = JSON.parse(stdout.slice(stdout.indexOf('{')));
    assert.deepEqual(report.problems, []);
    assert.deepEqual([report.totals.errors, report.totals.warnings, report.totals.ignored], [0, 0, 0]);
});

test('paths are in kebab case', () => {
    for (const path of Object.keys(document.paths))
        assert.match(path, /^(\/([a-z0-9]+(-[a-z0-9]+)*(\.json)?|\{[a-z_]+\}))+$/, path);
});

const embed = async (source, form = 'json') => {
    const folder = await mkdtemp(`${tmpdir()}/contract-`);
    try {
        await writeFile(`${folder}/source.yaml`, source);
        await run('/usr/bin/python3', [`${root}scripts/embed_contract.py`, '--form', form, `${folder}/source.yaml`, `${folder}/out`]);
        return await readFile(`${folder}/out`, 'utf8');
    } finally {
        await rm(folder, { recursive: true });
    }
};

test('what is embedded is what is written', async () => {
    const source = readFileSync(`${root}api/openapi.yaml`, 'utf8');
    assert.deepEqual(JSON.parse(await embed(source)), document);
    assert.equal(await embed('a: 2026-01-01\nb: yes\nc: "é"\nd: true\n'), '{"a":"2026-01-01","b":"yes","c":"é","d":true}');
    assert.match(await embed('a: é', 'c'), /^123,34,97,34,58,34,-61,-87,34,125,$/m);
    await assert.rejects(embed('a: 1\na: 2\n'), /is repeated/);
    await assert.rejects(embed('200: 1\n'), /is not text/);
    await assert.rejects(embed('a: .nan\n'), /nan/i);
});

test('every body, answer and event compiles as JSON Schema 2020-12', () => {
    let count = 0;
    for (const [id, { operation }] of operations) {
        if (operation.requestBody?.content['application/json'] !== undefined) {
            requestValidator(id);
            count++;
        }
        for (const status of Object.keys(operation.responses))
            if (status !== 'default')
                count += responseValidator(id, Number(status)) === null ? 0 : 1;
    }
    for (const type of events.keys()) {
        eventValidator(type);
        count++;
    }
    assert.ok(count > 100, `${count}`);
});

test('every example and every sample fits', () => {
    const check = (validate, value, name) => assert.ok(validate(value), `${name}: ${explain(validate)}`);
    let count = 0;
    for (const { name, operation, body } of samples)
        check(requestValidator(operation), body, name);
    for (const [id, { operation }] of operations) {
        for (const [name, example] of Object.entries(operation.requestBody?.content['application/json']?.examples ?? {}))
            check(requestValidator(id), example.value, `${id} ${name}`);
        for (const [status, response] of Object.entries(operation.responses)) {
            const [media] = Object.values(resolve(response).content ?? {});
            for (const [name, example] of Object.entries(media?.examples ?? {})) {
                check(responseValidator(id, status === 'default' ? 599 : Number(status)), example.value, `${id} ${status} ${name}`);
                count++;
            }
        }
    }
    for (const [type, { operation }] of events)
        for (const example of Object.values(operation.requestBody.content['application/json'].examples))
            check(eventValidator(type), example.value, type);
    assert.ok(count > 100, `${count}`);
});

/** Codes that no client meets: they stop a process before it serves. */
const startOnly = new Set(['configuration-invalid', 'vault-kek-wrong']);

test('the error codes are those of err.def, no more and no fewer', () => {
    const source = readFileSync(`${root}src/core/err.def`, 'utf8');
    const rows = [...source.matchAll(/^ERR\(\s*(\w+),\s*(\w+),\s*"([^"]+)"/gm)];
    assert.ok(rows.length > 50);
    assert.equal(rows.length, source.match(/^ERR\(/gm).length);
    const codes = rows.filter(([, , kind]) => kind !== 'FLOW').map(([, , , code]) => code).filter((code) => !startOnly.has(code));
    assert.deepEqual([...document.components.schemas.ErrorCode.enum].sort(), [...new Set(codes)].sort());
});

test('events are the same everywhere they are listed', () => {
    const types = [...events.keys()];
    assert.deepEqual(document.components.schemas.EventType.enum, types);
    const groups = [...new Set(types.map((type) => `${type.split('.')[0]}.*`))];
    assert.deepEqual(document.components.schemas.EventFilter.items.enum, ['*', ...groups, ...types]);
    const source = readFileSync(`${root}src/domain/event/event.def`, 'utf8');
    const rows = [...source.matchAll(/^EVENT\(\w+, "([^"]+)", (true|false)\)/gm)];
    assert.equal(rows.length, source.match(/^EVENT\(/gm).length);
    assert.deepEqual(rows.filter(([, , isPublic]) => isPublic === 'true').map(([, type]) => type).sort(), [...types].sort());
    for (const [type, { operation }] of events) {
        const schema = resolve(operation.requestBody.content['application/json'].schema);
        const of = resolve(schema.properties.type);
        assert.ok(of.const === type || of.enum?.includes(type), type);
    }
});

test('scopes are the same in the contract and in scope.def', () => {
    const source = readFileSync(`${root}src/domain/identity/scope.def`, 'utf8');
    const scopes = [...source.matchAll(/^SCOPE\(\w+, "([^"]+)"\)/gm)].map(([, scope]) => scope);
    assert.ok(scopes.length > 0);
    assert.deepEqual(document.components.schemas.Scope.enum, scopes);
});

test('every operation that needs a key names a scope that a key can have', () => {
    for (const [id, { operation }] of operations) {
        const isOpen = operation.security?.length === 0;
        const isSession = operation['x-access'] === 'session';
        if (isSession) {
            assert.deepEqual(operation.security, [{ session: [] }], id);
            assert.equal(isOpen, false, id);
        }
        assert.ok(operation['x-step-up'] === undefined || (operation['x-step-up'] === true && !isOpen), id);
        /* "any": whoever may do anything, since the answer depends on what that is. */
        assert.ok([undefined, 'session', 'any'].includes(operation['x-access']), id);
        if (!isSession)
            assert.equal(operation['x-scope'] === undefined, isOpen || operation['x-access'] === 'any', id);
        if (operation['x-scope'] !== undefined)
            assert.ok(document.components.schemas[isSession ? 'PlatformPermission' : 'Scope'].enum.includes(operation['x-scope']), id);
    }
});

/** All subschemas of a schema that speak of the same value. */
function* inPlace(schema) {
    const node = resolve(schema);
    yield node;
    for (const keyword of ['allOf', 'anyOf', 'oneOf'])
        for (const part of node[keyword] ?? [])
            yield* inPlace(part);
}

/** Walks a request's schema: `visit` gets each property once, as "Schema object, name". */
function walkRequest(schema, seen, visit) {
    for (const node of inPlace(schema)) {
        if (seen.has(node))
            continue;
        seen.add(node);
        visit(node);
        for (const property of Object.values(node.properties ?? {}))
            walkRequest(property, seen, visit);
        if (node.items !== undefined)
            walkRequest(node.items, seen, visit);
    }
}

function bodySchemas() {
    return [...operations.values()].filter(({ operation }) => resolve(operation.requestBody)?.content['application/json'] !== undefined)
        .map(({ operation }) => resolve(operation.requestBody).content['application/json'].schema);
}

/** Anchored at both ends, and nothing in it repeats without end. */
function isBounded(pattern) {
    const bare = (pattern ?? '').replace(/\\./g, 'x').replace(/\[[^\]]*\]/g, 'x');
    return /^\^.*\$$/.test(bare) && !/[*+]|,\}/.test(bare);
}

test('a request refuses unknown fields, bounds what it takes, and says what a pattern wants', () => {
    const seen = new Set();
    const open = [];
    for (const schema of bodySchemas()) {
        walkRequest(schema, seen, (node) => {
            const where = JSON.stringify(node).slice(0, 200);
            if (node.properties !== undefined)
                assert.equal(node.additionalProperties, false, where);
            if (node.type === 'object' && node.additionalProperties === true)
                open.push(node.maxProperties);
            if (node.type === 'array')
                assert.ok(node.maxItems !== undefined && node.items !== undefined, where);
            if (node.type === 'string' && node.enum === undefined)
                assert.ok(node.maxLength !== undefined || node.format?.startsWith('date') || isBounded(node.pattern), where);
            if (node.pattern !== undefined)
                assert.match(node['x-detail'], /^must /, where);
        });
    }
    assert.equal(open.length, 11); /* what proves a consent, and who its controller is; what a passkey's extensions say; flow data twice; an order's payments, receivers, shipping, importers: handed on as they are; metadata; a batch's messages */
    assert.ok(open.every((most) => most <= 100));
    assert.ok(seen.size > 200, `${seen.size}`);
});

/** Marks every schema object that a value goes through, by the names of its members. */
function cover(schema, value, covered) {
    for (const node of inPlaceOf(schema, value)) {
        if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
            for (const [name, member] of Object.entries(value)) {
                if (node.properties?.[name] === undefined)
                    continue;
                if (!covered.has(node))
                    covered.set(node, new Set());
                covered.get(node).add(name);
                cover(node.properties[name], member, covered);
            }
        } else if (Array.isArray(value) && node.items !== undefined) {
            value.forEach((item) => cover(node.items, item, covered));
        }
    }
}

/** As inPlace, but of a discriminated oneOf only the branch that the value chooses. */
function* inPlaceOf(schema, value) {
    const node = resolve(schema);
    yield node;
    if (node.discriminator !== undefined) {
        const target = node.discriminator.mapping[value?.[node.discriminator.propertyName]];
        if (target !== undefined)
            yield* inPlaceOf({ $ref: target }, value);
        return;
    }
    for (const keyword of ['allOf', 'anyOf', 'oneOf'])
        for (const part of node[keyword] ?? [])
            yield* inPlaceOf(part, value);
}

test('the samples exercise every field of every request', () => {
    const covered = new Map();
    for (const { operation, body } of samples)
        cover(resolve(operations.get(operation).operation.requestBody).content['application/json'].schema, body, covered);
    const seen = new Set();
    const missed = [];
    for (const schema of bodySchemas()) {
        walkRequest(schema, seen, (node) => {
            for (const name of Object.keys(node.properties ?? {}))
                if (!covered.get(node)?.has(name))
                    missed.push(`${name} of ${JSON.stringify(node).slice(0, 120)}`);
        });
    }
    assert.deepEqual(missed, []);
});
