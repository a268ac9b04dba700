import { expect, test } from 'vitest';
import { compared, piecesOf, tagsOf, toldBeside, variablesOf, visible } from './text';

const shown = (text: string, values: [number, number][], fault: [number, number] | null) =>
    piecesOf(text, values.map(([start, end]) => ({ start, end })), fault === null ? null : { start: fault[0], end: fault[1] })
        .map((piece) => `${piece.text}${piece.value === 0 ? '' : `#${piece.value}`}${piece.isFault ? '!' : ''}`);

test('values and a fault are cut out, whatever stands around', () => {
    expect(shown('Dear Asha, order A12.', [[5, 9], [17, 20]], null)).toEqual(['Dear ', 'Asha#1', ', order ', 'A12#2', '.']);
    expect(shown('Dear Asha', [[5, 9]], [5, 9])).toEqual(['Dear ', 'Asha#1!']);
    expect(shown('A-12', [[0, 4]], [1, 2])).toEqual(['A#1', '-#1!', '12#1']);
    expect(shown('', [], null)).toEqual([]);
});

test('a fault without length still has a place, also at the ends', () => {
    expect(shown('abc', [], [0, 0])).toEqual(['!', 'abc']);
    expect(shown('abc', [], [1, 1])).toEqual(['a', '!', 'bc']);
    expect(shown('abc', [], [3, 3])).toEqual(['abc', '!']);
    expect(shown('', [], [0, 0])).toEqual(['!']);
});

test('places are code points, not halves of them', () => {
    expect(shown('😀 नमस्ते x', [[2, 8]], [9, 10])).toEqual(['😀 ', 'नमस्ते#1', ' ', 'x!']);
    expect(tagsOf('😀 {#var#} {#url#}')).toEqual([{ start: 2, end: 9 }, { start: 10, end: 17 }]);
});

test('what lies outside of the text breaks nothing', () => { expect(shown('ab', [[1, 9]], [7, 8])).toEqual(['a', 'b#1']); });

test('variables are read from their tags', () => {
    expect(variablesOf('Dear {#var#}, {#number#} at {#url#}')).toEqual([{ type: 'var', max_length: 30 }, { type: 'numeric', max_length: 30 }, { type: 'url', max_length: 50 }]);
    expect(variablesOf('Dear {#wat#}')).toBeNull();
    expect(variablesOf('no {var}')).toEqual([]);
});

test('types stand beside a text only when its tags do not say them', () => {
    const text = 'Dear {#var#}, {#numeric#}';
    expect(toldBeside(text, variablesOf(text) ?? [])).toEqual([]);
    expect(toldBeside(text, [{ type: 'alphanumeric', max_length: 40 }, { type: 'numeric', max_length: 30 }])).toHaveLength(2);
    expect(toldBeside(text, [{ type: 'var', max_length: 30 }, { type: 'numeric', max_length: 12 }, { type: 'url', max_length: 50 }])).toHaveLength(2);
});

test('a text is compared in NFC, with one kind of line break', () => { expect(compared('e\u0301\r\nx\ry')).toBe('é\nx\ny'); });
test('blanks can be seen', () => { expect(visible('a b\nc')).toBe('a␣b↵\nc'); });
