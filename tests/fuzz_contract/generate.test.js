// @ts-check
/** What the fuzzer calls valid is valid, by another's validator; patterns are matched; the same seed draws the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../chaos/random.js';
import { operations, requestValidator, resolve } from '../contract/contract.js';
import { matching, valid } from './generate.js';

const DRAWS = 60;

test('drawn bodies are what the contract allows', () => {
    const random = new Random(1);
    let right = 0, all = 0;
    for (const [operationId, { operation }] of operations) {
        const content = operation.requestBody === undefined ? {} : resolve(operation.requestBody).content;
        if (Object.keys(content).length !== 1 || content['application/json'] === undefined)
            continue;
        const validate = requestValidator(operationId);
        let here = 0;
        for (let i = 0; i < DRAWS; i++)
            here += validate(valid(random, content['application/json'].schema, () => null)) ? 1 : 0;
        assert.ok(here > 0, `${operationId}: none of ${DRAWS} draws is valid: ${JSON.stringify(validate.errors?.slice(0, 2))}`);
        right += here;
        all += DRAWS;
    }
    process.stdout.write(`# ${right} of ${all} are valid\n`);
    assert.ok(right > all * 0.6, `${right} of ${all}`);
});

test('patterns are matched', () => {
    const random = new Random(2);
    for (const pattern of ['^msg_[0-7][0-9a-hjkmnp-tv-z]{25}$', '^(?:\\+[1-9][0-9]{6,14}|[A-Z]{2}\\.(?:ENT\\.)?[A-Za-z0-9]{1,128})$', '^-?[0-9]{1,3}(?:\\.[0-9]{1,16})?$', '^(?:[!#-\\[\\]-~]+|"[!#-\\[\\]-~]+")$', '^[^\\n\\r]+x*$', '^\\d{3}$'])
        for (let i = 0; i < DRAWS; i++) {
            const made = matching(random, pattern);
            assert.match(made, new RegExp(pattern, 'u'));
        }
});

test('a seed draws the same again, and a fork is its own', () => {
    const draw = (/** @type {Random} */ random) => Array.from({ length: 20 }, () => random.whole(0, 1000));
    assert.deepEqual(draw(new Random(7)), draw(new Random(7)));
    assert.notDeepEqual(draw(new Random(7)), draw(new Random(8)));
    const one = new Random(7), other = new Random(7);
    other.fork('a').next();
    assert.deepEqual(draw(one), draw(other), 'a fork takes nothing from its source');
    assert.notDeepEqual(draw(new Random(7).fork('a')), draw(new Random(7).fork('b')));
});
