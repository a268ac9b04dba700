import type { ImportResult } from '@/api/types';
import type { Word } from '@/i18n/i18n';

export const IMPORT_BYTES_MAX = 2 << 20;
export const importOf = ['consents', 'suppressions'] as const;
export type ImportOf = typeof importOf[number];

/** The columns of each; the first are needed. */
export const columns: Record<ImportOf, { needed: string[]; others: string[] }> = {
    consents: { needed: ['address', 'channel', 'purpose'], others: ['state', 'at', 'method', 'language', 'notice_id', 'evidence'] },
    suppressions: { needed: ['address'], others: ['channel', 'scope'] },
};

export const example: Record<ImportOf, string> = {
    consents: 'address,channel,purpose,state,at,method,evidence\n+919876543210,sms,promotional,granted,2026-01-31T10:00:00Z,web-form,footer form\n+919876543211,whatsapp,newsletter,withdrawn,2026-02-01T08:30:00Z,,',
    suppressions: 'address,channel,scope\n+919876543210,any,all\n+919876543211,sms,promotional',
};

/** Lines of JSON begin with a brace; all else is read as CSV. */
export function typeOf(text: string): 'text/csv' | 'application/x-ndjson' {
    return text.replace(/^\uFEFF/, '').trimStart().startsWith('{') ? 'application/x-ndjson' : 'text/csv';
}

const codes = ['recipient-invalid', 'request-invalid', 'consent-evidence-missing', 'consent-suppressed', 'consent-notice-unknown', 'json-invalid'] as const;

/** Why a row was refused; what a later release says is told by its code beside. */
export function codeWord(code: string | null): Word {
    const known = codes.find((each) => each === code);
    return known === undefined ? 'consent.import.code.other' : `consent.import.code.${known}`;
}

/** The results as a file: without numbers, by row. */
export function resultsCsv(result: ImportResult): string {
    return ['row,result,id,code,field', ...result.rows.map((row) => [row.row, row.result, row.id ?? '', row.code ?? '', row.field ?? ''].join(','))].join('\r\n') + '\r\n';
}
