import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { IconDownload, IconFileSearch, IconFilterOff } from '@tabler/icons-react';
import { getRouteApi, Link, Outlet, useMatchRoute, useNavigate } from '@tanstack/react-router';
import type { AuditEntry } from '@/api/types';
import { EmptyState, Page, Problem, RowsSkeleton, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { ChoiceFilter, FilterBar, TextFilter } from '@/components/FilterBar';
import { SavedViews } from '@/components/SavedViews';
import { StatusBadge } from '@/components/status';
import { useMay, useSession } from '@/app/session';
import { useAuditExport } from '@/features/audit/export';
import { auditQuery, readAuditFilter } from '@/features/audit/queries';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/audit');

export default function Audit() {
    const t = useT();
    const may = useMay();
    const { workspace } = useSession();
    const navigate = useNavigate();
    const whole = useAuditExport();
    const filter = route.useSearch();
    const list = useInfiniteQuery(auditQuery(filter));
    const open = useMatchRoute()({ to: '/audit/$entryId' });
    const rows = list.data?.pages.flatMap((page) => page.data) ?? [];
    const isFiltered = Object.keys(filter).length !== 0;
    const set = (change: Record<string, unknown>) => { void navigate({ to: '/audit', search: readAuditFilter({ ...filter, ...change }), replace: true }); };
    const columns: Column<AuditEntry>[] = [
        { id: 'action', title: t('audit.action'), cell: (entry) => <Link to="/audit/$entryId" params={{ entryId: entry.id }} search={filter} className="row-link mono" resetScroll={false}>{entry.action}</Link> },
        { id: 'outcome', title: t('audit.outcome'), cell: (entry) => <StatusBadge state={entry.outcome} /> },
        { id: 'actor', title: t('audit.actor'), cell: (entry) => <>{t(`audit.kind.${entry.actor.kind}`)}{entry.actor.name !== null && <span className="quiet"> {entry.actor.name}</span>}</>, isMinor: true },
        { id: 'object', title: t('audit.object'), cell: (entry) => entry.object_id === null ? <span className="quiet">–</span> : <span className="mono">{entry.object_id.slice(0, 4)}…{entry.object_id.slice(-6)}</span>, isMinor: true },
        { id: 'address', title: t('audit.address'), cell: (entry) => <span className="mono">{entry.actor.address ?? '–'}</span>, isMinor: true },
        { id: 'at', title: t('messages.created'), cell: (entry) => <When at={entry.at} />, isEnd: true },
    ];
    return (
        <>
            <Page title={t('nav.audit')} purpose={t('audit.purpose')}
                acts={may('audit:export') ? <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />} loading={whole.isPending} onClick={() => { whole.mutate(); }}>{t('audit.export')}</Button> : undefined}>
                {whole.isError && <div style={{ marginBottom: 16 }}><Problem error={whole.error} /></div>}
                <FilterBar isOn={isFiltered} onClear={() => { void navigate({ to: '/audit', search: {}, replace: true }); }}>
                    <SavedViews place="audit" workspace={workspace?.id} search={filter} read={readAuditFilter} onApply={(search) => { void navigate({ to: '/audit', search, replace: true }); }}
                        given={[{ name: t('views.refused'), search: { outcome: 'refused' } }, { name: t('views.reveals'), search: { action: 'contact.identity_revealed' } }, { name: t('views.keys'), search: { action: 'api_key.*' } }]} />
                    <ChoiceFilter title={t('audit.outcome')} value={filter.outcome === undefined ? [] : [filter.outcome]} options={(['done', 'refused', 'failed'] as const).map((value) => ({ value, label: <StatusBadge state={value} /> }))} onChange={([outcome]) => { set({ outcome }); }} />
                    <TextFilter title={t('audit.action')} help={t('audit.action.help')} value={filter.action ?? ''} onChange={(action) => { set({ action }); }} />
                    <TextFilter title={t('audit.actor')} help={t('audit.actor.help')} value={filter.actor ?? ''} onChange={(actor) => { set({ actor }); }} />
                    <TextFilter title={t('audit.object')} help={t('audit.object.help')} value={filter.object ?? ''} onChange={(object) => { set({ object }); }} />
                    <TextFilter title={t('messages.after')} type="datetime-local" value={filter.since ?? ''} onChange={(since) => { set({ since }); }} />
                    <TextFilter title={t('messages.before')} type="datetime-local" value={filter.until ?? ''} onChange={(until) => { set({ until }); }} />
                </FilterBar>
                {list.isPending ? <RowsSkeleton count={10} /> : list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                    : rows.length === 0 ? <EmptyState icon={isFiltered ? IconFilterOff : IconFileSearch} title={t(isFiltered ? 'audit.none' : 'audit.empty')} text={t(isFiltered ? 'messages.none.text' : 'audit.empty.text')} />
                    : <DataTable name="audit" label={t('nav.audit')} columns={columns} rows={rows} rowId={(entry) => entry.id} chosen={open === false ? undefined : open.entryId} onOpen={(entry) => { void navigate({ to: '/audit/$entryId', params: { entryId: entry.id }, search: filter, resetScroll: false }); }} hasMore={list.hasNextPage} isLoadingMore={list.isFetchingNextPage} onMore={() => { void list.fetchNextPage(); }} />}
            </Page>
            <Outlet />
        </>
    );
}
