import { useMutation } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { endOf, readLines, saveAs } from '@/components/download';
import { say } from '@/components/undo';
import { useT } from '@/i18n/i18n';

/** The whole log as far as it is signed, for `harkara audit verify`. Says how many entries, and whether it is whole. */
export function useAuditExport() {
    const t = useT();
    return useMutation({
        mutationFn: async () => {
            const stream = await unwrap(api.GET('/v1/audit/export', { parseAs: 'stream' }));
            if (stream === null)
                return null;
            const { parts, last } = await readLines(stream);
            saveAs(parts, 'application/x-ndjson', `audit-${new Date().toISOString().slice(0, 19).replace(/:/g, '')}.ndjson`);
            return endOf(last);
        },
        onSuccess: (end) => { say(end === null ? t('export.cut') : t('export.done', { count: end.count })); },
    });
}
