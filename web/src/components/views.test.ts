import { expect, test } from 'vitest';
import { isSameSearch, readViews, withView } from './views';

test('what is kept comes back, and what is broken is left out', () => {
    const views = [{ name: 'Failed', search: { status: ['failed'] } }];
    expect(readViews(JSON.stringify(views))).toEqual(views);
    expect(readViews(JSON.stringify([...views, { name: '' }, null, 'x', { name: 'no search' }, { name: 'x'.repeat(99), search: {} }]))).toEqual(views);
    for (const text of [null, '', '{', '{}', 'null', '"x"'])
        expect(readViews(text)).toEqual([]);
});

test('a name is there once, and is cut and trimmed', () => {
    const one = withView([], { name: ' Failed ', search: { status: ['failed'] } });
    expect(withView(one, { name: 'Failed', search: { status: ['expired'] } })).toEqual([{ name: 'Failed', search: { status: ['expired'] } }]);
    expect(withView(one, { name: '  ', search: {} })).toBe(one);
    expect(withView([], { name: 'x'.repeat(99), search: {} })[0]?.name).toHaveLength(40);
});

test('the same filters are the same view, in any order', () => {
    expect(isSameSearch({ a: '1', b: ['x'] }, { b: ['x'], a: '1', c: undefined })).toBe(true);
    expect(isSameSearch({ a: '1' }, { a: '2' })).toBe(false);
    expect(isSameSearch({}, { a: '2' })).toBe(false);
});
