/** The simulator's types hold: every file is under @ts-check, with no build. */
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const sandbox = fileURLToPath(new URL('../../sandbox', import.meta.url));

test('tsc finds nothing in strict mode', () => {
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', join(sandbox, 'tsconfig.json')], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});

test('every file is short, checked and free of packages', () => {
  const files = ['graph', 'smsc'].flatMap((folder) => readdirSync(join(sandbox, folder), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile() && entry.name.endsWith('.js'));
  assert.ok(files.length > 35);
  for (const entry of files) {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const text = readFileSync(path, 'utf8');
    assert.ok(text.split('\n').length < 500, `${path} is long`);
    if (!path.includes('/page/'))
      assert.match(text, /^(#!.*\n)?\/\/ @ts-check\n/, path);
    for (const [, name] of text.matchAll(/^import .*?from '([^']+)';$/gms))
      assert.match(name, /^(node:|\.{1,2}\/|\/handset\/page\/)/, `${path} imports ${name}`);
  }
});
