import { expect, test } from 'vitest';
import { Words, type Files, type Messages } from './words';

/** Files that come when they are let. */
function slow() {
    const waiting = new Map<string, { give: () => void; fail: () => void }>();
    const asked: string[] = [];
    const files: Files = Object.fromEntries(['en/team', 'en/keys', 'hi/base', 'hi/team', 'hi/keys'].map((name) => [`./${name}.json`, () => {
        asked.push(name);
        return new Promise<Messages>((resolve, reject) => { waiting.set(name, { give: () => { resolve({ [name]: name }); }, fail: () => { reject(new Error('away')); } }); });
    }]));
    const turn = async () => { for (let i = 0; i < 20; i++) await Promise.resolve(); };
    return { files, asked, give: async (name: string) => { waiting.get(name)?.give(); await turn(); }, fail: async (name: string) => { waiting.get(name)?.fail(); await turn(); } };
}
const ended = async (promise: Promise<unknown>) => { let is = false; void promise.then(() => { is = true; }, () => { is = true; }); for (let i = 0; i < 20; i++) await Promise.resolve(); return is; };

test('English begins with base, and has an area once it is asked for', async () => {
    const { files, asked, give } = slow();
    const words = new Words(files, { base: 'base' }, 'en');
    expect([words.shown, asked]).toEqual(['en', []]);
    const load = words.load(['base', 'team']);
    expect(await ended(load)).toBe(false);
    await give('en/team');
    expect(await ended(load)).toBe(true);
    expect(words.messages.en).toEqual({ base: 'base', 'en/team': 'en/team' });
    await words.load(['team']);
    expect(asked).toEqual(['en/team']);
});

test('another language is shown when every area that was asked for is there in it', async () => {
    const { files, asked, give } = slow();
    const words = new Words(files, {}, 'en');
    void words.load(['team']);
    await give('en/team');
    let told = 0;
    words.subscribe(() => { told++; });
    const show = words.show('hi');
    await give('hi/base');
    expect([words.shown, told]).toEqual(['en', 0]);
    /* A page opened meanwhile waits for both, as nobody knows which is shown first. */
    const keys = words.load(['keys']);
    await give('hi/team');
    expect([words.shown, await ended(show)]).toEqual(['en', false]);
    await give('en/keys');
    expect(await ended(keys)).toBe(false);
    await give('hi/keys');
    expect(await ended(Promise.all([keys, show]))).toBe(true);
    expect([words.shown, told, words.messages.hi]).toEqual(['hi', 1, { 'hi/base': 'hi/base', 'hi/team': 'hi/team', 'hi/keys': 'hi/keys' }]);
    expect(new Set(asked).size).toBe(asked.length);
});

test('a page that loads while the language changes waits for the one that comes', async () => {
    const { files, give } = slow();
    const words = new Words(files, {}, 'en');
    const load = words.load(['team']);
    const show = words.show('hi');
    await give('en/team');
    expect(await ended(load)).toBe(false);
    await give('hi/base');
    await give('hi/team');
    expect(await ended(Promise.all([load, show]))).toBe(true);
});

test('the language chosen last is shown', async () => {
    const { files, give } = slow();
    const words = new Words(files, {}, 'en');
    const first = words.show('hi');
    const last = words.show('en');
    await give('hi/base');
    await Promise.all([first, last]);
    expect(words.shown).toBe('en');
});

test('words that cannot be fetched leave the language, and are asked for again', async () => {
    const { files, asked, give, fail } = slow();
    const words = new Words(files, {}, 'en');
    const show = words.show('hi');
    const refused = expect(show).rejects.toThrow('away');
    await fail('hi/base');
    await refused;
    expect(words.shown).toBe('en');
    /* And no page waits for the language that did not come. */
    const load = words.load(['team']);
    await give('en/team');
    expect(await ended(load)).toBe(true);
    const again = words.show('hi');
    await give('hi/base');
    await give('hi/team');
    await again;
    expect([words.shown, asked]).toEqual(['hi', ['hi/base', 'en/team', 'hi/base', 'hi/team']]);
});

test('Hindi from the beginning shows nothing until base is there', async () => {
    const { files, give } = slow();
    const words = new Words(files, { base: 'base' }, 'hi');
    expect([words.shown, words.first]).toEqual([null, 'hi']);
    const show = words.show(words.first);
    const load = words.load(['team']);
    await give('hi/base');
    await give('hi/team');
    await Promise.all([show, load]);
    expect([words.shown, words.messages.hi]).toEqual(['hi', { 'hi/base': 'hi/base', 'hi/team': 'hi/team' }]);
});
