import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { isProved } from './proof';

const sha = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
const leaf = (line: string) => sha(Buffer.of(0), Buffer.from(line));

/* RFC 9162, 2.1.1 and 2.1.3.1, as they are written there: by halves, not by the loop that is tested. */
function split(n: number): number {
    let k = 1;
    while (k * 2 < n)
        k *= 2;
    return k;
}
function tree(lines: string[]): Buffer {
    const k = split(lines.length);
    return lines.length === 1 ? leaf(lines[0] ?? '') : sha(Buffer.of(1), tree(lines.slice(0, k)), tree(lines.slice(k)));
}
function way(m: number, lines: string[]): Buffer[] {
    if (lines.length === 1)
        return [];
    const k = split(lines.length);
    return m < k ? [...way(m, lines.slice(0, k)), tree(lines.slice(k))] : [...way(m - k, lines.slice(k)), tree(lines.slice(0, k))];
}

test('every entry of trees of every size is proved, and nothing else is', async () => {
    for (let size = 1; size <= 17; size++) {
        const lines = Array.from({ length: size }, (_, i) => `entry ${i} ü`);
        const root = tree(lines).toString('hex');
        for (const [place, line] of lines.entries()) {
            const path = way(place, lines).map((node) => node.toString('hex'));
            expect(await isProved(place, line, path, size, root), `${place} of ${size}`).toBe(true);
            expect(await isProved(place, `${line}x`, path, size, root)).toBe(false);
            expect(await isProved(place, line, path, size, root.replace(/^./, (c) => (c === '0' ? '1' : '0')))).toBe(false);
            expect(await isProved(place, line, [...path, root], size, root)).toBe(false);
            if (path.length !== 0)
                expect(await isProved(place, line, path.slice(1), size, root)).toBe(false);
            if (size > 1)
                expect(await isProved((place + 1) % size, line, path, size, root)).toBe(false);
        }
        expect(await isProved(size, 'x', [], size, root)).toBe(false);
    }
});
