import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { createIntl } from 'react-intl';
import { describe, expect, test } from 'vitest';
import type { Messages } from './words';

const root = path.resolve(import.meta.dirname, '..');
const areas = (locale: string) => new Map(readdirSync(path.join(import.meta.dirname, locale)).sort().map((file): [string, Messages] =>
    [path.basename(file, '.json'), JSON.parse(readFileSync(path.join(import.meta.dirname, locale, file), 'utf8')) as Messages]));
const english = areas('en'), hindiAreas = areas('hi');
const whole = (of: Map<string, Messages>): Messages => Object.fromEntries([...of.values()].flatMap((messages) => Object.entries(messages)));
const en = whole(english), hindi = whole(hindiAreas);
const areaOf = new Map([...english].flatMap(([area, messages]) => Object.keys(messages).map((word) => [word, area])));
const words = Object.entries(en);
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.test.ts'))
    .map((name) => ({ name, text: readFileSync(path.join(root, name), 'utf8') }));

test('Hindi has every word, in the same area, and no other', () => {
    expect([...hindiAreas.keys()]).toEqual([...english.keys()]);
    for (const [area, messages] of english)
        expect(Object.keys(hindiAreas.get(area) ?? {}).sort(), area).toEqual(Object.keys(messages).sort());
    expect(Object.values(hindi).filter((text) => text.trim() === '')).toEqual([]);
});

test('a word stands in one area', () => {
    expect([...english.values()].reduce((sum, messages) => sum + Object.keys(messages).length, 0)).toBe(words.length);
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

test('every message can be printed in both languages', { timeout: 60_000 }, () => {
    for (const [locale, messages] of [['en-IN', en], ['hi-IN', hindi]] as const) {
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

/** Words that are put together, such as `status.${state}`. */
function patterns(text: string): RegExp[] {
    return [...text.matchAll(/`([a-z_]+\.[^`\s]*)`/g)].map((match) => new RegExp(`^${(match[1] ?? '').replace(/[.*+?^()|[\]\\]/g, '\\$&').replace(/\$\{[^}]*\}/g, '.+')}$`));
}

function saidIn(text: string): string[] {
    const made = patterns(text);
    return words.map(([word]) => word).filter((word) => text.includes(`'${word}'`) || made.some((pattern) => pattern.test(word)));
}

test('every word is used, and no text stands outside of the words', () => {
    const used = new Set(saidIn(sources.map(({ text }) => text).join('\n')));
    expect(words.map(([word]) => word).filter((word) => !used.has(word))).toEqual([]);
    for (const { name, text } of sources.filter((source) => source.name.endsWith('.tsx')))
        expect([...text.matchAll(/>([A-Z][a-z]+ [a-z ]+[a-z.]+)</g)].map((match) => `${name}: ${match[1] ?? ''}`)).toEqual([]);
});

/* What a page says is what every file says that it imports, whether at once or later. */
describe('a page has the words it says', () => {
    const read = new Map<string, { said: string[]; imports: string[] }>();
    function file(name: string) {
        const known = read.get(name);
        if (known !== undefined)
            return known;
        const text = readFileSync(name, 'utf8');
        const specifiers = [...text.matchAll(/^(?:import|export)\s(?!type )[^;]*?from '([^']+)'|\bimport\('([^']+)'\)/gm)].map((match) => match[1] ?? match[2] ?? '').filter((each) => !each.startsWith('@/pages/'));
        const imports = specifiers.flatMap((each) => {
            const target = each.startsWith('@/') ? path.join(root, each.slice(2)) : each.startsWith('.') ? path.join(path.dirname(name), each) : null;
            return target === null ? [] : [target, `${target}.ts`, `${target}.tsx`].filter((candidate) => /\.tsx?$/.test(candidate) && existsSync(candidate) && statSync(candidate).isFile());
        });
        const found = { said: saidIn(text), imports };
        read.set(name, found);
        return found;
    }
    function said(name: string, seen = new Set<string>()): Set<string> {
        if (!seen.has(name)) {
            seen.add(name);
            for (const each of file(name).imports)
                said(each, seen);
        }
        return new Set([...seen].flatMap((each) => file(each).said));
    }
    const needs = (name: string) => [...new Set([...said(path.join(root, name))].map((word) => areaOf.get(word) ?? ''))].filter((area) => area !== 'base').sort();
    const router = readFileSync(path.join(root, 'app/router.tsx'), 'utf8');
    const routes = [...router.matchAll(/import\('@\/pages\/(\w+)'\)((?:, '[\w-]+')*)/g)].map((match) => ({ page: match[1] ?? '', loads: [...(match[2] ?? '').matchAll(/'([\w-]+)'/g)].map((area) => area[1] ?? '').sort() }));

    test('what is there from the beginning says words of base only', () => {
        const entry = said(path.join(root, 'main.tsx'));
        expect([...entry].filter((word) => areaOf.get(word) !== 'base')).toEqual([]);
        expect(entry.size).toBeGreaterThan(50);
    });

    test('every page is a route', () => {
        expect(routes.map(({ page }) => page).sort()).toEqual(readdirSync(path.join(root, 'pages')).map((name) => path.basename(name, '.tsx')).sort());
        expect(router.match(/lazyRouteComponent\(/g)).toHaveLength(1);
    });

    test.each(routes)('$page', ({ page, loads }) => {
        expect(loads, `page(() => import('@/pages/${page}'), ...) in app/router.tsx names the areas of its words`).toEqual(needs(`pages/${page}.tsx`));
    });
});
