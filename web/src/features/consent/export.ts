import { useMutation } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { endOf, readLines, saveAs } from '@/components/download';
import { say } from '@/components/undo';
import { useT } from '@/i18n/i18n';
import { ledgerQuery, type LedgerFilter } from './filter';

/** All that the filters find, with whole numbers only while they are shown. Says how many, and whether it is whole. */
export function useConsentExport() {
    const t = useT();
    return useMutation({
        mutationFn: async ({ filter, reveal }: { filter: LedgerFilter; reveal: boolean }) => {
            const stream = await unwrap(api.GET('/v1/consents/export', { params: { query: { ...ledgerQuery(filter), ...(reveal ? {} : { reveal: false }) } }, parseAs: 'stream' }));
            if (stream === null)
                return null;
            const { parts, last } = await readLines(stream);
            saveAs(parts, 'application/x-ndjson', `consents-${new Date().toISOString().slice(0, 19).replace(/:/g, '')}.ndjson`);
            return endOf(last);
        },
        onSuccess: (end) => { say(end === null ? t('export.cut') : t('export.done', { count: end.count })); },
    });
}

/** The record of one decision, for the person or an auditor: ISO/IEC TS 27560, without the number. */
export function useReceipt() {
    return useMutation({
        mutationFn: async (id: string) => {
            const receipt = await unwrap(api.GET('/v1/consents/{consent_id}/receipt', { params: { path: { consent_id: id }, query: { reveal: false } } }));
            saveAs([JSON.stringify(receipt, null, 2)], 'application/json', `${id}-receipt.json`);
        },
    });
}
