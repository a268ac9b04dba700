import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { matches, readContract, targetOf } from './contract';

const operations = readContract(parse(readFileSync(path.resolve(import.meta.dirname, '../../../../api/openapi.yaml'), 'utf8')));
const one = (id: string) => {
    const found = operations.find((operation) => operation.id === id);
    if (found === undefined)
        throw new Error(id);
    return found;
};

test('the whole contract is read', () => {
    expect(operations.length).toBeGreaterThan(50);
    for (const operation of operations) {
        expect(operation.id, operation.path).not.toBe('');
        expect(operation.summary, operation.id).not.toBe('');
        expect(operation.answers.length, operation.id).toBeGreaterThan(0);
        expect(operation.parameters.every((parameter) => parameter.name !== ''), operation.id).toBe(true);
    }
    expect(one('createMessage').example).toMatchObject({ content: { type: 'text' } });
    expect(one('createMessage').scope).toBe('messages:send');
    expect(one('getContract').scope).toBeNull();
});

test('a target is made when all of its path is known', () => {
    expect(targetOf(one('getMessage'), {})).toBeNull();
    expect(targetOf(one('getMessage'), { message_id: 'a/b' })).toBe('/v1/messages/a%2Fb');
    expect(targetOf(one('listMessages'), { limit: '5', to: '+1', unknown: 'x' })).toBe('/v1/messages?to=%2B1&limit=5');
});

test('what is searched is found by any of its words', () => {
    expect(operations.filter((operation) => matches(operation, 'post batch')).map((operation) => operation.id)).toContain('createMessageBatch');
    expect(matches(one('getMessage'), '')).toBe(true);
    expect(matches(one('getMessage'), 'webhook')).toBe(false);
});

test.each([null, [], 'x', { paths: [] }, { paths: { '/x': { get: 1 } } }, { paths: { '/x': { get: { parameters: [{ $ref: '#/nowhere' }] } } } }])('what is no contract has no operations that break: %j', (value) => {
    expect(() => readContract(value)).not.toThrow();
});
