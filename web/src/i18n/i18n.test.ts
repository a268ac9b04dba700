import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { createIntl } from 'react-intl';
import { expect, test } from 'vitest';
import en from './en.json';
import hi from './hi.json';

const words = Object.entries(en);
const hindi: Record<string, string> = hi;
const sources = readdirSync(path.resolve(import.meta.dirname, '..'), { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.test.ts'))
    .map((name) => ({ name, text: readFileSync(path.resolve(import.meta.dirname, '..', name), 'utf8') }));

test('Hindi has every word, and no other', () => {
    expect(Object.keys(hi).sort()).toEqual(Object.keys(en).sort());
    expect(Object.values(hi).filter((text) => text.trim() === '')).toEqual([]);
});

/** The names of what is put in: of an ICU message, with those of its plurals. */
function names(text: string): string[] {
    return [...new Set([...text.matchAll(/\{(\w+)[,}]/g)].map((match) => match[1] ?? ''))].sort();
}

test('each language puts the same things in', () => {
    for (const [word, text] of words)
        for (const name of names(hindi[word] ?? ''))
            expect(names(text), word).toContain(name);
});

test('every message can be printed in both languages', () => {
    for (const [locale, messages] of [['en-IN', en], ['hi-IN', hi]] as const) {
        const intl = createIntl({ locale, messages, onError: (error) => { throw error; } });
        for (const [word, text] of words)
            for (const count of [0, 1, 2, 5])
                expect(intl.formatMessage({ id: word }, Object.fromEntries(names(text).map((name) => [name, name === 'count' ? count : name]))), word).not.toBe('');
    }
});

test('Hindi is in Devanagari, but for what has no other name', () => {
    const same = words.filter(([word, text]) => hindi[word] === text && /[a-z]{4}/i.test(text)).map(([word]) => word);
    expect(same).toEqual([]);
});

test('every word is used, and no text stands outside of the words', () => {
    const all = sources.map(({ text }) => text).join('\n');
    const patterns = [...all.matchAll(/`([a-z_]+\.[^`\s]*)`/g)].map((match) => new RegExp(`^${(match[1] ?? '').replace(/[.*+?^()|[\]\\]/g, '\\$&').replace(/\$\{[^}]*\}/g, '.+')}$`));
    const unused = words.map(([word]) => word).filter((word) => !all.includes(`'${word}'`) && !patterns.some((pattern) => pattern.test(word)));
    expect(unused).toEqual([]);
    for (const { name, text } of sources.filter((source) => source.name.endsWith('.tsx')))
        expect([...text.matchAll(/>([A-Z][a-z]+ [a-z ]+[a-z.]+)</g)].map((match) => `${name}: ${match[1] ?? ''}`)).toEqual([]);
});
