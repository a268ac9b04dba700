import { expect, test } from 'vitest';
import { codeWord, columns, example, importOf, resultsCsv, typeOf } from './import';

test('lines of JSON are told from CSV, with a mark of byte order or without', () => {
    expect(typeOf('{"address":"+1"}\n')).toBe('application/x-ndjson');
    expect(typeOf('\uFEFF\n {"address":"+1"}')).toBe('application/x-ndjson');
    expect(typeOf('\uFEFFaddress,channel\n')).toBe('text/csv');
    expect(typeOf('')).toBe('text/csv');
});

test('the example has columns that are taken, and as many cells in each row', () => {
    for (const of of importOf) {
        const [head, ...rows] = example[of].split('\n').map((line) => line.split(','));
        expect((head ?? []).filter((name) => ![...columns[of].needed, ...columns[of].others].includes(name))).toEqual([]);
        expect(columns[of].needed.filter((name) => !(head ?? []).includes(name))).toEqual([]);
        for (const row of rows)
            expect(row).toHaveLength(head?.length ?? 0);
    }
});

test('why a row was refused has words, also of a later release', () => {
    expect(codeWord('consent-suppressed')).toBe('consent.import.code.consent-suppressed');
    expect(codeWord('age-unknown')).toBe('consent.import.code.other');
});

test('results are a file with a line for each row', () => {
    expect(resultsCsv({ recorded: 1, repeated: 0, refused: 1, rows: [{ row: 1, result: 'recorded', id: 'csn_1', code: null, field: null }, { row: 2, result: 'refused', id: null, code: 'recipient-invalid', field: 'address' }] }))
        .toBe('row,result,id,code,field\r\n1,recorded,csn_1,,\r\n2,refused,,recipient-invalid,address\r\n');
});
