import { Button, FileInput, SegmentedControl, Select } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { IconAlertTriangle, IconCircleCheck, IconCirclePlus, IconFileTypeCsv, IconLock, IconMinus, IconPencil, type Icon } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import type { DltImport as Import } from '@/api/types';
import { useMay } from '@/app/session';
import { EmptyState, Page, Problem, RowsSkeleton } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { readCsv } from '@/features/dlt/csv';
import { dltQuery, useStale } from '@/features/dlt/queries';
import { useLanguage, useT } from '@/i18n/i18n';

type Row = Import['rows'][number];
const kinds = ['headers', 'templates', 'consent-templates', 'links'] as const;
type Kind = (typeof kinds)[number];
const places: Record<Kind, '/dlt/headers' | '/dlt/templates' | '/dlt/links'> = { headers: '/dlt/headers', templates: '/dlt/templates', 'consent-templates': '/dlt/templates', links: '/dlt/links' };
const marks: Record<Row['outcome'], { icon: Icon; colour: string }> = { add: { icon: IconCirclePlus, colour: 'green' }, change: { icon: IconPencil, colour: 'blue' }, same: { icon: IconMinus, colour: 'grey' }, error: { icon: IconAlertTriangle, colour: 'red' } };

/** A portal's file: what it would change is shown first, then done, all of it or nothing. */
export default function DltImport() {
    const t = useT();
    const may = useMay();
    const stale = useStale();
    const overview = useQuery({ ...dltQuery, enabled: may('dlt:read') });
    const [kind, setKind] = useState<Kind>('headers');
    const [entity, setEntity] = useState<string | null>(null);
    const [file, setFile] = useState<File | null>(null);
    const [csv, setCsv] = useState('');
    const [fault, setFault] = useState<'encoding' | 'size' | 'empty' | null>(null);
    const of = entity ?? overview.data?.entities[0]?.id ?? '';
    const send = (preview: boolean) => (ask: { csv: string; kind: Kind; entity: string }) => unwrap(api.POST('/v1/dlt/imports', { body: { kind: ask.kind, entity_id: ask.entity, csv: ask.csv, preview } }));
    const preview = useMutation({ mutationFn: send(true) });
    const run = useMutation({ mutationFn: send(false), onSuccess: stale });
    const forget = () => { preview.reset(); run.reset(); };
    const look = (ask: { csv?: string; kind?: Kind; entity?: string }) => {
        forget();
        const whole = { csv: ask.csv ?? csv, kind: ask.kind ?? kind, entity: ask.entity ?? of };
        if (whole.csv !== '')
            preview.mutate(whole);
    };
    async function take(chosen: File | null) {
        setFile(chosen);
        setCsv('');
        setFault(null);
        forget();
        if (chosen === null)
            return;
        const read = await readCsv(chosen);
        if ('fault' in read) {
            setFault(read.fault);
        } else {
            setCsv(read.csv);
            look({ csv: read.csv });
        }
    }
    const back = { to: '/dlt', word: t('nav.dlt') };
    if (!may('dlt:manage'))
        return <Page title={t('dlt.import')} back={back}><EmptyState icon={IconLock} title={t('problem.forbidden')} text={t('problem.forbidden.text')} /></Page>;
    if (!overview.isSuccess)
        return <Page title={t('dlt.import')} back={back}>{overview.isPending ? <RowsSkeleton count={4} /> : <Problem error={overview.error} retry={() => { void overview.refetch(); }} />}</Page>;
    if (overview.data.entities.length === 0)
        return <Page title={t('dlt.import')} back={back}><EmptyState icon={IconFileTypeCsv} title={t('dlt.empty')} text={t('dlt.empty.text')}><Link to="/dlt/entities/$entityId" params={{ entityId: 'new' }}>{t('dlt.entity.add')}</Link></EmptyState></Page>;
    return (
        <Page title={t('dlt.import')} purpose={t('dlt.import.purpose')} back={back}>
            <div className="form" style={{ marginBottom: 24 }}>
                <div>
                    <div id="import-kind" style={{ fontWeight: 500, marginBottom: 4 }}>{t('dlt.import.kind')}</div>
                    <SegmentedControl className="dlt-kinds" withItemsBorders={false} aria-labelledby="import-kind" value={kind} data={kinds.map((value) => ({ value, label: t(`dlt.import.kind.${value}`) }))} onChange={(value) => { const next = kinds.find((each) => each === value) ?? kind; setKind(next); look({ kind: next }); }} />
                    <p className="quiet" style={{ margin: '4px 0 0', fontSize: 13 }}>{t(`dlt.import.kind.${kind}.help`)}</p>
                </div>
                {overview.data.entities.length > 1 && kind !== 'links' && <Select label={t('dlt.entity')} allowDeselect={false} value={of} data={overview.data.entities.map((each) => ({ value: each.id, label: each.name }))} onChange={(value) => { setEntity(value); look({ entity: value ?? of }); }} />}
                <FileInput label={t('dlt.import.file')} description={t('dlt.import.file.help')} placeholder={t('dlt.import.choose')} accept=".csv,.txt,.tsv,text/csv,text/plain" leftSection={<IconFileTypeCsv size={18} />} clearable clearButtonProps={{ 'aria-label': t('filter.clear') }} value={file} error={fault === null ? undefined : t(`dlt.import.fault.${fault}`)} onChange={(chosen) => { void take(chosen); }} />
            </div>
            {preview.isPending && <RowsSkeleton count={4} />}
            {preview.isError && <Problem error={preview.error} retry={() => { look({}); }} />}
            {run.isError && <Problem error={run.error} retry={() => { run.mutate({ csv, kind, entity: of }); }} />}
            {run.isSuccess ? (
                <div className="card card-pad stack" role="status" style={{ maxWidth: 640 }}>
                    <div className="line" style={{ flexWrap: 'nowrap' }}><IconCircleCheck size={22} aria-hidden style={{ color: 'var(--st-green)', flex: 'none' }} /><strong>{t('dlt.import.done', { added: run.data.added, changed: run.data.changed, same: run.data.same })}</strong></div>
                    <div className="line"><Link to={places[kind]}>{t('dlt.import.see')}</Link><Button variant="default" size="xs" onClick={() => { void take(null); }}>{t('dlt.import.more')}</Button></div>
                </div>
            ) : preview.isSuccess && !run.isError && <Preview preview={preview.data} isBusy={run.isPending} onRun={() => { run.mutate({ csv, kind, entity: of }); }} />}
        </Page>
    );
}

function Preview({ preview, isBusy, onRun }: { preview: Import; isBusy: boolean; onRun: () => void }) {
    const { t, intl } = useLanguage();
    const [isAll, setAll] = useState(preview.errors === 0);
    const rows = isAll ? preview.rows : preview.rows.filter((row) => row.outcome === 'error');
    const count = preview.added + preview.changed;
    const columns: Column<Row>[] = [
        { id: 'subject', title: t('dlt.import.subject'), cell: (row) => row.subject === '' ? <span className="quiet">–</span> : row.subject },
        { id: 'row', title: t('dlt.import.row'), cell: (row) => <span className="number">{t('dlt.import.row.number', { number: row.row })}</span> },
        { id: 'outcome', title: t('dlt.import.outcome'), cell: (row) => { const { icon: Mark, colour } = marks[row.outcome]; return <span className="badge" style={{ ['--st' as string]: `var(--st-${colour})` }}><Mark size={16} stroke={1.8} aria-hidden />{t(`dlt.import.outcome.${row.outcome}`)}</span>; } },
        { id: 'problem', title: t('dlt.import.problem'), cell: (row) => row.problem === null ? <span className="quiet">–</span> : <span className="dlt-wrap">{row.problem}</span> },
    ];
    return (
        <section aria-labelledby="preview">
            <h2 id="preview" style={{ margin: '0 0 12px' }}>{t('dlt.import.preview')}</h2>
            <dl className="figures" style={{ margin: '0 0 16px' }}>
                {([['added', preview.added], ['changed', preview.changed], ['same', preview.same], ['errors', preview.errors]] as const).map(([name, value]) => <div key={name} className="figure"><dt className="quiet">{t(`dlt.import.${name}`)}</dt><dd style={{ margin: 0 }}><span className="figure-number" style={name === 'errors' && value > 0 ? { color: 'var(--st-red)' } : undefined}>{intl.formatNumber(value)}</span></dd></div>)}
            </dl>
            {preview.errors > 0 && <p className="note" role="alert" style={{ margin: '0 0 16px' }}>{t('dlt.import.errors.text')}</p>}
            <div className="line" style={{ justifyContent: 'space-between', marginBottom: 12 }}>
                {preview.errors > 0 ? <SegmentedControl size="xs" aria-label={t('dlt.import.preview')} value={isAll ? 'all' : 'errors'} data={[{ value: 'errors', label: t('dlt.import.errors') }, { value: 'all', label: t('dlt.import.all') }]} onChange={(value) => { setAll(value === 'all'); }} /> : <span className="quiet">{t(count === 0 ? 'dlt.import.nothing' : 'dlt.import.keeps')}</span>}
                <Button disabled={preview.errors > 0 || count === 0} loading={isBusy} onClick={onRun}>{t('dlt.import.do', { count })}</Button>
            </div>
            <DataTable name="dlt-import" label={t('dlt.import.all')} columns={columns} rows={rows} rowId={(row) => String(row.row)} />
        </section>
    );
}
