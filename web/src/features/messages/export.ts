import { useMutation } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { endOf, readLines, saveAs } from '@/components/download';
import { say } from '@/components/undo';
import { useT } from '@/i18n/i18n';
import { messageQuery, type MessageFilter } from './filter';

/** All that the filters find, as lines of JSON in a file, with what was said. Says how many, and whether it is whole. */
export function useExport() {
    const t = useT();
    return useMutation({
        mutationFn: async (filter: MessageFilter) => {
            const stream = await unwrap(api.GET('/v1/messages/export', { params: { query: { ...messageQuery(filter), content: true } }, parseAs: 'stream' }));
            if (stream === null)
                return null;
            const { parts, last } = await readLines(stream);
            saveAs(parts, 'application/x-ndjson', `messages-${new Date().toISOString().slice(0, 19).replace(/:/g, '')}.ndjson`);
            return endOf(last);
        },
        onSuccess: (end) => { say(end === null ? t('export.cut') : t('export.done', { count: end.count })); },
    });
}
