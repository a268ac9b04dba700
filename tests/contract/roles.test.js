// @ts-check
/** The table of roles in docs/roles.md is role.def, and nothing else. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (name) => readFileSync(root + name, 'utf8');

const words = new Map([...read('src/domain/identity/scope.def').matchAll(/^SCOPE\((\w+), "([^"]+)"\)/gm)].map(([, name, word]) => [name, word]));
const roles = [...read('src/domain/identity/role.def').matchAll(/^ROLE\(\w+, "(\w+)", "([^"]+)",([\s\S]*?)\)\n(?=ROLE|$)/gm)].map(([, word, purpose, permissions]) => ({
    word, purpose,
    permissions: permissions.includes('ROLE_EVERYTHING') ? new Set(words.values()) : new Set([...permissions.matchAll(/ROLE_MAY\((\w+)\)/g)].map(([, name]) => words.get(name))),
}));
const table = (heading) => read('docs/roles.md').split(`\n## ${heading}\n`)[1].split('\n## ')[0].split('\n').filter((line) => line.startsWith('|'))
    .map((line) => line.slice(1, -1).split('|').map((cell) => cell.trim())).filter(([first]) => !/^-+$/.test(first));

test('every permission has a row, with a mark for each built-in role that has it', () => {
    assert.equal(roles.length, 8);
    const [head, ...rows] = table('Permissions');
    assert.deepEqual(head.slice(1, 9), roles.map(({ word }) => word));
    assert.deepEqual(rows.map(([first]) => first), [...words.values()].map((word) => `\`${word}\``));
    for (const [permission, ...cells] of rows)
        roles.forEach(({ word, permissions }, i) => assert.equal(cells[i] === 'x', permissions.has(permission.replaceAll('`', '')), `${permission} of ${word}`));
});

test('every built-in role is described as it is', () => {
    assert.deepEqual(table('Built-in roles').slice(1), roles.map(({ word, purpose }) => [`\`${word}\``, purpose]));
});

test('what reaches the whole workspace is marked', () => {
    const source = read('src/domain/identity/role.c').split('role_whole_workspace(void)')[1];
    const whole = new Set([...source.matchAll(/ROLE_MAY\((\w+)\)/g)].map(([, name]) => `\`${words.get(name)}\``));
    const [, ...rows] = table('Permissions');
    for (const row of rows)
        assert.equal(row[9] === 'x', whole.has(row[0]), row[0]);
});
