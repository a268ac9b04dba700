import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { destinationOf } from '@/app/destination';
import { bodyOf } from '@/features/messages/body';
import { exampleOf } from './examples';
import { initialOf } from './initial';
import { relativeParts } from './time';

test.each([[0, 'now'], [-9_000, 'now'], [-59_000, { value: -59, unit: 'second' }], [-3_599_000, { value: -59, unit: 'minute' }], [-3_600_000, { value: -1, unit: 'hour' }], [86_400_000, { value: 1, unit: 'day' }], [-6.9 * 86_400_000, { value: -6, unit: 'day' }], [-8 * 86_400_000, 'far']])('%d ms is told as %j', (ms, told) => {
    expect(relativeParts(1e12 + ms, 1e12)).toEqual(told);
});

test('an id leads to its page, and nothing else does', () => {
    const id = `msg_${'0'.repeat(26)}`;
    expect(destinationOf(` ${id} `)).toBe(`/messages/${id}`);
    for (const typed of ['', 'messages', 'xyz_00000000000000000000000000', `${id}/..`, 'msg_short'])
        expect(destinationOf(typed)).toBeNull();
});

test.each([
    [{ type: 'text', text: { body: 'Hello' } }, 'Hello'], [{ type: 'image', image: { id: '1', caption: 'A cat' } }, 'A cat'], [{ type: 'template', template: { name: 'code' } }, 'code'],
    [{ type: 'interactive', interactive: { type: 'button', body: { text: 'Choose' } } }, 'Choose'], [{ type: 'interactive', interactive: { type: 'button_reply', button_reply: { id: '1', title: 'Yes' } } }, 'Yes'],
    [{ type: 'reaction', reaction: { emoji: '👍' } }, '👍'], [{ type: 'location', location: { latitude: 1 } }, null], [{ type: 'text', text: 'odd' }, null], [{}, null],
])('the words of %j are %j', (content, words) => {
    expect(bodyOf(content)).toBe(words);
});

test('the first letter is a whole one', () => {
    expect([initialOf('acme'), initialOf(' हिन्दी'), initialOf('👩‍🚀 crew'), initialOf('')]).toEqual(['A', 'हि', '👩‍🚀', '?']);
});

test('what is put into an example is quoted for its language', () => {
    const nasty = `it's "quoted" \\ $(touch /tmp/x)`;
    const command = exampleOf('curl', { method: 'POST', url: 'http://localhost/v1/messages', bearer: 'hk', body: { text: nasty } });
    const said = execFileSync('sh', ['-c', command.replace(/^curl -sS/, 'printf "%s\\n"')], { encoding: 'utf8' });
    expect(said).toContain(JSON.stringify(nasty));
    for (const language of ['node', 'python'] as const)
        expect(exampleOf(language, { method: 'GET', url: `http://x/${nasty}`, bearer: 'hk' })).toContain(JSON.stringify(`http://x/${nasty}`));
    expect(exampleOf('php', { method: 'GET', url: nasty, bearer: 'hk' })).toContain(`'it\\'s "quoted" \\\\ $(touch /tmp/x)'`);
});
