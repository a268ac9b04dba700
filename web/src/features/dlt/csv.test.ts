import { expect, test } from 'vitest';
import { readCsv } from './csv';

test('a file is read as UTF-8, with its mark, or refused', async () => {
    expect(await readCsv(new Blob(['\uFEFFHeader\nहरित\n']))).toEqual({ csv: '\uFEFFHeader\nहरित\n' });
    expect(await readCsv(new Blob([new Uint8Array([0x48, 0xe9, 0x0a])]))).toEqual({ fault: 'encoding' });
    expect(await readCsv(new Blob([new Uint8Array([0xff, 0xfe, 0x48, 0x00])]))).toEqual({ fault: 'encoding' });
    expect(await readCsv(new Blob([new Uint8Array([0x48, 0x00, 0x0a, 0x00])]))).toEqual({ fault: 'encoding' });
    expect(await readCsv(new Blob([' \n']))).toEqual({ fault: 'empty' });
    expect(await readCsv(new Blob([new Uint8Array(2_000_001)]))).toEqual({ fault: 'size' });
});
