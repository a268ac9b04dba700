import { Button, FileInput, SegmentedControl } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { IconDownload, IconFileText } from '@tabler/icons-react';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { ImportResult } from '@/api/types';
import { Page, Problem } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { saveAs } from '@/components/download';
import { codeWord, columns, example, IMPORT_BYTES_MAX, importOf, resultsCsv, typeOf, type ImportOf } from '@/features/consent/import';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/consent/import');

type Row = ImportResult['rows'][number];

function Result({ result, onAgain }: { result: ImportResult; onAgain: () => void }) {
    const t = useT();
    const refused = result.rows.filter((row) => row.result === 'refused');
    const list: Column<Row>[] = [
        { id: 'row', title: t('consent.import.row'), cell: (row) => <span className="number">{row.row}</span> },
        { id: 'why', title: t('consent.import.why'), cell: (row) => <span title={row.code ?? undefined}>{t(codeWord(row.code))}</span> },
        { id: 'field', title: t('consent.import.field'), cell: (row) => row.field === null ? <span className="quiet">–</span> : <span className="mono">{row.field}</span> },
    ];
    return (
        <div className="stack" style={{ maxWidth: 880 }}>
            <p className="note" role="status" style={{ margin: 0 }}>{t('consent.import.done', { count: result.recorded, repeated: result.repeated, refused: result.refused })}</p>
            {refused.length !== 0 && <div><h2 style={{ margin: '0 0 8px' }}>{t('consent.import.rows')}</h2><DataTable name="import" label={t('consent.import.rows')} columns={list} rows={refused} rowId={(row) => String(row.row)} /></div>}
            <div className="line"><Button onClick={onAgain}>{t('consent.import.again')}</Button><Button variant="default" leftSection={<IconDownload size={16} aria-hidden />} onClick={() => { saveAs([resultsCsv(result)], 'text/csv', 'import-results.csv'); }}>{t('consent.import.results')}</Button></div>
        </div>
    );
}

/** Many rows at once, each with its own result. */
export default function ConsentImport() {
    const t = useT();
    const navigate = useNavigate();
    const client = useQueryClient();
    const of: ImportOf = route.useSearch().of ?? 'consents';
    const [file, setFile] = useState<File | null>(null);
    const isTooLarge = (file?.size ?? 0) > IMPORT_BYTES_MAX;
    const load = useMutation({
        mutationFn: async (chosen: File) => {
            const text = await chosen.text();
            const options = { body: text, bodySerializer: (body: string) => body, headers: { 'Content-Type': typeOf(text) } };
            return of === 'consents' ? unwrap(api.POST('/v1/consents/import', options)) : unwrap(api.POST('/v1/suppressions/import', options));
        },
        onSettled: () => client.invalidateQueries({ queryKey: keys.consents.all }),
    });
    const { needed, others } = columns[of];
    const back = of === 'consents' ? '/consent/ledger' : '/consent/suppressions';
    return (
        <Page title={t(`consent.import.${of}`)} purpose={t('consent.import.purpose')} back={{ to: back, word: t(of === 'consents' ? 'nav.consent' : 'consent.suppressions') }}>
            {load.data !== undefined ? <Result result={load.data} onAgain={() => { setFile(null); load.reset(); }} /> : (
                <form className="form" onSubmit={(event) => { event.preventDefault(); if (file !== null && !isTooLarge) load.mutate(file); }}>
                    {load.isError && <Problem error={load.error} />}
                    <div><SegmentedControl aria-label={t('consent.import')} value={of} data={importOf.map((value) => ({ value, label: t(value === 'consents' ? 'consent.ledger' : 'consent.suppressions') }))} onChange={(value) => { void navigate({ to: '/consent/import', search: value === 'suppressions' ? { of: 'suppressions' } : {}, replace: true }); }} /></div>
                    <FileInput label={t('consent.import.file')} placeholder={t('consent.import.file.choose')} accept=".csv,.ndjson,.jsonl,text/csv,application/x-ndjson" leftSection={<IconFileText size={16} aria-hidden />} clearable clearButtonProps={{ 'aria-label': t('filter.clear') }} value={file} onChange={setFile} error={isTooLarge ? t('consent.import.file.size') : undefined} />
                    <section aria-label={t('consent.import.columns')}>
                        <h2 style={{ margin: '0 0 4px', fontSize: 14 }}>{t('consent.import.columns')}</h2>
                        <p className="quiet" style={{ margin: '0 0 8px' }}>{t('consent.import.columns.text', { needed: needed.join(', '), others: others.join(', ') })}</p>
                        <pre className="pre" tabIndex={0} style={{ whiteSpace: 'pre' }}>{example[of]}</pre>
                    </section>
                    <div className="line"><Button type="submit" disabled={file === null || isTooLarge} loading={load.isPending}>{t('consent.import.do')}</Button><Button variant="subtle" color="gray" onClick={() => { void navigate({ to: back }); }}>{t('cancel')}</Button></div>
                </form>
            )}
        </Page>
    );
}
