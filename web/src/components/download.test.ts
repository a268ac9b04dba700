import { expect, test } from 'vitest';
import { endOf, readLines } from './download';

function streamOf(text: string, size: number): ReadableStream<Uint8Array<ArrayBuffer>> {
    const bytes = new TextEncoder().encode(text);
    return new ReadableStream({
        start(controller) {
            for (let at = 0; at < bytes.length; at += size)
                controller.enqueue(bytes.slice(at, at + size));
            controller.close();
        },
    });
}

test('however the bytes come, the last line is the same, and all of them are kept', async () => {
    const text = '{"body":"नमस्ते"}\n{"body":"two"}\n{"end":true,"count":2}\n';
    for (const size of [1, 2, 3, 7, 1000]) {
        const { parts, last, count } = await readLines(streamOf(text, size));
        expect(last).toBe('{"end":true,"count":2}');
        expect(count).toBe(3);
        expect(await new Blob(parts).text()).toBe(text);
        expect(endOf(last)).toEqual({ count: 2 });
    }
});

test('an answer that was cut has no end', async () => {
    for (const text of ['', '{"a":1}\n', '{"a":1}\n{"end":true,"count":1}', '{"a":1}\n{"end":tr'])
        expect(endOf((await readLines(streamOf(text, 4))).last), text).toBeNull();
    expect(endOf('{"end":{"entries":12}}')).toEqual({ count: 12 });
    expect(endOf('{"end":false,"count":1}')).toBeNull();
    expect(endOf('[]')).toBeNull();
});
