/**
 * The server's checks against ajv's, which share no code: bodies made from the samples by a few random changes must be
 * taken by both or refused by both, and where both refuse, at the same place or one that ajv names too.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { explain, requestValidator, root } from './contract.js';

const BODIES = Number(process.env.HARKARA_DIFFERENTIAL_BODIES ?? 6000);
const SEED = Number(process.env.HARKARA_SEED ?? 20261122);
const samples = JSON.parse(readFileSync(`${root}tests/contract/bodies.json`, 'utf8'));
const program = `${process.env.HARKARA_BUILD ?? `${root}build`}/src/wire/openapi/contract-check`;

let state = SEED;
/** mulberry32: a small generator with a seed, so that a failure can be repeated. */
function random() {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];

const values = [
    null, true, false, 0, 1, -1, 9, 10, 1.5, 90, 90.1, 1e9, 43200, 43201, [], {}, [null], [[]], { type: 'text' }, { id: '1' },
    '', ' ', 'x', 'X', '0', '9', '10', 'text', 'image', 'button', 'url', 'URL', '*', 'otp', 'whatsapp', 'message.sent',
    '+14155550123', '14155550123', '+0415555012', '+1415555', '+141555', '+1415555012345678', '+14155550123\n',
    'chn_01jd8h0m4zfg5v2c9x7k3q6t1n', 'chn_81jd8h0m4zfg5v2c9x7k3q6t1n', 'chn_01JD8H0M4ZFG5V2C9X7K3Q6T1N', 'chn_',
    'msg_01jd8h2q7rfw3b9d4m6x1k8s5p', 'en', 'en_US', 'en-US', 'e', 'USD', 'usd', 'a b', 'a    b', 'a     b', 'a\tb', 'a\nb',
    'https://a.example/', 'http://a.example', 'HTTPS://a.example', 'https://', 'ftp://a.example', 'https://a.example/ b', 'é',
    '\u{1F600}', '\u{1F600}'.repeat(17), 'x'.repeat(20), 'x'.repeat(21), 'é'.repeat(60), 'é'.repeat(61), 'x'.repeat(1024),
    '\u{1F600}'.repeat(1024), 'x'.repeat(1025), 'x'.repeat(4096), '\u{1F600}'.repeat(4097), '2026-02-28', '2026-02-29', '2024-02-29',
    '1999-1-1', '2026-11-22T07:48:48Z', '2026-11-22T07:48:48+05:30', '2026-11-22T25:00:00Z', '2026-02-30T00:00:00Z', 'yesterday',
    'a@b.example', 'a@', '@b', 'a b@c.example', 'a..b@c.example', '203.0.113.0/24', '::/0', '1/', 'messages:send', 'deterministic',
    '\u0000'.slice(1), '\u007f', 'naïve', '~/', '123', '123456', '1'.repeat(32), '1'.repeat(33),
];

/** Every object and array in the value, with the value itself in a box. */
function containers(value) {
    const found = [];
    const walk = (node) => {
        if (node === null || typeof node !== 'object')
            return;
        found.push(node);
        Object.values(node).forEach(walk);
    };
    const box = { body: value };
    walk(box);
    return found;
}

function subtree(sample) {
    const from = pick(containers(structuredClone(sample.body)));
    return pick(Object.values(from).concat([from]));
}

function change(box) {
    const node = pick(containers(box.body));
    const keys = Object.keys(node);
    const key = keys.length === 0 ? undefined : pick(keys);
    switch (below(7)) {
    case 0:
        if (Array.isArray(node))
            node.splice(below(node.length + 1), 1);
        else if (key !== undefined && key !== 'body')
            delete node[key];
        break;
    case 1:
        if (Array.isArray(node))
            node.push(structuredClone(node.length > 0 ? pick(node) : pick(values)));
        else
            node[pick(['unknown', 'id', 'link', 'type', 'text', 'name', 'caption', 'state', '', 'a/b'])] = pick(values);
        break;
    case 2:
        if (key !== undefined)
            node[key] = subtree(pick(samples));
        break;
    case 3:
        if (typeof node[key] === 'string') {
            const at = below(node[key].length + 1);
            node[key] = node[key].slice(0, at) + pick(['', ' ', '\n', '0', 'a', 'Z', '_', 'é', '\u{1F600}', '.', '/']) + node[key].slice(at + below(2));
        }
        break;
    default:
        if (key !== undefined)
            node[key] = structuredClone(pick(values));
    }
}

/** ajv's places: of a missing field the field itself, of an unknown one the same. */
function places(errors) {
    const escape = (token) => token.replaceAll('~', '~0').replaceAll('/', '~1');
    return new Set(errors.flatMap(({ instancePath, params }) => [
        instancePath,
        ...(params.missingProperty === undefined ? [] : [`${instancePath}/${escape(params.missingProperty)}`]),
        ...(params.additionalProperty === undefined ? [] : [`${instancePath}/${escape(params.additionalProperty)}`]),
    ]));
}

test(`${BODIES} changed bodies get the same verdict from the server's checks and from ajv`, () => {
    const asked = [];
    for (let i = 0; i < BODIES; i++) {
        const sample = pick(samples);
        const box = { body: structuredClone(sample.body) };
        for (let changes = below(3) + 1; changes > 0; changes--)
            change(box);
        /* A surrogate that was cut in two is no JSON text; it is not the question here. */
        const text = JSON.stringify(box.body ?? null).replace(/\\ud[89a-f][0-9a-f]{2}/g, 'x');
        asked.push({ operation: sample.operation, text });
    }
    const { stdout, stderr, status, signal, error } = spawnSync(program, {
        input: asked.map(({ operation, text }) => `${operation} ${text}\n`).join(''),
        maxBuffer: 1 << 28,
        encoding: 'utf8',
    });
    assert.equal(error, undefined, `${program} is missing: build first`);
    assert.equal(status, 0, `${program} ended with ${signal ?? status}: ${stderr}`);
    const answers = stdout.split('\n').slice(0, -1);
    assert.equal(answers.length, asked.length);
    const count = { taken: 0, refused: 0 };
    asked.forEach(({ operation, text }, i) => {
        const validate = requestValidator(operation);
        const body = JSON.parse(text);
        const isTaken = validate(body);
        const told = `seed ${SEED}: ${operation} ${text.slice(0, 2000)}\nserver: ${answers[i].slice(0, 500)}\najv: ${explain(validate).slice(0, 500)}`;
        assert.equal(answers[i] === 'ok', isTaken, told);
        count[isTaken ? 'taken' : 'refused']++;
        if (isTaken)
            return;
        const known = places(validate.errors);
        /* Of items that repeat ajv names one pair. */
        const repeats = new Set(validate.errors.filter(({ keyword }) => keyword === 'uniqueItems').map(({ instancePath }) => instancePath));
        for (const pointer of answers[i].matchAll(/"([^"]*)"/g))
            assert.ok(known.has(pointer[1]) || repeats.has(pointer[1].replace(/\/[0-9]+$/, '')), `${pointer[1]}\n${told}`);
    });
    assert.ok(count.taken > BODIES / 50 && count.refused > BODIES / 2, JSON.stringify(count));
});
